package report

import (
	"fmt"
	"slices"

	"gonamesrv/bench"
)

// thresholdTable shows what became of each threshold.
func thresholdTable(verdicts []bench.Verdict) Table {
	t := Table{Title: "Thresholds", Left: 2, Head: []string{"fails if", "verdict", "limit", "measured"}}
	rounds := slices.ContainsFunc(verdicts, func(v bench.Verdict) bool { return v.Rounds > 1 })
	if rounds {
		t.Head = append(t.Head, "rounds from", "to")
		t.Note = "Measured: the median of the rounds; a ratio is taken within each round. Decided: when all rounds are on one side of the limit, and of five or more also the 95 % interval of their mean."
	}
	for _, v := range verdicts {
		row := []string{v.Threshold, verdictText(v), limit(v.Limit, v.Unit), ""}
		if v.Reason == "" || v.Rounds > 0 {
			row[3] = limit(v.Measured, v.Unit)
		}
		if rounds && v.Rounds > 0 {
			row = append(row, limit(v.Low, v.Unit), limit(v.High, v.Unit))
		}
		for len(row) < len(t.Head) {
			row = append(row, "")
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func verdictText(v bench.Verdict) string {
	if v.Reason != "" {
		return v.Verdict + ": " + v.Reason
	}
	return v.Verdict
}

// limit is quantity, in which nothing is 0.
func limit(v float64, unit string) string {
	switch {
	case unit == "%":
		return digits(v) + " %"
	case v == 0:
		return "0"
	default:
		return quantity(v, unit)
	}
}

// thresholdFact counts the thresholds in a line.
func thresholdFact(verdicts []bench.Verdict) []string {
	if len(verdicts) == 0 {
		return nil
	}
	n := map[string]int{}
	for _, v := range verdicts {
		n[v.Verdict]++
	}
	return []string{fmt.Sprintf("thresholds: %d passed, %d failed, %d not decided", n[bench.Passed], n[bench.Failed], n[bench.Undecided])}
}

// Thresholds are those of a set of results by their names, with the name of
// each.
func Thresholds(names []string, set map[string]Document) Table {
	var all []bench.Verdict
	var of []string
	for _, name := range names {
		d := set[name]
		verdicts := []bench.Verdict(nil)
		switch {
		case d.Comparison != nil:
			verdicts = d.Comparison.Thresholds
		case d.Result != nil:
			verdicts = d.Result.Thresholds
		}
		for _, v := range verdicts {
			all, of = append(all, v), append(of, name)
		}
	}
	t := thresholdTable(all)
	t.Head, t.Left = append([]string{"measured as"}, t.Head...), t.Left+1
	for i := range t.Rows {
		t.Rows[i] = append([]string{of[i]}, t.Rows[i]...)
	}
	return t
}
