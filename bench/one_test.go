package bench_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOneOfEach: servers are started in one place, which ends all that they have
// started, and frames are read from a blocking connection in one.
func TestOneOfEach(t *testing.T) {
	t.Parallel()
	places := map[string][]string{}
	looked := 0
	for _, root := range []string{".", "../cmd/nsbench"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			looked++
			text, err := os.ReadFile(path)
			for _, what := range []string{"exec.Command", "io.ReadFull("} {
				if strings.Contains(string(text), what) {
					places[what] = append(places[what], filepath.ToSlash(path))
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if looked < 60 || len(places["exec.Command"]) == 0 {
		t.Errorf("%d files were looked at, in which %v", looked, places)
	}
	others := []string{"../cmd/nsbench/demo.go", "../cmd/nsbench/generator.go"} // a browser; generators
	for _, path := range places["exec.Command"] {
		if !strings.HasPrefix(path, "launch/") && !slices.Contains(others, path) {
			t.Errorf("%s starts processes; servers are launch's", path)
		}
	}
	if len(places["io.ReadFull("]) > 0 {
		t.Errorf("%v reads frames; that is internal/client's", places["io.ReadFull("])
	}
}
