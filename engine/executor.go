package engine

import (
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/bytebufferpool"
)

const (
	// turnTasks is how many tasks of a connection a worker runs before it
	// turns to the next connection.
	turnTasks = 64

	// turnTime is how long a worker keeps finished replies back in the hope
	// of more to send with them.
	turnTime = time.Millisecond

	// leastShare is how many tasks of one connection may wait in any case, if
	// the queue has so many places.
	leastShare = 256

	defaultQueue    = 10_000
	defaultMaxBytes = 256 << 20
)

// A Task is a request to be served by a worker: as [Handler].Serve, and the
// same rules, but it may take its time. frame is borrowed until it returns.
type Task func(c Conn, frame, out []byte) []byte

// ExecutorOptions are the knobs of an [Executor].
type ExecutorOptions struct {
	// Name is what the log calls it.
	Name string

	// Workers is the number of goroutines. 0 or less: 1.
	// (Java: clientRequestThreadPoolNums, defaultThreadPoolNums)
	Workers int

	// Queue is how many tasks may wait; those that run are not counted.
	// 0 or less: 10,000. (Java: clientRequestThreadPoolQueueCapacity,
	// defaultThreadPoolQueueCapacity)
	Queue int

	// MaxBytes is how many bytes of memory the frames of waiting and running
	// tasks may occupy. A frame that is larger is let in when it is alone.
	// 0 or less: 256 MiB.
	MaxBytes int64

	// Budget bounds the frames of all executors that share it. nil: one of
	// this executor's own, 1 GiB.
	Budget *Budget

	// Logger receives the panics of tasks. nil: nobody.
	Logger *slog.Logger
}

// An Executor runs tasks on a fixed number of workers with a bounded queue.
// The tasks of one connection run in the order they were submitted and never
// two at a time; those of different connections run in parallel. After 64
// tasks of one connection it is the next connection's turn.
//
// All methods are safe from any goroutine.
type Executor struct {
	o    ExecutorOptions
	bufs buffers
	jobs sync.Pool

	depth     atomic.Int64
	bytes     atomic.Int64
	running   atomic.Int64
	completed atomic.Uint64
	rejected  atomic.Uint64
	panics    atomic.Uint64

	workers sync.WaitGroup

	mu      sync.Mutex // guards the following and the lanes
	work    *sync.Cond // signalled when ready grows, broadcast on close
	ready   laneQueue
	idle    int // workers in work.Wait
	closed  bool
	foreign map[Conn]*lane
}

// ExecutorStats is a reading of an executor's counters.
type ExecutorStats struct {
	Depth     int    // tasks waiting
	Running   int    // tasks being run
	Bytes     int64  // memory of the frames of both
	Completed uint64 // tasks that have run
	Rejected  uint64 // tasks refused by Submit
	Panics    uint64 // panics of tasks and posts
}

// NewExecutor starts the workers. Close stops them.
func NewExecutor(o ExecutorOptions) *Executor {
	if o.Workers <= 0 {
		o.Workers = 1
	}
	if o.Queue <= 0 {
		o.Queue = defaultQueue
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.Budget == nil {
		o.Budget = NewBudget(0)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	x := &Executor{o: o, foreign: make(map[Conn]*lane)}
	x.jobs.New = func() any { return new(job) }
	x.work = sync.NewCond(&x.mu)
	for range o.Workers {
		x.workers.Go(x.run)
	}
	return x
}

// Submit copies frame and queues t to be run with it. It never waits: it
// returns false, and nothing is queued, when Queue tasks or MaxBytes bytes are
// there already, a quarter of Queue (and 256) for c alone, or the half of Budget that is
// for queued work; and after Close. What t appends to its out is sent to c; the
// replies of tasks that are run together leave together.
//
// A task once queued is run even if its connection has died meanwhile, only
// its reply goes nowhere. A panic in it closes its connection.
func (x *Executor) Submit(c Conn, frame []byte, t Task) bool {
	if x.depth.Add(1) > int64(x.o.Queue) || !x.reserve(len(frame)) {
		x.depth.Add(-1)
		x.rejected.Add(1)
		return false
	}
	j := x.jobs.Get().(*job)
	j.task = t
	j.frame = x.bufs.get(len(frame))
	j.frame.B = append(j.frame.B, frame...)
	x.bytes.Add(int64(cap(j.frame.B) - len(frame)))
	x.o.Budget.queued.Add(int64(cap(j.frame.B) - len(frame)))
	if !x.enqueue(c, j) {
		x.depth.Add(-1)
		x.rejected.Add(1)
		x.release(j)
		return false
	}
	return true
}

// Post runs f on a worker after every task submitted for c before. It is never
// refused, so it is for what happens once in the life of a connection, as its
// end. After Close it does nothing.
func (x *Executor) Post(c Conn, f func()) {
	j := x.jobs.Get().(*job)
	j.post = f
	if !x.enqueue(c, j) {
		x.release(j)
	}
}

// Close refuses new work, runs what is queued and returns when the workers
// have ended. (Java: ThreadPoolExecutor#shutdown, which also runs what is
// queued.) It must not be called by a task.
func (x *Executor) Close() {
	x.mu.Lock()
	x.closed = true
	x.work.Broadcast()
	x.mu.Unlock()
	x.workers.Wait()
}

// Stats returns the counters.
func (x *Executor) Stats() ExecutorStats {
	return ExecutorStats{
		Depth:     int(x.depth.Load()),
		Running:   int(x.running.Load()),
		Bytes:     x.bytes.Load(),
		Completed: x.completed.Load(),
		Rejected:  x.rejected.Load(),
		Panics:    x.panics.Load(),
	}
}

// reserve counts n bytes in, if there is room for them or nothing else there.
func (x *Executor) reserve(n int) bool {
	if total := x.bytes.Add(int64(n)); total > x.o.MaxBytes && total > int64(n) ||
		!x.o.Budget.take(&x.o.Budget.queued, n) {
		x.bytes.Add(-int64(n))
		return false
	}
	return true
}

// share is how many tasks of one connection may wait. One that pipelines
// thousands must not take the queue from the others.
func (o *ExecutorOptions) share() int { return max(o.Queue/4, min(o.Queue, leastShare)) }

// enqueue puts j into c's lane, and the lane into the run queue unless it is
// there or with a worker. It reports false if c has its share in the queue, and
// after Close.
func (x *Executor) enqueue(c Conn, j *job) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return false
	}
	ln := x.laneLocked(c)
	if j.post == nil && ln.waiting >= x.o.share() {
		return false
	}
	ln.push(j)
	if ln.busy {
		return true
	}
	ln.busy = true
	x.ready.push(ln)
	if x.idle > 0 {
		x.work.Signal()
	}
	return true
}

// run is a worker.
func (x *Executor) run() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for {
		for x.ready.head == nil {
			if x.closed {
				return
			}
			x.idle++
			x.work.Wait()
			x.idle--
		}
		ln := x.ready.pop()
		jobs := ln.take(turnTasks)
		x.mu.Unlock()
		x.serve(ln.c, jobs)
		x.mu.Lock()
		x.doneLocked(ln)
	}
}

// doneLocked puts a served lane at the end of the run queue, or aside.
func (x *Executor) doneLocked(ln *lane) {
	if ln.head != nil {
		x.ready.push(ln)
		return
	}
	ln.busy = false
	if _, own := ln.c.(*conn); !own {
		delete(x.foreign, ln.c)
	}
}

// serve runs the jobs of one connection, one after the other, and sends their
// replies together.
func (x *Executor) serve(c Conn, jobs *job) {
	pool := &x.bufs
	own, _ := c.(*conn)
	if own != nil {
		pool = &own.e.bufs // so that the connection can take the buffer over
	}
	out := pool.getReply()
	started := time.Now()
	for j := jobs; j != nil; {
		next := j.next
		x.runJob(c, j, out)
		x.release(j)
		j = next
		if len(out.B) == 0 ||
			j != nil && len(out.B) < flushSize && time.Since(started) < turnTime {
			continue
		}
		if own == nil {
			c.Send(out.B)
		} else if own.give(out) {
			out = pool.getReply()
		}
		out.B = out.B[:0]
	}
	pool.put(out)
}

// runJob runs one job. A panic loses the job's own reply, not those before it.
func (x *Executor) runJob(c Conn, j *job, out *bytebufferpool.ByteBuffer) {
	defer func() {
		if p := recover(); p != nil {
			x.panics.Add(1)
			x.o.Logger.Error("task panicked", "executor", x.o.Name, "conn", c.ID(), "remote", c.RemoteAddr(),
				"panic", p, "stack", string(debug.Stack()))
			c.Close(ErrPanic)
		}
	}()
	if j.post != nil {
		j.post()
		return
	}
	x.depth.Add(-1)
	x.running.Add(1)
	defer func() {
		x.running.Add(-1)
		x.completed.Add(1)
	}()
	out.B = j.task(c, j.frame.B, out.B)
}

// release returns a job's memory.
func (x *Executor) release(j *job) {
	if j.frame != nil {
		x.bytes.Add(-int64(cap(j.frame.B)))
		x.o.Budget.queued.Add(-int64(cap(j.frame.B)))
		x.bufs.put(j.frame)
	}
	*j = job{}
	x.jobs.Put(j)
}
