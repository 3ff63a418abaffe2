package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Some tests break the process they run in, and so have one of their own: the
// test binary starts itself again and runChild takes over. The child prints
// its address, lives until its standard input ends, and answers a frame
// "stats" with its counters.

func runChild(name string) int {
	if name == "bare frames" {
		return serveBare()
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	h := &testHandler{}
	addrs := []string{"127.0.0.1:0"}
	if name == "files, two addresses" {
		addrs = append(addrs, "127.0.0.1:0")
	}
	e, err := New(h, Options{
		Addrs: addrs, Split: splitInt32, Loops: 2, Logger: log,
		MaxConnections: 1 << 20, tick: 20 * time.Millisecond,
	})
	if err == nil {
		err = e.Listen()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	h.serve = func(c Conn, frame, out []byte) []byte {
		if string(frame[4:]) == "stats" {
			b, _ := json.Marshal(e.Stats())
			return append(out, frameOf(b)...)
		}
		return append(out, frame...)
	}
	if name == "large frames" {
		x := NewExecutor(ExecutorOptions{Workers: 16, MaxBytes: 400 << 20})
		h.serve = func(c Conn, frame, out []byte) []byte {
			x.Submit(c, frame, func(_ Conn, _ time.Duration, frame, out []byte) []byte { return answerLarge(out, frame) })
			return out
		}
	}
	before := epolls()
	h.opened = func(c Conn) {
		if name == "loop" {
			go breakLoop(before)
		}
	}
	if strings.HasPrefix(name, "files") {
		limitFiles(40)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println(strings.ReplaceAll(e.addrText(), ",", ""))
	if err := e.Run(ctx); err != nil {
		fmt.Println(err)
		return 3
	}
	return 0
}

// limitFiles leaves the process n descriptors.
func limitFiles(n uint64) {
	var l syscall.Rlimit
	syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
	l.Cur = n
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		panic(err)
	}
}

// epolls returns the epoll descriptors of the process.
func epolls() map[int]bool {
	found := make(map[int]bool)
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		if target, _ := os.Readlink("/proc/self/fd/" + entry.Name()); strings.Contains(target, "eventpoll") {
			var fd int
			fmt.Sscan(entry.Name(), &fd)
			found[fd] = true
		}
	}
	return found
}

// breakLoop puts /dev/null in the place of the epoll descriptors that are not
// in others: epoll_wait then fails.
func breakLoop(others map[int]bool) {
	null, err := os.Open("/dev/null")
	if err != nil {
		panic(err)
	}
	for fd := range epolls() {
		if !others[fd] {
			if err := syscall.Dup3(int(null.Fd()), fd, syscall.O_CLOEXEC); err != nil {
				panic(err)
			}
			return // one is enough
		}
	}
}

// A child is a process that runs an engine.
type child struct {
	t    testing.TB
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	err  *logBuffer
	addr string   // the first address
	all  []string // all of them
}

func startChild(t testing.TB, name string) *child {
	t.Helper()
	c := &child{t: t, cmd: exec.Command(os.Args[0]), err: &logBuffer{}}
	c.cmd.Env = append(os.Environ(), "ENGINE_TEST_CHILD="+name)
	c.cmd.Stderr = c.err
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.cmd.Process.Kill(); c.cmd.Wait() })
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c.all = strings.Fields(line)
	c.addr = c.all[0]
	return c
}

// wait waits for the end and returns the exit code and what was printed.
func (c *child) wait() (code int, out string) {
	b, _ := io.ReadAll(c.out)
	c.cmd.Wait()
	return c.cmd.ProcessState.ExitCode(), string(b)
}

// With no descriptor left, connections that are open must not notice, and
// those that wait must be accepted when there are descriptors again.
func TestAcceptWithoutDescriptors(t *testing.T) {
	ch := startChild(t, "files")
	live := dial(t, ch.addr)
	stats := live.stats
	live.ping("before")
	var peers []*client
	for range 60 {
		c := dial(t, ch.addr) // into the backlog
		c.send(textFrame("at once"))
		peers = append(peers, c)
	}
	eventually(t, "accept fails", func() bool { return stats().AcceptErrors >= 3 })
	st := stats()
	if st.Open < 5 || st.Open > 40 {
		t.Errorf("%d open, want what 40 descriptors allow", st.Open)
	}
	// The backlog is in order: the first ones have been accepted.
	served := peers[:st.Open-1]
	for _, c := range served {
		c.want("at once")
		c.ping("served during")
		c.Close()
	}
	for i, c := range peers[st.Open-1:] {
		c.want("at once")
		c.ping("accepted later")
		if i > 5 { // keep a few, make room for the next
			c.Close()
		}
	}
	live.ping("after")
	if st := stats(); st.Accepted != 61 {
		t.Errorf("%d accepted, want 61", st.Accepted)
	}
	ch.in.Close()
	if code, out := ch.wait(); code != 0 {
		t.Errorf("exit %d, printed %q, want 0", code, out)
	}
}

// When descriptors have run out because of peers who say nothing, they go, and
// those who have something to say are let in.
func TestStrangersWithoutDescriptors(t *testing.T) {
	ch := startChild(t, "files")
	live := dial(t, ch.addr)
	live.ping("before")
	for range 60 {
		dial(t, ch.addr)
	}
	eventually(t, "accept fails", func() bool { return live.stats().AcceptErrors >= 1 })
	for range 5 {
		c := dial(t, ch.addr)
		c.ping("newcomer")
	}
	live.ping("not disturbed")
	if st := live.stats(); st.ClosedForRoom < 5 {
		t.Errorf("%d strangers closed, want at least one for each newcomer", st.ClosedForRoom)
	}
	ch.in.Close()
	if code, out := ch.wait(); code != 0 {
		t.Errorf("exit %d, printed %q, want 0", code, out)
	}
}

// stats asks a child for its counters.
func (c *client) stats() (s Stats) {
	c.t.Helper()
	c.send(textFrame("stats"))
	b, err := readFrame(c)
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		c.t.Fatalf("live connection: %v", err)
	}
	return s
}

// So it is with several listeners, who take descriptors from each other.
func TestAcceptOnTwoAddressesWithoutDescriptors(t *testing.T) {
	ch := startChild(t, "files, two addresses")
	live := dial(t, ch.addr)
	live.ping("before")
	began := time.Now()
	var peers []*client
	for i := range 80 {
		c := dial(t, ch.all[i%2])
		c.send(textFrame("at once"))
		peers = append(peers, c)
	}
	eventually(t, "accept fails", func() bool { return live.stats().AcceptErrors >= 6 })
	var wg sync.WaitGroup
	for _, c := range peers {
		wg.Go(func() {
			defer c.Close()
			text := c.LocalAddr().String()
			if first, err := readFrame(c); err != nil || string(first) != "at once" {
				t.Errorf("peer got %q, %v", first, err)
			} else if _, err := c.Write(textFrame("%s", text)); err != nil {
				t.Errorf("peer: %v", err)
			} else if got, err := readFrame(c); err != nil || string(got) != text {
				t.Errorf("peer got %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	st := live.stats()
	if st.Accepted != 81 {
		t.Errorf("%d accepted, want 81", st.Accepted)
	}
	if most := 2 * (1 + time.Since(began)/firstPause); st.AcceptErrors > uint64(most) {
		t.Errorf("%d failures to accept, want at most %d: each is paused over", st.AcceptErrors, most)
	}
	ch.in.Close()
	if code, out := ch.wait(); code != 0 {
		t.Errorf("exit %d, printed %q, want 0", code, out)
	}
}

// gnet lets a loop whose epoll fails end without telling anybody but the log.
func TestEndOfLoopIsFatal(t *testing.T) {
	ch := startChild(t, "loop")
	dial(t, ch.addr) // opening it breaks a loop
	code, out := ch.wait()
	if code != 3 || !strings.Contains(out, "ended unexpectedly") || !strings.Contains(out, "invalid argument") {
		t.Errorf("exit %d, printed %q, want 3 and the reason", code, out)
	}
	if !ch.err.has("event loop ended") {
		t.Error("end of the loop not logged")
	}
}

func countFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestNoDescriptorIsLeaked(t *testing.T) {
	round := func() {
		s := serve(t, &testHandler{}, nil)
		for i := range 20 {
			c := s.dial()
			c.ping("x")
			switch i % 4 {
			case 0:
				c.send([]byte{0x80, 0, 0, 0})
				c.wantClosed()
			case 1:
				c.reset()
			case 2:
				c.CloseWrite()
				c.wantClosed()
			}
			defer c.Close()
		}
		s.stop()
	}
	round() // what is opened once and for all
	before := countFiles(t)
	for range 3 {
		round()
	}
	eventually(t, fmt.Sprintf("back to %d descriptors", before), func() bool { return countFiles(t) <= before })
}

// Go listens for Multipath TCP unless told not to; nobody asked for it.
func TestPlainTCP(t *testing.T) {
	const soProtocol = 38 // SO_PROTOCOL
	s := serve(t, &testHandler{}, nil)
	raw, err := s.lns[0].(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		proto, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, soProtocol)
		if err != nil || proto != syscall.IPPROTO_TCP {
			t.Errorf("listens for protocol %d, %v, want %d", proto, err, syscall.IPPROTO_TCP)
		}
	})
}

// Java: NettyRemotingServer#initServerBootstrap: TCP_NODELAY true,
// SO_KEEPALIVE false, buffers only when configured.
func TestSocketOptions(t *testing.T) {
	got := make(map[string]int)
	done := make(chan struct{})
	s := serve(t, &testHandler{opened: func(c Conn) {
		fd := c.(*conn).gc.Fd()
		got["nodelay"], _ = syscall.GetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY)
		got["keepalive"], _ = syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
		got["sndbuf"], _ = syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF)
		got["rcvbuf"], _ = syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF)
		close(done)
	}}, func(o *Options) { o.SendBuffer, o.RecvBuffer = 20_000, 30_000 })
	s.dial()
	<-done
	// Linux doubles the buffer sizes it is given.
	for name, want := range map[string]int{"nodelay": 1, "keepalive": 0, "sndbuf": 40_000, "rcvbuf": 60_000} {
		if got[name] != want {
			t.Errorf("%s = %d, want %d", name, got[name], want)
		}
	}
}
