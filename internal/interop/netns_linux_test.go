//go:build interop && linux

package interop

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// A lan is a few network namespaces, called by a letter each, with one
// interface eth0 and the address 10.77.0.N/24, and a bridge between them. It
// is gone when the test ends.
//
//	s 10.77.0.1 ──┐
//	a 10.77.0.2 ──┼── bridge, in a namespace of its own
//	b 10.77.0.3 ──┘
type lan struct{ prefix string }

// startLAN skips the test where namespaces cannot be made, which takes root and
// iproute2, and fails it under CI=true.
func startLAN(t *testing.T, letters string) *lan {
	t.Helper()
	n := &lan{prefix: fmt.Sprintf("gns%d", os.Getpid())}
	cannot := func(err error) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatalf("network namespaces: %v", err)
		}
		t.Skipf("network namespaces: %v", err)
	}
	if os.Geteuid() != 0 {
		cannot(fmt.Errorf("only root may make them"))
	}
	ip := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	bridge := n.name('x')
	for _, l := range "x" + letters {
		if err := ip("netns", "add", n.name(l)); err != nil {
			cannot(err)
		}
		t.Cleanup(func() { ip("netns", "del", n.name(l)) })
		if err := ip("-n", n.name(l), "link", "set", "lo", "up"); err != nil {
			cannot(err)
		}
	}
	do := func(args ...string) {
		t.Helper()
		if err := ip(args...); err != nil {
			cannot(err)
		}
	}
	do("-n", bridge, "link", "add", "br0", "type", "bridge")
	do("-n", bridge, "link", "set", "br0", "up")
	for i, l := range letters {
		port := "to-" + string(l)
		do("-n", bridge, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", n.name(l))
		do("-n", bridge, "link", "set", port, "master", "br0", "up")
		do("-n", n.name(l), "addr", "add", fmt.Sprintf("10.77.0.%d/24", i+1), "dev", "eth0")
		do("-n", n.name(l), "link", "set", "eth0", "up")
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

// dialFrom returns a function that connects from within a namespace.
func (n *lan) dialFrom(letter rune) func(addr string) (net.Conn, error) {
	return func(addr string) (net.Conn, error) {
		number, ok := setns[runtime.GOARCH]
		if !ok {
			return nil, fmt.Errorf("setns on %s", runtime.GOARCH)
		}
		// The socket is made by this thread, and stays in the namespace.
		runtime.LockOSThread()
		own, err := os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", syscall.Gettid()))
		if err != nil {
			return nil, err
		}
		defer own.Close()
		there, err := os.Open("/var/run/netns/" + n.name(letter))
		if err != nil {
			return nil, err
		}
		defer there.Close()
		if _, _, e := syscall.RawSyscall(number, there.Fd(), syscall.CLONE_NEWNET, 0); e != 0 {
			return nil, fmt.Errorf("setns: %w", e)
		}
		conn, err := net.DialTimeout("tcp", addr, clientPatience)
		if _, _, e := syscall.RawSyscall(number, own.Fd(), syscall.CLONE_NEWNET, 0); e != 0 {
			return nil, fmt.Errorf("setns back: %w", e) // the thread stays locked, and ends with its goroutine
		}
		runtime.UnlockOSThread()
		return conn, err
	}
}
