//go:build interop && linux

package interop

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

// A lan is a few network namespaces, called by a letter each. It is gone when
// the test ends.
type lan struct{ prefix string }

var lans atomic.Int64 // of this process so far

// newLAN makes namespaces with nothing but the loopback interface. Where that
// cannot be done, which takes iproute2, it skips the test, and fails it under
// CI=true. Who is not root may not make them: then it is always skipped.
func newLAN(t *testing.T, letters string) *lan {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces: only root may make them")
	}
	n := &lan{prefix: fmt.Sprintf("gns%d-%d-", os.Getpid(), lans.Add(1))}
	for _, l := range letters {
		n.ip(t, "netns", "add", n.name(l))
		t.Cleanup(func() { exec.Command("ip", "netns", "del", n.name(l)).Run() })
		n.ip(t, "-n", n.name(l), "link", "set", "lo", "up")
	}
	return n
}

// ip runs the command ip.
func (n *lan) ip(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err == nil {
		return
	}
	err = fmt.Errorf("network namespaces: ip %s: %w: %s", strings.Join(args, " "), err, out)
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
}

// startLAN makes namespaces with one interface eth0 and the address
// 10.77.0.N/24 each, and a bridge between them:
//
//	s 10.77.0.1 ──┐
//	a 10.77.0.2 ──┼── bridge, in a namespace of its own
//	b 10.77.0.3 ──┘
func startLAN(t *testing.T, letters string) *lan {
	t.Helper()
	n := newLAN(t, "x"+letters)
	bridge := n.name('x')
	n.ip(t, "-n", bridge, "link", "add", "br0", "type", "bridge")
	n.ip(t, "-n", bridge, "link", "set", "br0", "up")
	for i, l := range letters {
		port := "to-" + string(l)
		n.ip(t, "-n", bridge, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", n.name(l))
		n.ip(t, "-n", bridge, "link", "set", port, "master", "br0", "up")
		n.ip(t, "-n", n.name(l), "addr", "add", fmt.Sprintf("10.77.0.%d/24", i+1), "dev", "eth0")
		n.ip(t, "-n", n.name(l), "link", "set", "eth0", "up")
	}
	return n
}

func (n *lan) name(letter rune) string { return n.prefix + string(letter) }

// cut makes the bridge drop what goes to and from a namespace, which does not
// notice; mend undoes it.
func (n *lan) cut(t *testing.T, letter rune)  { n.link(t, 'x', "to-"+string(letter), "nomaster") }
func (n *lan) mend(t *testing.T, letter rune) { n.link(t, 'x', "to-"+string(letter), "master", "br0") }

// down takes the interface of a namespace down, and up brings it back.
func (n *lan) down(t *testing.T, letter rune) { n.link(t, letter, "eth0", "down") }
func (n *lan) up(t *testing.T, letter rune)   { n.link(t, letter, "eth0", "up") }

func (n *lan) link(t *testing.T, letter rune, what ...string) {
	t.Helper()
	args := append([]string{"-n", n.name(letter), "link", "set"}, what...)
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// setns is the number of the system call, which package syscall has no name for.
var setns = map[string]uintptr{"amd64": 308, "arm64": 268}

// under returns what runs a command in a namespace.
func (n *lan) under(letter rune) []string { return []string{"ip", "netns", "exec", n.name(letter)} }

// dialFrom returns a function that connects from within a namespace.
func (n *lan) dialFrom(letter rune) func(addr string) (net.Conn, error) {
	return func(addr string) (conn net.Conn, err error) {
		failed := n.within(letter, func() { conn, err = net.DialTimeout("tcp", addr, clientPatience) })
		return conn, cmp.Or(failed, err)
	}
}

// listen listens within a namespace.
func (n *lan) listen(letter rune, addr string) (ln net.Listener, err error) {
	failed := n.within(letter, func() { ln, err = net.Listen("tcp", addr) })
	return ln, cmp.Or(failed, err)
}

// within runs f in a thread of a namespace: sockets that f makes stay there.
func (n *lan) within(letter rune, f func()) error {
	number, ok := setns[runtime.GOARCH]
	if !ok {
		return fmt.Errorf("setns on %s", runtime.GOARCH)
	}
	runtime.LockOSThread()
	own, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", syscall.Gettid()))
	if err != nil {
		return err
	}
	defer own.Close()
	there, err := os.Open("/var/run/netns/" + n.name(letter))
	if err != nil {
		return err
	}
	defer there.Close()
	if _, _, e := syscall.RawSyscall(number, there.Fd(), syscall.CLONE_NEWNET, 0); e != 0 {
		return fmt.Errorf("setns: %w", e)
	}
	f()
	if _, _, e := syscall.RawSyscall(number, own.Fd(), syscall.CLONE_NEWNET, 0); e != 0 {
		return fmt.Errorf("setns back: %w", e) // the thread stays locked, and ends with its goroutine
	}
	runtime.UnlockOSThread()
	return nil
}
