package nsctl

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-shellwords"
	"github.com/spf13/cobra"

	"gonamesrv/internal/doctest"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

var (
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
	b := nstest.Broker{Cluster: "DefaultCluster", Name: "broker-b", Addr: "10.0.0.3:10911", Topics: []string{"broker-b", "ORDERS", "TBW102"}}
	a := nstest.Broker{Cluster: "DefaultCluster", Name: "broker-a", Addr: "10.0.0.1:10911", Topics: []string{"broker-a", "ORDERS", "OLD_ORDERS"}, Fields: []string{"__ZONE_NAME", "zone-1"}}
	for _, addr := range []string{ns1, ns2} {
		register(t, addr, a)
		register(t, addr, b)
	}
	env := map[string]string{"NSCTL_NAMESRV": ns1 + ";" + ns2}
	seen := map[string]bool{} // commands
	commands, err := doctest.Of("../..", doctest.Nsctl)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())                                          // some write files
	if err := os.WriteFile("audit.log", nil, 0o600); err != nil { // of nsctl audit verify
		t.Fatal(err)
	}
	for _, typed := range commands {
		where := fmt.Sprintf("%s:%d: %s", typed.File, typed.Line, typed.Text)
		want := exitYes
		if m := documentedExit.FindStringSubmatch(typed.Comment); m != nil && strings.HasPrefix(typed.Comment, m[0]) {
			want, _ = strconv.Atoi(m[1])
		}
		command, to, _ := strings.Cut(typed.Text, " > ")
		command = strings.NewReplacer("ns1:9876", ns1, "ns2:9876", ns2, "ns3:9876", java, "java:9876", java, "10.0.0.1:19876", api(ns1), "60s", nstest.Patience.String()).Replace(command)
		command = documentedBits.ReplaceAllString(command, "--seconds 1")
		args, err := shellwords.Parse(strings.TrimPrefix(command, "bin/"))
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		var out, errs safeText
		c := &ctl{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: func(key string) string { return env[key] }, now: time.Now, bundleSeconds: 1}
		root := c.root()
		root.InitDefaultCompletionCmd()
		cmd, _, err := root.Find(args[1:])
		if err != nil {
			t.Errorf("%s: %v", where, err)
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
		seen[cmd.CommandPath()] = true
		code := c.run(ctx, args[1:])
		end()
		if code != want {
			t.Errorf("%s: exit %d, want %d: %s%s", where, code, want, errs.String(), out.String())
		}
		if to != "" {
			if err := os.WriteFile(strings.TrimSpace(to), []byte(out.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(commands) < 70 {
		t.Errorf("the documents have only %d commands", len(commands))
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

// TestDocumentsNameCommands makes sure that the commands which documents name in their
// sentences exist, with their flags.
func TestDocumentsNameCommands(t *testing.T) {
	files, err := doctest.Files("../..")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, file := range files {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("`nsctl ([^`\n]+)`").FindAllStringSubmatch(string(text), -1) {
			args, err := shellwords.Parse(m[1])
			if err != nil {
				t.Fatalf("%s: %s: %v", file, m[1], err)
			}
			named++
			cmd, rest, err := (&ctl{env: func(string) string { return "" }}).root().Find(args)
			if err == nil {
				cmd.InitDefaultVersionFlag()
				err = cmd.ParseFlags(rest)
			}
			switch {
			case err != nil:
				t.Errorf("%s: nsctl %s: %v", file, m[1], err)
			case cmd.HasSubCommands() && cmd.Flags().NArg() > 0:
				t.Errorf("%s: there is no nsctl %s", file, m[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d commands found", named)
	}
}
