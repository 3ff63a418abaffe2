package engine

import "time"

// An InForce is what [Options], their defaults and the machine come to.
type InForce struct {
	Loops                    int   // event loops
	MaxConnections           int   // 0: no limit
	MaxConnectionsPerAddress int   // 0: no limit
	RequestsPerAddress       int   // a second, 0: no limit
	MaxFrame                 int   // bytes, the length field included
	BudgetBytes              int64 // Budget.Limit
}

// InForce returns the limits of an engine that runs. Not before Options.Started:
// how many connections there may be is only known then. Safe from any goroutine.
func (e *Engine) InForce() InForce {
	return InForce{
		Loops:                    len(e.loops),
		MaxConnections:           int(e.maxConnections),
		MaxConnectionsPerAddress: e.o.MaxConnectionsPerAddress,
		RequestsPerAddress:       e.o.RequestsPerAddress,
		MaxFrame:                 e.o.MaxFrame,
		BudgetBytes:              e.o.Budget.Limit(),
	}
}

// An ExecutorInForce is what [ExecutorOptions] and their defaults come to.
type ExecutorInForce struct {
	Workers int
	Levels  []LevelInForce
}

// A LevelInForce is what a [Level] and its defaults come to.
type LevelInForce struct {
	Workers  int
	Queue    int           // tasks that may wait
	MaxBytes int64         // bytes their frames may hold
	Target   time.Duration // 0: none
}

// InForce returns the limits. Safe from any goroutine.
func (x *Executor) InForce() ExecutorInForce {
	f := ExecutorInForce{Workers: x.o.Workers}
	for i := range x.levels {
		l := &x.levels[i]
		f.Levels = append(f.Levels, LevelInForce{l.workers, int(l.queue), l.maxBytes, l.codel.target})
	}
	return f
}
