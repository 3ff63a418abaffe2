package bench

import (
	"context"
	"time"
)

// RunKeeping is Run with keepers that speak so often. When everybody is connected they
// have been silent for so long.
func RunKeeping(ctx context.Context, sc Scenario, opt Options, every, silent time.Duration) (*Result, error) {
	r, err := newRun(ctx, sc, opt, nil)
	if err != nil {
		return nil, err
	}
	r.keepEvery = every
	r.opt.Ready = func(context.Context) error {
		r.spoken.Store(r.d.now() - int64(silent))
		return nil
	}
	return r.result(ctx)
}
