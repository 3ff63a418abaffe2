//go:build browser

package browser

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gonamesrv/internal/nstest"
)

// A site is a name server that runs, and its console.
type site struct {
	addr string        // of the name server
	url  string        // of the console, without a slash at the end
	stop func()        // kills it
	halt func(on bool) // lets it stand still, or go on
}

// program is the name server, built once.
var program string

// start starts a name server with properties besides those that a test needs. It ends with
// the test.
func start(t *testing.T, properties ...string) *site {
	t.Helper()
	dir := t.TempDir()
	port, adminPort := freePort(t), freePort(t)
	text := fmt.Sprintf("listenPort=%d\nbindAddress=127.0.0.1\nadminServerPort=%d\nkvConfigPath=%s\n%s\n",
		port, adminPort, filepath.Join(dir, "kv.json"), strings.Join(properties, "\n"))
	file := filepath.Join(dir, "namesrv.properties")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", file)
	cmd.Env = append(os.Environ(), "HOME="+dir, "JAVA_OPT=-Duser.home="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		io.Copy(io.Discard, out)
		cmd.Wait()
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("the server says:\n%s", text)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		t.Fatalf("the server does not start: %v\n%s", err, text)
	}
	s := &site{stop: func() { cmd.Process.Kill() }, halt: func(on bool) {
		cmd.Process.Signal(map[bool]os.Signal{true: syscall.SIGSTOP, false: syscall.SIGCONT}[on])
	}, addr: fmt.Sprintf("127.0.0.1:%d", port), url: fmt.Sprintf("http://127.0.0.1:%d", adminPort)}
	t.Log(strings.TrimSpace(line), s.url)
	nstest.Eventually(t, "the console answers", func() bool { return s.get("/livez") != "" })
	return s
}

// get returns what is answered at a path, "" if it is not 200.
func (s *site) get(path string) string {
	reply, err := http.Get(s.url + path)
	if err != nil {
		return ""
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}

// gauge returns the value of a metric without labels, "" if it is not there.
func (s *site) gauge(name string) string {
	for line := range strings.SplitSeq(s.get("/metrics"), "\n") {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return value
		}
	}
	return ""
}

// watchers returns how many streams the server holds.
func (s *site) watchers() string { return s.gauge("rocketmq_namesrv_admin_watchers") }

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
