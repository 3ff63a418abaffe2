package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/internal/doctest"
	"gonamesrv/internal/nstest"
)

// shows says what the commands of documents print that ask a server over HTTP: a
// pattern for the whole output, by the command without its comment. A command without a
// row has to be answered with a success.
var shows = map[string]string{
	`curl localhost:19876/livez`:                                                                 `ok\n`,
	`curl localhost:19876/readyz`:                                                                `ok\n`,
	`curl localhost:19876/startupz`:                                                              `ok\n`,
	`curl "localhost:19876/readyz?verbose"`:                                                      `(?s)\[\+\]loops ok\n.*\[\+\]brokers ok\n.*readyz check passed\n`,
	`curl "localhost:19876/readyz?exclude=gate&exclude=brokers"`:                                 `ok\n`,
	`curl -H "Accept: application/json" localhost:19876/readyz`:                                  `(?s)\{.*"name": ?"gate".*\}\s*`,
	`curl localhost:19876/v1`:                                                                    `(?s)\{"name":"gonamesrv",.*\}\s*`,
	`curl -s localhost:19876/v1/status`:                                                          `(?s)\{"generation":.*"attention":.*\}\s*`,
	`curl -s 'localhost:19876/v1/brokers?state=overdue,suspect'`:                                 `(?s)\{"generation":"[^"]+","items":\[\]\}\s*`,
	`curl -s localhost:19876/v1/topics/%25RETRY%25g`:                                             `(?s)\{.*"topic":"%RETRY%g".*"broker-a".*\}\s*`,
	`curl -s 'localhost:19876/v1/topics/T/route?as=V4_9_3,zone-1'`:                               `(?s)\{.*"dialect":"legacy".*"broker-a".*\}\s*`,
	`curl -s 'localhost:19876/v1/topics/T/route?raw=1'`:                                          `(?s)\{"brokerDatas":.*"broker-a".*\}`,
	`curl -s --compressed localhost:19876/v1/snapshot`:                                           `(?s)\{.*\}\n\{.*"broker-a".*\}\n`,
	`(umask 077; echo "debug me $(head -c 24 /dev/urandom | base64 | tr -d /+)" > admin.tokens)`: ``,
	`curl -H "Authorization: Bearer $(cut -d' ' -f3 admin.tokens)" "localhost:19876/debug/pprof/profile?seconds=5" > cpu.pprof`: ``,
}

// generation is one that documents take for an example. 0 is before all.
var generation = regexp.MustCompile(`\b[0-9a-z]{6,9}\.\d+\b`)

// typeNamesrv types a command of a document that starts the server's program, and ends.
func typeNamesrv(t *testing.T, c doctest.Command) {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "namesrv.properties")
	if err := os.WriteFile(conf, []byte("accessPreset=strict\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := strings.Fields(strings.ReplaceAll(c.Text, "namesrv.properties", conf))
	ctx, cancel := context.WithTimeout(t.Context(), nstest.Patience)
	defer cancel()
	var out, errs strings.Builder
	if code := run(ctx, args[1:], func(string) string { return "" }, &out, &errs); code != exitOK || out.Len() == 0 || ctx.Err() != nil {
		t.Errorf("%s:%d: %s: exit %d, %v: %s%s", c.File, c.Line, c.Text, code, ctx.Err(), &errs, &out)
	}
}

// TestDocumentedCommands types what the documents tell people to type, and into a shell
// what they are to ask a server over HTTP.
func TestDocumentedCommands(t *testing.T) {
	for _, tool := range []string{"curl", "sh"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	all, err := doctest.Of("../..", doctest.Namesrv)
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, c := range all {
		if c.Program() == "namesrv" {
			typeNamesrv(t, c)
		} else {
			commands = append(commands, c.Text)
		}
	}
	if len(commands) < 14 || len(all) < len(commands)+3 {
		t.Errorf("the documents have only %d commands, %d with curl", len(all), len(commands))
	}

	dir := t.TempDir()
	var admin string
	sh := func(command string) string {
		ctx, cancel := context.WithTimeout(t.Context(), nstest.Patience)
		defer cancel()
		command = strings.ReplaceAll(command, "localhost:19876", admin)
		command = generation.ReplaceAllString(command, "0")
		command = strings.ReplaceAll(command, "seconds=5", "seconds=1") // a second shows as much
		command = strings.ReplaceAll(command, "curl ", "curl -sSf ")    // fails if it is not answered with a success
		c := exec.CommandContext(ctx, "sh", "-c", command)
		c.Dir = dir
		c.WaitDelay = time.Second
		var stdout, stderr strings.Builder
		c.Stdout, c.Stderr = &stdout, &stderr
		if err := c.Run(); err != nil {
			t.Errorf("%s: %v: %s%s", command, err, &stderr, &stdout)
		}
		return stdout.String()
	}
	tokens := false
	for _, c := range commands { // the one that makes the file of tokens comes before the server
		if strings.HasSuffix(c, "> admin.tokens)") || strings.Contains(c, "adminTokenFile=") {
			sh(c)
			tokens = true
		}
	}
	if !tokens {
		t.Fatal("no command makes admin.tokens")
	}
	peers, admin, _, _ := startWithAdmin(t, "adminTokenFile="+filepath.Join(dir, "admin.tokens"))
	b := nstest.Broker{Cluster: "DefaultCluster", Name: "broker-a", Addr: "10.0.0.1:10911", Topics: []string{"T", "%RETRY%g"}, Fields: []string{"__ZONE_NAME", "zone-1"}}
	nstest.Dial(t, peers).Do(b.Register())
	for _, c := range commands {
		want, ok := shows[c]
		if strings.Contains(c, "> admin.tokens") || strings.Contains(c, "/v1/watch") { // who watches waits for a change
			continue
		}
		if out := sh(c); ok && !regexp.MustCompile(`^`+want+`$`).MatchString(out) {
			t.Errorf("%s prints\n%s\nwant %s", c, out, want)
		}
	}
	for c := range shows {
		if !slices.Contains(commands, c) {
			t.Errorf("no document has %s", c)
		}
	}
	if profile, err := os.ReadFile(filepath.Join(dir, "cpu.pprof")); err != nil || len(profile) < 100 {
		t.Errorf("the profile has %d bytes: %v", len(profile), err)
	}
}
