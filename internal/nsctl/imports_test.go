package nsctl

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestImports: the program knows name servers by what they answer only, so that it is as
// good with Java's, and can be built without ours; and how files of audit logs are read.
// Tests may start one of ours.
func TestImports(t *testing.T) {
	t.Parallel()
	allowed := []string{"gonamesrv/codec", "gonamesrv/internal/audit", "gonamesrv/internal/client", "gonamesrv/internal/manpage", "gonamesrv/internal/nsdiff", "gonamesrv/internal/nsctl/top", "gonamesrv/internal/version"}
	n := 0
	for _, dir := range []string{".", "top", "../nsdiff", "../client"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			n++
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range file.Imports {
				path, err := strconv.Unquote(i.Path.Value)
				if err != nil || strings.HasPrefix(path, "gonamesrv/") && !slices.Contains(allowed, path) {
					t.Errorf("%s imports %s", name, i.Path.Value)
				}
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d files were looked at", n)
	}
}
