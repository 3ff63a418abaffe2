package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// The ways in which a broker dies.
const (
	deathClose   = "close"   // it says goodbye to TCP: FIN
	deathKill    = "kill"    // RST
	deathSilence = "silence" // its connection stays, and nothing comes
	deathAll     = "all"

	leastOfAllDeaths = 6 // brokers: every other one dies, of three causes
)

// silentTimeout is the heartbeat timeout of brokers that are going to fall
// silent. Servers before 5.0 do not know such a timeout and wait two minutes.
const silentTimeout = time.Second

// lifeUpTo is how long a broker lives at most before it dies.
const lifeUpTo = 200 * time.Millisecond

func checkChurn(p *Params) error {
	if !slices.Contains([]string{deathClose, deathKill, deathSilence, deathAll}, p.Death) {
		return fmt.Errorf("death is %q, it must be close, kill, silence or all", p.Death)
	}
	if p.Death == deathAll && p.Brokers < leastOfAllDeaths {
		return fmt.Errorf("brokers is %d, it must be at least %d: every other one dies, of three causes", p.Brokers, leastOfAllDeaths)
	}
	if p.Brokers < 2 {
		return errors.New("brokers must be at least 2: every other one dies")
	}
	return nil
}

func planChurn(r *run) error {
	r.addReaders()
	deaths := []string{r.p.Death}
	if r.p.Death == deathAll {
		deaths = []string{deathClose, deathKill, deathSilence}
	}
	var mortals []*mortal
	back := r.addOp("back in routes", false)
	gone := map[string]int{}
	for _, d := range deaths {
		gone[d] = r.addOp("gone after "+d, false)
	}
	for i, reg := range r.regs {
		if i%2 == 1 {
			continue // the others live, so that most topics keep a route
		}
		m := &mortal{r: r, reg: reg, death: deaths[i/2%len(deaths)], back: back, rng: r.random(1000, i)}
		m.gone = gone[m.death]
		reg.mortal = true
		mortals = append(mortals, m)
	}
	r.parts = []part{{name: "measured", do: func(ctx context.Context) error { return r.churn(ctx, mortals) }}}
	return nil
}

// churn lets brokers die and come back for the duration, and in the end has
// all of them back.
func (r *run) churn(ctx context.Context, mortals []*mortal) error {
	ending, cancel := context.WithTimeout(ctx, time.Duration(r.p.Duration))
	defer cancel()
	var wg sync.WaitGroup
	errs := make(chan error, len(mortals))
	for _, m := range mortals {
		wg.Go(func() {
			if err := m.live(ctx, ending); err != nil {
				errs <- fmt.Errorf("broker %s: %w", m.reg.b.name, err)
			}
		})
	}
	wg.Wait()
	close(errs)
	return errors.Join(<-errs, ctx.Err())
}

// A mortal is a broker that dies and comes back.
type mortal struct {
	r          *run
	reg        *registered
	death      string
	gone, back int // operations
	rng        *rand.Rand
	poller     *caller
}

// live goes through lives until ending is done; ctx ends everything.
func (m *mortal) live(ctx, ending context.Context) (err error) {
	timeout := time.Duration(m.r.p.Timeout)
	if m.poller, err = dialCaller(ctx, &m.r.d.dialer); err != nil {
		return err
	}
	defer m.poller.close()
	reg := m.reg
	if m.death == deathSilence {
		reg.b.timeoutMillis = silentTimeout.Milliseconds()
		reg = &registered{registration: newRegistration(m.r.fleet, reg.b, false, 0), f: reg.f, now: reg.now}
	}
	for first := true; first || ending.Err() == nil; first = false {
		if err := m.once(ctx, ending, reg, timeout); err != nil {
			return err
		}
	}
	// As it was in the beginning: registered over its keeper's connection.
	m.r.keepMu.Lock()
	defer m.r.keepMu.Unlock()
	for _, k := range m.r.keepers {
		if slices.Contains(k.regs, m.reg) {
			return m.reg.callOver(k.caller)
		}
	}
	return nil
}

// once is one life and death.
func (m *mortal) once(ctx, ending context.Context, reg *registered, timeout time.Duration) error {
	r, b := m.r, reg.b
	own, err := dialCaller(ctx, &r.d.dialer)
	if err != nil {
		return err
	}
	defer own.close()
	from := r.d.now()
	if err := reg.callOver(own); err != nil {
		return err
	}
	if !await(ctx, timeout, func() bool { return m.named(b.topics[:min(1, len(b.topics))], true) }) {
		return fmt.Errorf("not back in routes within %v after it registered", timeout)
	}
	r.d.note(1, m.back, r.d.now()-from)

	_ = sleep(ending, time.Duration(m.rng.Int64N(int64(lifeUpTo))))
	r.fleet.set(b, brokerMoving, r.d.now())
	from = r.d.now()
	switch m.death {
	case deathClose:
		own.close()
	case deathKill:
		own.reset()
	case deathSilence:
		// A life that ends after the run is not measured.
		if !await(ending, time.Hour, func() bool { return m.named(b.topics[:min(1, len(b.topics))], false) }) {
			return nil
		}
	}
	if !await(ctx, timeout, func() bool { return m.named(b.topics[:min(1, len(b.topics))], false) }) {
		return fmt.Errorf("still in routes %v after %s", timeout, m.death)
	}
	r.d.note(1, m.gone, r.d.now()-from)
	if !await(ctx, timeout, func() bool { return m.named(b.topics, false) }) {
		return fmt.Errorf("in some routes still %v after %s", timeout, m.death)
	}
	r.fleet.set(b, brokerGone, r.d.now())
	// The broker is gone and comes back now. Until it is back, routes with and
	// without it are right.
	_ = sleep(ending, time.Duration(m.rng.Int64N(int64(lifeUpTo))))
	r.fleet.set(b, brokerMoving, r.d.now())
	return nil
}

// named reports whether the routes of all topics name the broker, or none does.
func (m *mortal) named(topics []*topic, want bool) bool {
	for _, t := range topics {
		named, err := t.isNamed(m.poller, m.reg.b)
		if err != nil || named != want {
			return false
		}
	}
	return true
}
