package codec

import (
	"os/exec"
	"strings"
	"testing"
)

// TestDependencies keeps sockets, state and logs out of this package.
func TestDependencies(t *testing.T) {
	t.Parallel()
	allowed := []string{"gonamesrv/codec", "github.com/goccy/go-json", "github.com/valyala/bytebufferpool"}
	refused := map[string]string{
		"net":      "codec must be testable without sockets",
		"log":      "codec returns errors, it does not log",
		"log/slog": "codec returns errors, it does not log",
	}
	out, err := exec.Command("go", "list", "-deps", "-f", "{{.ImportPath}} {{.Standard}}", ".").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		path, standard, _ := strings.Cut(strings.TrimSpace(line), " ")
		if reason := refused[path]; reason != "" {
			t.Errorf("%s: %s", path, reason)
		}
		ok := standard == "true"
		for _, a := range allowed {
			ok = ok || path == a || strings.HasPrefix(path, a+"/")
		}
		if !ok {
			t.Errorf("%s: codec may import the standard library, goccy/go-json and bytebufferpool only", path)
		}
	}
}
