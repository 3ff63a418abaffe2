package bench

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// registerWithin is how long a broker waits for the answer to a registration
// before it closes the connection. Java: BrokerConfig#registerBrokerTimeoutMills.
const registerWithin = 24 * time.Second

// A regular is a broker that registers once a period, over a connection of its
// own, and does nothing in between: not even when its connection breaks. Real
// brokers are like that.
type regular struct {
	reg    *registered
	silent atomic.Bool   // its frames do not reach the server, nor the server's it
	left   atomic.Int64  // when the last registration that was accepted left, in the run's nanoseconds
	missed atomic.Uint64 // registrations that were not accepted

	mu   sync.Mutex // guards conn
	conn *caller    // nil while there is none
}

// addRegulars lets each broker register on its own once a period.
func (r *run) addRegulars() {
	for _, reg := range r.regs {
		r.regulars = append(r.regulars, &regular{reg: reg})
	}
}

// registerRegulars registers all of them, a few at a time.
func (r *run) registerRegulars(ctx context.Context) error {
	var wg sync.WaitGroup
	errs := make(chan error, len(r.regulars))
	n := min(len(r.regulars), maxKeepers)
	for i := range n {
		wg.Go(func() {
			for j := i; j < len(r.regulars) && ctx.Err() == nil; j += n {
				if err := r.regulars[j].register(ctx, r); err != nil {
					errs <- err
					return
				}
				r.ready.Add(1)
			}
		})
	}
	wg.Wait()
	close(errs)
	return errors.Join(<-errs, ctx.Err())
}

// keepRegulars lets them register on, spread evenly over the period, until the
// function it returns is called.
func (r *run) keepRegulars() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	period := time.Duration(r.p.Period)
	begun := time.Now()
	for i, b := range r.regulars {
		first := begun.Add(period * time.Duration(i+1) / time.Duration(len(r.regulars)))
		wg.Go(func() {
			for next := first; sleep(ctx, time.Until(next)) == nil; next = next.Add(period) {
				if b.silent.Load() {
					continue
				}
				_ = b.register(ctx, r) // it tries again a period later, and missed counts
			}
		})
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

// register registers once, over the connection that is there or a new one. A
// connection that turns out to be closed is made anew at once: real brokers
// notice when the server closes it.
func (b *regular) register(ctx context.Context, r *run) error {
	for {
		c, fresh, err := b.connection(ctx, &r.d.dialer, time.Duration(r.p.Timeout))
		if err != nil {
			b.missed.Add(1)
			return err
		}
		from := r.d.now()
		if err = b.reg.callOver(c); err == nil {
			b.left.Store(from)
			return nil
		}
		var refused refusal
		if errors.As(err, &refused) {
			b.missed.Add(1)
			return err
		}
		b.close(false)
		var timeout net.Error
		if fresh || ctx.Err() != nil || errors.As(err, &timeout) && timeout.Timeout() {
			b.missed.Add(1)
			return err
		}
	}
}

// connection returns the broker's connection, and whether it was made just now.
// A registration over a new one is given up within so long.
func (b *regular) connection(ctx context.Context, d *dialer, within time.Duration) (c *caller, fresh bool, err error) {
	b.mu.Lock()
	c = b.conn
	b.mu.Unlock()
	if c != nil {
		return c, false, nil
	}
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, false, err
	}
	c = newCaller(conn)
	c.within = min(registerWithin, within)
	b.mu.Lock()
	b.conn = c
	b.mu.Unlock()
	return c, true, nil
}

// close closes the connection, if there is one: with FIN, or with RST.
func (b *regular) close(reset bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn == nil {
		return
	}
	if reset {
		b.conn.reset()
	} else {
		b.conn.close()
	}
	b.conn = nil
}

// registeredSince reports whether every broker has registered at or after a
// moment.
func (r *run) registeredSince(moment int64) bool {
	for _, b := range r.regulars {
		if b.left.Load() < moment {
			return false
		}
	}
	return true
}

// missedRegistrations are those of all regulars.
func (r *run) missedRegistrations() (n uint64) {
	for _, b := range r.regulars {
		n += b.missed.Load()
	}
	return n
}
