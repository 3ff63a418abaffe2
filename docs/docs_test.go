// Package docs holds no code: its tests keep the documents true.
package docs

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestCompatIsInOrder makes sure that the differences ascend, and that no number
// is given twice: tests and other rows call upon them.
func TestCompatIsInOrder(t *testing.T) {
	_, section, ok := strings.Cut(read(t, "COMPAT.md"), "\n## Differences on purpose\n")
	if !ok {
		t.Fatal("no differences")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	last, rows := 0, 0
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(section, -1) {
		n, err := strconv.Atoi(m[1])
		if err != nil || n <= last {
			t.Errorf("row %s stands behind row %d", m[1], last)
		}
		last, rows = n, rows+1
	}
	if rows < 80 {
		t.Errorf("only %d rows found", rows)
	}
}

// TestCompatNamesTests makes sure that the tests which COMPAT.md calls upon
// exist.
func TestCompatNamesTests(t *testing.T) {
	compat := read(t, "COMPAT.md")
	tests := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(read(t, path), -1) {
				tests[m[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test[A-Z]\\w+)`").FindAllStringSubmatch(compat, -1)
	if len(named) < 20 {
		t.Fatalf("COMPAT.md names only %d tests", len(named))
	}
	for _, m := range named {
		if !tests[m[1]] {
			t.Errorf("COMPAT.md names %s, which is not there", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`stories/(\\w+)`").FindAllStringSubmatch(compat, -1) {
		if _, err := os.Stat(filepath.Join("..", "route", "testdata", "stories", m[1]+".txt")); err != nil {
			t.Errorf("COMPAT.md names the story %s: %v", m[1], err)
		}
	}
	for _, row := range strings.Split(compat, "\n") {
		if regexp.MustCompile(`^\| \d+ \|`).MatchString(row) && !strings.Contains(row, "Test") && !strings.Contains(row, "stories/") {
			t.Errorf("a difference without a test: %s", row)
		}
	}
}

// javaTests are the groups of Java's tests, and how many there are of each.
var javaTests = []struct {
	group string
	tests int
}{
	{"N", 29}, {"T", 12}, {"R", 2}, {"P", 2}, {"S", 9}, {"Q", 27}, {"C", 5}, {"Z", 7}, {"K", 3}, {"B", 3}, {"M", 7}, {"I", 1}, {"U", 4},
}

// TestCompatListsJavaTests makes sure that COMPAT.md lists each test of the
// Java name server once, and that the Go test of each carries its number and
// names the Java test.
func TestCompatListsJavaTests(t *testing.T) {
	_, section, ok := strings.Cut(read(t, "COMPAT.md"), "\n## The Java tests\n")
	if !ok {
		t.Fatal("no section about the Java tests")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	missing := map[string]bool{"R--": true}
	for _, g := range javaTests {
		for i := range g.tests {
			missing[fmt.Sprintf("%s%02d", g.group, i+1)] = true
		}
	}
	named := javaTestsNamed(t)
	for _, m := range regexp.MustCompile("(?m)^\\| ([A-Z][-0-9]+) \\| (\\S+) \\| `(\\w+)` \\|$").FindAllStringSubmatch(section, -1) {
		id, java, name := m[1], m[2], m[3]
		if !missing[id] {
			t.Errorf("%s is listed twice, or is no number of a Java test", id)
		}
		delete(missing, id)
		if id == "R--" {
			id = "R03"
		}
		_, method, _ := strings.Cut(java, "#")
		if want := "Test" + id + "_" + method; name != want {
			t.Errorf("the Go test of %s %s is %s, want %s", id, java, name, want)
		}
		if named[name] != java {
			t.Errorf("%s says that it is the Java test %q, want %q", name, named[name], java)
		}
		delete(named, name)
	}
	for id := range missing {
		t.Errorf("%s is not listed", id)
	}
	for name := range named {
		t.Errorf("%s is not listed", name)
	}
}

// javaTestsNamed returns which Java test each Go test with a number names in
// its comment.
func javaTestsNamed(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../*/java_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	deeper, err := filepath.Glob("../*/*/java_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]string{}
	for _, f := range append(files, deeper...) {
		for _, m := range regexp.MustCompile(`(?m)^(?:// Java: (\S+)\n)?func (Test[A-Z]\d\d_\w+)\(`).FindAllStringSubmatch(read(t, f), -1) {
			if _, twice := named[m[2]]; twice {
				t.Errorf("there are two tests %s", m[2])
			}
			named[m[2]] = m[1]
		}
	}
	return named
}

// TestSerialPackages makes sure that the packages which are not tested with the
// race detector do nothing at the same time: they start no goroutine, and have
// no need of locks and atomics.
func TestSerialPackages(t *testing.T) {
	list := regexp.MustCompile(`(?m)^SERIAL := (.+)$`).FindStringSubmatch(read(t, "../Makefile"))
	if list == nil {
		t.Fatal("the Makefile has no list of them")
	}
	for _, dir := range strings.Fields(list[1]) {
		files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range file.Imports {
				switch i.Path.Value {
				case `"sync"`, `"sync/atomic"`, `"unsafe"`:
					t.Errorf("%s imports %s", name, i.Path.Value)
				}
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if _, ok := n.(*ast.GoStmt); ok {
					t.Errorf("%s starts a goroutine", name)
				}
				return true
			})
		}
	}
}

// TestServerModules makes sure that the name server is made of few modules: two dozen and
// one of its own, and eight that Prometheus's client brings,
// and that its go.mod does not list those of the client with which it is tested.
func TestServerModules(t *testing.T) {
	const most = 33
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "gonamesrv/cmd/namesrv").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	built := strings.Fields(string(out))
	slices.Sort(built)
	if built = slices.Compact(built); len(built) > most {
		t.Errorf("cmd/namesrv is made of %d modules, want at most %d:\n%s", len(built), most, strings.Join(built, "\n"))
	}
	for _, m := range regexp.MustCompile(`(?m)^\t(github.com/apache/\S+)`).FindAllString(read(t, "../go.mod"), -1) {
		t.Errorf("go.mod needs %s, which belongs into internal/interop", m)
	}
}

// TestServerRunsNoPrograms makes sure that what CVE-2023-33246 needs is not there: the server
// can neither start another program nor load code. The screen of nsctl top links os/exec,
// for editors that it never starts.
func TestServerRunsNoPrograms(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "gonamesrv/cmd/namesrv").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	linked := strings.Fields(string(out))
	if !slices.Contains(linked, "os") {
		t.Fatalf("only %d packages found", len(linked))
	}
	for _, p := range []string{"os/exec", "plugin", "net/http/cgi", "net/http/fcgi"} {
		if slices.Contains(linked, p) {
			t.Errorf("cmd/namesrv links %s", p)
		}
	}
	starts := regexp.MustCompile(`\b(os\.StartProcess|syscall\.(ForkExec|Exec|StartProcess)|unix\.Exec)\(`)
	for _, file := range sources(t) {
		if strings.HasPrefix(file, "bench/") || strings.HasPrefix(file, "cmd/nsbench/") || strings.HasPrefix(file, "internal/interop/") {
			continue
		}
		if m := starts.FindString(read(t, filepath.Join("..", file))); m != "" {
			t.Errorf("%s calls %s", file, m)
		}
	}
}

// TestSecurityNamesTests makes sure that each weakness in SECURITY.md has a test, and that
// these exist.
func TestSecurityNamesTests(t *testing.T) {
	tests := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			for _, m := range regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`).FindAllStringSubmatch(read(t, path), -1) {
				tests[m[1]] = true
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	security := read(t, "../SECURITY.md")
	rows := regexp.MustCompile(`(?m)^\| (.*) \| .* \| (.*) \|$`).FindAllStringSubmatch(security, -1)
	if len(rows) < 15 {
		t.Fatalf("only %d weaknesses", len(rows))
	}
	for _, row := range rows[1:] {
		if !strings.Contains(row[2], "`") {
			t.Errorf("%s has no test", row[1])
		}
	}
	for _, m := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllStringSubmatch(security, -1) {
		if !tests[m[1]] {
			t.Errorf("SECURITY.md names %s, which is not there", m[1])
		}
	}
}
