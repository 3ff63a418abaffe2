//go:build interop

package interop

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// nodeProduceConsume sends count messages with the producer of ali-ons, the
// pure JavaScript client, and receives them with its consumer. The topic must
// be there.
func nodeProduceConsume(t *testing.T, dir, namesrv, topic string, count int) {
	t.Helper()
	out, state := runNodeClient(t, nil, dir, namesrv, topic, count)
	checkTalk(t, "ali-ons", topic, count, out, state)
}

// runNodeClient runs node/produce-consume.js and returns what it has printed.
// Under is what runs its command.
func runNodeClient(t *testing.T, under []string, dir, namesrv, topic string, count int) (string, *os.ProcessState) {
	t.Helper()
	modules := nodeModules(t, "node")
	script, err := filepath.Abs(filepath.Join("node", "produce-consume.js"))
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "nodeclient")
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	const wait = 2 * soon
	argv := append(slices.Clone(under), "node", script, modules,
		namesrv, topic, "node-"+topic, strconv.Itoa(count), strconv.Itoa(int(wait.Seconds())))
	return run(t, 2*wait, "ali-ons", home, argv...)
}

// nodeModules returns the node_modules directory of a package.json. It asks npm once and
// keeps the answer in the cache.
func nodeModules(t *testing.T, folder string) string {
	t.Helper()
	needNode(t)
	cache, err := cacheDir()
	if err != nil {
		t.Fatal(err)
	}
	lock, err := os.ReadFile(filepath.Join(folder, "package-lock.json"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(lock)
	dir := filepath.Join(cache, fmt.Sprintf("node-%x", sum[:6]))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules
	}

	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp(cache, "node-*.tmp")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(tmp, name), string(text))
	}
	t.Logf("installing what %s/package.json names with npm", folder)
	for tries := 4; ; tries-- {
		npm := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
		npm.Dir = tmp
		out, err := npm.CombinedOutput()
		if err == nil {
			break
		}
		if tries == 1 {
			t.Fatalf("npm ci of %s/package.json: %v\n%s", folder, err, out)
		}
		t.Logf("npm ci of %s/package.json, once more: %v\n%s", folder, err, out)
	}
	if err := os.Rename(tmp, dir); err != nil {
		if _, there := os.Stat(modules); there != nil { // another run may have been faster
			t.Fatal(err)
		}
	}
	return modules
}

// needNode skips the test where Node.js is missing, or fails it under CI=true.
func needNode(t *testing.T) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		out, err := exec.Command(tool, "--version").CombinedOutput()
		if err == nil {
			continue
		}
		lack := strings.TrimSpace(fmt.Sprintf("Node.js and npm are needed; %s --version: %v %s", tool, err, out))
		if os.Getenv("CI") == "true" {
			t.Fatalf("cannot run, and CI=true forbids skipping: %s", lack)
		}
		t.Skip(lack)
	}
}
