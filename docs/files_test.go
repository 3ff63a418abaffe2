package docs

import (
	"flag"
	"fmt"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write FILES.md anew")

// filesHead is what stands above the rows of FILES.md.
const filesHead = `# All files

One line for each Go file but the tests. The second column is written by hand, here and nowhere else.
` + "`make files`" + ` does the rest: it sorts the rows, adds a row for each new file and drops those of files
that are gone. A row may be added anywhere, also at the end; of two rows for a file the later one counts.
`

// sources are the Go files of the project but its tests, relative to its top,
// whatever their build tags and whichever module they belong to.
func sources(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules"):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			rel, err := filepath.Rel("..", path)
			files = append(files, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 50 {
		t.Fatalf("only %d source files found", len(files))
	}
	return files
}

// synopsis returns the first sentence of the comment on a package.
func synopsis(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		if file.Doc != nil && !strings.HasSuffix(name, "_test.go") {
			return new(doc.Package).Synopsis(file.Doc.Text())
		}
	}
	t.Errorf("%s: no file has a comment on the package", dir)
	return ""
}

// fileMap returns FILES.md as it is to be: the purposes that its text has now,
// for the files that there are.
func fileMap(t *testing.T, text string) string {
	t.Helper()
	purposes := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|(.*)\\|$").FindAllStringSubmatch(text, -1) {
		purposes[m[1]] = strings.TrimSpace(m[2])
	}
	files := sources(t)
	slices.SortFunc(files, func(a, b string) int {
		if c := strings.Compare(path.Dir(a), path.Dir(b)); c != 0 {
			return c
		}
		return strings.Compare(path.Base(a), path.Base(b))
	})
	var b strings.Builder
	b.WriteString(filesHead)
	for i, f := range files {
		if dir := path.Dir(f); i == 0 || dir != path.Dir(files[i-1]) {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| File | Purpose |\n|---|---|\n", dir, synopsis(t, dir))
		}
		fmt.Fprintf(&b, "| `%s` | %s |\n", f, purposes[f])
		if purposes[f] == "" {
			t.Errorf("FILES.md does not say what %s is for", f)
		}
	}
	return b.String()
}

// TestFileMap makes sure that FILES.md has each file once, in order, with its
// purpose. With -update it writes what does not take a person.
func TestFileMap(t *testing.T) {
	const name = "FILES.md"
	got := read(t, name)
	want := fileMap(t, got)
	if got == want {
		return
	}
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s is not what `make files` makes of it:\n%s", name, difference(got, want))
}

// difference returns the lines that only one of two texts has.
func difference(got, want string) string {
	var b strings.Builder
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for _, line := range g {
		if !slices.Contains(w, line) {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	for _, line := range w {
		if !slices.Contains(g, line) {
			fmt.Fprintf(&b, "+ %s\n", line)
		}
	}
	if b.Len() == 0 {
		return "the same lines in another order"
	}
	return b.String()
}

// TestArchitecture makes sure that ARCHITECTURE.md fits on a screen in its
// width, and that the files which it names are there.
func TestArchitecture(t *testing.T) {
	const widest = 120
	text := read(t, "ARCHITECTURE.md")
	for i, line := range strings.Split(text, "\n") {
		if n := utf8.RuneCountInString(line); n > widest {
			t.Errorf("line %d is %d wide, want %d at most: %s", i+1, n, widest, line)
		}
	}
	there := map[string]bool{}
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".go") {
			// A name may leave out any folders it is in.
			for rest, more := filepath.ToSlash(name), true; more; _, rest, more = strings.Cut(rest, "/") {
				there[rest] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`[\w/]+\.go\b`).FindAllString(text, -1)
	if len(named) < 30 {
		t.Errorf("ARCHITECTURE.md names only %d files", len(named))
	}
	for _, f := range named {
		if !there[f] {
			t.Errorf("ARCHITECTURE.md names %s, which is not there", f)
		}
	}
}
