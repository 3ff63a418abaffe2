package export

import (
	"encoding/csv"
	"io"
	"strconv"

	"gonamesrv/bench"
)

// csvHead are the columns. Of a figure of a whole run phase, request and second are
// empty, of one of a phase the second is.
var csvHead = []string{"server", "round", "phase", "second", "request", "figure", "unit", "value"}

// CSV writes one line for each figure.
func CSV(w io.Writer, runs []Run) error {
	out := csv.NewWriter(w)
	_ = out.Write(csvHead) // the error stays until Flush
	for _, run := range runs {
		round := ""
		if run.Round > 0 {
			round = strconv.Itoa(run.Round)
		}
		add := func(phase, second, request, figure, unit string, v float64) {
			_ = out.Write([]string{run.Server, round, phase, second, request, figure, unit, strconv.FormatFloat(v, 'g', -1, 64)}) // as above
		}
		for _, p := range run.Result.Phases {
			add(p.Name, "", "", "length", "s", p.Seconds)
			for _, o := range p.Ops {
				for _, f := range figures(o) {
					add(p.Name, "", o.Name, f.name, f.unit, f.v)
				}
			}
			if p.Server != nil {
				add(p.Name, "", "", "server cpu", "s", p.Server.CPUSeconds)
			}
		}
		for _, p := range run.Result.Series {
			second := strconv.Itoa(p.Second)
			add(p.Phase, second, "", "rate", "1/s", p.Rate)
			add(p.Phase, second, "", "p99", "us", p.P99)
			if run.Result.Target.PID != 0 {
				add(p.Phase, second, "", "server cores", "", p.ServerCPU)
				add(p.Phase, second, "", "server memory", "B", float64(p.ServerRSS))
			}
		}
		for _, f := range ofRun(run.Result) {
			add("", "", "", f.name, f.unit, f.v)
		}
		for _, m := range run.Result.Milestones {
			if m.Reached {
				add("", "", "", "milestone "+m.Name, "s", m.Seconds)
			}
		}
	}
	out.Flush()
	return out.Error()
}

type figure struct {
	name, unit string
	v          float64
}

// figures are those of one request in one phase.
func figures(o bench.Operation) []figure {
	out := []figure{{"sent", "", float64(o.Sent)}, {"rate", "1/s", o.PerSecond}, {"wrong", "", float64(o.Wrong)}}
	if !o.Oneway {
		out = append(out, figure{"answered", "", float64(o.Answered)})
	}
	for _, kind := range bench.ErrorKinds {
		if n := o.Errors[kind]; n > 0 {
			out = append(out, figure{"error " + kind, "", float64(n)})
		}
	}
	if o.Answered > 0 && !o.Oneway {
		l := o.Latency
		out = append(out, figure{"p50", "us", l.P50}, figure{"p90", "us", l.P90}, figure{"p99", "us", l.P99}, figure{"p99.9", "us", l.P999},
			figure{"max", "us", l.Max}, figure{"mean", "us", l.Mean})
	}
	if p := o.Pace; p != nil {
		bound := 0.0
		if p.GeneratorBound {
			bound = 1
		}
		out = append(out, figure{"late p50", "us", p.Lateness.P50}, figure{"late p99", "us", p.Lateness.P99}, figure{"late max", "us", p.Lateness.Max},
			figure{"p99 from write", "us", p.FromWrite.P99}, figure{"generator-bound", "", bound})
	}
	return append(out, figure{"bytes sent", "B", float64(o.Bytes.Sent)}, figure{"bytes received", "B", float64(o.Bytes.Received)})
}

// ofRun are those of a whole run.
func ofRun(r *bench.Result) []figure {
	out := []figure{{"preload", "s", r.PreloadSeconds}, {"measured", "s", r.MeasuredSeconds}, {"generator cpu", "s", r.Generator.CPUSeconds}}
	if r.Target.PID != 0 {
		out = append(out, figure{"server cpu", "s", r.Server.CPUSeconds}, figure{"server memory", "B", float64(r.Server.RSS)},
			figure{"server memory peak", "B", float64(r.Server.PeakRSS)}, figure{"server threads", "", float64(r.Server.Threads)},
			figure{"server files", "", float64(r.Server.FDs)})
	}
	return out
}
