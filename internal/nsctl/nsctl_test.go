package nsctl

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
	"gonamesrv/internal/nstest"
)

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
	for _, args := range [][]string{
		{"-o", "xml", "version"}, {"--color", "red", "version"}, {"nothing"}, {"version", "more"}, {"-n", "host", "version"},
		{"-n", ";", "version"}, {"--timeout", "0s", "version"}, {"--tls-ca", "x", "version"}, {"--tls", "--tls-ca", "/nothing", "version"},
	} {
		if code, out, errs := run(t, args...); code != exitUsage || out != "" || !strings.HasPrefix(errs, "nsctl: ") {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", args, code, out, errs)
		}
	}
}

func TestNobodyIsReached(t *testing.T) {
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
	if got := clean("a\x1b[31mb\nc\u2028"); got != `a\u001b[31mb\u000ac\u2028` {
		t.Error(got)
	}
}
