package bench

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Run fails with an error that wraps ErrThreshold when replies were right, and a
// threshold of the scenario does not hold or could not be decided.
var ErrThreshold = errors.New("bench: a threshold does not hold")

// A Threshold is a condition on one figure, such as "route p99 > 5ms":
//
//	[PHASE:] [REQUEST] FIGURE SIGN VALUE
//
// REQUEST is route, miss, register, … as in the table of requests; without it the
// first one is meant. The words server, lookups and milestone stand for
// what is no request: "server memory > 150MB", "lookups shrunken > 0",
// "milestone every route back > 2s". SIGN is >, >=, < or <=. VALUE has the unit of its
// figure; counts may be a percentage; "2x undisturbed" is twice what it is in
// the phase undisturbed, or with the server of that name in a comparison; "+10%"
// is a change, which only nsbench diff can see. "p99 +10%" is short for "p99 > +10%", and
// "rate -5%" for "rate < -5%".
//
// Without PHASE it is of every phase, and the worst one counts.
type Threshold struct {
	Text    string
	Phase   string  // "" is every phase
	Request string  // an operation, or server, lookups, milestone; "" is the first operation
	Figure  string  // of a milestone its name
	Sign    string  // > >= < <=
	Limit   float64 // in Unit; a ratio where Of or Change is set
	Unit    string  // as in Figure of a comparison: "µs", "s", "/s", "s/1M", "B", "", "%", "×"
	Of      string  // the phase or server that Limit is a ratio to
	Change  bool    // Limit is a ratio to an earlier result
}

// What a threshold can be of, beside requests.
const (
	ofServer    = "server"
	ofLookups   = "lookups"
	ofMilestone = "milestone"
)

// A measure is what a figure counts, and so which units it takes.
type measure int

const (
	micros measure = iota // of a latency
	lapse                 // a time in seconds
	perMillion
	rate
	size
	plainNumber
	counted // or a percentage
)

var measureNames = map[measure]string{
	micros: "ns, us, µs, ms, s or m", lapse: "ns, us, µs, ms, s or m", perMillion: "ns, us, µs, ms, s or m", rate: "/s", size: "B, kB, MB, GB, KiB, MiB or GiB",
	plainNumber: "none", counted: "none, or %",
}

// A figureName is a figure and what it counts.
type figureName struct {
	name string
	of   measure
}

// FirstReply is the figure of a server that only comparisons know.
const FirstReply = "first-reply"

// The figures of requests, of the server and of lookups, in the order to show them.
var (
	requestFigures = append([]figureName{
		{"p50", micros},
		{"p90", micros},
		{"p99", micros},
		{"p99.9", micros},
		{"max", micros},
		{"mean", micros},
		{"rate", rate},
		{"wrong", counted},
		{"errors", counted},
	}, countedFigures(ErrorKinds)...)
	serverFigures = []figureName{
		{"cpu", perMillion}, {"cores", plainNumber}, {"memory", size}, {"peak", size}, {"threads", plainNumber}, {"files", plainNumber}, {FirstReply, lapse},
	}
	lookupFigures = countedFigures([]string{"failed", "unreached", "notFound", "refused", "unanswered", "shrunken", "late"})
)

func countedFigures(names []string) (out []figureName) {
	for _, n := range names {
		out = append(out, figureName{n, counted})
	}
	return out
}

// figuresOf are the figures that a threshold of that request may name.
func figuresOf(request string) []figureName {
	switch request {
	case ofServer:
		return serverFigures
	case ofLookups:
		return lookupFigures
	default:
		return requestFigures
	}
}

// ParseThreshold reads a threshold. Whether a run has that phase and that request
// is known when it is planned: Run refuses those that it has not.
func ParseThreshold(text string) (Threshold, error) {
	t := Threshold{Text: strings.Join(strings.Fields(text), " ")}
	what, value, err := t.cut()
	if err != nil {
		return t, err
	}
	if phase, rest, ok := strings.Cut(what, ":"); ok {
		t.Phase, what = strings.TrimSpace(phase), rest
	}
	m, err := t.name(strings.Fields(what))
	if err != nil {
		return t, err
	}
	return t, t.value(strings.TrimSpace(value), m)
}

func (t *Threshold) errorf(format string, args ...any) error {
	return fmt.Errorf("threshold %q: %w", t.Text, fmt.Errorf(format, args...))
}

// cut splits t at its sign.
func (t *Threshold) cut() (what, value string, err error) {
	if i := strings.IndexAny(t.Text, "<>"); i >= 0 {
		t.Sign, value = t.Text[i:i+1], t.Text[i+1:]
		if strings.HasPrefix(value, "=") {
			t.Sign, value = t.Sign+"=", value[1:]
		}
		return t.Text[:i], value, nil
	}
	// The short form of a change.
	if i := strings.LastIndexByte(t.Text, ' '); i >= 0 && strings.HasSuffix(t.Text, "%") {
		switch t.Text[i+1] {
		case '+':
			t.Sign = ">"
			return t.Text[:i], t.Text[i+1:], nil
		case '-':
			t.Sign = "<"
			return t.Text[:i], t.Text[i+1:], nil
		}
	}
	return "", "", t.errorf("has no comparison; such as: route p99 > 5ms")
}

// name finds out which figure the words mean.
func (t *Threshold) name(words []string) (measure, error) {
	if len(words) == 0 {
		return 0, t.errorf("names no figure; such as: route p99 > 5ms")
	}
	if words[0] == ofMilestone {
		t.Request, t.Figure = ofMilestone, strings.Join(words[1:], " ")
		if t.Figure == "" {
			return 0, t.errorf("names no milestone; such as: milestone every route back > 2s")
		}
		return lapse, nil
	}
	t.Request, t.Figure = strings.Join(words[:len(words)-1], " "), words[len(words)-1]
	known := figuresOf(t.Request)
	i := slices.IndexFunc(known, func(f figureName) bool { return f.name == t.Figure })
	if i < 0 {
		var names []string
		for _, f := range known {
			names = append(names, f.name)
		}
		of := t.Request
		if of != ofServer && of != ofLookups {
			of = "a request"
		}
		return 0, t.errorf("%q is no figure of %s; there are %s", t.Figure, of, strings.Join(names, ", "))
	}
	return known[i].of, nil
}

var valuePattern = regexp.MustCompile(`^([+-]?)(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(\D.*)?$`)

// value reads the limit of a figure that counts m.
func (t *Threshold) value(text string, m measure) error {
	parts := valuePattern.FindStringSubmatch(text)
	if parts == nil {
		return t.errorf("%q is no value; such as 5ms, 30000/s, 150MB, 1%%, 2x undisturbed or +10%%", text)
	}
	v, err := strconv.ParseFloat(parts[2], 64)
	if err != nil {
		return t.errorf("%q is no number", parts[2])
	}
	unit, of, _ := strings.Cut(parts[3], " ")
	switch {
	case parts[1] != "":
		if unit != "%" || of != "" {
			return t.errorf("%q is no change; such as +10%%", text)
		}
		if parts[1] == "-" {
			v = -v
		}
		t.Limit, t.Unit, t.Change = 1+v/100, "×", true
		if t.Limit < 0 {
			return t.errorf("%q is more than there can be", text)
		}
		return nil
	case unit == "x" || unit == "×":
		if t.Of = strings.TrimSpace(of); t.Of == "" {
			return t.errorf("%q is a ratio to nothing; such as 2x undisturbed", text)
		}
		t.Limit, t.Unit = v, "×"
		return nil
	case of != "":
		return t.errorf("%q is no value: what does %q mean?", text, of)
	}
	if t.Limit, t.Unit, err = inUnit(v, unit, m); err != nil {
		return t.errorf("%w", err)
	}
	return nil
}

// durations and sizes are how much a unit is in µs and in bytes.
var (
	durations = map[string]float64{"ns": 1e-3, "us": 1, "µs": 1, "μs": 1, "ms": 1e3, "s": 1e6, "m": 60e6}
	sizes     = map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
)

// inUnit returns a value that was written with a unit in the unit of its figure.
func inUnit(v float64, unit string, m measure) (float64, string, error) {
	switch m {
	case micros:
		if f, ok := durations[unit]; ok {
			return v * f, "µs", nil
		}
	case lapse, perMillion:
		if f, ok := durations[unit]; ok {
			return v * f / 1e6, map[measure]string{lapse: "s", perMillion: "s/1M"}[m], nil
		}
	case size:
		if f, ok := sizes[unit]; ok {
			return v * f, "B", nil
		}
	case rate:
		if unit == "/s" {
			return v, "/s", nil
		}
	case counted:
		if unit == "%" {
			return v, "%", nil
		}
		fallthrough
	case plainNumber:
		if unit == "" {
			return v, "", nil
		}
	}
	if unit == "" {
		return 0, "", fmt.Errorf("%g needs a unit: %s", v, measureNames[m])
	}
	return 0, "", fmt.Errorf("%q is no unit of this figure; it takes %s", unit, measureNames[m])
}

// Crossed reports whether v fulfils the condition.
func (t Threshold) Crossed(v float64) bool {
	switch t.Sign {
	case ">":
		return v > t.Limit
	case ">=":
		return v >= t.Limit
	case "<":
		return v < t.Limit
	default:
		return v <= t.Limit
	}
}

// Negated is the text of the threshold that is crossed when t is not: an
// objective as what fails.
func (t Threshold) Negated() string {
	not := map[string]string{">": "<=", ">=": "<", "<": ">=", "<=": ">"}[t.Sign]
	what, value, _ := strings.Cut(t.Text, t.Sign)
	return strings.TrimSpace(what) + " " + not + " " + strings.TrimSpace(value)
}

// worse is the one of two values that is nearer to crossing t, or beyond.
func (t Threshold) worse(a, b float64) float64 {
	if strings.HasPrefix(t.Sign, ">") {
		return max(a, b)
	}
	return min(a, b)
}

// check says what a run without such an operation, phase or server cannot know
// of t. servers is nil in a run that is no part of a comparison.
func (t Threshold) check(operations, phases, servers []string) error {
	of := func(name, what string, known []string) error {
		if slices.Contains(known, name) {
			return nil
		}
		return t.errorf("there is no %s %q; there are %s", what, name, strings.Join(known, ", "))
	}
	var errs []error
	if !slices.Contains([]string{"", ofServer, ofLookups, ofMilestone}, t.Request) {
		errs = append(errs, of(t.Request, "request", slices.Concat(operations, []string{ofServer, ofLookups, ofMilestone})))
	}
	if t.Phase != "" {
		errs = append(errs, of(t.Phase, "phase", phases))
		if t.Request == ofLookups || t.Request == ofMilestone || t.Request == ofServer && t.Figure != "cpu" && t.Figure != "cores" {
			errs = append(errs, t.errorf("%s %s is of the whole run, not of a phase", t.Request, t.Figure))
		}
	}
	if t.Of != "" && !slices.Contains(phases, t.Of) {
		if servers == nil {
			errs = append(errs, t.errorf("%q is no phase of this run (%s); ratios to other servers take nsbench compare", t.Of, strings.Join(phases, ", ")))
		} else if err := of(t.Of, "server or phase", slices.Concat(servers, phases)); err != nil {
			errs = append(errs, err)
		}
	}
	if t.Change {
		errs = append(errs, t.errorf("a change takes two results: nsbench diff OLD.json NEW.json"))
	}
	if t.Figure == FirstReply && servers == nil {
		errs = append(errs, t.errorf("the first reply after the start takes nsbench compare"))
	}
	return errors.Join(errs...)
}

// Measure returns the figure of r in the worst phase; of a ratio, that to the
// same figure of base, or of the phase t.Of where base is nil. It is infinite
// where something has come from nothing. why says why there is none.
func (t Threshold) Measure(r, base *Result) (v float64, why string) {
	phases := []string{t.Phase}
	if t.Phase == "" && !slices.Contains([]string{ofServer, ofLookups, ofMilestone}, t.Request) || t.Phase == "" && base == nil && t.Of != "" {
		phases = phases[:0]
		for _, p := range r.Phases {
			if base != nil || p.Name != t.Of {
				phases = append(phases, p.Name)
			}
		}
	}
	found := false
	for _, phase := range phases {
		at, ok := t.at(r, phase)
		bound := t.isGenerators(r, phase)
		if ok && (t.Of != "" || t.Change) {
			other, of := base, phase
			if base == nil {
				other, of = r, t.Of
			}
			var to float64
			to, ok = t.at(other, of)
			bound = bound || t.isGenerators(other, of)
			at = quotient(at, to)
		}
		if !ok {
			continue
		}
		if bound {
			return 0, GeneratorBound
		}
		if !found {
			v = at
		}
		v, found = t.worse(v, at), true
	}
	if !found {
		return 0, t.unmeasured(r)
	}
	return v, ""
}

// isGenerators reports whether the figure is a latency that was the generator's own in a
// phase: Result.GeneratorBound is of the p99, and there are others.
func (t Threshold) isGenerators(r *Result, phase string) bool {
	for _, p := range r.Phases {
		if p.Name != phase {
			continue
		}
		for _, o := range p.Ops {
			if o.Pace == nil || o.Name != t.Request && (t.Request != "" || o.Name != r.firstOperation()) {
				continue
			}
			latency, ok := o.Latency.quantile(t.Figure)
			lateness, _ := o.Pace.Lateness.quantile(t.Figure)
			return ok && isGenerators(lateness, latency)
		}
	}
	return false
}

// unmeasured says why there is no such figure of r.
func (t Threshold) unmeasured(r *Result) string {
	const why = "it was not measured"
	switch {
	case t.Request == ofMilestone:
		var names []string
		for _, m := range r.Milestones {
			if m.Name == t.Figure {
				return why + ": the milestone was not reached"
			}
			names = append(names, m.Name)
		}
		if len(names) == 0 {
			return why + ": there were no milestones"
		}
		return why + ": there were only the milestones " + strings.Join(names, ", ")
	case t.Request == ofServer && t.Figure == "cpu" && r.Server.CPUSeconds > 0:
		return why + ": requests were of several kinds, or not all that the server did; server cores is known"
	}
	return why
}

// quotient is a/b; nothing against nothing is no change.
func quotient(a, b float64) float64 {
	switch {
	case b != 0:
		return a / b
	case a == 0:
		return 1
	default:
		return math.Inf(1)
	}
}

// at returns the figure in one phase, "" for the whole run, and false if it was
// not measured.
func (t Threshold) at(r *Result, phase string) (float64, bool) {
	switch t.Request {
	case ofServer:
		return t.serverAt(r, phase)
	case ofLookups:
		return t.lookups(r.Survival)
	case ofMilestone:
		for _, m := range r.Milestones {
			if m.Name == t.Figure {
				return m.Seconds, m.Reached
			}
		}
		return 0, false
	}
	for _, p := range r.Phases {
		if p.Name != phase {
			continue
		}
		for _, o := range p.Ops {
			if o.Name == t.Request || t.Request == "" && o.Name == r.firstOperation() {
				return t.operation(o)
			}
		}
	}
	return 0, false
}

// firstOperation is the first request of the first phase in which there was one.
func (r *Result) firstOperation() string {
	for _, p := range r.Phases {
		if len(p.Ops) > 0 {
			return p.Ops[0].Name
		}
	}
	return ""
}

func (t Threshold) operation(o Operation) (float64, bool) {
	if us, ok := o.Latency.quantile(t.Figure); ok {
		return us, o.Answered > 0 && !o.Oneway
	}
	switch t.Figure {
	case "rate":
		return o.PerSecond, true
	case "wrong":
		return t.part(o.Wrong, o.Offered()), true
	case "errors":
		n := uint64(0)
		for _, of := range o.Errors {
			n += of
		}
		return t.part(n, o.Offered()), true
	default:
		return t.part(o.Errors[t.Figure], o.Offered()), true
	}
}

// quantile returns a figure of l by its name.
func (l Latency) quantile(name string) (us float64, ok bool) {
	switch name {
	case "p50":
		return l.P50, true
	case "p90":
		return l.P90, true
	case "p99":
		return l.P99, true
	case "p99.9":
		return l.P999, true
	case "max":
		return l.Max, true
	case "mean":
		return l.Mean, true
	default:
		return 0, false
	}
}

// Offered counts all requests that were to be sent.
func (o Operation) Offered() uint64 { return o.Sent + o.Errors[ErrorConnect] + o.Errors[ErrorOverrun] }

// part is n, or its percentage of all where t is one.
func (t Threshold) part(n, all uint64) float64 {
	if t.Unit == "%" || t.Unit == "×" {
		return 100 * float64(n) / float64(max(1, all))
	}
	return float64(n)
}

func (t Threshold) lookups(s *Survival) (float64, bool) {
	if s == nil {
		return 0, false
	}
	n := map[string]uint64{
		"failed": s.Failed, "unreached": s.Unreached, "notFound": s.NotFound, "refused": s.Refused, "unanswered": s.Unanswered,
		"shrunken": s.Shrunken, "late": s.Late,
	}
	return t.part(n[t.Figure], s.Lookups), true
}

func (t Threshold) serverAt(r *Result, phase string) (float64, bool) {
	p, seconds := r.Server, r.MeasuredSeconds
	if phase != "" {
		i := slices.IndexFunc(r.Phases, func(p Phase) bool { return p.Name == phase })
		if i < 0 || r.Phases[i].Server == nil {
			return 0, false
		}
		p, seconds = *r.Phases[i].Server, r.Phases[i].Seconds
	}
	v := map[string]float64{
		"cpu": p.CPUSecondsPerMillion, "memory": float64(p.RSS), "peak": float64(p.PeakRSS), "threads": float64(p.Threads), "files": float64(p.FDs),
	}[t.Figure]
	if t.Figure == "cores" && seconds > 0 {
		v = p.CPUSeconds / seconds
	}
	return v, v > 0 // 0 was not measured
}

// Thresholds parses what the scenario fails by.
func (sc Scenario) Thresholds() ([]Threshold, error) {
	var out []Threshold
	var errs []error
	for _, text := range sc.FailIf {
		t, err := ParseThreshold(text)
		out, errs = append(out, t), append(errs, err)
	}
	return out, errors.Join(errs...)
}

// checkThresholds refuses thresholds of what the planned run has not.
func (r *run) checkThresholds() error {
	thresholds, err := r.sc.Thresholds()
	if err != nil {
		return err
	}
	var operations, phases []string
	for _, o := range r.ops {
		operations = append(operations, o.name)
	}
	for _, p := range r.parts {
		phases = append(phases, p.name)
	}
	var errs []error
	for _, t := range thresholds {
		errs = append(errs, t.check(operations, phases, r.opt.Versus), r.canMeasure(t))
	}
	return errors.Join(errs...)
}

// canMeasure says why the run will not measure what t is of. The thresholds of a comparison
// are of its first server.
func (r *run) canMeasure(t Threshold) error {
	if r.opt.Versus != nil && r.opt.Label != r.opt.Versus[0] {
		return nil
	}
	switch {
	case t.Request == ofServer && t.Figure != FirstReply && r.meter.pid == 0:
		return t.errorf("the server's process is not known: give it with --pid, or let its command stand behind --")
	case t.Request == ofLookups && !r.eventful:
		return t.errorf("nothing happens to the server or to its brokers in this scenario, so there are no such lookups")
	}
	return nil
}

// decide gives the verdicts of a run, but of one in a comparison, which has its own.
func (r *run) decide() error {
	if r.opt.Versus != nil {
		return nil
	}
	thresholds, err := r.sc.Thresholds()
	if err != nil {
		return err
	}
	for _, t := range thresholds {
		r.res.Thresholds = append(r.res.Thresholds, t.Decide(r.res))
	}
	return ThresholdError(r.res.Thresholds)
}

// ThresholdError is nil if all have passed, else it wraps ErrThreshold.
func ThresholdError(verdicts []Verdict) error {
	var bad []string
	for _, v := range verdicts {
		if v.Verdict != Passed {
			bad = append(bad, fmt.Sprintf("%q %s", v.Threshold, v.Verdict))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d of %d: %s", ErrThreshold, len(bad), len(verdicts), strings.Join(bad, ", "))
}

// CheckDiff says what r and earlier results, by their names, cannot tell of t.
func (t Threshold) CheckDiff(r *Result, names []string) error {
	var operations, phases []string
	for _, p := range r.Phases {
		phases = append(phases, p.Name)
		for _, o := range p.Ops {
			operations = append(operations, o.Name)
		}
	}
	slices.Sort(operations)
	t.Change = false
	return t.check(slices.Compact(operations), phases, names)
}
