package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConfigCheck prints who may do what, and fails where a start would. It starts
// nothing, and Java's options mean behind it what they mean elsewhere.
func TestConfigCheck(t *testing.T) {
	access := filepath.Join(t.TempDir(), "access.yaml")
	file := properties(t, "accessFile="+access, "accessPreset=strict")
	check := func(args ...string) (code int, stdout, stderr string) {
		var out, err output
		code = run(t.Context(), append([]string{"config", "check"}, args...), noEnv, &out, &err)
		return code, out.String(), err.String()
	}
	write := func(text string) {
		if err := os.WriteFile(access, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("networks: [{name: bastion, cidr: 203.0.113.7, rights: [admin-read, config]}]\n")
	code, stdout, stderr := check("-c", file)
	if code != exitOK || !strings.Contains(stdout, "accessPreset strict, accessMode enforce, accessFile "+access+"\n") || !strings.Contains(stderr, "no rule gives broker-control") {
		t.Errorf("exit code %d, stdout\n%s\nstderr\n%s", code, stdout, stderr)
	}
	for _, want := range []string{"code request right loopback site public network:bastion", "318 UPDATE_NAMESRV_CONFIG config - - - yes", "105 GET_ROUTEINFO_BY_TOPIC route-read yes yes - -"} {
		found := false
		for line := range strings.Lines(stdout) {
			found = found || strings.Join(strings.Fields(line), " ") == want
		}
		if !found {
			t.Errorf("no line %q in\n%s", want, stdout)
		}
	}
	write("networks: [{name: bastion, cidr: 203.0.113.7, right: all}]\n")
	if code, stdout, stderr = check("-c", file); code != exitFailed || strings.Contains(stdout, "request") || !strings.Contains(stderr, `line 1: unknown key "right"`) {
		t.Errorf("exit code %d, stdout\n%s\nstderr\n%s", code, stdout, stderr)
	}
	if code, _, stderr = check("-c", properties(t, "accessPreset=closed")); code != exitFailed || !strings.Contains(stderr, `accessPreset is "closed", must be open, standard or strict`) {
		t.Errorf("exit code %d, stderr\n%s", code, stderr)
	}
	if code, stdout, _ = check("-h"); code != exitOK || stdout != usage {
		t.Errorf("exit code %d, stdout\n%s", code, stdout)
	}
	if code, _, stderr = check("now"); code != exitUsage || !strings.Contains(stderr, `unrecognized argument: "now"`) {
		t.Errorf("exit code %d, stderr\n%s", code, stderr)
	}
	var out, complaint output
	if code := run(t.Context(), []string{"config"}, noEnv, &out, &complaint); code != exitUsage || !strings.Contains(complaint.String(), `unrecognized argument: "config"`) {
		t.Errorf("exit code %d, stderr\n%s", code, &complaint)
	}
}
