package bench

import (
	"context"
	"fmt"
	"time"

	"gonamesrv/codec"
)

// A Registrar plays the brokers of a scenario for somebody who measures what they cost the
// server: each has a connection of its own, and registers when it is told to. Whoever wants
// readers too runs the same scenario as a Part, with the same seed. For one goroutine.
type Registrar struct {
	fleet   *fleet
	dialer  dialer
	regs    []*registered
	callers []*caller // by broker; nil before its first registration
}

// NewRegistrar lays out the brokers of sc, and connects none.
func NewRegistrar(sc Scenario, address string, seed uint64) (*Registrar, error) {
	if err := sc.Validate(); err != nil {
		return nil, err
	}
	r := &Registrar{fleet: newFleet(sc.Params, seed)}
	r.dialer.address, r.dialer.within = address, time.Duration(sc.Params.Timeout)
	begun := time.Now()
	r.fleet.now = func() int64 { return int64(time.Since(begun)) }
	for _, b := range r.fleet.brokers {
		r.regs = append(r.regs, &registered{registration: newRegistration(r.fleet, b, false, 0), f: r.fleet, now: r.fleet.now})
	}
	r.callers = make([]*caller, len(r.regs))
	return r, nil
}

// Register lets each broker register, one after the other, and returns the bytes of all
// their requests. With bump each has a new data version, but for its first time.
func (r *Registrar) Register(ctx context.Context, bump bool) (bytes int, err error) {
	for i, reg := range r.regs {
		if ctx.Err() != nil {
			return bytes, ctx.Err()
		}
		if r.callers[i] == nil {
			if r.callers[i], err = dialCaller(ctx, &r.dialer); err != nil {
				return bytes, fmt.Errorf("broker %s: %w", reg.b.name, err)
			}
		}
		reg.bump = bump
		if err := reg.callOver(r.callers[i]); err != nil {
			return bytes, err
		}
		r.callers[i].out = nil // of a broker with many topics it is large
		for _, part := range reg.versions[reg.version] {
			bytes += len(part.frame)
		}
	}
	return bytes, nil
}

// Beat lets each broker that has a connection give a sign of life: it asks whether the
// server knows its data version. Nothing but AskAll and Whole may be called meanwhile.
func (r *Registrar) Beat(ctx context.Context) error {
	for i, c := range r.callers {
		if ctx.Err() != nil || c == nil {
			continue
		}
		b := r.regs[i].b
		wrong, err := c.ask(b.queryRequest(r.fleet.header, false).appendTo, &wantUnchanged{b}, 0, b.counter.Load())
		if err == nil && wrong != "" {
			err = refusal(wrong)
		}
		if err != nil {
			return fmt.Errorf("sign of life of %s: %w", b.name, err)
		}
	}
	return nil
}

// Unregister takes all brokers away again, those that have a connection.
func (r *Registrar) Unregister(ctx context.Context) error {
	for i, c := range r.callers {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if c == nil {
			continue
		}
		b := r.regs[i].b
		wrong, err := c.ask(b.unregisterRequest(r.fleet.header).appendTo, &wantSuccess{"unregister " + b.name}, 0, 0)
		if err == nil && wrong != "" {
			err = refusal(wrong)
		}
		if err != nil {
			return fmt.Errorf("unregister %s: %w", b.name, err)
		}
	}
	return nil
}

// AskAll asks for the route of every topic once, sweepDepth at a time over each of a few
// connections of its own, and returns how many routes are not whole.
func (r *Registrar) AskAll(ctx context.Context) (lacking int, err error) {
	s := &sweeper{lacking: func() {}}
	defer s.close()
	for range sweepConnections {
		c, err := dialCaller(ctx, &r.dialer)
		if err != nil {
			return 0, err
		}
		s.callers = append(s.callers, c)
	}
	still, err := s.ask(r.fleet.topics)
	return len(still), err
}

// Whole asks for one route, over a connection of its own, and reports whether it is whole.
func (r *Registrar) Whole(ctx context.Context) (whole bool) {
	c, err := dialCaller(ctx, &r.dialer)
	if err != nil {
		return false
	}
	defer c.close()
	t := r.fleet.topics[len(r.fleet.topics)/2]
	_, err = c.do(t.request.appendTo, func(cmd *codec.Command) string {
		whole = t.isWhole(cmd)
		return ""
	})
	return err == nil && whole
}

// Close closes the connections of all brokers. They may register again, over new ones.
func (r *Registrar) Close() {
	for i, c := range r.callers {
		if c != nil {
			c.close()
			r.callers[i] = nil
		}
	}
}
