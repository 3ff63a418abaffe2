package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestContinuousIntegration makes sure that .ci/run asks make for targets that there are, and
// for all that test something, but those which are known to be left out.
func TestContinuousIntegration(t *testing.T) {
	makefile := read(t, "../Makefile")
	var asked []string
	for _, m := range regexp.MustCompile(`(?m)^(?:code|peers|products)=\(([a-z -]+)\)`).FindAllStringSubmatch(read(t, "../.ci/run"), -1) {
		asked = append(asked, strings.Fields(m[1])...)
	}
	if strings.Contains(read(t, "../.ci/run"), "\n\tmake test\n") {
		asked = append(asked, "test")
	}
	if len(asked) < 5 {
		t.Fatalf("only %d targets found: %q", len(asked), asked)
	}
	for _, target := range asked {
		if !regexp.MustCompile(`(?m)^` + target + `:`).MatchString(makefile) {
			t.Errorf(".ci/run asks for %s, and the Makefile has no such target", target)
		}
	}
	leftOut := []string{"packages-check", "interop-long", "interop-ecosystem", "pictures", "trials"}
	for _, m := range regexp.MustCompile(`(?m)^(test|lint|interop[a-z-]*|browser|packages-check|soak|bench-smoke|monitoring|api-fuzz|trials|pictures):`).FindAllStringSubmatch(makefile, -1) {
		if slices.Contains(asked, m[1]) == slices.Contains(leftOut, m[1]) {
			t.Errorf("%s: .ci/run and what is known to be left out do not fit", m[1])
		}
	}
}
