package bench

import (
	"context"
	"fmt"
	"time"
)

// planRestart kills the server and starts it again. Brokers register as soon as
// it listens, or each on its period.
func planRestart(r *run) error {
	r.survive(event{name: "restart", happen: r.restart})
	return nil
}

func (r *run) restart(ctx context.Context) error {
	r.keepMu.Lock()
	defer r.keepMu.Unlock()
	spent := r.meter.read()
	if err := r.opt.Server.Kill(); err != nil {
		return fmt.Errorf("kill the server: %w", err)
	}
	r.away()
	if err := r.opt.Server.Start(ctx); err != nil {
		return fmt.Errorf("start the server again: %w", err)
	}
	r.meter.follow(r.opt.Server.Target().PID, spent)
	r.watch.pid.Store(int64(r.meter.pid))
	r.milestone("server accepts connections", "restart", r.d.now()-r.begun, true)
	if len(r.regulars) > 0 {
		return nil
	}
	var err error
	registered := await(ctx, time.Duration(r.p.Timeout), func() bool {
		err = r.registerAll(ctx)
		return err == nil
	})
	if !registered {
		return fmt.Errorf("register again: %w", err)
	}
	r.milestone("every broker registered", "restart", r.d.now()-r.begun, true)
	return nil
}
