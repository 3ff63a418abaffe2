package export

import (
	"io"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"gonamesrv/bench"
)

// OpenMetrics writes runs as metrics, to be taken up by whatever reads Prometheus'
// text. Nothing in it has a time of its own.
func OpenMetrics(w io.Writer, runs []Run) error {
	c := &collector{}
	for _, run := range runs {
		c.run(run)
	}
	registry := prometheus.NewRegistry()
	if err := registry.Register(c); err != nil {
		return err
	}
	families, err := registry.Gather()
	if err != nil {
		return err
	}
	enc := expfmt.NewEncoder(w, expfmt.NewFormat(expfmt.TypeOpenMetrics))
	for _, f := range families {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	if end, ok := enc.(io.Closer); ok {
		return end.Close()
	}
	return nil
}

// A collector holds metrics that are ready.
type collector struct{ metrics []prometheus.Metric }

// Describe says nothing beforehand: the results decide.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect hands them over.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	for _, m := range c.metrics {
		to <- m
	}
}

var (
	runLabels     = []string{"scenario", "server", "round"}
	phaseLabels   = append(append([]string(nil), runLabels...), "phase")
	requestLabels = append(append([]string(nil), phaseLabels...), "request")
)

func desc(name, help string, labels []string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("nsbench_"+name, help, append(append([]string(nil), labels...), more...), nil)
}

var (
	latencyDesc   = desc("latency_seconds", "Latency of right replies.", requestLabels)
	sentDesc      = desc("requests_sent_total", "Requests sent.", requestLabels)
	outcomeDesc   = desc("requests_total", "Requests by what became of them.", requestLabels, "outcome")
	latenessDesc  = desc("lateness_p99_seconds", "How late the generator itself sent 99 of 100 requests, at most; a part of their latency.", requestLabels)
	boundDesc     = desc("generator_bound", "1 if the latency is the generator's own more than the server's, else 0.", requestLabels)
	rateDesc      = desc("requests_per_second", "Right replies per second, or requests sent where none is wanted.", requestLabels)
	lengthDesc    = desc("phase_seconds", "Length of a phase.", phaseLabels)
	cpuDesc       = desc("cpu_seconds_total", "CPU time while measuring.", runLabels, "process")
	memoryDesc    = desc("resident_memory_bytes", "Memory at the end.", runLabels, "process")
	milestoneDesc = desc("milestone_seconds", "Time until a milestone.", runLabels, "milestone")
	okDesc        = desc("replies_right", "1 if every reply was right, else 0.", runLabels)
	thresholdDesc = desc("threshold", "1 for the verdict on a threshold.", runLabels, "threshold", "verdict")
)

func (c *collector) add(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
	c.metrics = append(c.metrics, prometheus.MustNewConstMetric(d, kind, v, labels...)) // as many labels as the description has
}

func (c *collector) run(run Run) {
	r := run.Result
	round := ""
	if run.Round > 0 {
		round = strconv.Itoa(run.Round)
	}
	of := func(more ...string) []string { return append([]string{r.Scenario.Name, run.Server, round}, more...) }
	ok := 0.0
	if r.OK {
		ok = 1
	}
	c.add(okDesc, prometheus.GaugeValue, ok, of()...)
	for _, p := range r.Phases {
		c.add(lengthDesc, prometheus.GaugeValue, p.Seconds, of(p.Name)...)
		for _, o := range p.Ops {
			c.request(o, of(p.Name, o.Name))
		}
	}
	c.process(r.Generator, of("generator"))
	if r.Target.PID != 0 {
		c.process(r.Server, of("server"))
	}
	for i, m := range r.Milestones {
		if m.Reached && !namedBefore(r.Milestones[:i], m.Name) {
			c.add(milestoneDesc, prometheus.GaugeValue, m.Seconds, of(m.Name)...)
		}
	}
	for i, v := range r.Thresholds {
		if !sameBefore(r.Thresholds[:i], v.Threshold) {
			c.add(thresholdDesc, prometheus.GaugeValue, 1, of(v.Threshold, v.Verdict)...)
		}
	}
}

func namedBefore(marks []bench.Milestone, name string) bool {
	for _, m := range marks {
		if m.Name == name {
			return true
		}
	}
	return false
}

func sameBefore(verdicts []bench.Verdict, text string) bool {
	for _, v := range verdicts {
		if v.Threshold == text {
			return true
		}
	}
	return false
}

func (c *collector) process(p bench.Process, labels []string) {
	c.add(cpuDesc, prometheus.CounterValue, p.CPUSeconds, labels...)
	c.add(memoryDesc, prometheus.GaugeValue, float64(p.RSS), labels...)
}

func (c *collector) request(o bench.Operation, labels []string) {
	c.add(sentDesc, prometheus.CounterValue, float64(o.Sent), labels...)
	c.add(rateDesc, prometheus.GaugeValue, o.PerSecond, labels...)
	outcome := func(what string, n uint64) {
		c.add(outcomeDesc, prometheus.CounterValue, float64(n), append(append([]string(nil), labels...), what)...)
	}
	outcome("wrong", o.Wrong)
	for _, kind := range bench.ErrorKinds {
		if n := o.Errors[kind]; n > 0 {
			outcome(kind, n)
		}
	}
	if o.Pace != nil {
		bound := 0.0
		if o.Pace.GeneratorBound {
			bound = 1
		}
		c.add(latenessDesc, prometheus.GaugeValue, o.Pace.Lateness.P99/1e6, labels...)
		c.add(boundDesc, prometheus.GaugeValue, bound, labels...)
	}
	if o.Oneway {
		return
	}
	outcome("answered", o.Answered)
	if o.Answered == 0 {
		return
	}
	l := o.Latency
	quantiles := map[float64]float64{0.5: l.P50 / 1e6, 0.9: l.P90 / 1e6, 0.99: l.P99 / 1e6, 0.999: l.P999 / 1e6, 1: l.Max / 1e6}
	c.metrics = append(c.metrics, prometheus.MustNewConstSummary(latencyDesc, o.Answered, l.Mean/1e6*float64(o.Answered), quantiles, labels...)) // as above
}
