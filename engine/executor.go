package engine

import (
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/bytebufferpool"

	"gonamesrv/internal/meter"
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

	// overtakes is how often a level that could run is passed over before it
	// is its turn.
	overtakes = 16
)

// A Task is a request to be served by a worker: as [Handler].Serve, and the
// same rules, but it may take its time. frame is borrowed until it returns.
// arrived is when the turn began whose Serve has submitted it: what the clock
// has gone on since then is how long the task has waited.
type Task func(c Conn, arrived time.Duration, frame, out []byte) []byte

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
	// Levels are the classes of tasks, the most urgent first. None: one, with
	// the values above.
	Levels []Level

	// Logger receives the panics of tasks. nil: nobody.
	Logger *slog.Logger
}

// A Level is a class of the tasks of an [Executor]. Each has a queue of its
// own, so that none can fill another's; the workers are shared.
type Level struct {
	// Workers is how many tasks of this level and those below may run at the
	// same time, which is what keeps a worker free for those above. 0: all.
	Workers int

	// Queue and MaxBytes are those of the level. 0: the executor's.
	Queue    int
	MaxBytes int64

	// Turn is how many tasks of a connection a worker runs before it looks
	// for something more urgent. 0: 64.
	Turn int

	// Target is how long a task should wait at most. When for 100 ms more tasks
	// wait than are done in that time, the level refuses new ones: it then holds as
	// many as are done in twice the target, or in four times the target for
	// connections of which no task waits. It is for questions that are asked again
	// and are of little use when they are old, not for tasks that must be done
	// however long the queue is. 0: nothing is refused for that.
	Target time.Duration
}

// An Executor runs tasks on a fixed number of workers with bounded queues.
// The tasks of one connection run in the order they were submitted, whatever
// their levels, and never two at a time; those of different connections run in
// parallel. A worker takes the connection that has waited longest among those
// whose next task has the most urgent level. A level that is passed over 16
// times comes next, so that none starves.
//
// All methods are safe from any goroutine.
type Executor struct {
	o    ExecutorOptions
	bufs buffers
	jobs sync.Pool

	levels    []level
	completed atomic.Uint64
	panics    atomic.Uint64
	panicLog  sparingLog

	workers sync.WaitGroup

	mu     sync.Mutex // guards the following, the lanes and their queues
	work   *sync.Cond // signalled when there is work to take, broadcast on close
	idle   int        // workers in work.Wait
	closed bool
}

// ExecutorStats is a reading of an executor's counters.
type ExecutorStats struct {
	Depth     int    // tasks waiting
	Running   int    // tasks being run
	Bytes     int64  // memory of the frames of both
	Completed uint64 // tasks that have run
	Rejected  uint64 // tasks refused by Submit
	Panics    uint64 // panics of tasks and posts

	Levels []LevelStats
}

// LevelStats are the counters of one level.
type LevelStats struct {
	Depth    int
	Running  int
	Bytes    int64
	Rejected uint64
	Shed     uint64 // of Rejected, those that Level.Target was the reason for
	Limit    int    // tasks that may wait now for that reason; 0: as many as Queue says
}

// LevelMeters are the times of the tasks of one level that have begun or have run, in
// nanoseconds, less the pauses of the process. No number of them ever decreases.
type LevelMeters struct {
	Wait    meter.Reading // from the beginning of the turn in which a task was submitted until it runs
	Service meter.Reading // from then to its end, panics too
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
	x := &Executor{o: o, levels: newLevels(o)}
	x.bufs.keepLess(o.Budget)
	x.jobs.New = func() any { return new(job) }
	x.work = sync.NewCond(&x.mu)
	for range o.Workers {
		x.workers.Go(x.run)
	}
	return x
}

// Submit is SubmitAt the most urgent level.
func (x *Executor) Submit(c Conn, frame []byte, t Task) bool { return x.SubmitAt(0, c, frame, t) }

// SubmitAt queues t to be run with a copy of frame, or with frame itself if that
// is in a buffer that the engine can part with, see loan.go; to the caller it is
// the same. The task has arrived when the last turn of c began, which is that of
// Serve when Serve submits it.
//
// SubmitAt never waits. It returns false, and queues nothing, when the level has its
// Queue of tasks or its MaxBytes of frames already, when its tasks have waited for longer
// than its Target for a while, when c alone has a quarter of Queue (256 at least), when
// queued work fills its half of the Budget, and after Close.
//
// What t appends to its out is sent to c; the replies of tasks that are
// run together leave together.
//
// A queued task is run even if its connection has died meanwhile; its reply is
// dropped then. A panic in it closes its connection.
func (x *Executor) SubmitAt(lv int, c Conn, frame []byte, t Task) bool {
	l := &x.levels[lv]
	if l.depth.Load() >= l.queue || x.sheds(l, c.own()) || !l.reserve(len(frame)) {
		l.rejected.Add(1)
		return false
	}
	if !claim(&l.depth, 1, l.queue) {
		l.count(-int64(len(frame)))
		l.rejected.Add(1)
		return false
	}
	j := x.jobs.Get().(*job)
	j.level = l
	j.task = t
	own := c.own()
	j.at = own.turnBegan()
	if j.loan = own.borrow(frame); j.loan != nil {
		j.frame = j.loan.b
	} else {
		j.frame = x.bufs.get(len(frame))
		j.frame.B = append(j.frame.B, frame...)
	}
	l.count(int64(cap(j.frame.B) - len(frame)))
	lent := j.loan // j is somebody else's once it is queued
	if !x.enqueue(own, j) {
		l.depth.Add(-1)
		l.rejected.Add(1)
		if lent != nil {
			j.level.count(-int64(cap(j.frame.B)))
			j.frame, j.loan = nil, nil
			lent.giveUp()
		}
		x.release(j)
		return false
	}
	if lent != nil {
		lent.transfer(own)
	}
	return true
}

// sheds reports whether the Target of a level is why a task of c must not come to it.
func (x *Executor) sheds(l *level, c *conn) bool {
	return l.codel.refuses(l.depth.Load(), func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return c.lane(x).waiting == 0
	})
}

// Post runs f on a worker after every task submitted for c before, and then at
// the most urgent level. It is never refused, so it is for what is quick and
// happens once in the life of a connection, as its end. After Close it does
// nothing.
func (x *Executor) Post(c Conn, f func()) {
	j := x.jobs.Get().(*job)
	j.level = &x.levels[0]
	j.post = f
	if !x.enqueue(c.own(), j) {
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
	s := ExecutorStats{Completed: x.completed.Load(), Panics: x.panics.Load()}
	for i := range x.levels {
		l := x.levels[i].stats()
		s.Depth += l.Depth
		s.Running += l.Running
		s.Bytes += l.Bytes
		s.Rejected += l.Rejected
		s.Levels = append(s.Levels, l)
	}
	return s
}

// Meters returns how long tasks wait and run, for each level.
func (x *Executor) Meters() []LevelMeters {
	all := make([]LevelMeters, len(x.levels))
	for i := range x.levels {
		l := &x.levels[i]
		all[i] = LevelMeters{Wait: l.wait.Read(), Service: l.service.Read()}
	}
	return all
}

// share is how many tasks of one connection may wait for a queue of so many.
// One that pipelines thousands must not take the queue from the others.
func share(queue int64) int { return int(max(queue/4, min(queue, leastShare))) }

// enqueue puts j into c's lane, and the lane into its run queue unless it is
// there or with a worker. It reports false if c has its share in the queue, and
// after Close.
func (x *Executor) enqueue(c *conn, j *job) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return false
	}
	ln := c.lane(x)
	if j.post == nil && ln.waiting >= share(j.level.queue) {
		return false
	}
	ln.push(j)
	if ln.busy {
		return true
	}
	ln.busy = true
	j.level.ready.push(ln)
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
		l := x.nextLocked()
		for l == nil {
			if x.closed {
				return // a level that may not be served yet is served by the workers it waits for
			}
			x.idle++
			x.work.Wait()
			x.idle--
			l = x.nextLocked()
		}
		ln := l.ready.pop()
		jobs := ln.take(l.turn)
		l.busy++
		if x.idle > 0 && x.anyLocked() {
			x.work.Signal()
		}
		x.mu.Unlock()
		x.serve(ln.c, jobs)
		x.mu.Lock()
		l.busy--
		x.doneLocked(ln)
	}
}

// nextLocked returns the level to take a lane from, nil if there is none.
func (x *Executor) nextLocked() *level {
	var next *level
	for i := range x.levels {
		l := &x.levels[i]
		switch {
		case !x.openLocked(i):
			continue
		case next == nil:
			next = l
			continue
		}
		if l.passed++; l.passed > overtakes {
			next = l
			break
		}
	}
	if next != nil {
		next.passed = 0
	}
	return next
}

// anyLocked reports whether there is a level to take a lane from.
func (x *Executor) anyLocked() bool {
	for i := range x.levels {
		if x.openLocked(i) {
			return true
		}
	}
	return false
}

// openLocked reports whether a level has a lane and may have one more worker:
// neither it nor a level above it, whose share it is taken from, has too many.
func (x *Executor) openLocked(i int) bool {
	if x.levels[i].ready.head == nil {
		return false
	}
	busy := 0
	for k := len(x.levels) - 1; k >= 0; k-- {
		busy += x.levels[k].busy
		if k <= i && busy >= x.levels[k].workers {
			return false
		}
	}
	return true
}

// doneLocked puts a served lane at the end of its run queue, or aside.
func (x *Executor) doneLocked(ln *lane) {
	if ln.head != nil {
		ln.head.level.ready.push(ln)
		return
	}
	ln.busy = false
}

// serve runs the jobs of one connection, one after the other, and sends their
// replies together.
func (x *Executor) serve(c *conn, jobs *job) {
	pool := &c.e.bufs // so that the connection can take the buffer over
	out := pool.getReply()
	now := c.e.now()
	started := now
	for j := jobs; j != nil; {
		next := j.next
		now = x.runJob(c, j, out, now)
		x.release(j)
		j = next
		if len(out.B) == 0 ||
			j != nil && len(out.B) < flushSize && now-started < turnTime {
			continue
		}
		if c.give(out) {
			out = pool.getReply()
		}
		out.B = out.B[:0]
		if j != nil {
			now = c.e.now() // what it took to send is no time of the next task
		}
	}
	pool.put(out)
}

// runJob runs one job, which begins now, and returns when it ends: the clock is read once
// for both the end of a job and the beginning of the next. A panic loses the job's own
// reply, not those before it.
func (x *Executor) runJob(c *conn, j *job, out *bytebufferpool.ByteBuffer, began time.Duration) (ended time.Duration) {
	defer func() {
		ended = c.e.now()
		if j.post == nil {
			j.level.done(ended - began)
			x.completed.Add(1)
		}
		if p := recover(); p != nil {
			x.panics.Add(1)
			x.panicLog.write(x.o.Logger, slog.LevelError, "task panicked", "executor", x.o.Name, "conn", c.ID(), "remote", c.RemoteAddr(),
				"panic", clipped(p), "stack", string(debug.Stack()))
			c.Close(ErrPanic)
		}
	}()
	if j.post != nil {
		j.post()
		return ended
	}
	j.level.began(j.at, began)
	out.B = j.task(c, j.at, j.frame.B, out.B)
	return ended
}

// release returns a job's memory.
func (x *Executor) release(j *job) {
	if j.frame != nil {
		j.level.count(-int64(cap(j.frame.B)))
		if j.loan != nil {
			j.loan.end()
		} else {
			x.bufs.put(j.frame)
		}
	}
	*j = job{}
	x.jobs.Put(j)
}
