package bench

import (
	"context"
	"fmt"
	"net"
	"time"
)

// probes is how many route reads tell the latency at one step.
const probes = 200

// perSource is how many connections one source address makes: a port of it is
// good for one connection to the same server, and there are 28,000.
const perSource = 20_000

func planConnections(r *run) error {
	op := r.addOp(opRoute, false)
	r.parts = []part{{name: "steps", do: func(ctx context.Context) error { return r.idle(ctx, op) }}}
	return nil
}

// idle opens connections step by step and looks at the server after each.
func (r *run) idle(ctx context.Context, op int) error {
	probe, err := dialCaller(ctx, &r.d.dialer)
	if err != nil {
		return err
	}
	defer probe.close()
	conns, open := make([]*caller, r.p.Connections), 0
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.close()
			}
		}
	}()
	rng := r.random(0, 0)
	before := r.meter.read()
	for step := range r.p.Steps {
		from := r.d.now()
		more := share(r.p.Connections, step, r.p.Steps)
		err := dialEach(ctx, more, func(ctx context.Context, i int) (err error) {
			if conns[open+i], err = r.dialIdle(ctx, open+i); err != nil {
				err = fmt.Errorf("connection %d: %w", open+i+1, err)
			}
			return err
		})
		if err != nil {
			return err
		}
		open += more
		s := Step{Connections: open, Seconds: seconds(r.d.now() - from)}
		if err := sleep(ctx, time.Duration(r.p.Duration)); err != nil {
			return err
		}
		latency := new(opStats)
		for range probes {
			t := r.fleet.topics[rng.IntN(len(r.fleet.topics))]
			ns, err := r.probe(probe, t, op)
			if err != nil {
				return err
			}
			latency.record(ns)
		}
		now := r.meter.read()
		s.RSS, s.FDs, s.Latency = now.RSS, now.FDs, latencyOf(latency.latency)
		if now.RSS > before.RSS && open > 0 {
			s.BytesPerConnection = float64(now.RSS-before.RSS) / float64(open)
		}
		r.milMu.Lock()
		r.steps = append(r.steps, s)
		r.milMu.Unlock()
	}
	return r.askSome(conns, op)
}

// probe reads one route and notes how long it took.
func (r *run) probe(c *caller, t *topic, op int) (ns int64, err error) {
	from := r.d.now()
	wrong, err := c.ask(t.request.appendTo, t, from, 0)
	ns = r.d.now() - from
	if err != nil {
		return 0, fmt.Errorf("probe: %w", err)
	}
	if wrong != "" {
		r.d.wrongSample(Sample{Operation: opRoute, Phase: "steps", Reason: wrong, Asked: t.asked()})
		return ns, nil
	}
	r.d.note(1, op, ns)
	return ns, nil
}

// askSome makes sure that connections which were idle are served.
func (r *run) askSome(conns []*caller, op int) error {
	step := max(1, len(conns)/100)
	for i := 0; i < len(conns); i += step {
		if _, err := r.probe(conns[i], r.fleet.topics[0], op); err != nil {
			return fmt.Errorf("idle connection %d is not served: %w", i+1, err)
		}
	}
	return nil
}

// dialIdle opens the i-th connection; on IPv4 loopback from another source
// address every perSource connections.
func (r *run) dialIdle(ctx context.Context, i int) (*caller, error) {
	var from net.Addr
	host, _, _ := net.SplitHostPort(r.d.address)
	if ip := net.ParseIP(host).To4(); ip != nil && ip.IsLoopback() && i >= perSource {
		from = &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i/perSource))}
	}
	conn, err := r.d.dialFrom(ctx, from)
	if err != nil {
		return nil, err
	}
	return newCaller(conn), nil
}
