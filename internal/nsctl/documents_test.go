package nsctl

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-shellwords"
	"github.com/spf13/cobra"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

var (
	documentedLine = regexp.MustCompile(`^(?:bin/)?nsctl .*`)
	documentedExit = regexp.MustCompile(`\bexit (\d)\b`)
	documentedBits = regexp.MustCompile(`--seconds \d+`)
)

// isEndless reports whether a documented command goes on until somebody ends it.
func isEndless(path string, args []string) bool {
	return strings.HasPrefix(path, "nsctl watch ") || slices.Contains(args, "-f") || slices.Contains(args, "--for")
}

// TestDocumentedCommands types what the documents tell people to type, in blocks of sh,
// against two servers and one that is like one of Java. A line ends with 0, unless its
// comment begins with another exit code. What goes on until it is ended is ended when it
// has said something.
func TestDocumentedCommands(t *testing.T) {
	open := func(c *namesrv.Config) { c.AdminAnonymousLocal = "debug" }
	ns1, ns2, java := startWithAPI(t, open), startWithAPI(t, open), startServer(t, nil)
	api := func(addr string) string {
		all, err := (&ctl{servers: addr, timeout: nstest.Patience, env: func(string) string { return "" }}).admins()
		if err != nil {
			t.Fatal(err)
		}
		base, err := all[0].base(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return base.Host
	}
	b := nstest.Broker{Cluster: "DefaultCluster", Name: "broker-b", Addr: "10.0.0.3:10911", Topics: []string{"broker-b", "ORDERS"}}
	a := nstest.Broker{Cluster: "DefaultCluster", Name: "broker-a", Addr: "10.0.0.1:10911", Topics: []string{"broker-a", "ORDERS", "OLD_ORDERS"}, Fields: []string{"__ZONE_NAME", "zone-1"}}
	for _, addr := range []string{ns1, ns2} {
		register(t, addr, a)
		register(t, addr, b)
	}
	env := map[string]string{"NSCTL_NAMESRV": ns1 + ";" + ns2}
	seen := map[string]bool{} // commands
	files := []string{"README.md", "docs/NSCTL.md"}
	texts := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = text
	}
	t.Chdir(t.TempDir())                                          // some write files
	if err := os.WriteFile("audit.log", nil, 0o600); err != nil { // of nsctl audit verify
		t.Fatal(err)
	}
	for _, file := range files {
		text := texts[file]
		lines := 0
		for i, block := range strings.Split(string(text), "\n```") {
			if i%2 == 0 || !strings.HasPrefix(block, "sh\n") {
				continue
			}
			for line := range strings.Lines(block) {
				if line = strings.TrimSpace(line); !documentedLine.MatchString(line) {
					continue
				}
				command, comment, _ := strings.Cut(line, " #")
				command, to, _ := strings.Cut(command, " > ")
				want := exitYes
				if m := documentedExit.FindStringSubmatch(comment); m != nil && strings.HasPrefix(strings.TrimSpace(comment), m[0]) {
					want, _ = strconv.Atoi(m[1])
				}
				command = strings.NewReplacer("ns1:9876", ns1, "ns2:9876", ns2, "ns3:9876", java, "java:9876", java, "10.0.0.1:19876", api(ns1), "60s", nstest.Patience.String()).Replace(command)
				command = documentedBits.ReplaceAllString(command, "--seconds 1")
				args, err := shellwords.Parse(strings.TrimPrefix(command, "bin/"))
				if err != nil {
					t.Fatalf("%s: %v", command, err)
				}
				var out, errs safeText
				c := &ctl{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: func(key string) string { return env[key] }, now: time.Now, bundleSeconds: 1}
				root := c.root()
				root.InitDefaultCompletionCmd()
				cmd, _, err := root.Find(args[1:])
				if err != nil {
					t.Errorf("%s: %s: %v", file, line, err)
					continue
				}
				path := cmd.CommandPath()
				if path == "nsctl top" && !slices.Contains(args, "--once") {
					seen[path] = true
					continue // it needs a terminal: TestTopOnATerminal
				}
				if path == "nsctl diff" {
					args = append(args, "--confirm", "0s")
				}
				args = slices.Insert(args, 1, "--timeout", nstest.Patience.String())
				ctx, end := context.WithCancel(t.Context())
				if isEndless(path, args) {
					go func() {
						defer end()
						for late := time.Now().Add(nstest.Patience); out.String()+errs.String() == "" && time.Now().Before(late); {
							time.Sleep(time.Millisecond)
						}
					}()
				}
				lines++
				seen[cmd.CommandPath()] = true
				code := c.run(ctx, args[1:])
				end()
				if code != want {
					t.Errorf("%s: %s: exit %d, want %d: %s%s", file, line, code, want, errs.String(), out.String())
				}
				if to != "" {
					if err := os.WriteFile(strings.TrimSpace(to), []byte(out.String()), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if lines < 2 {
			t.Errorf("%s has %d commands", file, lines)
		}
	}

	// Each command is there.
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.HasSubCommands() && cmd.RunE != nil && !cmd.Hidden && !seen[cmd.CommandPath()] {
			t.Errorf("docs/NSCTL.md has no example of %s", cmd.CommandPath())
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	for _, group := range Command().Commands() {
		walk(group)
	}
}
