package report

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonamesrv/bench/compare"
)

// TestOldResults: the results that are kept can still be read, and say of older
// runs what would be said of them today.
func TestOldResults(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "results", "*", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d results, %v", len(files), err)
	}
	for _, file := range files {
		if filepath.Base(file) == "capacity.json" {
			continue // package capacity reads those: TestDocument
		}
		d, err := Read(file)
		if err != nil {
			t.Error(err)
			continue
		}
		if text := d.Sheet().Text(); !strings.Contains(text, "Errors") {
			t.Errorf("%s: shown without errors", file)
		}
		c := d.Comparison
		if c == nil {
			continue
		}
		mixes := []string{"mixed", "connections", "churn", "restart"}
		for _, f := range c.Figures {
			if f.Phase == "" && f.Unit == "s/1M" && slices.Contains(mixes, c.Scenario.Kind) {
				t.Errorf("%s: CPU per request of a mix", file)
			}
			for _, v := range f.Servers {
				if v.Verdict != "" && v.Ratio.N < compare.MinRounds {
					t.Errorf("%s: %s is %s after %d rounds", file, f.Name, v.Verdict, v.Ratio.N)
				}
			}
		}
	}
}
