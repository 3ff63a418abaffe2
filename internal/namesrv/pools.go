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

// queuedBytes bounds what the frames waiting in one pool may hold, because a
// queue of 50,000 frames of 16 MiB each is not a bound.
const queuedBytes = 256 << 20

// pools are the bounded executors. A connection's requests keep their order
// within a pool.
type pools struct {
	client  *engine.Executor
	regular *engine.Executor
}

// newPools sizes the pools as Java does.
// Java: NamesrvController#initiateThreadExecutors.
func newPools(c *Config, log *slog.Logger) *pools {
	return &pools{
		client: engine.NewExecutor(engine.ExecutorOptions{
			Name:     "client",
			Workers:  c.ClientRequestThreadPoolNums,
			Queue:    c.ClientRequestThreadPoolQueueCapacity,
			MaxBytes: queuedBytes,
			Logger:   log,
		}),
		regular: engine.NewExecutor(engine.ExecutorOptions{
			Name:     "default",
			Workers:  c.DefaultThreadPoolNums,
			Queue:    c.DefaultThreadPoolQueueCapacity,
			MaxBytes: queuedBytes,
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
