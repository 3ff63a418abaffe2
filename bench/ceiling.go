package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// measureCeiling runs the main stream against a server that only echoes.
func (r *run) measureCeiling(ctx context.Context) error {
	reply := r.d.sampleReply()
	if r.opt.CeilingFor <= 0 || r.ceiling == nil || reply == nil || r.opt.TLS != nil {
		return nil // the server that only echoes speaks no TLS: it would be another load
	}
	start := r.opt.StartEcho
	if start == nil {
		start = echoHere
	}
	addr, pid, stop, err := start(ctx, reply)
	if err != nil {
		return fmt.Errorf("ceiling: %w", err)
	}
	defer stop()
	s := *r.ceiling
	s.rate, s.pause, s.requests, s.from, s.tolerant, s.fence = 0, 0, 0, 0, false, false
	s.depth = cmp.Or(s.depth, 1)
	r.enterStage("ceiling", r.opt.CeilingFor, 0)
	d := newDriver(addr, r.opt.Seed)
	d.ops, d.streams, d.lenient, d.within = r.ops, []*stream{&s}, true, time.Duration(r.p.Timeout)
	d.phases = []*phase{{name: "warm-up"}, {name: "ceiling"}}
	if err := d.open(ctx, r.opt.Workers); err != nil {
		return fmt.Errorf("ceiling: %w", err)
	}
	c, err := runCeiling(ctx, d, pid, r.opt.CeilingFor)
	d.close()
	if err != nil {
		return fmt.Errorf("ceiling: %w", err)
	}
	c.ReplyBytes, c.Connections, c.Depth = len(reply), s.connections, s.depth
	sum := new(opStats)
	for op := range d.ops {
		sum.add(d.tally(1, op))
	}
	c.PerSecond, c.Latency = float64(sum.answered)/c.Seconds, latencyOf(sum.latency)
	c.GeneratorPerMillion *= 1e6 / float64(max(1, sum.sent))
	c.ServerPerMillion *= 1e6 / float64(max(1, sum.sent))
	r.res.Ceiling = c
	return nil
}

// ceilingPatience bounds the wait for the last replies of a server that only echoes.
const ceilingPatience = 10 * time.Second

// runCeiling drives d; the figures per million are sums still.
func runCeiling(ctx context.Context, d *driver, pid int, length time.Duration) (*Ceiling, error) {
	own, server := meter{pid: os.Getpid(), alone: true}, meter{pid: pid}
	d.enter(0)
	if err := sleep(ctx, length/5); err != nil {
		return nil, err
	}
	if err := errors.Join(own.begin(), server.begin()); err != nil {
		return nil, err
	}
	d.enter(1)
	if err := sleep(ctx, length); err != nil {
		return nil, err
	}
	d.finish(ctx, ceilingPatience)
	return &Ceiling{
		Seconds: seconds(d.phases[1].to - d.phases[1].from), SameProcess: pid == 0,
		GeneratorPerMillion: own.read().CPUSeconds, ServerPerMillion: server.read().CPUSeconds,
	}, nil
}

// sampleReply returns some right reply; the driver is closed.
func (d *driver) sampleReply() []byte {
	for _, w := range d.workers {
		if w.reply != nil {
			return w.reply
		}
	}
	return nil
}
