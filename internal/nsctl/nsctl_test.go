package nsctl

import (
	"bytes"
	"context"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
	"gonamesrv/internal/nstest"
)

// TestMain lets more tests run at once than there are processors: most of them wait.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// run runs the program as somebody who is no terminal, and returns its exit code and what
// it has printed.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := &ctl{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: func(string) string { return "" }, now: time.Now}
	code = c.run(context.Background(), args)
	return code, out.String(), errs.String()
}

func TestCalledWrongly(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-o", "xml", "version"},
		{"--color", "red", "version"},
		{"nothing"},
		{"version", "more"},
		{"-n", "host", "version"},
		{"-n", ";", "version"},
		{"--timeout", "0s", "version"},
		{"--tls-ca", "x", "version"},
		{"--tls", "--tls-ca", "/nothing", "version"},
	} {
		if code, out, errs := run(t, args...); code != exitUsage || out != "" || !strings.HasPrefix(errs, "nsctl: ") {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", args, code, out, errs)
		}
	}
}

func TestNobodyIsReached(t *testing.T) {
	t.Parallel()
	if code, _, errs := run(t, "-n", "127.0.0.1:1", "version"); code != exitNobody || !strings.Contains(errs, "127.0.0.1:1") {
		t.Errorf("exit %d, %q", code, errs)
	}
}

// TestSigns: what is asked is signed with the secret of a file.
func TestSigns(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	asked := make(chan codec.Command, 1)
	go func() {
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		c := client.New(conn, client.Options{})
		defer c.Close()
		var cmd codec.Command
		if frame, err := c.Receive(); err == nil && cmd.Decode(frame) == nil {
			asked <- cmd
		}
	}()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, errs := run(t, "-n", ln.Addr().String(), "--access-key", "ops", "--secret-key-file", file, "version")
	select {
	case cmd := <-asked:
		got, _ := cmd.Ext.Get("Signature")
		key, _ := cmd.Ext.Get("AccessKey")
		if string(key) != "ops" || string(got) != nstest.Signature(&cmd, "a secret") {
			t.Errorf("key %s, signature %s", key, got)
		}
	default:
		t.Errorf("nothing was asked: %s %s", out, errs)
	}
	if strings.Contains(out+errs, "a secret") {
		t.Error("it shows the secret")
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--access-key", "ops"}, {"--secret-key-file", file}, {"--access-key", "ops", "--secret-key-file", "/nothing"}, {"--access-key", "ops", "--secret-key-file", empty}} {
		if code, _, errs := run(t, append(args, "version")...); code != exitUsage {
			t.Errorf("%q: exit %d, %s", args, code, errs)
		}
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	if got := clean("a\x1b[31mb\nc\u2028"); got != `a\u001b[31mb\u000ac\u2028` {
		t.Error(got)
	}
}

// TestHeaders: words of ours are headers in capital letters, and names of servers and files
// are as they are, with nothing in them that does something to a terminal.
func TestHeaders(t *testing.T) {
	t.Parallel()
	c := &ctl{output: "table", env: func(string) string { return "" }}
	g := &grid{columns: []column{{name: "part"}, {name: "File.gz\x1b", asIs: true}}}
	g.add("a", "b")
	if got, want := c.render(g), "PART  File.gz\\u001b\na     b\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestHelp: each command says in a line what it does, in one voice; a group alone is called
// wrongly.
func TestHelp(t *testing.T) {
	t.Parallel()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if s := cmd.Short; s == "" || strings.HasSuffix(s, ".") || s[:1] != strings.ToUpper(s[:1]) {
			t.Errorf("%s: %q", cmd.CommandPath(), s)
		}
		if cmd.HasSubCommands() && cmd.HasParent() {
			args := strings.Fields(cmd.CommandPath())[1:]
			for _, args := range [][]string{args, append(args, "nothing")} {
				if code, out, errs := run(t, args...); code != exitUsage || out != "" || !strings.Contains(errs, "here are ") {
					t.Errorf("%q: exit %d, %q, %q", args, code, out, errs)
				}
			}
		}
		// What takes a name of a topic or a broker completes it.
		if _, arg, _ := strings.Cut(cmd.Use, " "); strings.HasPrefix(arg, "TOPIC") || strings.HasPrefix(arg, "BROKER") {
			if cmd.ValidArgsFunction == nil {
				t.Errorf("%s does not complete its argument", cmd.CommandPath())
			}
		}
		for _, below := range cmd.Commands() {
			walk(below)
		}
	}
	walk(Command())
}
