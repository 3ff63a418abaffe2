package nsctl

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/internal/nstest"
)

// TestSnapshotCommands saves, shows and compares what a server knows.
func TestSnapshotCommands(t *testing.T) {
	t.Parallel()
	n := newNode(t, nil)
	n.do(testBrokerA.Register())
	dir := t.TempDir()
	before, after := filepath.Join(dir, "before.gz"), filepath.Join(dir, "after.gz")
	ask := func(want int, args ...string) (stdout string) {
		t.Helper()
		code, stdout, stderr := run(t, append([]string{"--admin", n.api, "--no-headers"}, args...)...)
		if code != want {
			t.Fatalf("%q: exit %d, %s%s", args, code, stdout, stderr)
		}
		return strings.Join(strings.Fields(stdout), " ")
	}
	ask(exitYes, "snapshot", "save", before)
	if got := ask(exitYes, "snapshot", "diff", before, before); got != "the same: brokers, topics" {
		t.Errorf("a file and itself: %q", got)
	}
	if got := ask(exitYes, "snapshot", "diff", before, n.addr); got != "the same: brokers, topics" {
		t.Errorf("a file and the server: %q", got)
	}
	n.do(testBrokerB.Register())
	const want = "brokers broker-b 0@10.0.0.2:10911 in c1 ✗ ✓ topics ORDERS broker-b ✗ ✓ topics PAYMENTS ✗ ✓"
	if got := ask(exitNo, "snapshot", "diff", before, n.addr); got != want {
		t.Errorf("a file and the server: %q, want %q", got, want)
	}
	ask(exitYes, "snapshot", "save", after)
	if got := ask(exitNo, "snapshot", "diff", before, after); got != want {
		t.Errorf("two files: %q, want %q", got, want)
	}
	for what, want := range map[string]string{
		"clusters": "c1 broker-a broker-b",
		"brokers":  "broker-a c1 0 10.0.0.1:10911 live 3 broker-b c1 0 10.0.0.2:10911 live 2",
		"topics":   "%RETRY%g broker-a 4 4 6 0 ORDERS broker-a 4 4 6 0 ORDERS broker-b 4 4 6 0 PAYMENTS broker-b 4 4 6 0 a/b broker-a 4 4 6 0",
	} {
		if got := ask(exitYes, "snapshot", "show", after, what); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
		if got := ask(exitYes, "snapshot", "show", after, what, "-o", "json"); !strings.Contains(got, "broker-b") {
			t.Errorf("%s: %s", what, got)
		}
	}
	if got := ask(exitYes, "snapshot", "show", after); !strings.HasSuffix(got, " 1 2 4") {
		t.Errorf("show: %q", got)
	}
	for _, args := range [][]string{{"show", before, "kv"}, {"show", "nothing"}, {"diff", before}, {"save"}, {}} {
		ask(exitUsage, append([]string{"snapshot"}, args...)...)
	}
}

// TestTornSnapshot: what has not come whole replaces no file, and is not compared.
func TestTornSnapshot(t *testing.T) {
	t.Parallel()
	n := newNode(t, nil)
	n.do(testBrokerA.Register())
	dir := t.TempDir()
	file := filepath.Join(dir, "snapshot.gz")
	if code, _, stderr := run(t, "--admin", n.api, "snapshot", "save", file); code != exitYes {
		t.Fatal(stderr)
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head := `{"type":"view","generation":"a.1"}` + "\n"
	for name, text := range map[string]string{
		"torn":          head + `{"type":"topic","topic":"T","queues":[]}` + "\n",
		"torn line":     head + `{"type":"topic","to`,
		"another count": head + `{"type":"end","topics":1}` + "\n",
		"another file":  `{"type":"cluster"}` + "\n",
		"no JSON":       "no\n",
		"nothing":       "",
	} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) }))
		code, _, stderr := run(t, "--admin", web.URL, "--timeout", nstest.Patience.String(), "snapshot", "save", file)
		web.Close()
		if code != exitNobody || stderr == "" {
			t.Errorf("%s: exit %d, %q", name, code, stderr)
		}
		if now, err := os.ReadFile(file); err != nil || string(now) != string(kept) {
			t.Errorf("%s: the file is another one, %v", name, err)
		}
		plain := filepath.Join(dir, "plain")
		if err := os.WriteFile(plain, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"show", plain}, {"diff", file, plain}} {
			if code, stdout, stderr := run(t, append([]string{"snapshot"}, args...)...); code != exitNo || stdout != "" || stderr == "" {
				t.Errorf("%s: %q: exit %d, %q, %q", name, args, code, stdout, stderr)
			}
		}
		os.Remove(plain)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("%v is left, %v", names, err)
	}
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	if code, _, _ := run(t, "--admin", nobody.Addr().String(), "snapshot", "diff", file, "127.0.0.1:1"); code != exitNobody {
		t.Errorf("nobody is reached: exit %d", code)
	}
}
