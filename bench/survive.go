package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// clientPatience is how long the Java client waits for a route.
const clientPatience = 3 * time.Second

// An event is what happens to the server or its brokers while clients read.
type event struct {
	name string // of its phase, and what milestones count from
	// happen makes it happen and returns when it is over: from then on brokers can
	// be registered again.
	happen func(ctx context.Context) error
}

// survive plans three phases: before, the event until every route is whole
// again, and after. Brokers register on their period, if there is one. In a calm run there is
// only the time before.
func (r *run) survive(e event) {
	s := r.addReaders()
	s.tolerant = true
	if s.rate > 0 { // a client asks no more until it gave up what it asked
		s.most = max(16, int(math.Ceil(s.rate*clientPatience.Seconds()/float64(s.connections))))
	}
	if r.p.Period > 0 {
		r.addRegulars()
	}
	r.parts = []part{{name: "before"}}
	if r.sc.calm {
		return
	}
	r.eventful = true
	r.parts = append(r.parts, part{name: e.name, do: func(ctx context.Context) error { return r.through(ctx, e) }}, part{name: "after"})
}

// through goes through an event.
func (r *run) through(ctx context.Context, e event) error {
	r.event, r.begun = e.name, r.d.now()
	r.fleet.disturb(r.begun)
	if err := e.happen(ctx); err != nil {
		return err
	}
	if err := r.recovered(ctx, e.name, r.d.now()); err != nil {
		return err
	}
	last := r.fleet.survey.last.Load()
	if r.wasAway {
		first := &r.fleet.survey.firstWhole
		ok := await(ctx, time.Duration(r.p.Timeout), func() bool { return first.Load() > 0 })
		last = max(last, cmp.Or(first.Load(), r.d.now()))
		r.milestone("first whole route", e.name, cmp.Or(first.Load(), r.d.now())-r.begun, ok)
	}
	r.observe("every route back", e.name, max(0, last-r.begun), true)
	r.fleet.settle(r.d.now())
	r.milMu.Lock()
	slices.SortStableFunc(r.marks, func(a, b Milestone) int { return cmp.Compare(a.Seconds, b.Seconds) })
	r.milMu.Unlock()
	return ctx.Err()
}

// away notes that the server answers nothing and is about to come back. What
// came before was on its way when it left.
func (r *run) away() {
	r.wasAway = true
	r.fleet.survey.back.Store(r.d.now())
}

// recovered waits until every broker has registered after a moment, and every
// route is whole.
func (r *run) recovered(ctx context.Context, event string, over int64) error {
	timeout := time.Duration(r.p.Timeout)
	if len(r.regulars) > 0 {
		ok := await(ctx, timeout+time.Duration(r.p.Period), func() bool { return r.registeredSince(over) })
		r.milestone("every broker registered", event, r.d.now()-r.begun, ok)
	}
	ok, err := r.sweep(ctx, timeout)
	if err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if !ok {
		r.d.fail(fmt.Sprintf("routes lack brokers %v after all have registered", timeout))
	}
	return ctx.Err()
}

func planPause(r *run) error {
	r.survive(event{name: "pause", happen: func(ctx context.Context) error {
		if err := r.opt.Server.Pause(); err != nil {
			return fmt.Errorf("stop the server: %w", err)
		}
		slept := sleep(ctx, time.Duration(r.p.Away))
		r.away()
		if err := r.opt.Server.Resume(); err != nil {
			return fmt.Errorf("let the server go on: %w", err)
		}
		r.observe("server goes on", "pause", r.d.now()-r.begun, true)
		return slept
	}})
	return nil
}

func planMassClose(r *run) error {
	r.survive(event{name: "mass close", happen: func(ctx context.Context) error {
		for _, b := range r.regulars {
			b.close(true)
		}
		return ctx.Err()
	}})
	return nil
}

func checkPeriod(p *Params) error {
	if p.Period == 0 {
		return errors.New("period is 0: brokers would never come back")
	}
	return nil
}

func checkPartition(p *Params) error {
	if p.Share <= 0 || p.Share > 100 {
		return fmt.Errorf("share is %g, it is a percentage and not 0", p.Share)
	}
	return checkPeriod(p)
}

func planPartition(r *run) error {
	r.survive(event{name: "partition", happen: func(ctx context.Context) error {
		n := max(1, int(float64(len(r.regulars))*r.p.Share/100+0.5))
		for i := range n { // spread over all, so that most topics lose some of their brokers
			r.regulars[i*len(r.regulars)/n].silent.Store(true)
		}
		err := sleep(ctx, time.Duration(r.p.Away))
		for _, b := range r.regulars {
			b.silent.Store(false)
		}
		r.observe("partition heals", "partition", r.d.now()-r.begun, true)
		return err
	}})
	return nil
}

// planReturning lets every other broker close its connection, stay away, and
// come back with all its topics over a new one, over and over.
func planReturning(r *run) error {
	var op int
	r.survive(event{name: "returning", happen: func(ctx context.Context) error {
		var wg sync.WaitGroup
		errs := make(chan error, len(r.regs))
		ending, cancel := context.WithTimeout(ctx, time.Duration(r.p.Duration))
		defer cancel()
		for i := 0; i < len(r.regs); i += 2 {
			wg.Go(func() {
				if err := r.comeAndGo(ctx, ending, r.regs[i], op); err != nil {
					errs <- err
				}
			})
		}
		wg.Wait()
		close(errs)
		if err := <-errs; err != nil {
			return err
		}
		return r.backToKeepers()
	}})
	if r.sc.calm {
		return nil
	}
	op = r.addOp("register (returned)", false)
	for i := 0; i < len(r.regs); i += 2 {
		r.regs[i].mortal = true
	}
	return nil
}

// backToKeepers registers mortals as it was in the beginning: over their
// keepers' connections.
func (r *run) backToKeepers() error {
	r.keepMu.Lock()
	defer r.keepMu.Unlock()
	for _, k := range r.keepers {
		for _, reg := range k.regs {
			if !reg.mortal {
				continue
			}
			if err := reg.callOver(k.caller); err != nil {
				return err
			}
		}
	}
	return nil
}

// comeAndGo lets one broker return again and again until ending is done.
func (r *run) comeAndGo(ctx, ending context.Context, reg *registered, op int) error {
	// Its keeper speaks for others too, so the broker first comes over a connection
	// of its own: that it closes this one is what takes it out of routes.
	for first := true; ; first = false {
		c, err := dialCaller(ctx, &r.d.dialer)
		if err != nil {
			return err
		}
		from := r.d.now()
		if err = reg.callOver(c); err == nil && !first {
			r.d.note(eventPhase, op, r.d.now()-from)
		}
		c.close()
		if err != nil || (!first && ending.Err() != nil) {
			return err
		}
		if err := sleep(ctx, time.Duration(r.p.Away)); err != nil {
			return err
		}
	}
}
