package bench

import "github.com/HdrHistogram/hdrhistogram-go"

// What an open loop measures counts from the moment a request was to leave, so that a
// server which stalls pays for all that it keeps waiting. The generator's own part of that
// is its lateness. It is measured for each request, and kept apart.

// paced is what a worker has seen of one operation of an open loop in one phase.
type paced struct {
	lateness  *hdrhistogram.Histogram // of requests sent: from the intended moment to the write; nil until one is
	fromWrite *hdrhistogram.Histogram // of right replies: from the write; nil until one is there
	bound     bool                    // a process of the crew was generator-bound by itself
}

func (p *paced) recordLateness(ns int64) {
	if p.lateness == nil {
		p.lateness = newHistogram()
	}
	recordIn(p.lateness, ns)
}

func (p *paced) recordFromWrite(ns int64) {
	if p.fromWrite == nil {
		p.fromWrite = newHistogram()
	}
	recordIn(p.fromWrite, ns)
}

func (p *paced) add(o *paced) {
	merge(&p.lateness, o.lateness)
	merge(&p.fromWrite, o.fromWrite)
	p.bound = p.bound || o.bound
}

// A Pace says how much of an operation's latency is the generator's.
type Pace struct {
	// Lateness is from the moment when a request was to leave to its write.
	Lateness  Latency `json:"lateness"`
	Histogram string  `json:"histogram,omitempty"` // of Lateness, as Operation.Histogram
	// FromWrite is the latency from the write on.
	FromWrite          Latency `json:"fromWrite"`
	FromWriteHistogram string  `json:"fromWriteHistogram,omitempty"`
	// GeneratorBound is true when the p99 of the lateness is more than a third of the p99 of
	// the latency: such a latency is the generator's, and counts for no limit. Of oneway
	// requests, which have none, it is true when it is more than 1 % of the phase: they were not
	// sent at their rate. Of several generators it is true when it is of all together, or of any
	// by itself.
	GeneratorBound bool `json:"generatorBound"`
}

// boundPart is the part of a latency that makes it the generator's.
const boundPart = 1.0 / 3

// isGenerators reports whether a latency is the generator's own: it was so late itself, in
// the same part of the requests.
func isGenerators(lateness, latency float64) bool { return latency > 0 && lateness > latency*boundPart }

// boundRate is the part of a phase by which oneway requests may leave late, before their rate
// is more than the generator has reached.
const boundRate = 0.01

// result is nil where nothing was paced.
func (p *paced) result(latency Latency) *Pace {
	if p.lateness == nil {
		return nil
	}
	out := &Pace{
		Lateness: latencyOf(p.lateness), Histogram: encodeHistogram(p.lateness),
		FromWrite: latencyOf(p.fromWrite), FromWriteHistogram: encodeHistogram(p.fromWrite),
	}
	out.GeneratorBound = p.bound || isGenerators(out.Lateness.P99, latency.P99)
	return out
}

// GeneratorBound reports whether the latencies of o say more about the generator than
// about the server.
func (o Operation) GeneratorBound() bool { return o.Pace != nil && o.Pace.GeneratorBound }

// generatorBound reports whether any operation is.
func generatorBound(phases []Phase) bool {
	for _, p := range phases {
		for _, o := range p.Ops {
			if o.GeneratorBound() {
				return true
			}
		}
	}
	return false
}
