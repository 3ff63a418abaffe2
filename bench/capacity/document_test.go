package capacity

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update-capacity", false, "write tables and charts of docs/CAPACITY.md anew")

// TestDocument makes sure that each figure and chart of CAPACITY.md is that of the newest
// results, and that the summary beside those is too. With -update-capacity it writes them.
func TestDocument(t *testing.T) {
	files, err := filepath.Glob("../../bench/results/*-capacity/capacity.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no results: %v", err)
	}
	slices.Sort(files)
	newest := files[len(files)-1]
	r, err := Read(newest)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.Machine.Commit, "dirty") || len(r.Machine.Commit) != 40 {
		t.Errorf("the results are of commit %q", r.Machine.Commit)
	}
	const document = "../../docs/CAPACITY.md"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	filled, err := r.Fill(string(text))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{document: filled, filepath.Join(filepath.Dir(newest), "README.md"): r.Markdown()}
	shown := 0
	for _, c := range r.Charts() {
		want["../../docs/images/"+c.File] = c.SVG
		if strings.Contains(filled, "(images/"+c.File+")") {
			shown++
		}
	}
	if shown < 5 {
		t.Errorf("the document shows only %d charts", shown)
	}
	if dir := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(newest), "../../")); !strings.Contains(filled, dir) {
		t.Errorf("the document does not link to %s", dir)
	}
	for file, text := range want {
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != text {
			t.Errorf("%s is not made of %s; `make capacity-document` makes it so. %v", file, newest, err)
		}
	}
	others, err := filepath.Glob("../../docs/images/capacity-*.svg")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range others {
		if _, known := want[filepath.ToSlash(file)]; !known {
			t.Errorf("%s is of no chart", file)
		}
	}
}

// TestNoFigureByHand: outside of its blocks the document has no figure with the unit of
// something that is measured, so none gets out of date.
func TestNoFigureByHand(t *testing.T) {
	text, err := os.ReadFile("../../docs/CAPACITY.md")
	if err != nil {
		t.Fatal(err)
	}
	prose := regexp.MustCompile(`(?s)<!-- capacity: .*?<!-- end -->`).ReplaceAllString(string(text), "")
	for _, m := range regexp.MustCompile(`[\d.,]+ (MB|kB|B|ms|µs|%)\b`).FindAllString(prose, -1) {
		t.Errorf("%q is written by hand", m)
	}
}
