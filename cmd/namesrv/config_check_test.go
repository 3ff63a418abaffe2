package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/internal/nstest"
)

// TestConfigCheck prints who may do what, and fails where a start would. It starts
// nothing, and Java's options mean behind it what they mean elsewhere.
func TestConfigCheck(t *testing.T) {
	access := filepath.Join(t.TempDir(), "access.yaml")
	file := properties(t, "accessFile="+access, "accessPreset=strict")
	check := func(args ...string) (code int, stdout, stderr string) {
		var out, err output
		code = run(t.Context(), append([]string{"config", "check"}, args...), noEnv, &out, &err)
		return code, out.String(), err.String()
	}
	write := func(text string) {
		if err := os.WriteFile(access, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("networks: [{name: bastion, cidr: 203.0.113.7, rights: [admin-read, config]}]\n")
	code, stdout, stderr := check("-c", file)
	if code != exitOK || !strings.Contains(stdout, "accessPreset strict, accessMode enforce, accessFile "+access+"\n") || !strings.Contains(stderr, "no rule gives broker-control") {
		t.Errorf("exit code %d, stdout\n%s\nstderr\n%s", code, stdout, stderr)
	}
	for _, want := range []string{"code request right loopback site public network:bastion", "318 UPDATE_NAMESRV_CONFIG config - - - yes", "105 GET_ROUTEINFO_BY_TOPIC route-read yes yes - -"} {
		found := false
		for line := range strings.Lines(stdout) {
			found = found || strings.Join(strings.Fields(line), " ") == want
		}
		if !found {
			t.Errorf("no line %q in\n%s", want, stdout)
		}
	}
	if lastLine(stdout) != "would start" {
		t.Errorf("it ends with %q", lastLine(stdout))
	}
	write("networks: [{name: bastion, cidr: 203.0.113.7, right: all}]\n")
	if code, stdout, stderr = check("-c", file); code != exitFailed || lastLine(stdout) != "would not start: 2 errors" || strings.Contains(stdout, "request") || strings.Contains(stderr, "TLS is served") || !strings.Contains(stderr, `line 1: unknown key "right"`) {
		t.Errorf("exit code %d, stdout\n%s\nstderr\n%s", code, stdout, stderr)
	}
	if code, stdout, stderr = check("-c", properties(t, "accessPreset=closed")); code != exitFailed || lastLine(stdout) != "would not start: 1 error" || !strings.Contains(stderr, `accessPreset is "closed", must be open, standard or strict`) {
		t.Errorf("exit code %d, stderr\n%s", code, stderr)
	}
	if code, stdout, _ = check("-h"); code != exitOK || stdout != usage {
		t.Errorf("exit code %d, stdout\n%s", code, stdout)
	}
	if code, _, stderr = check("now"); code != exitUsage || !strings.Contains(stderr, `unrecognized argument: "now"`) {
		t.Errorf("exit code %d, stderr\n%s", code, stderr)
	}
	var out, complaint output
	if code := run(t.Context(), []string{"config"}, noEnv, &out, &complaint); code != exitUsage || !strings.Contains(complaint.String(), `unrecognized argument: "config"`) {
		t.Errorf("exit code %d, stderr\n%s", code, &complaint)
	}
}

// lastLine is the last line of what a command has printed.
func lastLine(text string) string {
	text = strings.TrimSuffix(text, "\n")
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// TestConfigCheckIsRight: what would not start does not, and what would does, for faults in
// the file and in each file that it names. All faults are counted, as they are when a
// server starts with them; the files are the same afterwards.
func TestConfigCheckIsRight(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, broken := file("kv.json", `{"configTable":{"n":{"k":"v"}}}`), file("broken.json", `{"configTable":`)
	rescued := file("rescued.json", "")
	file("rescued.json.bak", `{"configTable":{}}`)
	tokens, short := file("tokens", "read ops 0123456789abcdef\n"), file("short", "read ops 0123\n")
	horizons, none := file("horizons.yaml", "horizons: [{nme: h}]\n"), filepath.Join(dir, "none")
	for _, c := range []struct {
		name  string
		lines []string
		errs  int // 0 is a start
	}{
		{"nothing", nil, 0},
		{"files", []string{"kvConfigPath=" + good, "adminTokenFile=" + tokens}, 0},
		{"a backup", []string{"kvConfigPath=" + rescued}, 0},
		{"no admin listener, no tokens", []string{"adminServerPort=0", "adminTokenFile=" + short}, 0},
		{"two values", []string{"maxBrokers=98x", "maxTopics=many"}, 2},
		{"KV config", []string{"kvConfigPath=" + broken}, 1},
		{"tokens", []string{"adminTokenFile=" + short}, 1},
		{"no tokens", []string{"adminTokenFile=" + none}, 1},
		{"horizons", []string{"horizonFile=" + horizons}, 1},
		{"access", []string{"accessFile=" + none}, 1},
		{"TLS", []string{"tls.test.mode.enable=false"}, 1},
		{"some of each", []string{"kvConfigPath=" + broken, "adminTokenFile=" + none, "accessFile=" + none, "tls.test.mode.enable=false"}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines := append([]string{"listenPort=0", "bindAddress=127.0.0.1"}, c.lines...)
			if !strings.Contains(strings.Join(lines, ""), "kvConfigPath=") {
				lines = append(lines, "kvConfigPath="+filepath.Join(t.TempDir(), "kvConfig.json"))
			}
			starts, complaints := false, ""
			for range 10 { // somebody else may be given the port meanwhile
				config := filepath.Join(t.TempDir(), "namesrv.properties")
				text := strings.Join(append([]string{"adminServerPort=" + freePort(t)}, lines...), "\n")
				if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				before := listing(t, dir)
				var out, complaint output
				code := run(t.Context(), []string{"config", "check", "-c", config}, noEnv, &out, &complaint)
				if after := listing(t, dir); after != before {
					t.Errorf("files were\n%s\nand are\n%s", before, after)
				}
				want, wantCode := "would start", exitOK
				switch {
				case c.errs == 1:
					want, wantCode = "would not start: 1 error", exitFailed
				case c.errs > 1:
					want, wantCode = fmt.Sprintf("would not start: %d errors", c.errs), exitFailed
				}
				errs := strings.Count("\n"+complaint.String(), "\nnamesrv: ")
				if errs != c.errs || lastLine(out.String()) != want || code != wantCode {
					t.Errorf("exit code %d, %q, want %q, stderr\n%s", code, lastLine(out.String()), want, &complaint)
				}
				if starts, complaints = tryStart(t, config); !strings.Contains(complaints, "in use") {
					break
				}
			}
			if starts != (c.errs == 0) {
				t.Errorf("a server starts with it: %v, stderr\n%s", starts, complaints)
			}
		})
	}
}

// freePort is a port that nobody has just now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// tryStart reports whether a server starts with a file, and ends it.
func tryStart(t *testing.T, config string) (starts bool, stderr string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, complaint output
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"-c", config}, noEnv, &out, &complaint) }()
	code, done := 0, false
	nstest.Eventually(t, "the server starts or ends", func() bool {
		select {
		case code = <-ended:
			done = true
		default:
		}
		return done || strings.Contains(out.String(), "boot success")
	})
	if !done {
		stop()
		code = <-ended
	}
	if done != (code != exitOK) {
		t.Errorf("exit code %d, stderr\n%s", code, &complaint)
	}
	return !done, complaint.String()
}

// listing has the names, sizes and bytes of all files of a folder.
func listing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s %q\n", e.Name(), text)
	}
	return all.String()
}
