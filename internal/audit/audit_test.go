package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gonamesrv/internal/nstest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("AUDIT_CHILD"); path != "" {
		writeUntilKilled(path)
	}
	os.Exit(m.Run())
}

func options(path string) Options {
	return Options{Path: path, MaxMegabytes: 1, MaxBackups: 1000, Chain: true, Now: time.Now, Logger: slog.New(slog.DiscardHandler)}
}

// open opens and starts a log.
func open(t testing.TB, o Options) *Log {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// written is a file of n lines, written by two processes one after the other.
func written(t testing.TB, o Options, n int) (lines []string) {
	t.Helper()
	for _, n := range []int{n / 2, n - n/2} {
		l := open(t, o)
		for i := range n {
			l.Put(&Line{Peer: "10.0.0.1:1", Name: fmt.Sprint("line ", i)}, true)
		}
		l.Stop(t.Context())
		if st := l.Stats(); st.Written != uint64(n) || st.Lost != 0 || st.Failures != 0 {
			t.Fatalf("stats %+v", st)
		}
	}
	return slices.Collect(strings.Lines(read(t, o.Path)))
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestVerifyFindsTheLine does to each line of a log what somebody might do who may write
// the file: the first line that does not fit is found. At the very end a line may be
// missing without a trace, but for the hash of the last.
func TestVerifyFindsTheLine(t *testing.T) {
	const n = 12
	for _, chain := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "audit.log")
		o := options(path)
		o.Chain = chain
		lines := written(t, o, n)
		whole, err := Verify(path)
		if err != nil || whole.Lines != n || (whole.Chained == n) != chain || whole.Lost != 0 || (whole.Last == "") == chain || len(whole.Notes) > 0 {
			t.Fatalf("chain %v: %+v, %v", chain, whole, err)
		}
		for what, at := range map[string]func(i int) (text []string, first int){
			"changed": func(i int) ([]string, int) {
				if !chain {
					return nil, 0
				}
				next := slices.Clone(lines)
				next[i] = strings.Replace(next[i], "10.0.0.1", "10.0.0.2", 1)
				return next, i + 1
			},
			"with another time": func(i int) ([]string, int) {
				if !chain {
					return nil, 0
				}
				next := slices.Clone(lines)
				next[i] = strings.Replace(next[i], `{"t":"2`, `{"t":"3`, 1)
				return next, i + 1
			},
			"removed": func(i int) ([]string, int) {
				if i == n-1 || !chain && (i == 0 || i == n/2-1) {
					return nil, 0 // nobody sees it: the last of a process, or the first of all
				}
				return slices.Delete(slices.Clone(lines), i, i+1), i + 1
			},
			"twice":   func(i int) ([]string, int) { return slices.Insert(slices.Clone(lines), i+1, lines[i]), i + 2 },
			"no line": func(i int) ([]string, int) { return slices.Insert(slices.Clone(lines), i, "hello\n"), i + 1 },
			"half": func(i int) ([]string, int) {
				next := slices.Clone(lines)
				next[i] = next[i][:20] + "\n"
				return next, i + 1
			},
			"no hash": func(i int) ([]string, int) {
				if !chain || i == n/2 || i == 0 { // of a process without a chain
					return nil, 0
				}
				next := slices.Clone(lines)
				rest, _ := cutHash([]byte(strings.TrimSuffix(next[i], "\n")))
				next[i] = string(rest) + "\n"
				return next, i + 1
			},
		} {
			for i := range n {
				text, first := at(i)
				if text == nil {
					continue
				}
				write(t, path, strings.Join(text, ""))
				_, err := Verify(path)
				var fault *Fault
				if !errors.As(err, &fault) || fault.File != path || fault.Line != first {
					t.Errorf("chain %v, line %d is %s: %v, want line %d", chain, i+1, what, err, first)
				}
			}
		}
		write(t, path, strings.Join(lines[:n-1], ""))
		if cut, err := Verify(path); err != nil || chain && cut.Last == whole.Last {
			t.Errorf("without the last line: %+v, %v", cut, err)
		}
	}
}

// TestTornLine cuts a log everywhere in its last line, as a process that is killed may
// leave it: that is noted, the next process goes on, and says so.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	lines := written(t, options(path), 4)
	head, last := strings.Join(lines[:3], ""), lines[3]
	for cut := 0; cut < len(last); cut++ {
		if cut > 3 && cut < len(last)-3 {
			cut += 16
			cut = min(cut, len(last)-3)
		}
		write(t, path, head+last[:cut])
		r, err := Verify(path)
		if err != nil || r.Lines != 3 || len(r.Notes) != min(cut, 1) {
			t.Fatalf("cut at %d: %+v, %v", cut, r, err)
		}
		for range 2 { // the second time there is nothing new to say
			l := open(t, options(path))
			l.Put(&Line{Name: "after"}, true)
			l.Stop(t.Context())
		}
		r, err = Verify(path)
		want := 5
		notes := min(cut, 1)
		if cut == len(last)-1 { // but for its line break it is whole
			want, notes = 6, 0
		}
		if err != nil || r.Lines != want || r.Chained != want || len(r.Notes) != notes {
			t.Fatalf("cut at %d, and went on: %+v, %v\n%s", cut, r, err, read(t, path))
		}
	}
}

// TestKilled kills processes that write, wherever they are: what they leave can be
// verified, and the next goes on.
func TestKilled(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	lines := 0
	for i := range 20 {
		child := exec.Command(exe)
		child.Env = append(os.Environ(), "AUDIT_CHILD="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it has written a line
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i) * 137 * time.Microsecond) // wherever it is by then
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait()
		r, err := Verify(files(t, path)...)
		if err != nil || r.Lines <= lines || r.Chained != r.Lines {
			t.Fatalf("after %d kills: %+v, %v", i+1, r, err)
		}
		lines = r.Lines
	}
	t.Logf("%d lines", lines)
}

func writeUntilKilled(path string) {
	o := options(path)
	o.Sync = true
	l, err := Open(o)
	if err != nil {
		panic(err)
	}
	_ = l.Start(context.Background())
	l.Put(&Line{Name: "first"}, true).Wait(nstest.Patience)
	fmt.Print("w")
	for {
		var last *Receipt
		for range 50 {
			last = l.Put(&Line{Name: "next", Why: strings.Repeat("x", 100)}, true)
		}
		last.Wait(nstest.Patience)
	}
}

// files are those of a log, the oldest first.
func files(t testing.TB, path string) []string {
	t.Helper()
	older, err := filepath.Glob(strings.TrimSuffix(path, ".log") + "-*")
	if err != nil {
		t.Fatal(err)
	}
	older = slices.DeleteFunc(older, func(name string) bool { // it is being compressed
		return strings.HasSuffix(name, ".gz") && slices.Contains(older, strings.TrimSuffix(name, ".gz"))
	})
	slices.Sort(older)
	return append(older, path)
}

// TestRotation: files have their size and their mode, are compressed, and the chain goes
// on through all of them; each by itself can be verified too.
func TestRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, options(path))
	for i := range 4 << 10 {
		for {
			l.mu.Lock()
			room := l.bytes < queueBytes/4
			l.mu.Unlock()
			if room {
				break
			}
			time.Sleep(time.Millisecond)
		}
		l.Put(&Line{Name: fmt.Sprint(i), Why: strings.Repeat("y", 1000)}, true)
	}
	l.Stop(t.Context())
	eventually(t, "all older ones are compressed", func() bool {
		all := files(t, path)
		return len(all) > 3 && !slices.ContainsFunc(all[:len(all)-1], func(name string) bool { return !strings.HasSuffix(name, ".gz") })
	})
	all := files(t, path)
	r, err := Verify(all...)
	if err != nil || r.Lines != 4<<10 || r.Chained != r.Lines {
		t.Fatalf("%d files: %+v, %v", len(all), r, err)
	}
	for _, name := range all {
		info, err := os.Stat(name)
		if err != nil || info.Size() > 1<<20+batchBytes/3 || info.Mode().Perm() != 0o640 { // a batch is written whole
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if _, err := Verify(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := Verify(slices.Delete(all, 1, 2)...); err == nil {
		t.Error("nobody misses the second file")
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(nstest.Patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time: ", what)
		}
	}
}

// TestFullQueue: who puts a line never waits; what finds no room is counted, the next line
// says so, and strangers leave room for others.
func TestFullQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l, err := Open(options(path))
	if err != nil {
		t.Fatal(err)
	}
	for range queueLines {
		l.Put(&Line{Name: "stranger"}, false)
	}
	if st := l.Stats(); st.Queued != queueLines/4*3 || st.Lost != queueLines/4 || !l.CanTake() {
		t.Errorf("strangers: %+v", st)
	}
	for range queueLines {
		l.Put(&Line{Name: "operator"}, true)
	}
	if st := l.Stats(); st.Queued != queueLines || st.Lost != queueLines || l.CanTake() {
		t.Errorf("operators: %+v", st)
	}
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all is written", func() bool { return l.Stats().Written == queueLines })
	l.Put(&Line{Name: "later"}, true)
	l.Stop(t.Context())
	if r, err := Verify(path); err != nil || r.Lost != queueLines || r.Lines != queueLines+1 {
		t.Errorf("%+v, %v", r, err)
	}
	if text := read(t, path); strings.Count(text, `,"lost":`) != 2 || !strings.Contains(text, fmt.Sprintf(`"lost":%d,"name":"operator"`, queueLines/4)) {
		t.Error("the lines do not say where others are lost")
	}
	l = open(t, options(path))
	long := strings.Repeat("z", maxLine)
	for range 10 {
		l.Put(&Line{Args: Attrs{slog.String("text", long)}}, true)
	}
	l.Stop(t.Context())
	if text := read(t, path); strings.Contains(text, strings.Repeat("z", 100)) || strings.Count(text, "tooLong") != 10 {
		t.Error("a long line is written")
	}
}

// TestFullQueueOfLongLines: what waits is bounded in bytes too, and strangers leave a
// quarter of them.
func TestFullQueueOfLongLines(t *testing.T) {
	l, err := Open(options(filepath.Join(t.TempDir(), "audit.log")))
	if err != nil {
		t.Fatal(err)
	}
	long := &Line{Why: strings.Repeat("x", 32<<10)}
	size := len(long.encode())
	for _, tc := range []struct {
		ours bool
		room int // for all lines so far, in bytes
	}{{false, queueBytes / 4 * 3}, {true, queueBytes}} {
		for range queueBytes / size {
			l.Put(long, tc.ours)
		}
		if st := l.Stats(); st.Queued != tc.room/size {
			t.Errorf("ours %v: %d lines of %d bytes wait, want %d", tc.ours, st.Queued, size, tc.room/size)
		}
	}
	if l.CanTake() {
		t.Error("there is no room, and it says that there is")
	}
	l.Stop(t.Context())
}

// TestFileGone: a file that somebody has renamed or removed is begun anew, and what is
// written then is in the new one.
func TestFileGone(t *testing.T) {
	for what, remove := range map[string]func(path string) error{
		"renamed": func(path string) error { return os.Rename(path, path+".1") },
		"removed": os.Remove,
		"another": func(path string) error {
			return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, nil, 0o640))
		},
	} {
		path := filepath.Join(t.TempDir(), "audit.log")
		o := options(path)
		o.Sync, o.MaxMegabytes = true, 1<<10 // it is not set aside meanwhile
		l := open(t, o)
		l.Put(&Line{Name: "before"}, true).Wait(nstest.Patience)
		if err := remove(path); err != nil {
			t.Fatal(err)
		}
		eventually(t, what+": a line is in the new file", func() bool {
			l.Put(&Line{Name: "after"}, true).Wait(nstest.Patience)
			text, err := os.ReadFile(path)
			return err == nil && strings.Contains(string(text), `"name":"after"`)
		})
		l.Stop(t.Context())
		if r, err := Verify(path); err != nil || r.Lines == 0 {
			t.Errorf("%s: %+v, %v", what, r, err)
		}
	}
}

// TestFailingFile takes the file away: lines are lost and counted, somebody is told, and
// when it can be written again the next line says how many. Nobody waits.
func TestFailingFile(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, "audit")
	path := filepath.Join(folder, "audit.log")
	o := options(path)
	o.Sync = true
	var said bytes.Buffer
	o.Logger = slog.New(slog.NewTextHandler(&said, nil))
	l := open(t, o)
	put := func(name string) { l.Put(&Line{Name: name}, true).Wait(nstest.Patience) }
	put("before")
	if err := os.Rename(folder, folder+".away"); err != nil {
		t.Fatal(err)
	}
	write(t, folder, "in the way")
	eventually(t, "it is noticed", func() bool { put("lost"); return !l.CanTake() })
	put("lost")
	st := l.Stats()
	if st.Lost == 0 || st.Failures == 0 || !st.Broken {
		t.Errorf("stats %+v", st)
	}
	if err := errors.Join(os.Remove(folder), os.Rename(folder+".away", folder)); err != nil {
		t.Fatal(err)
	}
	put("after")
	if !l.CanTake() {
		t.Error("it is not noticed that it can be written again")
	}
	l.Stop(t.Context())
	r, err := Verify(path)
	if err != nil || r.Lost != l.Stats().Lost || r.Chained != r.Lines {
		t.Errorf("%+v, %v; stats %+v", r, err, l.Stats())
	}
	if n := strings.Count(said.String(), "audit log cannot be written"); n != 1 {
		t.Errorf("told %d times:\n%s", n, said.String())
	}
}

// TestOtherFile: no device, no pipe and no folder is written to.
func TestOtherFile(t *testing.T) {
	for _, path := range []string{t.TempDir(), os.DevNull, filepath.Join(os.DevNull, "audit.log")} {
		if l, err := Open(options(path)); err == nil {
			l.Stop(t.Context())
			t.Errorf("%s is opened", path)
		}
	}
}

// TestNoLineIsForged writes texts that want to be more than a text.
func TestNoLineIsForged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l := open(t, options(path))
	evil := []string{
		"a\n{\"t\":\"2026-01-01T00:00:00Z\",\"seq\":1}\n", "a\r\nb", "\u2028\u2029\u0085\x00\x0b\x0c", "\x1b[2J\x1b]0;title\x07", "\u009b31m\x7f",
		`","outcome":"served","x":"`, `","h":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}`, "\xff\xfe", "\u202etxt.exe\u2066\U000e0041", `\u000a`, "</script><b>",
	}
	for _, text := range evil {
		value := Value(slog.GroupValue(slog.String(text, text)))
		l.Put(&Line{
			Peer: text, Via: text, Who: text, Name: text, Lang: text, Ver: text, Why: text, Outcome: "refused",
			Args: Attrs{slog.String(text, text), slog.Group(text, text, text)}, Before: &value, After: &value,
		}, true)
	}
	l.Stop(t.Context())
	if r, err := Verify(path); err != nil || r.Lines != len(evil) || r.Chained != len(evil) {
		t.Errorf("%+v, %v", r, err)
	}
	lines := strings.Split(strings.TrimSuffix(read(t, path), "\n"), "\n")
	if len(lines) != len(evil) {
		t.Fatalf("%d lines of %d", len(lines), len(evil))
	}
	for i, line := range lines {
		if what := strings.IndexFunc(line, func(r rune) bool { return r < ' ' || strange(r) }); what >= 0 {
			t.Errorf("%q has something that is not printed", line)
		}
		var got struct{ Peer, Why, Outcome string }
		want := strings.ToValidUTF8(evil[i], "\ufffd")
		if strings.Contains(evil[i], "\xff") {
			want = "\ufffd\ufffd"
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Peer != want || got.Why != want || got.Outcome != "refused" {
			t.Errorf("%q is read as %+v, %v", line, got, err)
		}
	}
}

// TestReceipt: who waits for a line does so for as long as he says at most.
func TestReceipt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &Receipt{make(chan struct{}), new(atomic.Int64)}
		began := time.Now()
		r.Wait(10 * time.Second)
		if time.Since(began) != 10*time.Second {
			t.Error("it does not wait for as long as it may")
		}
		close(r.done)
		r.Wait(time.Hour)
		(*Receipt)(nil).Wait(time.Hour)
		if time.Since(began) != 10*time.Second {
			t.Error("it waits for nothing")
		}
	})
}

func BenchmarkPut(b *testing.B) {
	l, err := Open(options(filepath.Join(b.TempDir(), "audit.log")))
	if err != nil {
		b.Fatal(err)
	}
	line := &Line{Peer: "10.0.0.1:51234", Conn: 77, Who: "site", How: "address", Code: 205, Name: "WIPE_WRITE_PERM_OF_BROKER", Class: "admin-write", Args: Attrs{slog.String("brokerName", "broker-a")}, Outcome: "served"}
	for b.Loop() {
		l.Put(line, true)
		l.mu.Lock()
		l.queue, l.bytes = nil, 0
		l.mu.Unlock()
	}
	l.Stop(b.Context())
}
