package docs

import (
	"regexp"
	"strings"
	"testing"
)

// TestDeployCommandsAreRun makes sure that deploy/README.md says of each block of commands
// what runs them, and that this is a target of the Makefile, or why nothing does.
func TestDeployCommandsAreRun(t *testing.T) {
	makefile := read(t, "../Makefile")
	parts := strings.Split(read(t, "../deploy/README.md"), "\n```")
	if len(parts) < 9 {
		t.Fatalf("only %d blocks", len(parts)/2)
	}
	says := regexp.MustCompile("\\((?:Run by `make ([a-z-]+)`|Not run by a test: [^)]+)\\.\\)\\s*$")
	for i := 0; i+1 < len(parts); i += 2 {
		before := strings.TrimSpace(parts[i])
		m := says.FindStringSubmatch(before)
		if m == nil {
			t.Errorf("nothing is said of what runs this:%s", parts[i+1])
		} else if m[1] != "" && !strings.Contains(makefile, "\n"+m[1]+":") {
			t.Errorf("the Makefile has no target %s", m[1])
		}
	}
}
