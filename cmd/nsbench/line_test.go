package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"gonamesrv/bench"
	"gonamesrv/internal/version"
)

// TestServerMeansOneThing: what names a server in results is --label, and where it
// is --target. Load must not go to the default address because of a slip.
func TestServerMeansOneThing(t *testing.T) {
	for _, text := range []string{"127.0.0.1:9877", "localhost:9877", "ns1.example.com:9876", "[::1]:9876", "::1", "192.0.2.1", ":9876"} {
		for flag, want := range map[string]string{"label": "--target " + text, "server": "with --target"} {
			code, out, errs := nsbench(t, "run", "route", "--"+flag, text)
			if code != exitFailed || out != "" || !strings.Contains(errs, want) {
				t.Errorf("--%s %s ends with %d, %q and %q, want %q", flag, text, code, out, errs, want)
			}
		}
	}
	for _, text := range []string{"java 5.5.0", "ours", "a:b", "new: 5", "v2", "x:99999", "12:00 run"} {
		if err := new(labelValue).Set(text); err != nil {
			t.Errorf("the label %q is refused: %v", text, err)
		}
	}
}

// TestUnreachable: a target that is not there is noticed before anything else is
// done, which is much for ten million topics.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() // until then its port is nobody's to listen on
	nobody := c.LocalAddr().String()
	for _, args := range [][]string{
		{"run", "route", "--target", nobody, "--topics", "10000000", "--brokers-per-topic", "1"},
		{"run", "route", "--target", nobody},
		{"compare", "route", "--command", "never=touch {dir}/{port}", "--server", "gone=" + nobody},
	} {
		dir := t.TempDir()
		t.Setenv("TMPDIR", dir)
		code, out, errs := nsbench(t, args...)
		if code != exitFailed || out != "" || !strings.Contains(errs, nobody+" cannot be reached") {
			t.Errorf("%q ends with %d, %q and %q", args, code, out, errs)
		}
		if strings.Contains(errs, "preload") {
			t.Errorf("%q begins all the same: %q", args, errs)
		}
		wantEmpty(t, dir)
	}
}

// TestSilentTarget: somebody who takes connections and answers nothing is given up
// in the preload; TestPreloadWithin of package bench says after how long.
func TestSilentTarget(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it accepts in the kernel
	for _, scenario := range []string{"route", "massclose"} {
		code, out, errs := nsbench(t, "run", scenario, "--target", l.Addr().String(), "--timeout", "2s", "--topics", "10")
		if code != exitFailed || out != "" || !strings.Contains(errs, "preload: register") || !strings.Contains(errs, "timeout") {
			t.Errorf("%s ends with %d, %q and %q", scenario, code, out, errs)
		}
	}
}

// TestSilentTLSTarget: somebody who takes connections and never shakes hands is given up
// within the timeout, before anything else is done.
func TestSilentTLSTarget(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // it accepts in the kernel
	code, out, errs := nsbench(t, "run", "route", "--target", l.Addr().String(), "--tls", "--tls-insecure", "--timeout", "1s", "--topics", "10000000", "--brokers-per-topic", "1")
	if code != exitFailed || out != "" || !strings.Contains(errs, l.Addr().String()+" cannot be reached: connect: TLS") || strings.Contains(errs, "preload") {
		t.Errorf("ends with %d, %q and %q", code, out, errs)
	}
}

// TestFlagsGiveWay: what the user did not write does not make what he wrote invalid.
func TestFlagsGiveWay(t *testing.T) {
	for _, line := range []string{"route --brokers 1", "storm --brokers 3", "churn --brokers 4", "route --brokers-per-topic 50", "mixed --form split", "jmh-a --registrars 2"} {
		fields := strings.Fields(line)
		cmd := newRunCommand()
		var f runCommand
		if err := cmd.ParseFlags(fields[1:]); err != nil {
			t.Fatal(err)
		}
		if _, err := f.scenario(fields[:1], cmd.Flags()); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	cmd := newRunCommand()
	var f runCommand
	if err := cmd.ParseFlags([]string{"--brokers", "5", "--brokers-per-topic", "6"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.scenario([]string{"route"}, cmd.Flags()); err == nil {
		t.Error("a contradiction is taken")
	}
}

// TestHelp: every flag stands in one group, with its type and its default, in lines
// that fit.
func TestHelp(t *testing.T) {
	for _, command := range []string{"run", "compare"} {
		for _, args := range [][]string{{command, "--help"}, {"help", command}} {
			code, out, errs := nsbench(t, args...)
			if code != exitOK || errs != "" {
				t.Fatalf("%q ends with %d: %s", args, code, errs)
			}
			cmd := newRunCommand()
			if command == "compare" {
				cmd = newCompareCommand()
			}
			cmd.Flags().VisitAll(func(fl *pflag.Flag) {
				n := len(regexp.MustCompile(`(?m)^  (    |-\w, )--`+fl.Name+`( |$)`).FindAllString(out, -1))
				if want := map[bool]int{false: 1, true: 0}[fl.Hidden]; n != want {
					t.Errorf("%q shows --%s %d times", args, fl.Name, n)
				}
			})
			for _, want := range []string{
				"\nThe results:\n", "(default 10s; 5s in registrations; 30s in churn", "\nParameters: brokers and their topics:\n", "--brokers int", "--warmup duration", "--rate number",
				"8000 in register, returning; 20000 in", "--form word", "--bump  ",
			} {
				if !strings.Contains(out, want) {
					t.Errorf("%q shows no %q:\n%s", args, want, out)
				}
			}
			fits(t, out)
		}
	}
	code, out, _ := nsbench(t, "run", "storm", "--help")
	if code != exitOK || !strings.Contains(out, "(default 40000)") || strings.Contains(out, "--hz") {
		t.Errorf("the help of storm ends with %d:\n%s", code, out)
	}
	fits(t, out)
}

// fits makes sure that text is not wider than a help may be; examples may be.
func fits(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > helpWidth && !strings.HasPrefix(line, "  nsbench") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// TestParamGroups: each parameter is in one group, and says what its values are.
func TestParamGroups(t *testing.T) {
	n := map[string]int{}
	for _, g := range bench.ParamGroups() {
		if g.Title == "Others" {
			t.Errorf("in no group: %v", g.Keys)
		}
		for _, key := range g.Keys {
			if n[key]++; n[key] > 1 || bench.AboutParam(key) == "" {
				t.Errorf("%s is in %d groups, and means %q", key, n[key], bench.AboutParam(key))
			}
			for _, word := range bench.ParamWords(key) {
				if err := new(bench.Params).Set(key, word); err != nil {
					t.Error(err)
				}
			}
			if (bench.ParamType(key) == "word") != (bench.ParamWords(key) != nil) {
				t.Errorf("%s is a %q of %v", key, bench.ParamType(key), bench.ParamWords(key))
			}
		}
	}
	for _, k := range bench.Kinds() {
		for _, key := range k.Keys() {
			if n[key] == 0 {
				t.Errorf("%s is in no group", key)
			}
		}
	}
}

// TestVersion: all programs say the same.
func TestVersion(t *testing.T) {
	code, out, _ := nsbench(t, "--version")
	if code != exitOK || out != "nsbench version "+version.String()+"\n" {
		t.Errorf("ends with %d: %q", code, out)
	}
}

// TestCompletion offers scenarios, words and files, and has a script for each shell.
func TestCompletion(t *testing.T) {
	for line, want := range map[string]string{
		"run ro":                   "route",
		"run jmh-":                 "jmh-a jmh-b jmh-c jmh-d",
		"compare st":               "storm",
		"list black":               "black-friday",
		"run route storm":          "",
		"run route --form c":       "compressed",
		"run route --header ":      "JSON ROCKETMQ",
		"run route --topics ":      "",
		"run route --broker":       "--brokers --brokers-per-topic --broker-timeout",
		"run -f ":                  "yaml", // the end of the files to offer
		"completion f":             "fish",
		"compare route --floor --": "",
	} {
		args := append([]string{"__complete"}, strings.Fields(line)...)
		if strings.HasSuffix(line, " ") {
			args = append(args, "")
		}
		code, out, _ := nsbench(t, args...)
		var got []string
		typed := args[len(args)-1]
		for offer := range strings.Lines(out) {
			name, _, _ := strings.Cut(strings.TrimSuffix(offer, "\n"), "\t")
			if !strings.HasPrefix(name, ":") && strings.HasPrefix(name, typed) { // shells leave out the rest
				got = append(got, name)
			}
		}
		if line == "compare route --floor --" {
			if len(got) < 30 {
				t.Errorf("%s: only %q", line, got)
			}
			continue
		}
		if code != exitOK || !sameWords(got, want) {
			t.Errorf("%s: ends with %d, offered %q, want %q", line, code, got, want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if code, out, _ := nsbench(t, "completion", shell); code != exitOK || len(out) < 1000 || !strings.Contains(out, "nsbench") {
			t.Errorf("completion %s ends with %d, %d bytes", shell, code, len(out))
		}
	}
}

func sameWords(got []string, want string) bool {
	left := map[string]int{}
	for _, w := range got {
		left[w]++
	}
	for w := range strings.FieldsSeq(want) {
		left[w]--
	}
	for _, n := range left {
		if n != 0 {
			return false
		}
	}
	return true
}

// TestManPages writes a page for each command, the same each time.
func TestManPages(t *testing.T) {
	dir := t.TempDir()
	if code, out, errs := nsbench(t, "man", dir); code != exitOK || out != "" {
		t.Fatalf("ends with %d, %q%s", code, out, errs)
	}
	page, err := os.ReadFile(filepath.Join(dir, "nsbench-run.1"))
	if err != nil || !bytes.Contains(page, []byte("brokers")) || regexp.MustCompile(`\b(19|20)\d\d-`).Match(page) {
		t.Errorf("%v:\n%s", err, page)
	}
	for _, name := range []string{"nsbench", "nsbench-compare", "nsbench-report", "nsbench-list", "nsbench-floor"} {
		if _, err := os.Stat(filepath.Join(dir, name+".1")); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "nsbench-results.1")); err == nil {
		t.Error("there is a page of a hidden command")
	}
	if code, _, _ := nsbench(t, "man", filepath.Join(dir, "nothing")); code != exitFailed {
		t.Errorf("a folder that is not there: ends with %d", code)
	}
}

// TestListSamples shows a sample with its file.
func TestListSamples(t *testing.T) {
	code, out, _ := nsbench(t, "list")
	for _, s := range bench.Samples() {
		if code != exitOK || !strings.Contains(out, "\n"+s.Name+" ") {
			t.Errorf("list ends with %d and does not show %s:\n%s", code, s.Name, out)
		}
		if code, one, _ := nsbench(t, "list", s.Name); code != exitOK || !strings.Contains(one, string(s.Text)) || !strings.Contains(one, s.About) {
			t.Errorf("list %s ends with %d:\n%s", s.Name, code, one)
		}
	}
}
