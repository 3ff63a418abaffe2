package bench

import (
	"context"
	"fmt"
	"time"
)

func planRestart(r *run) error {
	r.addReaders().tolerant = true
	r.parts = []part{{name: "before"}, {name: "restart", do: r.restart}, {name: "after"}}
	return nil
}

// restart kills the server and starts it again, registers the brokers as soon
// as it listens, and waits until every route is back.
func (r *run) restart(ctx context.Context) error {
	for _, b := range r.fleet.brokers {
		r.fleet.set(b, brokerMoving, r.d.now())
	}
	r.keepMu.Lock()
	defer r.keepMu.Unlock()
	killed := r.d.now()
	spent := r.meter.read()
	if err := r.opt.Server.Kill(); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	if err := r.opt.Server.Start(ctx); err != nil {
		return fmt.Errorf("start the server again: %w", err)
	}
	r.meter.follow(r.opt.Server.Target().PID, spent)
	r.watch.pid.Store(int64(r.meter.pid))
	mark := func(name string, reached bool) { r.milestone(name, "kill", r.d.now()-killed, reached) }
	mark("server accepts connections", true)
	timeout := time.Duration(r.p.Timeout)
	var err error
	registered := await(ctx, timeout, func() bool {
		err = r.registerAll(ctx)
		return err == nil
	})
	if !registered {
		return fmt.Errorf("register again: %w", err)
	}
	mark("every broker registered", true)
	back, err := r.everyRoute(ctx, timeout)
	if err != nil {
		return err
	}
	mark("every route back", back)
	return ctx.Err()
}

// everyRoute waits until every topic has its whole route.
func (r *run) everyRoute(ctx context.Context, timeout time.Duration) (bool, error) {
	c, err := dialCaller(ctx, r.d.address)
	if err != nil {
		return false, err
	}
	defer c.close()
	for _, t := range r.fleet.topics {
		ok := await(ctx, timeout, func() bool {
			wrong, err := c.ask(t.request.appendTo, t, r.d.now(), 0)
			return err == nil && wrong == ""
		})
		if !ok {
			return false, ctx.Err()
		}
	}
	return true, nil
}
