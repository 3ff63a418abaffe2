//go:build browser

package browser

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// modules is the folder into which npm has put what package.json names.
var modules string

func TestMain(m *testing.M) { os.Exit(prepare(m)) }

// prepare builds the server and fetches axe-core, once for all tests.
func prepare(m *testing.M) int {
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		fmt.Fprintln(os.Stderr, "browser:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	modules, program = dir, filepath.Join(dir, "namesrv")
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(name)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o600)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "browser:", err)
			return 1
		}
	}
	npm := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", dir)
	build := exec.Command("go", "build", "-buildvcs=false", "-o", program, "./cmd/namesrv")
	build.Dir = filepath.Join("..", "..")
	for _, cmd := range []*exec.Cmd{npm, build} {
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "browser: %v: %v\n%s", cmd, err, out)
			return 1
		}
	}
	return m.Run()
}
