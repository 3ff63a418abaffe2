package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// maxKeepers bounds the connections over which brokers register before the load.
// The brokers of one keeper share its connection and stay registered over it.
const maxKeepers = 64

// keepEvery is how often keepers speak for their brokers. Servers forget brokers, and
// close connections, that are silent for two minutes; and what keepers ask takes time of
// the server that is not the load's.
const keepEvery = time.Minute

// A keeper is a connection that keeps brokers registered beside the load.
type keeper struct {
	*caller
	regs []*registered
}

// preload registers every broker.
func (r *run) preload(ctx context.Context) error {
	if len(r.regulars) > 0 {
		r.enterStage("preload", 0, len(r.regulars))
		return r.registerRegulars(ctx)
	}
	n := min(len(r.regs), maxKeepers)
	for i := range n {
		k := &keeper{}
		for j := i; j < len(r.regs); j += n {
			k.regs = append(k.regs, r.regs[j])
		}
		r.keepers = append(r.keepers, k)
	}
	r.enterStage("preload", 0, len(r.regs))
	return r.registerAll(ctx)
}

// registerAll connects all keepers and registers all brokers.
func (r *run) registerAll(ctx context.Context) error {
	r.ready.Store(0)
	r.spoken.Store(r.d.now())
	errs := make(chan error, len(r.keepers))
	var wg sync.WaitGroup
	for _, k := range r.keepers {
		wg.Go(func() {
			if err := k.register(ctx, r); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

func (k *keeper) register(ctx context.Context, r *run) error {
	if k.caller != nil {
		k.close()
	}
	c, err := dialCaller(ctx, &r.d.dialer)
	if err != nil {
		return err
	}
	c.within = time.Duration(r.p.Timeout)
	k.caller = c
	for _, reg := range k.regs {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := reg.callOver(c); err != nil {
			return err
		}
		r.ready.Add(1)
	}
	return nil
}

// A refusal is an answer that is not the one to a registration.
type refusal string

func (r refusal) Error() string { return string(r) }

// callOver registers a broker, all parts, and waits for the answers.
func (r *registered) callOver(c *caller) error {
	r.restart()
	for {
		var counter int64
		var last bool
		wrong, err := c.ask(func(dst []byte, opaque int32) []byte {
			dst, counter, last = r.appendNext(dst, opaque)
			return dst
		}, r, 0, r.counter)
		if err != nil {
			return fmt.Errorf("register %s: %w", r.b.name, err)
		}
		if wrong != "" {
			return fmt.Errorf("register %s: %w", r.b.name, refusal(wrong))
		}
		if last {
			r.b.counter.Store(counter)
			return nil
		}
	}
}

// keepAlive speaks for the brokers every keepEvery, until the function it returns
// is called. It asks for data versions, which each server since 4.3 takes for a
// sign of life. It ignores the answers; verify checks data versions in the end.
func (r *run) keepAlive() (stop func()) {
	if len(r.regulars) > 0 {
		return r.keepRegulars()
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for sleep(ctx, r.untilKept()) == nil {
			r.keep(ctx, 0)
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// untilKept is how long keepers may still be silent.
func (r *run) untilKept() time.Duration {
	return r.keepEvery - time.Duration(r.d.now()-r.spoken.Load())
}

// keep lets keepers speak, if they have to within so long.
func (r *run) keep(ctx context.Context, within time.Duration) {
	r.keepMu.Lock()
	defer r.keepMu.Unlock()
	if r.untilKept() > within {
		return
	}
	r.spoken.Store(r.d.now())
	for _, k := range r.keepers {
		for _, reg := range k.regs {
			if ctx.Err() != nil {
				return
			}
			if reg.mortal {
				continue
			}
			r.kept.Add(1)
			if _, err := k.ask(reg.b.queryRequest(r.fleet.header, false).appendTo, &wantSuccess{"data version"}, 0, 0); err != nil {
				break // a keeper that is gone is found out by verify
			}
		}
	}
}

// keepBefore lets keepers speak who else had to while the run measures, which is about
// to begin. What they ask in a long one is counted: see Phase.KeepAlives.
func (r *run) keepBefore(ctx context.Context) {
	planned := time.Duration(0)
	for _, p := range r.parts {
		planned += cmp.Or(p.lasts, time.Duration(r.p.Duration))
	}
	r.keep(ctx, planned)
}

// maxVerified is how many topics verify checks in the end.
const maxVerified = 1000

// verify makes sure that in the end the server knows what it was told: the
// data version of each broker, and routes.
func (r *run) verify(ctx context.Context) {
	c, err := dialCaller(ctx, &r.d.dialer)
	if err != nil {
		r.d.fail("verify: " + err.Error())
		return
	}
	defer c.close()
	ask := func(t *template, w want, arg int64) bool {
		wrong, err := c.ask(t.appendTo, w, r.d.now(), arg)
		if err != nil {
			r.d.fail("verify: " + err.Error())
			return false
		}
		if wrong != "" {
			r.d.wrongSample(Sample{Operation: "verify", Phase: "end", Reason: wrong, Asked: w.asked()})
		}
		return ctx.Err() == nil
	}
	for _, b := range r.fleet.brokers {
		if !ask(b.queryRequest(r.fleet.header, false), &wantUnchanged{b}, b.counter.Load()) {
			return
		}
	}
	step := max(1, len(r.fleet.topics)/maxVerified)
	for i := 0; i < len(r.fleet.topics); i += step {
		t := r.fleet.topics[i]
		if !ask(t.request, t, 0) {
			return
		}
	}
}

// goodbyes is how often unregister takes the brokers away. After the first time a
// server under load may still carry out registrations that it had queued.
const goodbyes = 3

// unregister takes all brokers away again, and makes sure that they are.
func (r *run) unregister(ctx context.Context) {
	c, err := dialCaller(ctx, &r.d.dialer)
	if err != nil {
		r.d.fail("cleanup: " + err.Error())
		return
	}
	defer c.close()
	if r.res.Interrupted {
		c.within = afterInterrupt
	}
	for range goodbyes {
		for _, b := range r.fleet.brokers {
			wrong, err := c.ask(b.unregisterRequest(r.fleet.header).appendTo, &wantSuccess{"unregister " + b.name}, 0, 0)
			if err != nil || ctx.Err() != nil {
				r.d.fail(fmt.Sprintf("cleanup: %v", errors.Join(err, ctx.Err())))
				return
			}
			if wrong != "" {
				r.d.wrongSample(Sample{Operation: "unregister", Phase: "cleanup", Reason: wrong, Asked: b.name})
			}
		}
		// Java answers before it has removed the broker.
		if await(ctx, time.Duration(r.p.Timeout)/goodbyes, func() bool { return r.allGone(c) }) {
			return
		}
	}
	r.d.fail("cleanup: brokers are still in routes after they were unregistered")
}

// allGone looks at one topic of each broker.
func (r *run) allGone(c *caller) bool {
	for _, b := range r.fleet.brokers {
		if len(b.topics) == 0 {
			continue
		}
		if named, err := b.topics[0].isNamed(c, b); err != nil || named {
			return false
		}
	}
	return true
}

func (r *run) closeKeepers() {
	for _, b := range r.regulars {
		b.close(false)
	}
	for _, k := range r.keepers {
		if k.caller != nil {
			k.close()
		}
	}
}
