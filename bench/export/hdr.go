package export

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"gonamesrv/bench"
)

// HDR writes the latencies, in nanoseconds, as a log of HdrHistogram's tools: a line for
// each phase and request, whose tag says which. Times count from the start of the first
// run's measuring; the maximum of a line is in milliseconds.
func HDR(w io.Writer, runs []Run) error {
	log := hdrhistogram.NewHistogramLogWriter(w)
	if err := log.OutputLogFormatVersion(); err != nil {
		return err
	}
	if err := log.OutputComment("[Latencies of nsbench in nanoseconds]"); err != nil {
		return err
	}
	var first time.Time
	for i, run := range runs {
		begun := measuredFrom(run.Result)
		if i == 0 {
			first = begun
			if err := log.OutputStartTime(first.UnixMilli()); err != nil {
				return err
			}
			if err := log.OutputLegend(); err != nil {
				return err
			}
		}
		for _, p := range run.Result.Phases {
			for _, o := range p.Ops {
				if err := interval(log, run, p, o, begun.Sub(first).Seconds()); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// measuredFrom is when measuring began.
func measuredFrom(r *bench.Result) time.Time {
	return r.Started.Add(time.Duration((r.PreloadSeconds + r.WarmupSeconds) * float64(time.Second)))
}

func interval(log *hdrhistogram.HistogramLogWriter, run Run, p bench.Phase, o bench.Operation, after float64) error {
	if o.Histogram == "" {
		return nil
	}
	h, err := bench.DecodeHistogram(o.Histogram)
	if err != nil {
		return fmt.Errorf("%s, phase %s: %w", o.Name, p.Name, err)
	}
	var tag []string
	if run.Server != "" {
		tag = append(tag, run.Server)
	}
	if len(run.Result.Phases) > 1 {
		tag = append(tag, p.Name)
	}
	tag = append(tag, o.Name)
	h.SetTag(tagText(strings.Join(tag, "/")))
	h.SetStartTimeMs(int64((after + p.From) * 1e3))
	h.SetEndTimeMs(int64((after + p.From + p.Seconds) * 1e3))
	return log.OutputIntervalHistogram(h)
}

// tagText replaces what a tag must not have.
func tagText(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == ',' {
			return '_'
		}
		return r
	}, s)
}
