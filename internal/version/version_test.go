package version

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// TestString: the revision is told as far as the build knows it.
func TestString(t *testing.T) {
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "27ea9ee4d30b1c0ffee0123456789abcdef01234"}
	for _, tc := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{nil, "1.2.3"},
		{&debug.BuildInfo{}, "1.2.3"},
		{&debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.modified", Value: "true"}}}, "1.2.3"},
		{&debug.BuildInfo{Settings: []debug.BuildSetting{revision, {Key: "vcs.modified", Value: "false"}}}, "1.2.3+27ea9ee4d30b"},
		{&debug.BuildInfo{Settings: []debug.BuildSetting{revision, {Key: "vcs.modified", Value: "true"}}}, "1.2.3+27ea9ee4d30b.modified"},
		{&debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "27"}}}, "1.2.3+27"},
	} {
		if got := versionOf("1.2.3", tc.info); got != tc.want {
			t.Errorf("%+v is %s, want %s", tc.info, got, tc.want)
		}
	}
	if !strings.HasPrefix(String(), Release) {
		t.Errorf("the version is %s", String())
	}
}

// TestVersionIsWrittenOnce makes sure that the files which must have the version in them,
// since nobody makes them anew, have this one.
func TestVersionIsWrittenOnce(t *testing.T) {
	for file, lines := range map[string][]string{
		"helm/gonamesrv/Chart.yaml": {"version: " + Release, "appVersion: " + Release},
		"kubernetes/gonamesrv.yaml": {`          image: "gonamesrv:` + Release + `"`},
	} {
		text, err := os.ReadFile("../../deploy/" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if !strings.Contains("\n"+string(text), "\n"+line+"\n") {
				t.Errorf("%s does not have the line %q", file, line)
			}
		}
	}
}
