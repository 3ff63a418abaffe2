package bench_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies keeps this package and those below it from knowing how our server works.
func TestDependencies(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "./...").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(path, "gonamesrv/") && path != "gonamesrv/codec" && path != "gonamesrv/internal/client" && !strings.HasPrefix(path, "gonamesrv/bench") {
			t.Errorf("%s: bench speaks the protocol and knows nothing else of the server", path)
		}
	}
}
