package docs

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gonamesrv/internal/doctest"
)

// documents returns the documents of the project, by their path from its top.
func documents(t *testing.T) map[string]string {
	t.Helper()
	files, err := doctest.Files("..")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, file := range files {
		texts[file] = read(t, filepath.Join("..", file))
	}
	if len(texts) < 18 {
		t.Fatalf("only %d documents found", len(texts))
	}
	return texts
}

// TestReadmeIsShort keeps README on a few screens: the rest has homes of its own.
func TestReadmeIsShort(t *testing.T) {
	const most = 150
	if n := strings.Count(read(t, "../README.md"), "\n"); n > most {
		t.Errorf("README.md has %d lines, want %d at most", n, most)
	}
}

// TestCommands makes sure that a test types each command of each document, or that it is
// said why none does, and counts the latter.
func TestCommands(t *testing.T) {
	const notRun = 19 // one more is one more that nobody tries
	commands, err := doctest.Commands("..")
	if err != nil {
		t.Fatal(err)
	}
	if len(commands) < 110 {
		t.Errorf("only %d commands found", len(commands))
	}
	reasons := doctest.Reasons()
	if len(reasons) != notRun {
		t.Errorf("%d commands are not run, want %d", len(reasons), notRun)
	}
	runs := map[doctest.Runner]int{}
	used := map[string]bool{}
	makefile := read(t, "../Makefile")
	for _, c := range commands {
		runner := c.Runner()
		runs[runner]++
		switch runner {
		case "":
			t.Errorf("%s:%d: no test types %q; give it a runner, or a reason in internal/doctest", c.File, c.Line, c.Text)
		case doctest.NotRun:
			used[c.Text] = true
		}
		if target, ok := strings.CutPrefix(c.Text, "make "); ok && !strings.Contains(makefile, "\n"+target+":") {
			t.Errorf("%s:%d: there is no target %s", c.File, c.Line, target)
		}
	}
	for command, reason := range reasons {
		if !used[command] || reason == "" {
			t.Errorf("no document has %q, or it has no reason", command)
		}
	}
	t.Logf("commands by who types them: %v", runs)
}

// TestCommandsStandInBlocksOfShell finds commands where nobody looks for them.
func TestCommandsStandInBlocksOfShell(t *testing.T) {
	start := regexp.MustCompile(`^(bin/|nsctl |nsbench |namesrv (-|config|audit)|curl |make|mqadmin )`)
	for file, text := range documents(t) {
		for i, block := range strings.Split("\n"+text, "\n```") {
			language, lines, _ := strings.Cut(block, "\n")
			if i%2 == 0 || language == "sh" {
				continue
			}
			for line := range strings.SplitSeq(lines, "\n") {
				if start.MatchString(line) {
					t.Errorf("%s: %q does not stand in a block of sh", file, line)
				}
			}
		}
	}
}

// anchors returns the anchors that a document's headings have.
func anchors(text string) (all []string) {
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inside = !inside
		}
		title, heading := strings.CutPrefix(strings.TrimLeft(line, "#"), " ")
		if inside || !heading || !strings.HasPrefix(line, "#") {
			continue
		}
		title = strings.ReplaceAll(strings.ToLower(title), " ", "-")
		all = append(all, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(title, ""))
	}
	return all
}

// TestLinks follows each link from one document to another, or to a file.
func TestLinks(t *testing.T) {
	texts := documents(t)
	links := 0
	for file, text := range texts {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			to, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(to, "://") {
				continue
			}
			links++
			target := file
			if to != "" {
				target = path.Join(path.Dir(file), to)
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
				continue
			}
			if other, ok := texts[target]; anchor != "" && (!ok || !slices.Contains(anchors(other), anchor)) {
				t.Errorf("%s links to %s, and there is no such heading", file, m[1])
			}
		}
	}
	if links < 60 {
		t.Errorf("only %d links found", links)
	}
}

// TestAlertsAreExplained makes sure that OPERATING.md says of each alert what to do, and
// of no other.
func TestAlertsAreExplained(t *testing.T) {
	var alerts []string
	for _, m := range regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, "../deploy/monitoring/rules.yml"), -1) {
		alerts = append(alerts, m[1])
	}
	_, section, _ := strings.Cut(read(t, "OPERATING.md"), "\n## Alerts\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var explained []string
	for _, m := range regexp.MustCompile(`(?m)^### (\w+)\n\n\S`).FindAllStringSubmatch(section, -1) {
		explained = append(explained, m[1])
	}
	if len(alerts) < 17 || !slices.Equal(alerts, explained) {
		t.Errorf("OPERATING.md explains %q, the alerts are %q", explained, alerts)
	}
}

// TestCompatibilityNamesTests makes sure that the tests which COMPATIBILITY.md calls upon
// exist, and that each party has one.
func TestCompatibilityNamesTests(t *testing.T) {
	there := map[string]bool{}
	for _, pattern := range []string{"../internal/interop/*_test.go", "../internal/admin/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(read(t, file), -1) {
				there[m[1]] = true
			}
		}
	}
	rows := 0
	for line := range strings.SplitSeq(read(t, "COMPATIBILITY.md"), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || strings.HasPrefix(line, "| Party") || strings.HasPrefix(line, "|--") {
			continue
		}
		rows++
		named := regexp.MustCompile(`\bTest\w+`).FindAllString(cells[4], -1)
		if len(named) == 0 && !strings.Contains(cells[4], "`make ") {
			t.Errorf("nothing was run: %s", line)
		}
		for _, name := range named {
			if !there[name] {
				t.Errorf("there is no %s: %s", name, line)
			}
		}
	}
	if rows < 18 {
		t.Errorf("only %d rows found", rows)
	}
}

// TestTargets makes sure that the targets of make which documents name exist.
func TestTargets(t *testing.T) {
	makefile := read(t, "../Makefile")
	named := 0
	for file, text := range documents(t) {
		for _, m := range regexp.MustCompile("`make ([a-z-]+)`").FindAllStringSubmatch(text, -1) {
			named++
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s: there is no target %s", file, m[1])
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d targets found", named)
	}
}
