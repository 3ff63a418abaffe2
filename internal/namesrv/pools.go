package namesrv

import (
	"log/slog"

	"gonamesrv/engine"
)

// A class says which goroutines run a request.
type class uint8

const (
	onLoop        class = iota // the event loop that read it: bounded, lock-free work only
	onClientPool               // Java: ClientRequestExecutor
	onDefaultPool              // Java: RemotingExecutor, which serves all but route requests
)

// pools are the bounded executors. A connection's requests keep their order
// within a pool.
type pools struct {
	client  *engine.Executor
	regular *engine.Executor
}

// newPools sizes the pools as Java does.
// Java: NamesrvController#initiateThreadExecutors.
//
// Differs from Java: what waits is bounded in bytes, too, because a queue of
// 50,000 frames of 16 MiB each is not a bound. Both pools share the half of the
// budget that is for queued work; route requests are small, and have an eighth
// of it to themselves.
func newPools(c *Config, b *engine.Budget, log *slog.Logger) *pools {
	eighth := b.Limit() / 2 / 8
	return &pools{
		client: engine.NewExecutor(engine.ExecutorOptions{
			Name:     "client",
			Workers:  c.ClientRequestThreadPoolNums,
			Queue:    c.ClientRequestThreadPoolQueueCapacity,
			MaxBytes: eighth,
			Budget:   b,
			Logger:   log,
		}),
		regular: engine.NewExecutor(engine.ExecutorOptions{
			Name:     "default",
			Workers:  c.DefaultThreadPoolNums,
			Queue:    c.DefaultThreadPoolQueueCapacity,
			MaxBytes: 7 * eighth,
			Budget:   b,
			Logger:   log,
		}),
	}
}

// of returns the executor of a class other than onLoop.
func (p *pools) of(c class) *engine.Executor {
	if c == onClientPool {
		return p.client
	}
	return p.regular
}

func (p *pools) close() {
	p.client.Close()
	p.regular.Close()
}
