package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonamesrv/bench/report"
)

const testToken = "0123456789abcdef-of-a-test"

// startAgent serves within this process until the test ends.
func startAgent(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	a := &agent{token: testToken}
	go func() { ended <- a.serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the agent ends with %v", err)
		}
	})
	return l.Addr().String()
}

// TestAgents makes the load by agents.
func TestAgents(t *testing.T) {
	addr, dir := server(t), t.TempDir()
	token, file := filepath.Join(dir, "token"), filepath.Join(dir, "r.json")
	if err := os.WriteFile(token, []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	agents := startAgent(t) + "," + startAgent(t)
	run := func(more ...string) (int, string, string) {
		return nsbench(t, slices.Concat([]string{"run", "route", "--target", addr, "--json", file}, closed, more)...)
	}
	for range 2 { // they serve again
		if code, out, errs := run("--agents", agents, "--agent-token-file", token); code != exitOK || !strings.Contains(out, "2 generators") {
			t.Fatalf("ends with %d: %s\n%s", code, errs, out)
		}
	}
	d, err := report.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if o := d.Result.Phases[0].Ops[0]; d.Result.Generators != 2 || o.Sent != 300 || o.Answered != 300 {
		t.Errorf("%+v", d.Result)
	}
	other, short := filepath.Join(dir, "other"), filepath.Join(dir, "short")
	for file, text := range map[string]string{other: "0123456789abcdef-another", short: "short\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--agents", agents, "--agent-token-file", other}, "the token is another one"},
		{[]string{"--agents", agents, "--agent-token-file", short}, "16 to 1024 bytes"},
		{[]string{"--agents", agents}, "needs --agent-token-file"},
		{[]string{"--agent-token-file", token}, "without --agents"},
		{[]string{"--agents", agents, "--agent-token-file", token, "--generators", "2"}, "exclude each other"},
		{[]string{"--agents", "127.0.0.1:1", "--agent-token-file", token}, "agent 127.0.0.1:1"},
	} {
		if code, _, errs := run(tt.args...); code != exitFailed || !strings.Contains(errs, tt.want) {
			t.Errorf("%q ends with %d: %s", tt.args, code, errs)
		}
	}
	if code, _, errs := nsbench(t, "agent"); code != exitFailed || !strings.Contains(errs, "needs --token-file") {
		t.Errorf("an agent without token ends with %d: %s", code, errs)
	}
}

// TestAgentKeepsToItself: it loads its own machine only, believes its own files only, and
// serves one at a time.
func TestAgentKeepsToItself(t *testing.T) {
	addr := startAgent(t)
	talk := func(lines ...string) (*bufio.Reader, net.Conn) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		for _, l := range lines {
			fmt.Fprintln(conn, l)
		}
		return bufio.NewReader(conn), conn
	}
	says := func(in *bufio.Reader, want string) {
		t.Helper()
		if line, _ := in.ReadString('\n'); !strings.Contains(line, want) {
			t.Errorf("it says %q, want %q", line, want)
		}
	}
	const task = `{"Scenario":{"kind":"route","params":{"brokers":1,"topics":1,"brokers-per-topic":1,"connections":1,"depth":1,"duration":"1s","timeout":"1s","form":"plain","header":"JSON"}},` +
		`"Part":{"of":1},"AllowRemote":true,"TLS":{"On":true,"CA":"/etc/passwd"},"Address":"192.0.2.1:9876"}`
	in, _ := talk(testToken, task)
	says(in, "error target 192.0.2.1:9876 is not on this machine's loopback")
	in, _ = talk("another token", task)
	says(in, "the token is another one")
	in, _ = talk(testToken + strings.Repeat("x", mostTask))
	says(in, "the token is another one")

	// One that is at work.
	quiet, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer quiet.Close()
	mine := strings.Replace(strings.Replace(task, "192.0.2.1:9876", quiet.Addr().String(), 1), `"timeout":"1s"`, `"timeout":"10m"`, 1)
	in, conn := talk(testToken, mine)
	says(in, lineReady)
	second, _ := talk(testToken, mine)
	says(second, "at work for somebody else")
	conn.Close()
	// When who gave the task goes away, the agent is free again.
	for {
		third, c := talk(testToken, mine)
		line, _ := third.ReadString('\n')
		c.Close()
		if strings.TrimSpace(line) == lineReady {
			break
		}
		if !strings.Contains(line, "at work") {
			t.Fatalf("it says %q", line)
		}
	}
}
