package capacity

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gonamesrv/bench"
)

// Options say what to measure.
type Options struct {
	Namesrv     string // path of our server
	Sizes       []Size
	Connections int // idle ones, opened in steps; 0 leaves them out
	Reads       int // at random, of each size
	Commit      string
	Command     []string     // for the report
	Say         func(string) // is told what is done; nil if nobody wants to know
}

const (
	seed = 1
	// enough is how many registrations a figure is of, at least.
	enough = 100
	// idleSteps is in how many steps idle connections are opened.
	idleSteps = 5
	// backWithin is how long routes may take to come back after a restart.
	backWithin = 30 * time.Second
)

// Measure starts a server for each size, one after the other, measures it and ends it. If
// it fails, or ctx ends, the report has the sizes that were done until then.
func Measure(ctx context.Context, opt Options) (*Report, error) {
	if opt.Say == nil {
		opt.Say = func(string) {}
	}
	r := &Report{Kind: Kind, Format: Format, Started: time.Now().UTC().Truncate(time.Second), Command: opt.Command}
	begun := time.Now()
	defer func() { r.Seconds = time.Since(begun).Seconds() }()
	opt.Say("a server without brokers")
	if err := r.empty(ctx, opt); err != nil {
		return r, err
	}
	for _, size := range opt.Sizes {
		opt.Say(size.String())
		p, err := r.point(ctx, opt, size)
		if err != nil {
			return r, fmt.Errorf("%v: %w", size, err)
		}
		r.Points = append(r.Points, p)
	}
	if opt.Connections > 0 {
		opt.Say(fmt.Sprintf("%d connections", opt.Connections))
		if err := r.idle(ctx, opt); err != nil {
			return r, fmt.Errorf("%d connections: %w", opt.Connections, err)
		}
	}
	return r, nil
}

func (r *Report) empty(ctx context.Context, opt Options) (err error) {
	s, err := start(ctx, opt.Namesrv)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	sleep(ctx, time.Second) // what it does at its start
	r.Empty, err = s.memory(ctx)
	return err
}

// point measures one size.
func (r *Report) point(ctx context.Context, opt Options, size Size) (p Point, err error) {
	p.Size = size
	sc, err := size.scenario(opt.Reads)
	if err != nil {
		return p, err
	}
	s, err := start(ctx, opt.Namesrv)
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	brokers, err := bench.NewRegistrar(sc, s.Target().Address, seed)
	if err != nil {
		return p, err
	}
	defer brokers.Close()
	for _, step := range []func() error{
		func() error { return p.register(ctx, s, brokers) },
		func() (err error) { p.Unchanged, err = p.repeat(ctx, s, brokers, false); return err },
		func() error { return p.askOnce(ctx, s, brokers) },
		func() error {
			return alive(ctx, brokers, func() error { return p.read(ctx, s, sc, r, opt.Commit) })
		},
		func() (err error) { p.NewVersion, err = p.repeat(ctx, s, brokers, true); return err },
		func() error { return p.look(ctx, s) },
		func() error { return p.restart(ctx, s, brokers) },
		func() error { return p.leave(ctx, s, brokers) },
	} {
		if err := step(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// register lets all brokers register with a server that does not know them, and waits
// until it has written its file.
func (p *Point) register(ctx context.Context, s *server, brokers *bench.Registrar) (err error) {
	p.First, err = s.work(p.Brokers, func() error {
		sum, err := brokers.Register(ctx, false)
		p.RegistrationBytes = sum / p.Brokers
		return err
	})
	if err != nil {
		return err
	}
	before := s.cpu()
	registered := time.Now()
	if err := alive(ctx, brokers, func() error { return s.rest(ctx, registered) }); err != nil {
		return err
	}
	p.SnapshotCPUSeconds = (s.cpu() - before).Seconds()
	values, err := s.metrics(ctx)
	if err != nil {
		return err
	}
	p.Topics, p.Entries, p.SnapshotBytes = int(values[metricTopics]), int(values[metricEntries]), uint64(values[metricSnapshotSize])
	if p.Topics != p.topics() || p.Entries != p.entries() {
		return fmt.Errorf("the server has %d topics and %d entries, want %d and %d", p.Topics, p.Entries, p.topics(), p.entries())
	}
	p.Registered, err = s.memory(ctx)
	return err
}

// repeat lets all brokers register again, so often that there are enough.
func (p *Point) repeat(ctx context.Context, s *server, brokers *bench.Registrar, bump bool) (Work, error) {
	rounds := max(1, (enough+p.Brokers-1)/p.Brokers)
	return s.work(rounds*p.Brokers, func() error {
		for range rounds {
			if _, err := brokers.Register(ctx, bump); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *Point) askOnce(ctx context.Context, s *server, brokers *bench.Registrar) (err error) {
	return alive(ctx, brokers, func() error {
		p.AskedOnce, err = s.work(p.Names, func() error { return whole(brokers.AskAll(ctx)) })
		return err
	})
}

// whole makes an error of routes that are not.
func whole(lacking int, err error) error {
	if err == nil && lacking > 0 {
		err = fmt.Errorf("%d routes are not whole", lacking)
	}
	return err
}

// read lets readers ask at random. What they are told is checked.
func (p *Point) read(ctx context.Context, s *server, sc bench.Scenario, r *Report, commit string) error {
	res, err := bench.Run(ctx, sc, bench.Options{Target: s.Target(), Seed: seed, Commit: commit, Part: bench.Part{Of: 1}}, nil)
	if err != nil {
		return err
	}
	r.Machine = res.Machine
	phase := res.Phases[0]
	op := phase.Ops[0]
	p.Reads = Work{int(op.Answered), phase.Server.CPUSeconds}
	p.ReplyBytes = float64(op.Bytes.Received) / float64(max(1, op.Answered))
	return nil
}

func (p *Point) look(ctx context.Context, s *server) error {
	values, err := s.metrics(ctx)
	if err != nil {
		return err
	}
	p.CacheBytes = uint64(values[metricCache])
	p.Used, err = s.memory(ctx)
	p.Used.Peak = max(p.Used.Peak, p.Registered.Peak) // the kernel is right to some pages
	return err
}

// restart kills the server, starts it, and waits until it tells routes again: from its
// file, as no broker registers.
func (p *Point) restart(ctx context.Context, s *server, brokers *bench.Registrar) error {
	if err := s.Kill(); err != nil {
		return err
	}
	begun := time.Now()
	if err := s.Start(ctx); err != nil {
		return err
	}
	for !brokers.Whole(ctx) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if time.Since(begun) > backWithin {
			return nil
		}
		sleep(ctx, time.Millisecond)
	}
	back := &Restart{FirstReplySeconds: s.FirstReply().Seconds(), RouteSeconds: time.Since(begun).Seconds(), CPUSeconds: s.cpu().Seconds()}
	var err error
	if _, back.Peak, err = resident(s.Target().PID); err != nil {
		return err
	}
	p.Restart = back
	return whole(brokers.AskAll(ctx))
}

// leave lets all brokers come back to the server that was started again, and go.
func (p *Point) leave(ctx context.Context, s *server, brokers *bench.Registrar) (err error) {
	brokers.Close()
	p.Back, err = s.work(p.Brokers, func() error { _, err := brokers.Register(ctx, false); return err })
	if err != nil {
		return err
	}
	if err := brokers.Unregister(ctx); err != nil {
		return err
	}
	begun := time.Now()
	for {
		values, err := s.metrics(ctx)
		if err != nil {
			return err
		}
		if values[metricTopics] == 0 && values[metricEntries] == 0 {
			break
		}
		if time.Since(begun) > restWithin {
			return fmt.Errorf("%v topics are left after all brokers have gone", values[metricTopics])
		}
		sleep(ctx, lookEvery)
	}
	if err := s.rest(ctx, begun); err != nil { // who writes the file holds what there was before
		return err
	}
	p.Left, err = s.memory(ctx)
	return err
}

// idle opens connections that say nothing.
func (r *Report) idle(ctx context.Context, opt Options) (err error) {
	kind, err := bench.FindKind("connections")
	if err != nil {
		return err
	}
	s, err := start(ctx, opt.Namesrv)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	sc := kind.Scenario()
	sc.Params.Connections, sc.Params.Steps, sc.Params.Timeout = opt.Connections, idleSteps, bench.Duration(time.Minute)
	res, err := bench.Run(ctx, sc, bench.Options{Target: s.Target(), Seed: seed, Commit: opt.Commit}, nil)
	if err != nil {
		return err
	}
	p := sc.Params
	r.Machine = res.Machine
	r.Idle = &Idle{Topics: p.Topics + ownTopics*p.Brokers, Entries: p.Topics*p.BrokersPerTopic + ownTopics*p.Brokers, Steps: res.Steps}
	return nil
}
