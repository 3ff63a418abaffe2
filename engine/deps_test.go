package engine

import (
	"os/exec"
	"strings"
	"testing"
)

// The engine is of no use to the house if it knows what it carries.
func TestDependencies(t *testing.T) {
	list := func(args ...string) []string {
		cmd := exec.Command("go", append([]string{"list"}, args...)...)
		var complaint strings.Builder
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go list: %v\n%s", err, complaint.String())
		}
		return strings.Fields(string(out))
	}
	forbidden := map[string]string{
		"gonamesrv/codec":    "the engine is given a split function and knows no header",
		"gonamesrv/route":    "the engine must not know what a topic is",
		"gonamesrv/internal": "meaning is built on the engine, not into it",
		"gonamesrv/cmd":      "the engine is a library",
	}
	allowed := map[string]string{ // outside modules and who brings them
		"gonamesrv/engine":                  "itself",
		"gonamesrv/meter":                   "distributions of times",
		"github.com/panjf2000/gnet/v2":      "event loops",
		"github.com/valyala/bytebufferpool": "buffers",
		"github.com/pires/go-proxyproto":    "what is in a PROXY header",
		"github.com/panjf2000/ants/v2":      "gnet",
		"go.uber.org/multierr":              "gnet",
		"go.uber.org/zap":                   "gnet",
		"golang.org/x/sync":                 "gnet",
		"golang.org/x/sys":                  "gnet",
		"gopkg.in/natefinch/lumberjack.v2":  "gnet",
	}
	for _, dep := range list("-deps", ".") {
		if path, reason := within(dep, forbidden); path != "" {
			t.Errorf("engine depends on %s: %s", dep, reason)
			continue
		}
		first, _, _ := strings.Cut(dep, "/")
		if path, _ := within(dep, allowed); path == "" && (strings.Contains(first, ".") || first == "gonamesrv") {
			t.Errorf("engine depends on %s, which nobody has allowed", dep)
		}
	}

	// gnet's logger brings these along; the engine itself has no use for them.
	unused := map[string]string{
		"net/http":      "the admin pages are served elsewhere",
		"encoding/json": "the engine does not look into frames",
	}
	for _, dep := range list("-f", `{{join .Imports "\n"}}`, ".") {
		if path, reason := within(dep, unused); path != "" {
			t.Errorf("engine imports %s: %s", dep, reason)
		}
	}
}

// within returns the entry of paths that dep is or lies under.
func within(dep string, paths map[string]string) (path, reason string) {
	for path, reason := range paths {
		if dep == path || strings.HasPrefix(dep, path+"/") {
			return path, reason
		}
	}
	return "", ""
}
