package capacity

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestFill writes blocks into a document, the same twice, and leaves all else.
func TestFill(t *testing.T) {
	const document = "# Title\n\n<!-- capacity: memory -->\nold\n<!-- end -->\n\nText.\n\n<!-- capacity: where -->\n<!-- end -->\nThe end\n"
	r := invented(1)
	once, err := r.Fill(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Title\n", "\n\nText.\n\n", "<!-- capacity: memory -->\n| Brokers |", "Commit 0123456789ab, a CPU", "<!-- end -->\nThe end\n"} {
		if !strings.Contains(once, want) {
			t.Errorf("no %q in\n%s", want, once)
		}
	}
	if strings.Contains(once, "old") {
		t.Errorf("the former block is still there:\n%s", once)
	}
	if twice, err := r.Fill(once); err != nil || twice != once {
		t.Errorf("filled again it is another one: %v\n%s", err, twice)
	}
	for _, bad := range []string{"<!-- capacity: memory -->\nx", "<!-- capacity: nothing -->\n<!-- end -->", "<!-- capacity: memory"} {
		if out, err := r.Fill(bad); err == nil {
			t.Errorf("%q becomes %q", bad, out)
		}
	}
}

// TestFormulas finds the figures of which a report was made, and works out examples.
func TestFormulas(t *testing.T) {
	f := invented(1).Formulas()
	if len(f.all()) != 6 {
		t.Fatalf("%d formulas, want 6", len(f.all()))
	}
	if got := f.Heap.at(1, 10, 1000); got < 115 || got > 125 { // 12 + 10 × 0.8 + 1000 × 0.1
		t.Errorf("10,000 topics with a million entries take %.1f MB, want 120: %s", got, f.Heap.text())
	}
	if got := f.Unchanged.at(1, 10); got < 1.09 || got > 1.11 {
		t.Errorf("an unchanged registration of 10,000 topics takes %.2f ms, want 1.1", got)
	}
	for _, row := range invented(1).exampleTable().Rows {
		for i, cell := range row {
			if cell == "" || strings.HasPrefix(cell, "-") || strings.Contains(cell, "NaN") {
				t.Errorf("the %d. figure of an example is %q: %q", i+1, cell, row)
			}
		}
	}
	few := &Report{Points: invented(1).Points[:1]}
	if all := few.Formulas().all(); len(all) != 0 {
		t.Errorf("one size makes %d formulas", len(all))
	}
	if text := few.Text(); !strings.Contains(text, "Memory") {
		t.Errorf("one size has no table:\n%s", text)
	}
}

// TestWriteAndRead: what was written is read, and nothing else is.
func TestWriteAndRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "capacity.json")
	r := invented(1)
	if err := r.Write(file); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(file); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("%v: %+v, want %+v", err, got, r)
	}
	r.Kind = "comparison"
	if err := r.Write(file); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(file); err == nil {
		t.Errorf("a comparison is read as %+v", got)
	}
}
