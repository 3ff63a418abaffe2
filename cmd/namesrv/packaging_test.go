package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestManPage: the man page that goes with the packages has each flag and command.
func TestManPage(t *testing.T) {
	text, err := os.ReadFile("../../deploy/man/namesrv.1")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.NewReplacer(`\fB`, "", `\fR`, "", `\fI`, "", `\-`, "-").Replace(string(text))
	flags := regexp.MustCompile(`(?m)^ +(?:(-\w),)?(--\w+)`).FindAllStringSubmatch(usage, -1)
	if len(flags) < 7 {
		t.Fatalf("only %d flags found", len(flags))
	}
	for _, f := range flags {
		want := f[2]
		if f[1] != "" {
			want = f[1] + ", " + f[2]
		}
		if !regexp.MustCompile(`(?m)^` + want + `\b`).MatchString(page) {
			t.Errorf("the man page does not have %s", want)
		}
	}
	for _, command := range []string{"config check", "audit verify"} {
		if !strings.Contains(usage, command) || !strings.Contains(page, ".B namesrv "+command) {
			t.Errorf("the man page does not have %s", command)
		}
	}
}

// TestShippedConfiguration: the file that packages bring has nothing to complain of, as it
// is and with the keys that it only mentions.
func TestShippedConfiguration(t *testing.T) {
	text, err := os.ReadFile("../../deploy/namesrv.properties")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^#(\w+=)`).ReplaceAllString(string(text), "$1")
	if all == string(text) {
		t.Fatal("it mentions no key")
	}
	all = strings.ReplaceAll(all, "/var/log/gonamesrv", t.TempDir())
	for _, content := range []string{string(text), all} {
		file := filepath.Join(t.TempDir(), "namesrv.properties")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr output
		if code := run(t.Context(), []string{"config", "check", "-c", file}, noEnv, &stdout, &stderr); code != exitOK || stderr.String() != "" {
			t.Errorf("exit %d: %s%s", code, &stdout, &stderr)
		}
	}
}
