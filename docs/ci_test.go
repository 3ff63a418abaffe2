package docs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestContinuousIntegration makes sure that .ci/run asks make for targets that there are, and
// for all that test something, but those which are known to be left out.
func TestContinuousIntegration(t *testing.T) {
	makefile := read(t, "../Makefile")
	var asked []string
	for _, m := range regexp.MustCompile(`(?m)^(?:tests|code|more|peers|pages|released)=\(([a-z -]+)\)$`).FindAllStringSubmatch(read(t, "../.ci/run"), -1) {
		asked = append(asked, strings.Fields(m[1])...)
	}
	if len(asked) < 5 {
		t.Fatalf("only %d targets found: %q", len(asked), asked)
	}
	for _, target := range asked {
		if !regexp.MustCompile(`(?m)^` + target + `:`).MatchString(makefile) {
			t.Errorf(".ci/run asks for %s, and the Makefile has no such target", target)
		}
	}
	leftOut := []string{"packages-check", "packages-test", "interop-long", "interop-ecosystem", "pictures", "trials"}
	for _, m := range regexp.MustCompile(`(?m)^(test|lint|interop[a-z-]*|browser|packages-[a-z]+|soak|bench-smoke|monitoring|api-fuzz|trials|pictures):`).FindAllStringSubmatch(makefile, -1) {
		if slices.Contains(asked, m[1]) == slices.Contains(leftOut, m[1]) {
			t.Errorf("%s: .ci/run and what is known to be left out do not fit", m[1])
		}
	}
}

// TestContinuousIntegrationRunsAll makes sure that CI cannot leave a part out, and that each
// list of targets in .ci/run is run.
func TestContinuousIntegrationRunsAll(t *testing.T) {
	script := read(t, "../.ci/run")
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+)=\([a-z -]+\)$`).FindAllStringSubmatch(script, -1) {
		if !regexp.MustCompile(`(?m)^stage .*"\$\{` + m[1] + `\[@\]\}"`).MatchString(script) {
			t.Errorf(".ci/run has a list %s and does not run it", m[1])
		}
	}
	few := t.TempDir() // where there is nothing with which it could get any further
	for _, name := range []string{"bash", "dirname"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(few, name))
		}
		if err != nil {
			t.Skip(err)
		}
	}
	first := exec.Command("../.ci/run", "first")
	first.Env = []string{"CI=true", "PATH=" + few}
	out, err := first.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 || !strings.Contains(string(out), "CI runs both parts") {
		t.Errorf("CI may leave a part out: %v\n%s", err, out)
	}
}

// TestContinuousIntegrationParts runs .ci/run with programs that do nothing, and looks which
// targets it asks make for, and what becomes of one that fails.
func TestContinuousIntegrationParts(t *testing.T) {
	first := []string{"api-fuzz", "bench-smoke", "interop", "lint", "monitoring", "soak", "test"}
	second := []string{"browser", "packages-smoke"}
	all := slices.Sorted(slices.Values(slices.Concat(first, second)))
	for _, c := range []struct {
		part, fails string
		want        []string // nil: whatever came until then
	}{
		{"", "", all},
		{"first", "", first},
		{"second", "", second},
		{"", "test", nil},
		{"", "soak", nil},
		{"", "lint", nil},
		{"", "browser", nil},
		{"second", "browser", nil},
		{"second", "packages-smoke", nil},
		{"install", "", []string{}},
	} {
		t.Run(strings.TrimSpace(c.part+" "+c.fails), func(t *testing.T) {
			bin := t.TempDir()
			asked := filepath.Join(bin, "asked")
			for _, name := range []string{"bash", "dirname"} {
				path, err := exec.LookPath(name)
				if err == nil {
					err = os.Symlink(path, filepath.Join(bin, name))
				}
				if err != nil {
					t.Skip(err)
				}
			}
			scripts := map[string]string{
				"id": "echo 0",
				"go": "echo go",
				"make": `for word; do
	case $word in -* | *=*) continue ;; esac
	echo "$word" >>` + asked + `
	if [ "$word" = "` + c.fails + `" ]; then
		echo "it is $word that fails"
		exit 1
	fi
done`,
			}
			for _, name := range strings.Fields("git gcc curl ip javac mvn npm python3 promtool prometheus chromium debootstrap systemd-analyze apt-get tee chmod") {
				scripts[name] = ""
			}
			for name, text := range scripts {
				if err := os.WriteFile(filepath.Join(bin, name), []byte("#!"+filepath.Join(bin, "bash")+"\n"+text+"\n"), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			run := exec.Command("../.ci/run", strings.Fields(c.part)...)
			run.Env = []string{"PATH=" + bin, "TMPDIR=" + bin}
			out, err := run.CombinedOutput()
			if c.fails != "" {
				if err == nil || !strings.Contains(string(out), "it is "+c.fails+" that fails") {
					t.Errorf("%s fails, and .ci/run: %v\n%s", c.fails, err, out)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			text, err := os.ReadFile(asked)
			if err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if got := slices.Sorted(slices.Values(strings.Fields(string(text)))); !slices.Equal(got, c.want) {
				t.Errorf("it asks for %q, want %q\n%s", got, c.want, out)
			}
		})
	}
}
