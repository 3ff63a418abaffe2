package namesrv

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestSecuringExamples reads every file in SECURING.md without a warning, and compares its
// tables with what the presets give.
func TestSecuringExamples(t *testing.T) {
	page, err := os.ReadFile("../../docs/SECURING.md")
	if err != nil {
		t.Fatal(err)
	}
	files := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(files) < 4 {
		t.Fatalf("%d files", len(files))
	}
	for _, f := range files {
		if _, warnings := policyOf(t, presetStandard, f[1], aWorld("")); len(warnings) != 0 {
			t.Errorf("%s: %q", f[1], warnings)
		}
	}
	said := strings.NewReplacer("`", "", "**", "", ", as Java", "", ", the default", "", "nothing", "none").Replace(string(page))
	for _, preset := range presetNames {
		m := regexp.MustCompile(`(?m)^\| ` + preset + ` \| (.*) \| (.*) \| (.*) \|$`).FindStringSubmatch(said)
		if m == nil {
			t.Errorf("%s is not there", preset)
			continue
		}
		for i, g := range []peerGroup{groupLoopback, groupSite, groupPublic} {
			want := presets[preset][g].String()
			if presets[preset][g] == allRights&^rightConfig {
				want = "all but config"
			}
			if got := strings.ReplaceAll(m[i+1], ", ", "+"); got != want {
				t.Errorf("%s gives to %v %q, it says %q", preset, g, want, got)
			}
		}
	}
	cfg := DefaultConfig()
	for _, w := range servedRows(&cfg) {
		m := regexp.MustCompile(`(?m)^\| ` + w.right.String() + ` \| ([\d, ]*) \|`).FindStringSubmatch(said)
		if m == nil || !strings.Contains(", "+m[1]+",", ", "+strconv.Itoa(int(w.code))+",") {
			t.Errorf("%v is not said to need %v", w.code, w.right)
		}
	}
}
