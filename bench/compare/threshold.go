package compare

import (
	"fmt"
	"slices"

	"gonamesrv/bench"
)

// names are those of all servers.
func (c *comparer) names() (out []string) {
	for _, s := range c.out.Servers {
		out = append(out, s.Name)
	}
	return out
}

// decide gives the verdicts on the scenario's thresholds, which are of the
// server us.
func (c *Comparison) decide(us int) error {
	thresholds, err := c.Scenario.Thresholds()
	if err != nil {
		return err
	}
	for _, t := range thresholds {
		c.Thresholds = append(c.Thresholds, c.verdict(t, us))
	}
	return bench.ThresholdError(c.Thresholds)
}

// verdict is that of all rounds that count. It is decided when they agree, and so does their
// interval where they are enough for one: a limit in between is within the noise. And they must
// be more than half of all: those that are left of many may be the ones that the machine was
// kind to.
func (c *Comparison) verdict(t bench.Threshold, us int) bench.Verdict {
	to := -1
	switch {
	case t.Change:
		to = c.Base
	case t.Of != "":
		to = slices.IndexFunc(c.Servers, func(s Server) bool { return s.Name == t.Of })
	}
	var values []float64
	why, rounds := "no run counts", 0
	for i := range c.Turns {
		turn := &c.Turns[i]
		if turn.Server != us || turn.WarmUp || turn.Result == nil {
			continue
		}
		if t.Figure == bench.FirstReply && c.Kept && turn.FirstReplySeconds == 0 {
			continue // it was started before
		}
		rounds++
		v, reason := c.measure(t, turn, to)
		if reason != "" {
			why = reason
			continue
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		return t.Undecided(why)
	}
	crossed := 0
	for _, v := range values {
		if t.Crossed(v) {
			crossed++
		}
	}
	s := spread(values)
	out := t.Decided(s.Median)
	out.Rounds, out.Low, out.High = s.N, s.Min, s.Max
	if len(values) < rounds {
		out.Reason = fmt.Sprintf("%d of %d rounds count: %s", len(values), rounds, why)
	}
	switch {
	case crossed > 0 && crossed < len(values):
		out.Verdict, out.Reason = bench.Undecided, "the rounds are on both sides of the limit"
	case s.spans(t.Limit):
		out.Verdict, out.Reason = bench.Undecided, fmt.Sprintf("the limit is within the interval of the rounds, %.3g to %.3g", s.Low, s.High)
	case 2*len(values) <= rounds:
		out.Verdict, out.Reason = bench.Undecided, "only "+out.Reason
	}
	return out
}

// measure returns the figure of a turn; of a ratio to a server, that to its turn in
// the same round.
func (c *Comparison) measure(t bench.Threshold, turn *Turn, to int) (float64, string) {
	if why := t.Unfit(turn.Result); why != "" {
		return 0, why
	}
	var base *Turn
	if to >= 0 {
		i := slices.IndexFunc(c.Turns, func(b Turn) bool { return b.Server == to && b.Round == turn.Round && !b.WarmUp && b.Result != nil })
		if i < 0 {
			return 0, "there is no run of " + c.Servers[to].Name + " to compare with"
		}
		base = &c.Turns[i]
		if why := t.Unfit(base.Result); why != "" {
			return 0, c.Servers[to].Name + ": " + why
		}
	}
	if t.Figure == bench.FirstReply {
		v := turn.FirstReplySeconds
		switch {
		case v == 0, base != nil && base.FirstReplySeconds == 0:
			return 0, "it was not measured"
		case base != nil:
			v /= base.FirstReplySeconds
		}
		return v, ""
	}
	if base == nil {
		return t.Measure(turn.Result, nil)
	}
	return t.Measure(turn.Result, base.Result)
}
