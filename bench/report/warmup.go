package report

import (
	"fmt"
	"math"
	"strings"

	"gonamesrv/bench"
	"gonamesrv/bench/compare"
)

// maxWindows is how many windows a line shows; of more it shows the first and
// the last.
const maxWindows = 12

// warmupLine says how the figure of a warm-up went and whether it stood still in
// the end, "" where that is not known.
func warmupLine(r *bench.Result) string {
	w := r.Warmup
	if w == nil || len(w.Windows) == 0 {
		return ""
	}
	how := fmt.Sprintf("it stood still after %s s", digits(r.WarmupSeconds))
	switch {
	case w.Fixed && w.Still:
		how = fmt.Sprintf("%s s were asked for, and it stood still", digits(r.WarmupSeconds))
	case w.Fixed:
		how = fmt.Sprintf("%s s were asked for, and it is NOT KNOWN to have stood still", digits(r.WarmupSeconds))
	case !w.Still:
		how = fmt.Sprintf("it did NOT stand still in the %s s that the warm-up might take", digits(w.MostSeconds))
	}
	if restarts(r.Scenario) {
		how += ", and later the server was killed: the one that came back was cold"
	}
	return fmt.Sprintf("%s; %s: %s", how, w.Figure, windows(w))
}

// restarts reports whether the server is killed and started again, and so is not the one that
// was warmed up.
func restarts(sc bench.Scenario) bool { return sc.Happens() == "restart" }

// windows are the values of all windows, in their order.
func windows(w *bench.WarmupCurve) string {
	values := make([]string, 0, len(w.Windows))
	for i, one := range w.Windows {
		if skipped := len(w.Windows) - maxWindows; skipped > 0 && i >= maxWindows/2 && i < maxWindows/2+skipped {
			if i == maxWindows/2 {
				values = append(values, "…")
			}
			continue
		}
		values = append(values, digits(one.Value))
	}
	text := strings.Join(values, " → ")
	switch w.Unit {
	case "s/1M":
		return text + " s"
	case "µs":
		return text + " µs"
	}
	return text + w.Unit
}

// warmupLines say for each server how long the warm-ups of its runs took, and
// show that of the first.
func warmupLines(c *compare.Comparison, names []string) (lines []string) {
	for i, n := range names {
		first := ""
		runs, still := 0, 0
		low, high := math.Inf(1), 0.0
		for _, t := range c.Turns {
			if t.Server != i || t.WarmUp || t.Result == nil || t.Result.Warmup == nil {
				continue
			}
			if runs++; runs == 1 {
				first = warmupLine(t.Result)
			}
			if t.Result.Warmup.Still {
				still++
			}
			low, high = min(low, t.Result.WarmupSeconds), max(high, t.Result.WarmupSeconds)
		}
		if runs == 0 || first == "" {
			continue
		}
		lines = append(lines, fmt.Sprintf("warm-up of %s: %s to %s s; it stood still in %d of %d runs; in the first: %s", n, digits(low), digits(high), still, runs, first))
	}
	return lines
}
