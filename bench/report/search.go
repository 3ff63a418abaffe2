package report

import (
	"encoding/json"
	"fmt"
	"strings"

	"gonamesrv/bench/search"
)

// SearchSheet is what a search has found.
func SearchSheet(s *search.Search) Sheet {
	sheet := Sheet{Title: title(s.Scenario, "the highest rate at which "+strings.Join(s.SLO, " and ")), Facts: []string{"found: " + found(s)}}
	t := Table{
		Title: "Steps", Head: []string{"rate", "answered", "p50", "p99", "p99.9", "errors", "verdict"},
		Note: "Of the first request and phase. Each step is a run of its own, with its preload and warm-up.",
	}
	for _, step := range s.Steps {
		r := step.Result
		if len(sheet.Facts) == 1 {
			of := *r
			of.Thresholds = nil // each step has its verdict
			sheet.Facts = append(sheet.Facts, resultFacts(&of)...)
		}
		cells := []string{digits(step.Rate) + "/s", "", "", "", "", ""}
		if len(r.Phases) > 0 && len(r.Phases[0].Ops) > 0 {
			o := r.Phases[0].Ops[0]
			cells = []string{
				cells[0], digits(o.PerSecond) + "/s", micros(o.Latency.P50), micros(o.Latency.P99), micros(o.Latency.P999), errorsText(o.Errors),
			}
		}
		verdict := step.Verdict
		if step.Reason != "" {
			verdict += ": " + step.Reason
		}
		t.Rows = append(t.Rows, append(cells, verdict))
	}
	sheet.Facts = append(sheet.Facts, fmt.Sprintf("it took %s s from %s", digits(s.Seconds), day(s.Started)))
	sheet.Tables = []Table{t}
	return sheet
}

// found says it in a sentence.
func found(s *search.Search) string {
	steps := fmt.Sprintf("after %d steps", len(s.Steps))
	holds := "no rate holds"
	if s.Holds > 0 {
		holds = digits(s.Holds) + "/s holds"
	}
	if s.Fails > 0 {
		holds += fmt.Sprintf(", %s/s does not", digits(s.Fails))
	}
	switch s.Ended {
	case search.EndedFound:
		return holds + ", " + steps
	case search.EndedMost:
		return holds + ", which is the most that was to be tried, " + steps
	case search.EndedGenerator:
		return holds + "; the next step was " + s.Ended + ", so the server may carry more, " + steps
	case "":
		return holds + "; it did not come to its end, " + steps
	default:
		return holds + "; " + s.Ended + ", " + steps
	}
}

// WriteSearch writes s as JSON. The file is replaced as a whole.
func WriteSearch(s *search.Search, path string) error {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return writeFile(path, append(text, '\n'))
}
