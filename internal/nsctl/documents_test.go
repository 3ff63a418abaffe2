package nsctl

import (
	"bytes"
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

	"gonamesrv/internal/nstest"
)

var (
	documentedLine = regexp.MustCompile(`^(?:bin/)?nsctl .*`)
	documentedExit = regexp.MustCompile(`\bexit (\d)\b`)

	// played are the first words of the commands that are typed.
	played = []string{"status", "health", "cluster", "broker", "topic", "kv", "order", "config", "raw", "version", "completion"}
)

// TestDocumentedCommands types what the documents tell people to type, in blocks of sh,
// against two servers. A line ends with 0, unless its comment begins with another exit
// code.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	ns1, ns2 := startWithAPI(t, nil), startWithAPI(t, nil)
	b := nstest.Broker{Cluster: "DefaultCluster", Name: "broker-b", Addr: "10.0.0.3:10911", Topics: []string{"broker-b", "ORDERS"}}
	a := nstest.Broker{Cluster: "DefaultCluster", Name: "broker-a", Addr: "10.0.0.1:10911", Topics: []string{"broker-a", "ORDERS", "OLD_ORDERS"}, Fields: []string{"__ZONE_NAME", "zone-1"}}
	for _, addr := range []string{ns1, ns2} {
		register(t, addr, a)
		register(t, addr, b)
	}
	env := map[string]string{"NSCTL_NAMESRV": ns1 + ";" + ns2}
	seen := map[string]bool{} // commands
	dir := t.TempDir()
	for _, file := range []string{"README.md", "docs/NSCTL.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil {
			t.Fatal(err)
		}
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
				command = strings.NewReplacer("ns1:9876", ns1, "ns2:9876", ns2, "60s", nstest.Patience.String()).Replace(command)
				args, err := shellwords.Parse(strings.TrimPrefix(command, "bin/"))
				if err != nil {
					t.Fatalf("%s: %v", command, err)
				}
				var out, errs bytes.Buffer
				c := &ctl{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: func(key string) string { return env[key] }, now: time.Now}
				root := c.root()
				root.InitDefaultCompletionCmd()
				cmd, _, err := root.Find(args[1:])
				if err != nil {
					t.Errorf("%s: %s: %v", file, line, err)
					continue
				}
				// The others need more than two servers to show anything, or never end.
				if words := strings.Fields(cmd.CommandPath()); len(words) > 1 && !slices.Contains(played, words[1]) {
					continue
				}
				lines++
				seen[cmd.CommandPath()] = true
				if code := c.run(context.Background(), args[1:]); code != want {
					t.Errorf("%s: %s: exit %d, want %d: %s%s", file, line, code, want, &errs, &out)
				}
				if to != "" {
					if err := os.WriteFile(filepath.Join(dir, strings.TrimSpace(to)), out.Bytes(), 0o600); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if lines < 2 {
			t.Errorf("%s has %d commands", file, lines)
		}
	}

	// Each command that speaks on port 9876 is there.
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
		if slices.Contains(played, group.Name()) && group.Name() != "completion" {
			walk(group)
		}
	}
}
