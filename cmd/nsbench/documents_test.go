package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/mattn/go-shellwords"

	"gonamesrv/bench"
	"gonamesrv/internal/doctest"
)

// small makes a documented run short, whatever its scenario: of these parameters it is
// given those that it knows. The last value of a flag counts.
var small = [][2]string{
	{"warmup", "0s"},
	{"duration", "100ms"},
	{"timeout", "60s"},
	{"topics", "50"},
	{"brokers", "4"},
	{"brokers-per-topic", "2"},
	{"connections", "2"},
	{"rate", "200"},
	{"registrars", "2"},
	{"period", "100ms"},
	{"away", "100ms"},
}

// smaller returns the command with small parameters, in front of what comes behind --.
func smaller(args []string) []string {
	kind, err := bench.FindKind(args[1])
	if err != nil {
		return args // the program says so
	}
	more := []string{"--quiet", "--ceiling", "0"}
	for _, p := range small {
		given := slices.ContainsFunc(args, func(a string) bool { return a == "--"+p[0] })
		if slices.Contains(kind.Keys(), p[0]) && (p[0] != "rate" && p[0] != "period" || given) {
			more = append(more, "--"+p[0], p[1])
		}
	}
	at := len(args)
	if dash := slices.Index(args, "--"); dash >= 0 {
		at = dash
	}
	return slices.Insert(slices.Clone(args), at, more...)
}

// TestDocumentedCommands types what the documents tell people to type: runs and
// comparisons small, without Java's server, which is not everywhere. Of all other commands
// it makes sure that they and their flags exist.
func TestDocumentedCommands(t *testing.T) {
	commands, err := doctest.Of("../..", doctest.Nsbench)
	if err != nil {
		t.Fatal(err)
	}
	target := started(t)
	addr := target.Address
	pid := strconv.Itoa(target.PID)
	t.Chdir(t.TempDir()) // some write files
	ran := 0
	for _, typed := range commands {
		text := strings.ReplaceAll(typed.Text, "$(pidof namesrv)", pid)
		args, err := shellwords.Parse(text)
		if err != nil {
			t.Fatalf("%s:%d: %v", typed.File, typed.Line, err)
		}
		args = args[1:]
		switch args[0] {
		case "run":
			args = smaller(args)
			if i := slices.Index(args, "--"); i >= 0 {
				restAddr, restArgv := namesrv(t) // started by the run
				args = slices.Concat(args[:i], []string{"--target", restAddr, "--"}, restArgv)
			} else {
				args = append(args, "--target", addr)
			}
		case "compare":
			args = smaller(args)
			if i := slices.Index(args, "--java"); i >= 0 {
				args = slices.Delete(args, i, i+2)
			}
			if i := slices.Index(args, "bin/namesrv"); i >= 0 {
				args[i] = target.Command[0]
			}
			args = append(args, "--rounds", "1")
		case "list", "report":
		default:
			at := len(args)
			if dash := slices.Index(args, "--"); dash >= 0 {
				at = dash
			}
			args = slices.Insert(args, at, "--help")
		}
		code, out, errs := nsbench(t, args...)
		if slices.Contains(args, "--fail-if") && code == exitThreshold {
			code = exitOK // it is judged by times, which are the machine's
		}
		if code != exitOK || out == "" {
			t.Errorf("%s:%d: %s: %q ends with %d: %s%s", typed.File, typed.Line, typed.Text, args, code, errs, out)
		}
		ran++
	}
	if ran < 6 {
		t.Errorf("the documents have only %d commands", ran)
	}
}

// TestDocumentedScenarios reads the scenarios of the documents.
func TestDocumentedScenarios(t *testing.T) {
	text, err := os.ReadFile("../../docs/BENCHMARKING.md")
	if err != nil {
		t.Fatal(err)
	}
	files := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(files) == 0 {
		t.Fatal("there is none")
	}
	for _, m := range files {
		file := filepath.Join(t.TempDir(), "scenario.yaml")
		if err := os.WriteFile(file, []byte(m[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if sc, err := bench.ReadScenario(file); err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		} else if err := sc.Validate(); err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		}
	}
}

// TestDocumentedKinds makes sure that BENCHMARKING.md says of each scenario what happens.
func TestDocumentedKinds(t *testing.T) {
	text, err := os.ReadFile("../../docs/BENCHMARKING.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range bench.Kinds() {
		if !strings.Contains(string(text), "`"+k.Name+"`") && !strings.HasPrefix(k.Name, "jmh-") {
			t.Errorf("BENCHMARKING.md does not name %s", k.Name)
		}
	}
}
