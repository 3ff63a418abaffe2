package version

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	changelogHeading = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+) — (unreleased|\d{4}-\d{2}-\d{2})$`)
	releaseForm      = regexp.MustCompile(`^(\d+\.\d+\.\d+)(-dev)?$`)
)

// checkChangelog returns what is wrong with the headings of a changelog for a release: the
// newest version comes first and is that of the release; it has a date unless the release
// leads to it; the others are released, older and smaller.
func checkChangelog(text, release string) error {
	m := releaseForm.FindStringSubmatch(release)
	if m == nil {
		return fmt.Errorf("release %q is no version, with or without -dev", release)
	}
	var last [3]int
	var lastDate time.Time
	count := 0
	for line := range strings.Lines(text) {
		heading, is := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "## ")
		if !is {
			continue
		}
		h := changelogHeading.FindStringSubmatch(heading)
		if h == nil {
			return fmt.Errorf("heading %q is not VERSION — YYYY-MM-DD, nor VERSION — unreleased", heading)
		}
		var v [3]int
		for i := range v {
			v[i], _ = strconv.Atoi(h[1+i]) // digits; of too many, all are the same
		}
		isNewest := count == 0
		count++
		switch {
		case isNewest && strings.Join(h[1:4], ".") != m[1]:
			return fmt.Errorf("the newest heading is %q, and the release is %s", heading, release)
		case isNewest && (h[4] == "unreleased") != (m[2] != ""):
			return fmt.Errorf("heading %q does not fit the release %s", heading, release)
		case !isNewest && h[4] == "unreleased":
			return fmt.Errorf("heading %q is not the newest", heading)
		case !isNewest && cmp.Or(cmp.Compare(v[0], last[0]), cmp.Compare(v[1], last[1]), cmp.Compare(v[2], last[2])) >= 0:
			return fmt.Errorf("heading %q comes after a smaller version", heading)
		}
		last = v
		if h[4] == "unreleased" {
			continue
		}
		date, err := time.Parse(time.DateOnly, h[4])
		if err != nil {
			return fmt.Errorf("heading %q: %w", heading, err)
		}
		if !lastDate.IsZero() && date.After(lastDate) {
			return fmt.Errorf("heading %q comes after an older one", heading)
		}
		lastDate = date
	}
	if count == 0 {
		return fmt.Errorf("there is no heading")
	}
	return nil
}

// TestChangelog: the version of the programs has a heading, and with a date as soon as it is
// a release.
func TestChangelog(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	if err := checkChangelog(string(text), Release); err != nil {
		t.Error(err)
	}
	const dev, done, old = "# C\n\n## 1.2.0 — unreleased\n\n### Added\n", "## 1.2.0 — 2026-12-01\n", "## 1.1.9 — 2026-11-30\n"
	for _, c := range []struct{ text, release, want string }{
		{dev, "1.2.0-dev", ""},
		{dev + old, "1.2.0-dev", ""},
		{done + old, "1.2.0", ""},
		{dev, "1.2.0", "does not fit"},
		{done, "1.2.0-dev", "does not fit"},
		{done, "1.3.0", "the newest heading is"},
		{done, "1.3.0-dev", "the newest heading is"},
		{done, "1.2", "no version"},
		{"", "1.2.0", "no heading"},
		{"## Unreleased\n", "1.2.0-dev", "is not VERSION"},
		{"## 1.2.0 - 2026-12-01\n", "1.2.0", "is not VERSION"},
		{"## 1.2.0 — 2026-13-01\n", "1.2.0", "month out of range"},
		{old + done, "1.1.9", "comes after a smaller version"},
		{done + "## 1.1.9 — 2026-12-02\n", "1.2.0", "comes after an older one"},
		{done + "## 1.1.9 — unreleased\n", "1.2.0", "is not the newest"},
		{"## 1.10.0 — 2026-12-01\n## 1.9.0 — 2026-12-01\n", "1.10.0", ""},
	} {
		err := checkChangelog(c.text, c.release)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q for %s: %v, want %q", c.text, c.release, err, c.want)
		}
	}
}
