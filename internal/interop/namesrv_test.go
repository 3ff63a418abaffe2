//go:build interop

package interop

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// reference is the RocketMQ version of the Java name server to test instead
// of ours, or empty.
var reference = os.Getenv("GONAMESRV_INTEROP_REFERENCE")

// subject names the server under test.
func subject() string {
	switch {
	case reference != "":
		return "the Java name server " + reference
	case race():
		return "./cmd/namesrv, built with -race"
	default:
		return "./cmd/namesrv"
	}
}

func race() bool { return os.Getenv("GONAMESRV_INTEROP_RACE") != "0" }

const bootLine = "The Name Server boot success. serializeType="

// A namesrv is the server under test: a process that can be restarted on its
// port.
type namesrv struct {
	*process
	owner *testing.T // the test with which the server ends, also after a restart in a subtest
	java  string     // its RocketMQ version, empty for ours
	dir   string
	conf  string
	port  int

	binary bool // it writes binary headers: serialize type ROCKETMQ

	program string   // of ours, in place of the usual one
	under   []string // what runs its command
	env     []string // of the process, beside the usual
}

func (n *namesrv) addr() string { return fmt.Sprintf("127.0.0.1:%d", n.port) }

// startNamesrv starts the server under test on a free port and waits until it
// answers.
func startNamesrv(t *testing.T, dir string) *namesrv {
	t.Helper()
	return startNamesrvOf(t, dir, reference)
}

// startNamesrvOf starts the Java name server of a RocketMQ version, or ours
// when java is empty, with further lines of configuration.
func startNamesrvOf(t *testing.T, dir, java string, conf ...string) *namesrv {
	t.Helper()
	n := newNamesrv(t, dir, java, conf...)
	n.start(t)
	return n
}

// newNamesrv makes everything ready for start.
func newNamesrv(t *testing.T, dir, java string, conf ...string) *namesrv {
	t.Helper()
	home := filepath.Join(dir, "namesrv"+java)
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	n := &namesrv{owner: t, java: java, dir: home, conf: filepath.Join(home, "namesrv.properties"), port: freePort(t, 0)}
	if java == "" {
		conf = append([]string{"adminServerPort=0", "trustLoopback=true"}, conf...) // not the port of others on this machine; wherever the tests run
	}
	writeProperties(t, n.conf, append([]string{
		"bindAddress=127.0.0.1",
		fmt.Sprintf("listenPort=%d", n.port),
		"kvConfigPath=" + filepath.Join(home, "kvConfig.json"),
		"configStorePath=" + filepath.Join(home, "namesrv.stored.properties"),
	}, conf...))
	if slices.Contains(conf, "tls.server.mode=enforcing") {
		enforcing.Store(n.addr(), true)
	}
	return n
}

// start starts the server on its port and waits until it answers.
func (n *namesrv) start(t *testing.T) {
	t.Helper()
	n.launch(t)
	waitFor(t, 2*soon, "the name server says that it has booted and answers", func() error {
		if n.isGone() && strings.Contains(n.text(), "already in use") {
			n.launch(t) // an outgoing connection may hold the port for a moment
		}
		if err := n.stillRuns(); err != nil {
			return err
		}
		if line := bootLine + n.serializeType(); !strings.Contains(n.text(), line) {
			return fmt.Errorf("no line %q on its output", line)
		}
		if n.binary {
			return nil // ask reads JSON headers
		}
		_, err := askClusterInfo(n.addr())
		return err
	})
}

// forget removes what a server of ours has written of its routes, while it does not
// run. A Java name server has nothing of the kind.
func (n *namesrv) forget(t *testing.T) {
	t.Helper()
	for _, name := range []string{"routes.snap", "routes.snap.bak"} {
		if err := os.Remove(filepath.Join(n.dir, name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
}

// launch starts the process.
func (n *namesrv) launch(t *testing.T) {
	t.Helper()
	var argv []string
	if n.java != "" {
		argv = newJVM(t, n.java, n.dir).argv(t, "", serverMemory, "org.apache.rocketmq.namesrv.NamesrvStartup", "-c", n.conf)
	} else {
		argv = []string{cmp.Or(n.program, buildNamesrv(t)), "-c", n.conf}
	}
	env := append([]string{"ROCKETMQ_HOME=" + n.dir, "HOME=" + n.dir, "ROCKETMQ_SERIALIZE_TYPE=" + n.serializeType()}, n.env...)
	n.process = startProcess(t, n.owner, "the name server", n.dir, env, slices.Concat(n.under, argv)...)
	p := n.process
	if n.java == "" {
		n.owner.Cleanup(func() {
			if strings.Contains(p.text(), "DATA RACE") {
				n.owner.Errorf("the race detector has spoken; the output of the name server ends with:\n%s", tail(p.output, 200))
			}
		})
	}
}

func (n *namesrv) serializeType() string {
	if n.binary {
		return "ROCKETMQ"
	}
	return "JSON"
}

// stop sends SIGTERM and waits until the server has exited.
func (n *namesrv) stop(t *testing.T) {
	t.Helper()
	n.signal(t, syscall.SIGTERM)
	n.waitGone(t, soon)
	if t.Failed() {
		t.FailNow()
	}
	// A JVM reports SIGTERM as 143, ours must end well.
	if got := n.cmd.ProcessState.ExitCode(); n.java == "" && got != 0 {
		t.Errorf("exit code of the name server after SIGTERM: got %d, want 0; its output ends with:\n%s", got, tail(n.output, 40))
	}
}

// suiteDir makes the directory of what is built once for the whole suite, which
// TestMain removes.
var suiteDir = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "gonamesrv-interop-") })

var build struct {
	once sync.Once
	path string
	err  error
}

// buildNamesrv builds ./cmd/namesrv once and returns the binary.
func buildNamesrv(t *testing.T) string {
	t.Helper()
	build.once.Do(func() {
		var dir string
		if dir, build.err = suiteDir(); build.err != nil {
			return
		}
		build.path = filepath.Join(dir, "namesrv")
		args := []string{"build", "-buildvcs=false", "-o", build.path}
		if race() {
			args = append(args, "-race")
		}
		args = append(args, "./cmd/namesrv")
		cmd := exec.Command("go", args...)
		cmd.Dir = filepath.Join("..", "..")
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("go %s: %w (GONAMESRV_INTEROP_RACE=0 builds without -race)\n%s", strings.Join(args, " "), err, out)
		}
	})
	if build.err != nil {
		t.Fatalf("build the name server: %v", build.err)
	}
	return build.path
}
