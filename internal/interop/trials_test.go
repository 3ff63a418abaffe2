//go:build interop

package interop

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// Trials: what becomes of routes when something happens to a name server, its
// brokers or the network between them. Ours and the Java name servers stand
// beside each other in each trial, with the same brokers. Each trial adds a row
// for each server to a table.
//
// They take a quarter of an hour and need a machine that does little else, so
// they run only with GONAMESRV_TRIALS=1: make trials.

// trials is what GONAMESRV_TRIALS_* say.
var trials = struct {
	java  []string // versions beside ours
	conf  []string // lines of configuration of ours
	goals bool     // a goal that is missed fails the trial
}{
	java:  split(os.Getenv("GONAMESRV_TRIALS_JAVA"), "5.5.0,4.9.7"),
	conf:  split(os.Getenv("GONAMESRV_TRIALS_CONF"), ""),
	goals: os.Getenv("GONAMESRV_TRIALS_GOALS") == "1",
}

func split(text, otherwise string) []string {
	if text == "" {
		text = otherwise
	}
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func needTrials(t *testing.T) {
	t.Helper()
	if os.Getenv("GONAMESRV_TRIALS") != "1" {
		t.Skip("a trial takes minutes: make trials")
	}
	needTools(t)
}

// A contender is one of the name servers of a trial.
type contender struct {
	*namesrv
	name string
	w    *watcher
}

// contenders starts ours and the Java ones. change may be nil.
func contenders(t *testing.T, dir string, change func(*namesrv), conf ...string) []*contender {
	t.Helper()
	var all []*contender
	for _, version := range append([]string{""}, trials.java...) {
		c := &contender{name: "ours"}
		lines := slices.Clone(conf)
		if version != "" {
			c.name = "java " + version
		} else {
			lines = append(lines, trials.conf...)
		}
		c.namesrv = newNamesrv(t, dir, version, lines...)
		if change != nil {
			change(c.namesrv)
		}
		all = append(all, c)
	}
	return all
}

func each(all []*contender, f func(i int, c *contender)) {
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() { f(i, c) })
	}
	wg.Wait()
}

func addresses(all []*contender) (list []string) {
	for _, c := range all {
		list = append(list, c.addr())
	}
	return list
}

// trialRows are those of all trials that have run.
var trialRows struct {
	mu   sync.Mutex
	rows [][]string
}

var trialHead = []string{
	"trial", "server", "lookups", "failed", "unreached", "not found", "timed out", "shrunken",
	"topics lost", "topics shrunken", "brokers left out", "lacking from", "to", "goal", "note",
}

// report adds the row of a contender. met says whether ours has reached its goal.
func (c *contender) report(t *testing.T, trial string, since time.Time, s sight, met bool, note string) {
	t.Helper()
	after := func(at time.Time) string {
		if at.IsZero() {
			return "–"
		}
		return fmt.Sprintf("%.1f s", at.Sub(since).Seconds())
	}
	goal := ""
	if c.java == "" {
		goal = "met"
		if !met {
			goal = "MISSED"
			if trials.goals {
				t.Errorf("%s: ours misses its goal: %+v %s", trial, s, note)
			}
		}
	}
	row := []string{trial, c.name}
	for _, n := range []int{s.lookups, s.failed(), s.unreached, s.notFound, s.timedOut, s.shrunken, len(s.lost), len(s.shrunk), len(s.leftOut)} {
		row = append(row, fmt.Sprint(n))
	}
	row = append(row, after(s.firstLack), after(s.lastLack), goal, note)
	trialRows.mu.Lock()
	trialRows.rows = append(trialRows.rows, row)
	trialRows.mu.Unlock()
	t.Log(strings.Join(row, " | "))
}

// printTrials prints the table, and adds it to the file GONAMESRV_TRIALS_OUT.
func printTrials() {
	trialRows.mu.Lock()
	defer trialRows.mu.Unlock()
	if len(trialRows.rows) == 0 {
		return
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{trialHead}, trialRows.rows...) {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	w.Flush()
	path := os.Getenv("GONAMESRV_TRIALS_OUT")
	if path == "" {
		return
	}
	var md strings.Builder
	fmt.Fprintf(&md, "| %s |\n|%s\n", strings.Join(trialHead, " | "), strings.Repeat(" --- |", len(trialHead)))
	for _, row := range trialRows.rows {
		fmt.Fprintf(&md, "| %s |\n", strings.Join(row, " | "))
	}
	if err := os.WriteFile(path, []byte(md.String()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "interop: trials:", err)
	}
}

// whole waits until every contender has all routes.
func whole(t *testing.T, all []*contender, within time.Duration) {
	t.Helper()
	for _, c := range all {
		waitFor(t, within, c.name+" has all routes", func() error {
			if err := c.stillRuns(); err != nil {
				return err
			}
			return c.w.whole()
		})
	}
}
