//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// A process is the program with a log file, which tells where it listens when
// nothing else does.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	log   string // file
	ended chan struct{}
}

// startProcess starts the program; stdout and stderr are as in exec.Cmd.
func startProcess(t *testing.T, stdout, stderr io.Writer, lines ...string) *process {
	t.Helper()
	p := &process{t: t, log: filepath.Join(t.TempDir(), "namesrv.log"), ended: make(chan struct{})}
	lines = append(lines, "bindAddress=127.0.0.1", "listenPort=0", "logFile="+p.log)
	p.cmd = exec.Command(os.Args[0], "-c", properties(t, lines...))
	p.cmd.Env = append(os.Environ(), "NAMESRV_TEST_CHILD=1")
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.ended); p.cmd.Wait() }()
	t.Cleanup(func() { p.cmd.Process.Kill(); <-p.ended })
	return p
}

func (p *process) logText() string {
	text, err := os.ReadFile(p.log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		p.t.Fatal(err)
	}
	return string(text)
}

func (p *process) logs(text string) {
	p.t.Helper()
	eventually(p.t, "the log has "+text, func() bool { return strings.Contains(p.logText(), text) })
}

func (p *process) addr() string {
	p.t.Helper()
	started := regexp.MustCompile(`"?engine started"?.*?(127\.0\.0\.1:\d+)`)
	p.logs("engine started")
	var m []string
	eventually(p.t, "the line is whole", func() bool { m = started.FindStringSubmatch(p.logText()); return m != nil })
	return m[1]
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// wantEnd waits for the end.
func (p *process) wantEnd(code int) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("the program does not end within %v", patience)
	}
	if got := p.cmd.ProcessState.ExitCode(); got != code {
		p.t.Errorf("the program ends with %v, want %d; its log:\n%s", p.cmd.ProcessState, code, p.logText())
	}
}

// abuse makes a server say more than a pipe holds: registrations of one broker
// from ever new addresses, and no RocketMQ at all. It answers all of them.
func abuse(t *testing.T, addr string) {
	t.Helper()
	for i := range 500 {
		c := nstest.Dial(t, addr)
		b := nstest.Broker{Cluster: "C", Name: "a", Addr: fmt.Sprintf("10.0.%d.%d:10911", i/250, i%250), Counter: int64(i), Topics: []string{"T", "U"}}
		if got := codec.ResponseCode(c.Do(b.Register()).Code); got != codec.RespSuccess {
			t.Fatalf("registration %d is answered %v", i, got)
		}
		c.Close()
	}
	c := nstest.Dial(t, addr)
	c.TryWrite([]byte("GET / HTTP/1.0\r\n\r\n"))
	c.MustClose()
	if got := codec.ResponseCode(nstest.Dial(t, addr).Do(nstest.Route("nobody knows")).Code); got != codec.RespTopicNotExist {
		t.Errorf("the route of an unknown topic is %v", got)
	}
}

// fullPipe is the writing end of a pipe that has no room and is not read until
// readInto is called, which returns at once and leaves out what filled it.
func fullPipe(t *testing.T) (w *os.File, readInto func(*output)) {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe(fds[:]); err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	t.Cleanup(func() { r.Close(); w.Close() })
	syscall.SetNonblock(fds[1], true)
	filled := 0
	for _, size := range []int{4096, 1} {
		for {
			n, err := syscall.Write(fds[1], bytes.Repeat([]byte("."), size))
			if err != nil {
				break
			}
			filled += n
		}
	}
	if filled < 4096 {
		t.Fatalf("the pipe took %d bytes", filled)
	}
	syscall.SetNonblock(fds[1], false)
	return w, func(o *output) {
		w.Close()
		go func() {
			io.CopyN(io.Discard, r, int64(filled))
			io.Copy(o, r)
		}()
	}
}

// TestOutputIsNotRead: a server serves, and ends, whoever does not read what it
// says.
func TestOutputIsNotRead(t *testing.T) {
	stdout, _ := fullPipe(t)
	stderr, _ := fullPipe(t)
	p := startProcess(t, stdout, stderr)
	abuse(t, p.addr())
	p.signal(syscall.SIGQUIT) // its stacks have nowhere to go
	p.signal(syscall.SIGHUP)
	p.logs("reload asked for")
	p.signal(syscall.SIGTERM)
	p.wantEnd(0)
}

// TestOutputIsReadLate: nothing is lost of what fits into the queue.
func TestOutputIsReadLate(t *testing.T) {
	stderr, readInto := fullPipe(t)
	p := startProcess(t, io.Discard, stderr, "logFormat=json")
	abuse(t, p.addr())
	var text output
	readInto(&text)
	eventually(t, "the last line is there", func() bool { return strings.Contains(text.String(), "malformed frame") })
	p.signal(syscall.SIGTERM)
	p.wantEnd(0)
	lines := 0
	for line := range strings.Lines(text.String()) {
		var v struct{ Msg string }
		if err := json.Unmarshal([]byte(line), &v); err != nil && strings.HasSuffix(line, "\n") {
			t.Fatalf("line %q: %v", line, err)
		}
		if v.Msg == "broker registered" {
			lines++
		}
	}
	if lines != 500 {
		t.Errorf("%d lines of 500 registrations", lines)
	}
}

// TestOutputHasNoReader: the reader of a pipe may end, as head does.
func TestOutputHasNoReader(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := startProcess(t, w, w)
	w.Close()
	addr := p.addr()
	r.Close()
	abuse(t, addr)
	p.signal(syscall.SIGQUIT)
	p.signal(syscall.SIGHUP)
	p.logs("reload asked for")
	if got := codec.ResponseCode(nstest.Dial(t, addr).Do(nstest.Route("T")).Code); got != codec.RespSuccess && got != codec.RespTopicNotExist {
		t.Errorf("a route is answered %v", got)
	}
	p.signal(syscall.SIGTERM)
	p.wantEnd(0)
}

// TestStartFailsUnread: also what cannot start ends.
func TestStartFailsUnread(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, port, _ := net.SplitHostPort(busy.Addr().String())
	stdout, _ := fullPipe(t)
	stderr, _ := fullPipe(t)
	p := &process{t: t, ended: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], "-c", properties(t, "bindAddress=127.0.0.1", "listenPort="+port))
	p.cmd.Env = append(os.Environ(), "NAMESRV_TEST_CHILD=1")
	p.cmd.Stdout, p.cmd.Stderr = stdout, stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.ended); p.cmd.Wait() }()
	t.Cleanup(func() { p.cmd.Process.Kill(); <-p.ended })
	p.wantEnd(exitFailed)
}

// TestStackSignal: SIGQUIT shows what all goroutines do, and ends nothing.
func TestStackSignal(t *testing.T) {
	var stdout, stderr output
	p := startProcess(t, &stdout, &stderr)
	addr := p.addr()
	for n := 1; n <= 2; n++ {
		p.signal(syscall.SIGQUIT)
		eventually(t, "the stacks are there", func() bool {
			text := stderr.String()
			return strings.Count(text, "main.main()") == n && strings.Count(text, "namesrv.(*Server).Run(") == n
		})
	}
	if got := codec.ResponseCode(nstest.Dial(t, addr).Do(nstest.Route("T")).Code); got != codec.RespTopicNotExist {
		t.Errorf("a route is answered %v", got)
	}
	p.signal(syscall.SIGTERM)
	p.wantEnd(0)
}

// TestReloadSignal: SIGHUP begins another log file, and ends nothing.
func TestReloadSignal(t *testing.T) {
	p := startProcess(t, io.Discard, io.Discard)
	addr := p.addr()
	for i := range 3 {
		old := fmt.Sprintf("%s.%d", p.log, i)
		if err := os.Rename(p.log, old); err != nil {
			t.Fatal(err)
		}
		p.signal(syscall.SIGHUP)
		p.logs("reload asked for")
		if text := p.logText(); strings.Count(text, "reload asked for") != 1 || strings.Contains(text, "engine started") {
			t.Errorf("the new file is\n%s", text)
		}
	}
	if got := codec.ResponseCode(nstest.Dial(t, addr).Do(nstest.Route("T")).Code); got != codec.RespTopicNotExist {
		t.Errorf("a route is answered %v", got)
	}
	p.signal(syscall.SIGTERM)
	p.wantEnd(0)
	if text := p.logText(); !strings.Contains(text, "engine stopped") {
		t.Errorf("the last file is\n%s", text)
	}
}

// TestLogFile: the file has everything, what there was to say of the
// configuration included, and so has standard error.
func TestLogFile(t *testing.T) {
	var stdout, stderr output
	p := startProcess(t, &stdout, &stderr, "listenPrt=1", "logLevel=WARN", "logFormat=JSON")
	ask(t, &stdout)
	p.signal(syscall.SIGTERM)
	p.wantEnd(0)
	if text := p.logText(); text != stderr.String() {
		t.Errorf("the file is\n%s\nstandard error\n%s", text, &stderr)
	}
	for line := range strings.Lines(stderr.String()) {
		var v struct{ Level, Msg, What string }
		if err := json.Unmarshal([]byte(line), &v); err != nil || v.Level != "WARN" {
			t.Errorf("line %q: %v", line, err)
		}
	}
	if !strings.Contains(stderr.String(), "listenPrt") {
		t.Errorf("the log is\n%s", &stderr)
	}
}

// TestLogLevelByRequest changes logLevel while the server runs.
func TestLogLevelByRequest(t *testing.T) {
	p := startProcess(t, io.Discard, io.Discard)
	c := nstest.Dial(t, p.addr())
	config := func(text string) {
		t.Helper()
		r := nstest.Request(codec.ReqUpdateNamesrvConfig)
		r.Body = []byte(text)
		if got := codec.ResponseCode(c.Do(r).Code); got != codec.RespSuccess {
			t.Fatalf("%s is answered %v", text, got)
		}
	}
	register := func(name string) {
		b := nstest.Broker{Cluster: "C", Name: name, Addr: name + ":1", Topics: []string{"T", "U"}}
		c.Do(b.Register())
	}
	register("one")
	config("logLevel=Error")
	register("two")
	config("logLevel=info")
	register("three")
	p.logs("broker=three")
	text := p.logText()
	if !strings.Contains(text, "broker=one") || strings.Contains(text, "broker=two") || strings.Count(text, `"admin change"`) != 2 {
		t.Errorf("the log is\n%s", text)
	}
	r := nstest.Request(codec.ReqUpdateNamesrvConfig)
	r.Body = []byte("logLevel=loud")
	if reply := c.Do(r); string(reply.Remark) != `namesrv: logLevel is "loud", must be debug, info, warn or error` {
		t.Errorf("an unknown level is answered %q", reply.Remark)
	}
	r.Body = []byte("logFile=/tmp/elsewhere")
	if got := codec.ResponseCode(c.Do(r).Code); got != codec.RespNoPermission {
		t.Errorf("a request for another file is answered %v", got)
	}
}
