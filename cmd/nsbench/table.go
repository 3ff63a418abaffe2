package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"gonamesrv/bench"
)

// printResult writes the result as plain tables.
func printResult(out io.Writer, res *bench.Result) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(out, "%s on %s, seed %d, %.1f s\n", res.Scenario.Name, res.Target.Address, res.Seed, res.MeasuredSeconds)
	fmt.Fprintln(w, "phase\toperation\t/s\tp50 µs\tp90\tp99\tp99.9\tmax\tsent\twrong\terrors\t")
	for _, p := range res.Phases {
		for _, o := range p.Ops {
			fmt.Fprintf(w, "%s\t%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%d\t%d\t%s\t\n", p.Name, o.Name, o.PerSecond,
				o.Latency.P50, o.Latency.P90, o.Latency.P99, o.Latency.P999, o.Latency.Max, o.Sent, o.Wrong, errorsText(o.Errors))
		}
	}
	_ = w.Flush() // a table that cannot be written is seen not to be
	for _, s := range res.Streams {
		if s.OpenLoop {
			fmt.Fprintf(out, "%s: %.0f/s on %d connections, sent late by p50 %.0f, p99 %.0f, max %.0f µs\n",
				s.Name, s.Rate, s.Connections, s.Lag.P50, s.Lag.P99, s.Lag.Max)
		}
	}
	for _, m := range res.Milestones {
		state := ""
		if !m.Reached {
			state = " NOT REACHED"
		}
		fmt.Fprintf(out, "%s: %.3f s after %s%s\n", m.Name, m.Seconds, m.Since, state)
	}
	for _, s := range res.Steps {
		fmt.Fprintf(out, "%d connections: RSS %.1f MB, %.0f bytes each, p99 %.0f µs\n", s.Connections, float64(s.RSS)/1e6, s.BytesPerConnection, s.Latency.P99)
	}
	if res.Target.PID != 0 {
		s := res.Server
		fmt.Fprintf(out, "server: %.2f s CPU, %.2f s per million requests, RSS %.1f MB (peak %.1f), %d threads, %d files\n",
			s.CPUSeconds, s.CPUSecondsPerMillion, float64(s.RSS)/1e6, float64(s.PeakRSS)/1e6, s.Threads, s.FDs)
	}
	g := res.Generator
	fmt.Fprintf(out, "generator: %.2f s CPU, %.2f s per million requests\n", g.CPUSeconds, g.CPUSecondsPerMillion)
	if c := res.Ceiling; c != nil {
		fmt.Fprintf(out, "ceiling: a server that only echoes %d bytes answers %.0f/s (%d x %d), p99 %.0f µs\n",
			c.ReplyBytes, c.PerSecond, c.Connections, c.Depth, c.Latency.P99)
	}
	for _, f := range res.Failures {
		fmt.Fprintln(out, "FAILED:", f)
	}
}

func errorsText(errs map[string]uint64) string {
	var parts []string
	for _, kind := range bench.ErrorKinds {
		if n := errs[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", kind, n))
		}
	}
	return strings.Join(parts, ", ")
}
