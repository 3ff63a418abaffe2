package launch

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// given is a server of a user's own, at a free address.
func given(t *testing.T, log string) (*Server, string) {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	t.Setenv("LAUNCH_TEST_CHILD", "serves")
	t.Setenv("NAMESRV_ADDR", "of-the-user:9876")
	spec, err := Given("", []string{os.Args[0], strconv.Itoa(port)}, addr, log)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, addr
}

// TestGiven: it runs where its user is and with what he has set, listens where he
// says, and its output is his file, from its beginning.
func TestGiven(t *testing.T) {
	log := filepath.Join(t.TempDir(), "server.log")
	if err := os.WriteFile(log, []byte("of yesterday\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, addr := given(t, log)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	first := s.Target()
	if first.Address != addr || first.PID == 0 || first.Name != filepath.Base(os.Args[0]) {
		t.Errorf("target %+v, want %s", first, addr)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Target().PID == first.PID {
		t.Error("it was not started again")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(log)
	want := "home " + os.Getenv("HOME") + " namesrv of-the-user:9876\n"
	if err != nil || string(text) != want+want {
		t.Errorf("its output is %q, want twice %q", text, want)
	}
}

// TestGivenTwice: where somebody listens already, that one would be measured.
func TestGivenTwice(t *testing.T) {
	s, addr := given(t, "")
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skip("somebody else took the port") // then there is nothing to see
	}
	defer l.Close()
	if err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "somebody listens on "+addr+" already") {
		t.Errorf("error is %v", err)
	}
	if s.Target().PID != 0 {
		t.Error("it was started all the same")
	}
	if _, err := Given("", nil, addr, ""); err == nil {
		t.Error("no command is taken")
	}
	if _, err := Given("", []string{"x"}, "nowhere", ""); err == nil {
		t.Error("no address is taken")
	}
}
