package route

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies keeps the doors of this package shut.
func TestDependencies(t *testing.T) {
	forbidden := map[string]string{
		"github.com/panjf2000/gnet/v2": "route must be testable without sockets",
		"gonamesrv/engine":             "route must be testable without sockets",
		"gonamesrv/internal/namesrv":   "route does not know what a request is",
		"log/slog":                     "route reports events; others write them",
		"net":                          "an address is text here",
	}
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list -deps: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 10 {
		t.Fatalf("go list -deps names only %v", deps)
	}
	for _, d := range deps {
		if why, bad := forbidden[d]; bad {
			t.Errorf("route depends on %s: %s", d, why)
		}
	}
}
