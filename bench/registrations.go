package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gonamesrv/codec"
)

// A way is one way in which a broker registers. Each has a figure of its own,
// and none stands for another: what is new costs more than what is repeated.
type way struct {
	name    string
	leaves  leaving
	bump    bool    // the data version is new
	changed float64 // percent of its topics
}

// A leaving is how a broker left before it registers.
type leaving int

const (
	stays       leaving = iota // its connection stays, and the server knows it
	saysGoodbye                // it unregistered: the server has never seen it, as far as that knows
	hangsUp                    // it closed its connection
)

var ways = []way{
	{name: "first", leaves: saysGoodbye},
	{name: "returning", leaves: hangsUp},
	{name: "unchanged"},
	{name: "bumped", bump: true},
	{name: "1 % changed", bump: true, changed: 1},
	{name: "all changed", bump: true, changed: 100},
}

func checkRegistrations(p *Params) error {
	if p.Brokers > maxKeepers {
		return fmt.Errorf("brokers is %d, it must be at most %d: each has a connection of its own", p.Brokers, maxKeepers)
	}
	if p.Form != formPlain {
		return fmt.Errorf("form is %q, it must be plain: others cannot be changed and repeated at will", p.Form)
	}
	if p.Topics*p.BrokersPerTopic < p.Brokers {
		return errors.New("each broker needs a topic, by which to see that it has left")
	}
	return nil
}

// planRegistrations lets brokers register one at a time, a phase for each way, so
// that a registration waits for nobody.
func planRegistrations(r *run) error {
	for _, reg := range r.regs {
		for _, t := range reg.versions[0] {
			reg.places = append(reg.places, queuePlaces(t)...)
		}
	}
	first := len(r.ops)
	for i, w := range ways {
		op := r.addOp("register "+w.name, false)
		r.parts = append(r.parts, part{
			name: w.name, beside: w.leaves != stays,
			do: func(ctx context.Context) error { return r.registerOften(ctx, i+1, op, w) },
		})
	}
	r.warm = func(ctx, ending context.Context) error {
		for i := 0; ending.Err() == nil; i++ {
			for j, w := range ways {
				if err := r.registerAs(ctx, 0, first+j, w, r.keepers[i%len(r.keepers)]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return nil
}

// registerOften registers broker after broker in the phase n, for its duration or
// for its share of the counted requests.
func (r *run) registerOften(ctx context.Context, n, op int, w way) error {
	ending, cancel := context.WithTimeout(ctx, time.Duration(r.p.Duration))
	defer cancel()
	for i := 0; ctx.Err() == nil; i++ {
		if r.p.Requests > 0 && i == max(1, r.p.Requests/len(ways)) || r.p.Requests == 0 && i > 0 && ending.Err() != nil {
			break
		}
		if err := r.registerAs(ctx, n, op, w, r.keepers[i%len(r.keepers)]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// registerAs lets the broker of a keeper register once. Its time counts from when
// the request is encoded and the connection open.
func (r *run) registerAs(ctx context.Context, n, op int, w way, k *keeper) error {
	r.keepMu.Lock()
	defer r.keepMu.Unlock()
	reg := k.regs[0]
	if err := r.depart(ctx, w.leaves, k); err != nil {
		return fmt.Errorf("broker %s: %w", reg.b.name, err)
	}
	reg.bump, reg.changing = w.bump, 0
	if w.changed > 0 {
		reg.changing = max(1, int(float64(len(reg.places))*w.changed/100+0.5))
	}
	var from, counter int64
	var kind, wrong string
	reg.restart()
	stray, err := k.do(func(dst []byte, opaque int32) []byte {
		dst, counter, _ = reg.appendNext(dst, opaque)
		from = r.d.now()
		return dst
	}, func(cmd *codec.Command) string {
		kind, wrong = reg.check(cmd, 0, counter)
		return ""
	})
	if err != nil {
		return fmt.Errorf("register %s: %w", reg.b.name, err)
	}
	took := r.d.now() - from
	if wrong += stray; wrong != "" {
		r.d.wrongSample(Sample{Operation: r.ops[op].name, Phase: w.name, Reason: wrong, Asked: reg.asked()})
	}
	r.d.noteReply(n, op, took, Bytes{Sent: uint64(len(k.out)), Received: uint64(k.size)}, kind, wrong != "")
	return nil
}

// depart makes a broker leave, waits until no route names it, and connects anew.
func (r *run) depart(ctx context.Context, how leaving, k *keeper) error {
	if how == stays {
		return nil
	}
	b := k.regs[0].b
	if how == saysGoodbye {
		wrong, err := k.ask(b.unregisterRequest(r.fleet.header).appendTo, &wantSuccess{"unregister " + b.name}, 0, 0)
		if err == nil && wrong != "" {
			err = refusal(wrong)
		}
		if err != nil {
			return fmt.Errorf("unregister: %w", err)
		}
	}
	k.close()
	c, err := dialCaller(ctx, &r.d.dialer)
	if err != nil {
		return err
	}
	k.caller = c
	gone := await(ctx, time.Duration(r.p.Timeout), func() bool {
		named, err := b.topics[0].isNamed(c, b)
		return err == nil && !named
	})
	if !gone {
		return fmt.Errorf("still in routes %v after it left", time.Duration(r.p.Timeout))
	}
	return nil
}
