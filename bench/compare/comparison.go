package compare

import (
	"fmt"
	"time"

	"gonamesrv/bench"
)

// Kind tells a Comparison's JSON from a Result's.
const Kind = "comparison"

// Format is the version of the JSON form; see bench.ResultFormat.
const Format = 1

// A Comparison is everything that was seen, as it is written as JSON. It is in memory until
// it is written: some 10 to 50 kB a turn, by the kinds of requests and the phases, and 150 bytes
// for each second that was measured.
type Comparison struct {
	Kind     string         `json:"kind"`   // Kind
	Format   int            `json:"format"` // Format
	Scenario bench.Scenario `json:"scenario"`
	Seed     uint64         `json:"seed"` // of the first round; of the next one more, and so on
	Rounds   int            `json:"rounds"`
	Started  time.Time      `json:"started"`
	Seconds  float64        `json:"seconds"` // that it took, all in all
	Command  []string       `json:"command,omitempty"`
	Machine  bench.Machine  `json:"machine"`
	// Interrupted says that somebody ended it before its time. No figure counts the
	// turn that was running.
	Interrupted bool `json:"interrupted,omitempty"`

	Servers []Server `json:"servers"` // in the order in which they take turns
	Base    int      `json:"base"`    // index of the server that ratios are taken to
	// Kept says that each server was started once and stopped while others were
	// measured, not started anew for each turn.
	Kept    bool     `json:"kept,omitempty"`
	Turns   []Turn   `json:"turns"`   // in their order
	Figures []Figure `json:"figures"` // what follows from Turns

	// Thresholds are those of the scenario, of the first server.
	Thresholds []bench.Verdict `json:"thresholds,omitempty"`
	// Notes say what a comparison of results from files must be read with.
	Notes []string `json:"notes,omitempty"`
}

// A Server is one of those compared.
type Server struct {
	Name  string `json:"name"`
	JVM   bool   `json:"jvm,omitempty"`
	Floor bool   `json:"floor,omitempty"` // only echoes
	// Running says that it ran before and all the time: it was neither started nor stopped.
	Running bool `json:"running,omitempty"`
}

// A Turn is one run of the scenario against one server.
type Turn struct {
	Server int  `json:"server"` // index
	Round  int  `json:"round"`  // from 1
	WarmUp bool `json:"warmUp,omitempty"`
	// FirstReplySeconds is from the start of the process to its first reply; 0
	// for a server that was running.
	FirstReplySeconds float64       `json:"firstReplySeconds,omitempty"`
	Result            *bench.Result `json:"result"`
}

// counts reports whether the run's figures may be compared.
func (r *Turn) counts() bool {
	return !r.WarmUp && r.Result != nil && r.Result.OK && !r.Result.Interrupted
}

// Errors counts the errors of one server, of all its runs, warm-ups too.
func (c *Comparison) Errors(server int) (sum bench.ErrorCounts) {
	for i := range c.Turns {
		if t := &c.Turns[i]; t.Server == server && t.Result != nil {
			sum.Add(t.Result.ErrorCounts())
		}
	}
	return sum
}

// OK reports whether every run was right.
func (c *Comparison) OK() bool {
	for i := range c.Turns {
		if r := c.Turns[i].Result; r != nil && !r.OK {
			return false
		}
	}
	return true
}

// A Figure is one number of every run.
type Figure struct {
	Phase string `json:"phase,omitempty"` // "" for one of the whole run
	Name  string `json:"name"`            // such as "route p99"
	Unit  string `json:"unit"`            // "/s", "µs", "s", "s/1M" (CPU seconds per million requests), "B", "", …
	More  bool   `json:"more,omitempty"`  // more is better
	// GeneratorBound says that it is a latency which in some run was the generator's own:
	// see bench.Pace. There is no verdict on a ratio of such.
	GeneratorBound bool `json:"generatorBound,omitempty"`
	// Servers has one entry per server of the comparison.
	Servers []Values `json:"servers"`
}

// Values are one figure of one server.
type Values struct {
	Rounds []float64 `json:"rounds"` // of each round that counts
	Value  Spread    `json:"value"`
	Ratio  Spread    `json:"ratio"` // to the base, round by round
	// Verdict is what the ratio's interval says of the server: Better or Worse than
	// the base, or "" where it spans 1, there are fewer than MinRounds rounds, or some round is
	// generator-bound.
	Verdict string `json:"verdict,omitempty"`
}

// A Spread is the middle and the ends of some numbers; all zero of none. Mean is
// the geometric mean, which lies from Low to High with 95 % confidence: all three
// are 0 where a number is not positive.
type Spread struct {
	N      int     `json:"n"`
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Mean   float64 `json:"mean,omitempty"`
	Low    float64 `json:"low,omitempty"`
	High   float64 `json:"high,omitempty"`
}

// Check says what is wrong with a comparison that was read from a file.
func (c *Comparison) Check() error {
	if len(c.Servers) == 0 || c.Base < 0 || c.Base >= len(c.Servers) {
		return fmt.Errorf("the base is server %d of %d", c.Base, len(c.Servers))
	}
	for _, t := range c.Turns {
		if t.Server < 0 || t.Server >= len(c.Servers) || t.Result == nil {
			return fmt.Errorf("a turn of server %d of %d, or without result", t.Server, len(c.Servers))
		}
	}
	for _, f := range c.Figures {
		if len(f.Servers) != len(c.Servers) {
			return fmt.Errorf("the figure %q is of %d servers, there are %d", f.Name, len(f.Servers), len(c.Servers))
		}
	}
	return nil
}
