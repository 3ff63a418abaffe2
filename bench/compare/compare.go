package compare

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gonamesrv/bench"
	"gonamesrv/bench/launch"
)

// Options say what to compare.
type Options struct {
	Scenario bench.Scenario
	Seed     uint64
	Rounds   int
	Servers  []launch.Spec
	Base     int // index of the server that ratios are taken to

	// Keep starts each server once and keeps it for all rounds, stopped while
	// others are measured, so that a JVM compiles once. Otherwise each turn starts
	// its server anew.
	Keep bool

	// JVMWarmUp is how long a JVM is loaded with the same scenario before each
	// measured run, so that it has compiled its code, where the run's own warm-up
	// does not see to that: see bench.Scenario.WarmsUp. Nothing happens in it that happens to
	// servers or brokers in the scenario: see bench.Scenario.WarmUp. 0 leaves it out.
	JVMWarmUp time.Duration
	// Floor makes the server that only echoes, for replies of so many bytes. It
	// replaces each of Servers that is a floor.
	Floor func(name string, replyBytes int) (launch.Spec, error)

	// Bench are the options of each run; target, seed, label and server are
	// filled in here.
	Bench   bench.Options
	Command []string // for the record

	// Load and Start replace bench.Run and the start of a server, in tests.
	Load  func(ctx context.Context, sc bench.Scenario, opt bench.Options, progress func(bench.Progress)) (*bench.Result, error)
	Start func(ctx context.Context, spec launch.Spec) (Started, error)
}

// A Started is a server that runs.
type Started interface {
	bench.Server
	FirstReply() time.Duration
	Tail() string // the end of its output, for an error message
	Close() error
}

// A Progress says which turn of a comparison is running.
type Progress struct {
	Server string
	Round  int
	Rounds int
	WarmUp bool
	Run    bench.Progress
}

func (o *Options) validate() error {
	switch {
	case len(o.Servers) < 2:
		return fmt.Errorf("compare: %d servers are given, it takes two or more", len(o.Servers))
	case o.Rounds < 1:
		return fmt.Errorf("compare: %d rounds", o.Rounds)
	case o.Base < 0 || o.Base >= len(o.Servers):
		return fmt.Errorf("compare: the base is server %d of %d", o.Base+1, len(o.Servers))
	case o.Servers[0].Floor:
		return errors.New("compare: the floor takes the size of its replies from the server before it, so it cannot come first")
	}
	names := map[string]bool{}
	for _, s := range o.Servers {
		if names[s.Name] {
			return fmt.Errorf("compare: two servers are called %q", s.Name)
		}
		names[s.Name] = true
	}
	return o.Scenario.Validate()
}

// A comparer is a comparison on its way.
type comparer struct {
	Options
	progress   func(Progress)
	out        *Comparison
	replyBytes int             // of the first server's replies, on average
	kept       map[int]Started // by index of Servers, with Keep
}

// Run compares. progress may be nil. Like bench.Run it fails with
// bench.ErrWrong together with a whole Comparison when some run was not right;
// no figure counts such runs. A server that cannot be run ends the comparison: Run
// then returns what it has, and an error that shows the end of the server's output.
// So it does, with bench.ErrInterrupted, when ctx ends.
func Run(ctx context.Context, opt Options, progress func(Progress)) (*Comparison, error) {
	if err := opt.validate(); err != nil {
		return nil, err
	}
	if opt.Load == nil {
		opt.Load = bench.Run
	}
	if opt.Start == nil {
		opt.Start = start
		for _, s := range opt.Servers { // before any other is loaded for minutes
			if err := s.Reach(ctx, time.Duration(opt.Scenario.Params.Timeout)); err != nil {
				return nil, err
			}
		}
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	c := &comparer{Options: opt, progress: progress, kept: map[int]Started{}, out: &Comparison{
		Kind: Kind, Format: Format, Scenario: opt.Scenario, Seed: opt.Seed, Rounds: opt.Rounds, Started: time.Now(),
		Command: opt.Command, Base: opt.Base, Kept: opt.Keep,
	}}
	for _, s := range opt.Servers {
		c.out.Servers = append(c.out.Servers, Server{Name: s.Name, JVM: s.JVM, Floor: s.Floor, Running: s.RunsAlready()})
	}
	err := errors.Join(c.rounds(ctx), c.closeKept())
	if err != nil && ctx.Err() != nil {
		c.out.Interrupted = true
		if !errors.Is(err, bench.ErrInterrupted) {
			err = fmt.Errorf("%w: %w", bench.ErrInterrupted, err)
		}
	}
	c.out.Seconds = time.Since(c.out.Started).Seconds()
	c.out.Figures = Figures(c.out)
	if err == nil && !c.out.OK() {
		err = fmt.Errorf("%w: %s", bench.ErrWrong, c.out.wrong())
	}
	if decideErr := c.out.decide(0); err == nil {
		err = decideErr
	}
	if len(c.out.Turns) == 0 {
		return nil, err
	}
	return c.out, err
}

// wrong names the first run that was not right, and how many there are.
func (c *Comparison) wrong() string {
	first, n := "", 0
	for _, r := range c.Turns {
		if r.Result != nil && !r.Result.OK {
			if n++; n == 1 {
				first = fmt.Sprintf("%s, round %d: %s", c.Servers[r.Server].Name, r.Round, r.Result.Failures[0])
			}
		}
	}
	return fmt.Sprintf("%d of %d runs, such as %s", n, len(c.Turns), first)
}

func start(ctx context.Context, spec launch.Spec) (Started, error) {
	s, err := launch.New(ctx, spec)
	if err != nil {
		return nil, err
	}
	if err := s.Start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (c *comparer) rounds(ctx context.Context) error {
	for round := 1; round <= c.Rounds; round++ {
		for _, i := range c.order(round) {
			if err := c.turn(ctx, i, round); err != nil {
				return fmt.Errorf("%s, round %d: %w", c.Servers[i].Name, round, err)
			}
		}
	}
	return nil
}

// order is that of the servers in a round: A B, then B A, so that none always
// finds the machine as another has left it, nor gains from a machine that gets
// slower.
func (c *comparer) order(round int) []int {
	order := make([]int, len(c.Servers))
	for i := range order {
		order[i] = i
	}
	if round%2 == 0 {
		slices.Reverse(order)
	}
	return order
}

// turn is one server's turn in one round: taken, warmed up, measured, put back.
func (c *comparer) turn(ctx context.Context, i, round int) (err error) {
	s, anew, err := c.take(ctx, i)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.putBack(i, s)) }()
	spec, first := c.Servers[i], 0.0
	if anew {
		first = s.FirstReply().Seconds()
	}
	if anew && spec.JVM && c.JVMWarmUp > 0 && !c.Scenario.WarmsUp() {
		if err := c.load(ctx, s, c.Scenario.WarmUp(c.JVMWarmUp), Turn{Server: i, Round: round, WarmUp: true}); err != nil {
			return fmt.Errorf("warm-up: %w", err)
		}
	}
	return c.load(ctx, s, c.Scenario, Turn{Server: i, Round: round, FirstReplySeconds: first})
}

func (c *comparer) load(ctx context.Context, s Started, sc bench.Scenario, run Turn) error {
	spec := c.Servers[run.Server]
	opt := c.Bench
	opt.Target, opt.Seed, opt.Label, opt.Floor = s.Target(), c.Seed+uint64(run.Round-1), spec.Name, spec.Floor
	opt.Target.Name, opt.Server = spec.Name, s
	opt.Versus = c.names()
	if run.WarmUp || spec.Floor {
		opt.CeilingFor = 0
	}
	res, err := c.Load(ctx, sc, opt, func(p bench.Progress) {
		c.progress(Progress{Server: spec.Name, Round: run.Round, Rounds: c.Rounds, WarmUp: run.WarmUp, Run: p})
	})
	if res == nil {
		return fmt.Errorf("%w%s", err, s.Tail())
	}
	interrupted := errors.Is(err, bench.ErrInterrupted)
	if err != nil && !errors.Is(err, bench.ErrWrong) && (!interrupted || run.WarmUp) {
		return err
	}
	if run.WarmUp {
		dropHistograms(res)
	}
	run.Result = res
	c.out.Turns = append(c.out.Turns, run)
	c.out.Machine = res.Machine
	if c.replyBytes == 0 {
		c.replyBytes = replyBytes(res)
	}
	if interrupted {
		return err
	}
	return nil
}

// dropHistograms leaves of a run that no figure counts what it says of itself.
func dropHistograms(res *bench.Result) {
	for i := range res.Phases {
		for j := range res.Phases[i].Ops {
			o := &res.Phases[i].Ops[j]
			o.Histogram = ""
			if o.Pace != nil {
				o.Pace.Histogram, o.Pace.FromWriteHistogram = "", ""
			}
		}
	}
}

// replyBytes is the size of a reply of the first operation that has some.
func replyBytes(res *bench.Result) int {
	for _, p := range res.Phases {
		for _, op := range p.Ops {
			if op.Answered > 0 && op.Bytes.Received > 0 {
				return int(op.Bytes.Received / op.Answered)
			}
		}
	}
	return 0
}
