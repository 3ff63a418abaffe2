package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gonamesrv/bench/group"
)

// start makes and starts a server of the test binary.
func start(t *testing.T, mode string) (*Server, error) {
	t.Helper()
	s := newChild(t, mode)
	return s, s.Start(t.Context())
}

func newChild(t *testing.T, mode string) *Server {
	t.Helper()
	t.Setenv("LAUNCH_TEST_CHILD", mode)
	spec, err := Command("'" + os.Args[0] + "' {port} {dir}")
	if err != nil {
		t.Fatal(err)
	}
	spec.Name = mode
	spec.announces = mode == "announces"
	s, err := New(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// wantNothingLeft makes sure that neither process nor folder nor listener is left.
func wantNothingLeft(t *testing.T, s *Server, pid int) {
	t.Helper()
	if alive(pid) {
		t.Errorf("process %d is still there", pid)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder %s is still there: %v", s.dir, err)
	}
	l, err := net.Listen("tcp", s.target.Address)
	if err != nil {
		t.Fatalf("the port is not free: %v", err)
	}
	l.Close()
}

func TestStartAndClose(t *testing.T) {
	for _, mode := range []string{"serves", "announces"} {
		t.Run(mode, func(t *testing.T) {
			t.Setenv("NAMESRV_ADDR", "production:9876")
			s, err := start(t, mode)
			if err != nil {
				t.Fatal(err)
			}
			target := s.Target()
			if target.PID == 0 || !alive(target.PID) || target.Name != mode || s.FirstReply() <= 0 {
				t.Errorf("target %+v, first reply after %v", target, s.FirstReply())
			}
			if host, _, _ := net.SplitHostPort(target.Address); host != "127.0.0.1" {
				t.Errorf("it listens on %s", target.Address)
			}
			if err := ask(t.Context(), target.Address); err != nil {
				t.Errorf("it does not answer: %v", err)
			}
			if mode == "serves" && !strings.Contains(s.Tail(), "home "+s.dir+" namesrv \n") && !strings.HasSuffix(s.Tail(), "home "+s.dir+" namesrv ") {
				t.Errorf("it knows a home or a name server of ours: %s", s.Tail())
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			wantNothingLeft(t, s, target.PID)
		})
	}
}

// TestKillAndStartAgain is what the scenario restart does.
func TestKillAndStartAgain(t *testing.T) {
	s, err := start(t, "serves")
	if err != nil {
		t.Fatal(err)
	}
	before := s.Target()
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if alive(before.PID) {
		t.Fatal("it lives on after Kill")
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := s.Target()
	if after.PID == before.PID || after.Address != before.Address {
		t.Errorf("started again as %+v, was %+v", after, before)
	}
	if err := ask(t.Context(), after.Address); err != nil {
		t.Error(err)
	}
}

// TestStubborn ends a server that does not end when asked to.
func TestStubborn(t *testing.T) {
	defer func(was time.Duration) { stopWithin = was }(stopWithin)
	stopWithin = 50 * time.Millisecond
	s, err := start(t, "stubborn")
	if err != nil {
		t.Fatal(err)
	}
	pid := s.Target().PID
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantNothingLeft(t, s, pid)
}

// TestScript starts a server that is a shell script, as RocketMQ's own is: one that
// waits for what it has started, one that does not, and one that is stubborn. All
// that they have started is measured with them, and ends with them.
func TestScript(t *testing.T) {
	defer func(was time.Duration) { stopWithin = was }(stopWithin)
	stopWithin = 5 * time.Second
	for name, tt := range map[string]struct{ mode, script string }{
		"waits":    {"serves", "'%s' {port} & wait"},
		"ends":     {"serves", "'%s' {port} & exit 0"},
		"stubborn": {"stubborn", "'%s' {port} & wait"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LAUNCH_TEST_CHILD", tt.mode)
			spec, err := Command(`sh -c "` + fmt.Sprintf(tt.script, os.Args[0]) + `"`)
			if err != nil {
				t.Fatal(err)
			}
			s, err := New(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Kill(); err != nil { // as the scenario restart does
				t.Fatal(err)
			}
			if tt.mode == "stubborn" {
				stopWithin = 50 * time.Millisecond
			}
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			members := group.Members(s.Target().PID)
			if len(members) == 0 {
				t.Fatal("nobody is measured")
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			for _, m := range members {
				if group.Alive(m.PID) {
					t.Errorf("process %d is still there", m.PID)
				}
			}
			wantNothingLeft(t, s, s.Target().PID)
		})
	}
}

// TestScriptFails: a script whose server does not come up leaves nothing behind,
// and is not waited for longer than what it has started lives.
func TestScriptFails(t *testing.T) {
	t.Setenv("LAUNCH_TEST_CHILD", "fails")
	spec, err := Command(`sh -c "'` + os.Args[0] + `' {port} & sleep 1000 & echo sleeper $!; wait"`)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	s.spec.within = time.Second
	err = s.Start(t.Context())
	if err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("error %v", err)
	}
	var sleeper int
	for line := range strings.Lines(s.Tail()) {
		_, _ = fmt.Sscanf(strings.TrimSpace(line), "sleeper %d", &sleeper) // of most lines it fails
	}
	pid := s.Target().PID
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if sleeper == 0 || group.Alive(sleeper) || group.Alive(pid) {
		t.Errorf("process %d or its child %d is still there", pid, sleeper)
	}
}

// TestFailingServer wants the end of the output in the error, at once.
func TestFailingServer(t *testing.T) {
	s, err := start(t, "fails")
	if err == nil {
		t.Fatal("it started")
	}
	for _, want := range []string{"fails: ", "has ended before it answered", "exit status 7", "no memory left on this planet"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	pid := s.Target().PID
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantNothingLeft(t, s, pid)
}

func TestSilentServer(t *testing.T) {
	s := newChild(t, "silent")
	s.spec.within = 300 * time.Millisecond
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "does not answer on 127.0.0.1:") {
		t.Errorf("error %v", err)
	}
}

func TestStartIsStopped(t *testing.T) {
	s := newChild(t, "silent")
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, stop)
	begun := time.Now()
	if err := s.Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if took := time.Since(begun); took > 2*time.Minute {
		t.Errorf("it took %v", took)
	}
}

// TestRunningServer is neither started nor stopped.
func TestRunningServer(t *testing.T) {
	other, err := start(t, "serves")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := Address(other.Target().Address, other.Target().PID)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err == nil {
		t.Error("it was killed")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := ask(t.Context(), s.Target().Address); err != nil {
		t.Errorf("it does not answer any more: %v", err)
	}
	if s.Target().PID != other.Target().PID || s.FirstReply() != 0 {
		t.Errorf("target %+v, first reply %v", s.Target(), s.FirstReply())
	}
}

func TestSpecs(t *testing.T) {
	for name, err := range map[string]error{
		"no port":         second(Command("sleep 1")),
		"empty":           second(Command("")),
		"open quote":      second(Command("x 'y {port}")),
		"missing":         second(Command("./no/such/program {port}")),
		"address":         second(Address("somewhere", 0)),
		"no program":      second(Namesrv("no/such/namesrv")),
		"no release":      second(Java("latest; rm", "")),
		"release as path": second(Java("../5.5.0", "")),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestNoMaven says what is missing.
func TestNoMaven(t *testing.T) {
	bin, tmp := t.TempDir(), t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("TMPDIR", tmp)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	spec, err := Java("5.5.0", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "java 5.5.0: there is no java on the PATH") {
		t.Errorf("without java: %v", err)
	}
	if err := os.WriteFile(filepath.Join(bin, "java"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "there is no mvn on the PATH") {
		t.Errorf("without mvn: %v", err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestJavaCommand is the command line, without a JVM.
func TestJavaCommand(t *testing.T) {
	dir := t.TempDir()
	argv, err := javaCommand("/bin/java", "a.jar:b.jar", []string{"-Xmx1g"}, dir, 20001)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(argv, " ")
	for _, want := range []string{"/bin/java -Xmx1g ", "-Duser.home=" + dir, "-cp a.jar:b.jar org.apache.rocketmq.namesrv.NamesrvStartup -c " + filepath.Join(dir, confFile)} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
	conf, err := os.ReadFile(filepath.Join(dir, confFile))
	if err != nil || !strings.Contains(string(conf), "listenPort=20001\n") || !strings.Contains(string(conf), "bindAddress=127.0.0.1\n") {
		t.Errorf("configuration %q, %v", conf, err)
	}
}
