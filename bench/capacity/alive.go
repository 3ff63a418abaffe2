package capacity

import (
	"context"
	"errors"
	"time"
)

// beatEvery is how often brokers give a sign of life: name servers forget those of which
// they hear nothing for two minutes, and close connections that are silent for so long.
const beatEvery = 20 * time.Second

// alive does something that may take minutes on a busy machine, and lets brokers give signs
// of life meanwhile.
func alive(ctx context.Context, brokers interface{ Beat(context.Context) error }, do func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	beaten := make(chan error, 1)
	go func() {
		for {
			if err := brokers.Beat(ctx); err != nil || ctx.Err() != nil {
				beaten <- err
				return
			}
			sleep(ctx, beatEvery)
		}
	}()
	err := do()
	cancel()
	return errors.Join(err, <-beaten)
}
