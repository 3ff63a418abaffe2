package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/internal/audit"
)

// TestAuditVerify says whether a log is whole, and where it is not.
func TestAuditVerify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	l, err := audit.Open(audit.Options{Path: path, MaxMegabytes: 1, MaxBackups: 1, Chain: true, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"one", "two", "three"} {
		l.Put(&audit.Line{Who: who}, true)
	}
	l.Stop(t.Context())
	verify := func(args ...string) (code int, stdout, stderr string) {
		var out, err output
		code = run(t.Context(), append([]string{"audit", "verify"}, args...), noEnv, &out, &err)
		return code, out.String(), err.String()
	}
	code, stdout, stderr := verify(path)
	if code != exitOK || stderr != "" || !strings.Contains(stdout, "3 lines, all in their order, 3 of them with a hash that is right; 0 lines were lost\nhash of the last line: ") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "two", "you", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = verify(path)
	if want := "namesrv: " + path + ":2: its hash is wrong"; code != exitFailed || !strings.HasPrefix(stderr, want) || stdout != "1 lines before it are as they were written\n" {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	for want, args := range map[int][]string{exitUsage: nil, exitOK: {"-h"}} {
		if code, stdout, _ := verify(args...); code != want || stdout != auditVerifyUsage {
			t.Errorf("%q: exit code %d, stdout %q", args, code, stdout)
		}
	}
	if code, _, stderr := verify(path + ".not"); code != exitFailed || !strings.Contains(stderr, "no such file") {
		t.Errorf("exit code %d, stderr %q", code, stderr)
	}
}
