package admin

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

func newLog(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// TestTokenFileThatIsWrong: it stops the start, and the error says which line and why,
// with nothing of the line in it.
func TestTokenFileThatIsWrong(t *testing.T) {
	long := canary + "-0123456789"
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"for its group", "read a " + long, 0o640, "has mode 0640, others than its owner must not get at it: chmod 600"},
		{"for all", "read a " + long, 0o604, "has mode 0604"},
		{"no role", "# all\nall a " + long, 0o600, "line 2: its first word is no role"},
		{"role none", "none a " + long, 0o600, "line 1: its first word is no role"},
		{"two words", "read " + long, 0o600, "line 1: it has 2 words"},
		{"only a token", long, 0o600, "line 1: it has 1 words"},
		{"four words", "read a " + long + " b", 0o600, "line 1: it has 4 words"},
		{"short", "read a canary-c0ffee12", 0o600, "line 1: its token has 15 characters, must have at least 16"},
		{"twice", "read a " + long + "\r\n\ndebug b " + long, 0o600, "line 3: it has the token of line 1"},
		{"huge", strings.Repeat("#", tokenFileBytes+1), 0o600, "is longer than 65536 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens")
			if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			log := &logText{}
			a := adminOf(t, func(c *namesrv.Config) { c.AdminTokenFile = path }, newLog(log))
			err := startError(t, a)
			if err == nil || !strings.Contains(err.Error(), "adminTokenFile: ") || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
				t.Errorf("the error is %v, want %s", err, tt.want)
			}
			if strings.Contains(log.String(), "canary") {
				t.Errorf("the log is\n%s", log)
			}
		})
	}
	a := adminOf(t, func(c *namesrv.Config) { c.AdminTokenFile = filepath.Join(t.TempDir(), "none") }, newLog(io.Discard))
	if err := startError(t, a); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("without the file the error is %v", err)
	}
}

// TestTokenRotation changes the file while the server runs. What is wrong leaves the
// tokens as they were and is said once; what is right counts at once.
func TestTokenRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		next := path + ".next"
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(next, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
	}
	const first, second = canary + "-first-token", canary + "-second-token"
	write("debug a "+first, 0o600)
	r := run(t, func(c *namesrv.Config) { c.AdminTokenFile, c.AdminAnonymousLocal = path, "none" })
	r.guard.guesses = newLimiter(1e9, 1e9)
	code := func(token string) int {
		code, _, _ := r.ask("/livez", way{header: map[string]string{"Authorization": "Bearer " + token}})
		return code
	}
	if got := code(first); got != 200 {
		t.Fatalf("the first token is answered %d", got)
	}
	lines := func() int { return strings.Count(r.log.String(), "the tokens stay as they were") }
	write("debug a "+second+" surplus", 0o600)
	nstest.Eventually(t, "the log says that a line is wrong", func() bool { r.Reload(); return lines() == 1 })
	write("debug a "+second, 0o644)
	nstest.Eventually(t, "the log says that the mode is wrong", func() bool { r.Reload(); return lines() == 2 })
	if got := code(first); got != 200 {
		t.Errorf("the first token is answered %d after a file that is wrong", got)
	}
	if got := code(second); got != 401 {
		t.Errorf("the second is answered %d", got)
	}
	write("debug a "+first+"\nread a "+second, 0o600)                                           // both, for the time of the change
	nstest.Eventually(t, "the second token counts", func() bool { return code(second) == 200 }) // by watching alone
	if got := code(first); got != 200 {
		t.Errorf("beside the second, the first is answered %d", got)
	}
	write("read a "+second, 0o600)
	nstest.Eventually(t, "the first does not", func() bool { return code(first) == 401 })
	write("", 0o600)
	nstest.Eventually(t, "nobody has one", func() bool { return code(second) == 401 })
	if strings.Contains(r.log.String(), canary) {
		t.Errorf("a token is in the log:\n%s", r.log)
	}
}
