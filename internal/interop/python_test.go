//go:build interop

package interop

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runPython runs python/talk_NAME.py with the packages of python/NAME.txt and returns what it
// has printed. Its home is where the client keeps its logs.
func runPython(t *testing.T, name, home string, args ...string) (string, *os.ProcessState) {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("python", "talk_"+name+".py"))
	if err != nil {
		t.Fatal(err)
	}
	argv := []string{"env", "HOME=" + home, "PYTHONUNBUFFERED=1", pythonOf(t, name), script}
	return run(t, talkTime, "Python "+name, home, slices.Concat(argv, args)...)
}

// pythonOf returns the python of a virtual environment with the packages of
// python/NAME.txt. It asks pip once and keeps the answer in the cache.
func pythonOf(t *testing.T, name string) string {
	t.Helper()
	version := needPython(t)
	list := filepath.Join("python", name+".txt")
	packages, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(append(packages, version...))
	dir := filepath.Join(cache, fmt.Sprintf("python-%s-%x", name, sum[:6]))
	python, done := filepath.Join(dir, "bin", "python"), filepath.Join(dir, "done")
	if _, err := os.Stat(done); err == nil {
		return python
	}
	// A virtual environment cannot be moved, so it is made where it stays.
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	t.Logf("installing the packages of %s with pip", list)
	for _, argv := range [][]string{
		{"python3", "-m", "venv", dir},
		{python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "5", "--only-binary", ":all:", "--require-hashes", "-r", list},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
		}
	}
	writeFile(t, done, "")
	return python
}

// needPython returns the version of Python. It skips the test where Python or its module
// venv is missing, or fails it under CI=true.
func needPython(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import ensurepip, sys, venv; print(sys.version)").CombinedOutput()
	if err == nil {
		return string(out)
	}
	lack := strings.TrimSpace(fmt.Sprintf("Python 3 with venv is needed; python3: %v %s", err, out))
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run, and CI=true forbids skipping: %s", lack)
	}
	t.Skip(lack)
	return ""
}
