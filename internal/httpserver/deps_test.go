package httpserver

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies keeps the doors of this package shut: it is a room for any HTTP
// listener, whatever that one answers.
func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list -deps: %v", err)
	}
	deps := strings.Fields(string(out))
	if len(deps) < 10 {
		t.Fatalf("go list -deps names only %v", deps)
	}
	for _, d := range deps {
		if strings.HasPrefix(d, "gonamesrv/") && d != "gonamesrv/internal/httpserver" || strings.HasPrefix(d, "github.com/") {
			t.Errorf("httpserver depends on %s: it knows HTTP and nothing else", d)
		}
	}
}
