package report

import (
	"strings"
	"testing"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// clean is a result without any error.
func clean(t *testing.T) *bench.Result {
	r := sample(t, 1)
	for i := range r.Phases {
		for j := range r.Phases[i].Ops {
			r.Phases[i].Ops[j].Errors = nil
		}
	}
	return r
}

// TestVerdicts: a page says that every reply was right if it was, and never else.
func TestVerdicts(t *testing.T) {
	const right = "Every reply was right"
	counted := func(c bench.ErrorCounts) *bench.Result {
		r := clean(t)
		r.Errors = &c
		return r
	}
	wrong := counted(bench.ErrorCounts{Requests: 3000, Wrong: 253})
	wrong.OK, wrong.Failures = false, []string{"253 wrong replies"}
	cold := sampleComparison(t)
	cold.Turns = cold.Turns[:2]
	for i := range cold.Turns {
		cold.Turns[i].Result = clean(t)
	}
	cold.Turns[1].WarmUp, cold.Turns[1].Result.OK, cold.Turns[1].Result.Failures = true, false, []string{"253 wrong replies"}
	fine := sampleComparison(t)
	fine.Turns = fine.Turns[:1]
	fine.Turns[0].Result = clean(t)
	refused := sampleComparison(t)
	refused.Turns = refused.Turns[:1]
	refused.Turns[0].Result = counted(bench.ErrorCounts{Requests: 3000, Refused: 29})
	for name, tt := range map[string]struct {
		d    Document
		says []string
	}{
		"right":                   {Document{Result: clean(t)}, []string{right, "none of 1,246,867 requests"}},
		"wrong":                   {Document{Result: wrong}, []string{"Replies were not right", "253 wrong of 3,000 requests"}},
		"refused, within limits":  {Document{Result: counted(bench.ErrorCounts{Requests: 3000, Refused: 29})}, []string{"Not every reply was right: 29 refused of 3,000 requests"}},
		"wrong, within limits":    {Document{Result: counted(bench.ErrorCounts{Requests: 3000, Wrong: 2})}, []string{"Not every reply was right: 2 wrong of 3,000 requests"}},
		"of an older version":     {Document{Result: sample(t, 1)}, []string{"Not every reply was right: 7 refused, 3 missing of"}},
		"comparison":              {Document{Comparison: fine}, []string{right}},
		"comparison, warm-up":     {Document{Comparison: cold}, []string{"Replies were not right", "java 5.5.0, round 1, warm-up: 253 wrong replies"}},
		"comparison, some errors": {Document{Comparison: refused}, []string{"Not every reply was right: 29 refused of 3,000 requests"}},
	} {
		text, err := tt.d.HTML()
		if err != nil {
			t.Fatal(err)
		}
		words := wellFormed(t, name, scripts.ReplaceAll(text, nil))
		for _, want := range tt.says {
			if !strings.Contains(words, want) {
				t.Errorf("%s: the page does not say %q", name, want)
			}
		}
		if tt.says[0] != right && strings.Contains(words, right) {
			t.Errorf("%s: the page says %q", name, right)
		}
	}
}

func rows(t Table) string {
	var b strings.Builder
	for _, r := range t.Rows {
		b.WriteString(strings.Join(r, " | ") + "\n")
	}
	return b.String()
}

// TestErrorTables: wrong, refused and missing stand apart in every table.
func TestErrorTables(t *testing.T) {
	r := clean(t)
	r.Phases[1].Ops[1] = bench.Operation{
		Name: "register", Sent: 3000, Answered: 124, Wrong: 2,
		Errors: map[string]uint64{bench.ErrorBusy: 2871, bench.ErrorUnanswered: 2, bench.ErrorClosed: 1, bench.ErrorShrunken: 4},
	}
	r.Errors = &bench.ErrorCounts{Requests: 15_300, Wrong: 3, Refused: 2871, Missing: 3, Lacking: 4}
	got := rows(errorTable(r))
	for _, want := range []string{"storm | register | 3,000 | 124 | 2 | 2,871 | 3 | 4 | 96.0 %\n", "undisturbed | route | 6,000 | 6,000 | 0 | 0 | 0 | 0 | 0 %\n", "before, after, or to no request |  |  | 1 |"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	c := sampleComparison(t)
	c.Turns = []compare.Turn{{Round: 1, Result: r}, {Round: 2, Result: &bench.Result{OK: true}}}
	if got, want := rows(errorsCompared(c, []string{"ours"})), "ours | 15,300 | 12,114 | 3 | 2,871 | 3 | 4 | 18.8 % | 2 | 0\n"; got != want {
		t.Errorf("compared: %s, want %s", got, want)
	}
}

// TestMixHasNoCPU: where kinds are mixed, a table says nothing of CPU per request.
func TestMixHasNoCPU(t *testing.T) {
	r := sample(t, 1)
	r.DropMixedCPU()
	got := rows(processTable(r))
	for _, want := range []string{"server | 2.10 s | 1.50 s | 0.60 s | 0.35 | – |", "server, phase undisturbed | 0.10 s | 0 s | 0 s | 0.03 | 16.7 s |", "server, phase storm | 2.00 s | 0 s | 0 s | 0.67 | – |"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
