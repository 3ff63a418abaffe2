package nsctl

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/audit"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

var anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`)

// TestAccessReport: what would be refused, in each format; the answer is no until nothing
// would be.
func TestAccessReport(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, func(c *namesrv.Config) { c.AccessPreset, c.AccessMode, c.TrustLoopback = "strict", "monitor", true })
	if code, out, errs := runAPI(t, "--admin", s.url, "--no-headers", "access", "report"); code != exitYes || out != "" || errs != "" {
		t.Errorf("of nothing: exit %d, %s%s", code, out, errs)
	}
	c := nstest.Dial(t, s.addr)
	r := nstest.Request(codec.ReqUpdateNamesrvConfig)
	r.Body = []byte("enableTopicList=true\n")
	for range 3 {
		if reply := c.Do(r); codec.ResponseCode(reply.Code) != codec.RespSuccess {
			t.Fatalf("answered %v", codec.ResponseCode(reply.Code))
		}
	}
	var all strings.Builder
	for _, format := range []string{"table", "wide", "json", "yaml", "name"} {
		code, out, errs := runAPI(t, "--admin", s.url, "-o", format, "access", "report")
		fmt.Fprintf(&all, "$ nsctl -o %s access report\n%s--- stderr\n%s--- exit %d\n\n", format, still(format, anyTime.ReplaceAllString(out, "…")), errs, code)
	}
	compareAPI(t, "access_report", all.String())
}

// TestSignsFresh: an account that counts with a time is of use to nsctl, unless it is told to
// leave that out.
func TestSignsFresh(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rules, secret := filepath.Join(dir, "access.yaml"), filepath.Join(dir, "secret")
	for name, text := range map[string]string{rules: "accounts: [{accessKey: ops, secretKey: a long secret, rights: all, requireFresh: true}]\n", secret: "a long secret\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newAPIServer(t, func(c *namesrv.Config) { c.AccessPreset, c.AccessFile, c.TrustLoopback = "strict", rules, true })
	set := []string{"-n", s.addr, "--admin", s.url, "--access-key", "ops", "--secret-key-file", secret, "--yes", "config", "set", "enableTopicList=false"}
	if code, out, errs := runAPI(t, append([]string{"--fresh=false"}, set...)...); code != exitRefused || !strings.Contains(errs, "nsSign only, as nsctl makes it") {
		t.Errorf("--fresh=false: exit %d, %s%s", code, out, errs)
	}
	if code, out, errs := runAPI(t, set...); code != exitYes {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
}

// TestAuditVerify says whether a log is whole, and where it is not, for people and for
// programs.
func TestAuditVerify(t *testing.T) {
	t.Parallel()
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
	code, out, errs := runAPI(t, "audit", "verify", path)
	if code != exitYes || errs != "" || !strings.HasPrefix(out, "3 lines, all in their order, 3 of them with a hash that is right; 0 lines were lost\nhash of the last line: ") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	if code, out, _ := runAPI(t, "-o", "json", "audit", "verify", path); code != exitYes || !strings.Contains(out, `"lines": 3,`) || !strings.Contains(out, `"fault": null`) {
		t.Errorf("exit %d, %s", code, out)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "two", "you", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs = runAPI(t, "audit", "verify", path)
	if want := "nsctl: " + path + ":2: its hash is wrong"; code != exitNo || !strings.HasPrefix(errs, want) || out != "1 lines before it are as they were written\n" {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	if code, out, _ := runAPI(t, "-o", "yaml", "audit", "verify", path); code != exitNo || !strings.Contains(out, "lines: 1\n") || !strings.Contains(out, "its hash is wrong") {
		t.Errorf("exit %d, %s", code, out)
	}
	if code, _, errs := runAPI(t, "audit", "verify", path+".not"); code != exitNo || !strings.Contains(errs, "no such file") {
		t.Errorf("exit %d, %s", code, errs)
	}
	if code, _, _ := runAPI(t, "audit", "verify"); code != exitUsage {
		t.Errorf("without files: exit %d", code)
	}
}
