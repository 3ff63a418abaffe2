//go:build interop

package interop

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var classPaths struct {
	mu     sync.Mutex
	byName map[string]string // artifact-version, or the version alone
}

// classPath returns the class path of one RocketMQ version: namesrv, broker,
// tools and client, or of one artifact that it lacks, such as rocketmq-proxy. It
// asks Maven once and keeps the answer in the cache.
func classPath(t *testing.T, artifact, version string) string {
	t.Helper()
	classPaths.mu.Lock()
	defer classPaths.mu.Unlock()
	name := strings.TrimPrefix(artifact+"-"+version, "-")
	if cp := classPaths.byName[name]; cp != "" {
		return cp
	}
	cp, err := resolve(t, name, artifact, version)
	if err != nil {
		t.Fatalf("resolve the class path of RocketMQ %s: %v", name, err)
	}
	if classPaths.byName == nil {
		classPaths.byName = make(map[string]string)
	}
	classPaths.byName[name] = cp
	return cp
}

func resolve(t *testing.T, name, artifact, version string) (string, error) {
	pomName := "pom.xml"
	if artifact != "" {
		pomName = "artifact.xml"
	}
	pom, err := filepath.Abs(filepath.Join("java", pomName))
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(pom)
	if err != nil {
		return "", err
	}
	dir, err := cacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	file := filepath.Join(dir, fmt.Sprintf("classpath-%s-%x.txt", name, sum[:6]))
	if cp, err := readClassPath(file); err == nil {
		return cp, nil
	}

	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(dir, "classpath-*.tmp")
	if err != nil {
		return "", err
	}
	tmp.Close()
	defer os.Remove(tmp.Name())

	const tries = 4
	var failed error
	for try := 1; try <= tries; try++ {
		t.Logf("resolving the class path of RocketMQ %s with Maven, try %d of %d", name, try, tries)
		args := []string{
			"-B", "-q", "-f", pom, "-Drocketmq.version=" + version, "-Dartifact=" + artifact,
			"-Dmdep.outputFile=" + tmp.Name(), "dependency:build-classpath",
		}
		if try > 1 {
			args = append([]string{"-U"}, args...) // Maven remembers a failed download; ask again
		}
		out, err := exec.Command("mvn", args...).CombinedOutput()
		if err != nil {
			failed = fmt.Errorf("mvn %s: %w\n%s", strings.Join(args, " "), err, out)
			continue
		}
		cp, err := readClassPath(tmp.Name())
		if err != nil {
			failed = err
			continue
		}
		return cp, os.Rename(tmp.Name(), file)
	}
	return "", fmt.Errorf("%d tries failed, the last one: %w", tries, failed)
}

// readClassPath returns the class path in file if all its jars are there.
func readClassPath(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	cp := strings.TrimSpace(string(b))
	if cp == "" {
		return "", errors.New("the class path is empty")
	}
	for _, jar := range filepath.SplitList(cp) {
		if _, err := os.Stat(jar); err != nil {
			return "", err
		}
	}
	return cp, nil
}

func cacheDir() (string, error) {
	if dir := os.Getenv("GONAMESRV_INTEROP_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "gonamesrv-interop"), nil
}
