package namesrv

import (
	"log/slog"
	"time"

	"gonamesrv/engine"
)

// A class says which goroutines run a request, and before which others.
type class uint8

const (
	onLoop       class = iota // the event loop that read it: bounded, lock-free work only
	onClientPool              // Java: ClientRequestExecutor

	// The rest is the default pool. Java: RemotingExecutor, where all wait in
	// one queue.

	asLiveness // how brokers find out who of their set is alive
	asChange   // what brokers say of themselves
	asAdmin    // what people and their tools ask
	asDisk     // what waits for the disk
)

// classPlaces is where the requests of a class are served, as people are told.
var classPlaces = [...]string{
	onLoop:       "event loop",
	onClientPool: "client pool",
	asLiveness:   "default pool, liveness",
	asChange:     "default pool, change",
	asAdmin:      "default pool, admin",
	asDisk:       "default pool, disk",
}

// classNames are the classes of requests that wait for workers, for short.
var classNames = [...]string{
	onClientPool: "client",
	asLiveness:   "liveness",
	asChange:     "change",
	asAdmin:      "admin",
	asDisk:       "disk",
}

func (k class) String() string { return classPlaces[k] }

// lessQueuedBytes is what the frames may hold that wait in a class that is not
// urgent.
const lessQueuedBytes = 32 << 20

// How long a request of a class should wait at most. While for 100 ms more wait than
// are done in that time, new ones are answered SYSTEM_BUSY beyond what is done in twice
// that time, or four times for connections of which none waits.
// Benchmarks have their own.
var (
	livenessTarget = 50 * time.Millisecond
	adminTarget    = 200 * time.Millisecond
)

// pools are the bounded executors. A connection's requests keep their order
// within a pool, whatever their classes.
type pools struct {
	client  *engine.Executor
	regular *engine.Executor
}

// newPools sizes the pools as Java does.
// Java: NamesrvController#initiateThreadExecutors.
//
// Differs from Java: the queue of that size is for the changes; liveness, admin
// and disk have smaller ones beside it, and liveness and admin take no more than
// is done soon while theirs does not get shorter. At most half of the workers serve
// admin and disk, and one of these disk. And what waits is bounded in bytes, too,
// because a queue of 50,000 frames of 16 MiB each is not a bound. Both pools share
// the half of the budget that is for queued work; route requests are small, and
// have an eighth of it to themselves.
func newPools(c *Config, b *engine.Budget, log *slog.Logger) *pools {
	quarter := max(1, c.DefaultThreadPoolQueueCapacity/4)
	eighth := b.Limit() / 2 / 8
	less := min(lessQueuedBytes, eighth)
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
			Levels: []engine.Level{
				{Queue: quarter, MaxBytes: less, Target: livenessTarget},
				{}, // no target: after a restart the queue is seconds long, and all of it is needed
				{Queue: quarter, MaxBytes: less, Workers: max(1, c.DefaultThreadPoolNums/2), Turn: 1, Target: adminTarget},
				{Queue: quarter, MaxBytes: less, Workers: 1, Turn: 1},
			},
			Logger: log,
		}),
	}
}

// submit queues a frame for t, if its class has room. Not for onLoop.
func (p *pools) submit(k class, c engine.Conn, frame []byte, t engine.Task) bool {
	if k == onClientPool {
		return p.client.Submit(c, frame, t)
	}
	return p.regular.SubmitAt(int(k-asLiveness), c, frame, t)
}

// close runs what is queued and reports whether that has ended within d.
func (p *pools) close(d time.Duration) bool {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.client.Close()
		p.regular.Close()
	}()
	select {
	case <-ended:
		return true
	case <-time.After(d):
		return false
	}
}
