package engine

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// deafConn returns a connection that drops what is sent to it.
func deafConn() *conn {
	c := &conn{e: &Engine{o: Options{Clock: NewClock()}}}
	c.life.Store(dead)
	return c
}

// A fakeConn is a connection without a socket: what is sent stays in its outbox,
// because its loop never runs.
type fakeConn struct {
	*conn

	taken sync.Mutex // guards the following
	sends []string
}

func newFake() *fakeConn {
	e := &Engine{o: Options{}.withDefaults()}
	l := newLoop(e, 0)
	l.begin(&countingLoop{})
	c := newConn(e, netip.AddrPort{}, netip.AddrPort{})
	c.loop = l
	c.life.Store(alive)
	return &fakeConn{conn: c}
}

// sent takes what is in the outbox for one Send, and returns all there were.
func (c *fakeConn) sent() []string {
	c.taken.Lock()
	defer c.taken.Unlock()
	if b := c.takeQueued(); b != nil {
		c.sends = append(c.sends, string(b.B))
		c.e.release(len(b.B))
	}
	return slices.Clone(c.sends)
}

// noting is t, which looks at what was sent before it runs. A worker sends at
// most once from one task to the next, so sent tells each Send apart.
func (c *fakeConn) noting(t Task) Task {
	return func(conn Conn, arrived time.Duration, frame, out []byte) []byte {
		c.sent()
		return t(conn, arrived, frame, out)
	}
}

// closedWith returns what was given to Close.
func (c *fakeConn) closedWith() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reason == nil {
		return nil
	}
	return *c.reason
}

func newExecutor(t testing.TB, o ExecutorOptions) *Executor {
	x := NewExecutor(o)
	t.Cleanup(x.Close)
	return x
}

// block makes the executor's worker wait with a task of a connection of its
// own until the returned function is called.
func block(t testing.TB, x *Executor) (release func()) {
	t.Helper()
	entered, ch := make(chan struct{}), make(chan struct{})
	if !x.Submit(newFake(), nil, func(_ Conn, _ time.Duration, _, out []byte) []byte {
		close(entered)
		<-ch
		return out
	}) {
		t.Fatal("blocking task refused")
	}
	<-entered
	return sync.OnceFunc(func() { close(ch) })
}

func echoTask(_ Conn, _ time.Duration, frame, out []byte) []byte { return append(out, frame...) }

func TestExecutorOrderPerConnection(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 8, Queue: 1 << 20})
	const conns, tasks = 50, 500
	var (
		wg      sync.WaitGroup
		next    [conns]atomic.Int64
		running [conns]atomic.Int32
		moved   atomic.Int64
	)
	wg.Add(conns * tasks)
	cs := make([]*fakeConn, conns)
	for i := range cs {
		cs[i] = newFake()
	}
	var submitters sync.WaitGroup
	for i, c := range cs {
		submitters.Go(func() {
			for j := range tasks {
				x.Submit(c, nil, func(_ Conn, _ time.Duration, _, out []byte) []byte {
					defer wg.Done()
					if running[i].Add(1) != 1 {
						t.Errorf("two tasks of connection %d at once", i)
					}
					if got := next[i].Add(1) - 1; got != int64(j) {
						t.Errorf("connection %d: task %d runs as number %d", i, j, got)
					}
					if rand.IntN(20) == 0 {
						runtime.Gosched()
						moved.Add(1)
					}
					running[i].Add(-1)
					return out
				})
			}
		})
	}
	submitters.Wait()
	wg.Wait()
	eventually(t, "all counted", func() bool { return x.Stats().Completed == conns*tasks })
	if st := x.Stats(); st.Depth != 0 || st.Running != 0 || st.Bytes != 0 || st.Rejected != 0 {
		t.Errorf("stats %+v, want all zero but Completed", st)
	}
}

func TestExecutorRunsConnectionsInParallel(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 4})
	var meet sync.WaitGroup
	meet.Add(4)
	done := make(chan struct{}, 4)
	for range 4 {
		x.Submit(newFake(), nil, func(_ Conn, _ time.Duration, _, out []byte) []byte {
			meet.Done()
			meet.Wait() // returns only when all four run
			done <- struct{}{}
			return out
		})
	}
	for range 4 {
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatal("four workers do not run four connections at once")
		}
	}
}

func TestExecutorQueueFull(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1, Queue: 10})
	release := block(t, x)
	defer release()
	c := newFake()
	for i := range 10 {
		if !x.Submit(c, []byte("x"), echoTask) {
			t.Fatalf("task %d of 10 refused", i)
		}
	}
	for range 3 {
		if x.Submit(c, []byte("x"), echoTask) {
			t.Fatal("task beyond the queue accepted")
		}
	}
	if st := x.Stats(); st.Depth != 10 || st.Rejected != 3 || st.Running != 1 {
		t.Errorf("stats %+v, want depth 10, rejected 3, running 1", st)
	}
	posted := make(chan struct{})
	x.Post(c, func() { close(posted) }) // never refused
	release()
	<-posted
	eventually(t, "ten x sent", func() bool { return strings.Join(c.sent(), "") == strings.Repeat("x", 10) })
	eventually(t, "room again", func() bool { return x.Submit(c, nil, echoTask) })
}

func TestExecutorMaxBytes(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1, MaxBytes: 100 << 10})
	release := block(t, x)
	defer release()
	// The blocking task's frame is empty, but its buffer may not be.
	base := x.Stats().Bytes
	c := newFake()
	big := make([]byte, 80<<10) // whole pages, so taken exactly
	if !x.Submit(c, big, echoTask) {
		t.Fatal("first frame refused")
	}
	if x.Submit(c, big, echoTask) {
		t.Fatal("second frame accepted beyond MaxBytes")
	}
	if got, want := x.Stats().Bytes, base+80<<10; got != want {
		t.Errorf("%d bytes, want %d", got, want)
	}
	release()
	eventually(t, "bytes given back", func() bool { return x.Stats().Bytes == 0 })
	// A frame above the limit would never run if it were not let in alone.
	if !x.Submit(c, make([]byte, 200<<10), echoTask) {
		t.Error("giant frame refused though nothing else waits")
	}
}

func TestExecutorOwnsItsFrames(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1})
	release := block(t, x)
	c := newFake()
	frame := []byte("mine")
	x.Submit(c, frame, echoTask)
	copy(frame, "XXXX") // the loop reuses its buffer
	release()
	eventually(t, "sent", func() bool { return len(c.sent()) == 1 })
	if got := c.sent()[0]; got != "mine" {
		t.Errorf("task saw %q, want %q", got, "mine")
	}
}

func TestExecutorPostRunsAfterTasks(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 4})
	for range 100 {
		c := newFake()
		var ran atomic.Int32
		for range 100 {
			x.Submit(c, nil, func(_ Conn, _ time.Duration, _, out []byte) []byte {
				ran.Add(1)
				return out
			})
		}
		done := make(chan int32)
		x.Post(c, func() { done <- ran.Load() })
		if got := <-done; got != 100 {
			t.Fatalf("post ran after %d of 100 tasks", got)
		}
	}
}

// inBubble gives f an executor with one worker in a time of their own, in which
// tasks take as long as they sleep, and everything else takes none.
func inBubble(t *testing.T, f func(t *testing.T, x *Executor)) {
	synctest.Test(t, func(t *testing.T) {
		x := NewExecutor(ExecutorOptions{Workers: 1})
		defer x.Close()
		f(t, x)
	})
}

// One Send per batch is what makes pipelining cheap.
func TestExecutorSendsOncePerBatch(t *testing.T) {
	inBubble(t, func(t *testing.T, x *Executor) {
		release := block(t, x)
		c := newFake()
		for range 3 * turnTasks {
			x.Submit(c, []byte("x"), c.noting(echoTask))
		}
		release()
		synctest.Wait()
		if got := len(c.sent()); got != 3 {
			t.Errorf("%d sends for %d tasks, want 3", got, 3*turnTasks)
		}
	})
}

// Replies are kept back until turnTime has passed since the first task began,
// and no longer.
func TestExecutorSendsSlowRepliesEarly(t *testing.T) {
	for _, tt := range []struct {
		each time.Duration
		want string // replies of each Send
	}{
		{turnTime / 8, "xxxxxxxx x"},
		{turnTime / 2, "xx x x x x x x x"},
		{turnTime - 1, "xx x x x x x x x"},
		{turnTime, "x x x x x x x x x"},
		{10 * turnTime, "x x x x x x x x x"},
	} {
		inBubble(t, func(t *testing.T, x *Executor) {
			release := block(t, x)
			c := newFake()
			for range 9 {
				x.Submit(c, []byte("x"), c.noting(func(c Conn, at time.Duration, frame, out []byte) []byte {
					time.Sleep(tt.each)
					return echoTask(c, at, frame, out)
				}))
			}
			release()
			time.Sleep(100 * turnTime) // all have run
			if got := strings.Join(c.sent(), " "); got != tt.want {
				t.Errorf("tasks of %v each: sent %q, want %q", tt.each, got, tt.want)
			}
		})
	}
}

func TestExecutorSendsBigRepliesEarly(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1})
	release := block(t, x)
	c := newFake()
	for range 4 {
		x.Submit(c, nil, c.noting(func(_ Conn, _ time.Duration, _, out []byte) []byte { return append(out, make([]byte, flushSize)...) }))
	}
	release()
	eventually(t, "all sent", func() bool { return len(c.sent()) == 4 })
}

// A connection with a thousand tasks must not keep one with a single task
// waiting for all of them.
func TestExecutorFairness(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1})
	release := block(t, x)
	var before atomic.Int32
	greedy, modest := newFake(), newFake()
	for range 1000 {
		x.Submit(greedy, nil, func(_ Conn, _ time.Duration, _, out []byte) []byte { before.Add(1); return out })
	}
	got := make(chan int32, 1)
	x.Submit(modest, nil, func(_ Conn, _ time.Duration, _, out []byte) []byte { got <- before.Load(); return out })
	release()
	if n := <-got; n > turnTasks {
		t.Errorf("%d tasks of the greedy connection ran first, want at most %d", n, turnTasks)
	}
}

func TestExecutorPanic(t *testing.T) {
	log := &logBuffer{}
	x := newExecutor(t, ExecutorOptions{Name: "default", Workers: 1, Logger: log.logger()})
	release := block(t, x)
	bad, good := newFake(), newFake()
	x.Submit(bad, []byte("a"), echoTask)
	x.Submit(bad, []byte("b"), func(_ Conn, _ time.Duration, frame, out []byte) []byte {
		_ = append(out, "half a reply"...)
		panic("boom in task")
	})
	x.Submit(bad, []byte("c"), echoTask)
	x.Submit(good, []byte("d"), echoTask)
	x.Post(bad, func() { panic("boom in post") })
	release()
	eventually(t, "all done", func() bool {
		st := x.Stats()
		return st.Completed == 5 && st.Depth == 0 && st.Panics == 2 && len(good.sent()) == 1 && st.Bytes == 0
	})
	eventually(t, "sent", func() bool { return strings.Join(bad.sent(), "") == "ac" })
	if !errors.Is(bad.closedWith(), ErrPanic) || good.closedWith() != nil {
		t.Errorf("closed with %v and %v, want ErrPanic and nil", bad.closedWith(), good.closedWith())
	}
	if !log.has("boom in task") || !log.has("executor=default") || !log.has("goroutine") {
		t.Error("panic not logged with executor and stack")
	}
}

func TestExecutorCloseRunsWhatIsQueued(t *testing.T) {
	x := NewExecutor(ExecutorOptions{Workers: 2})
	var ran atomic.Int32
	cs := []*fakeConn{newFake(), newFake(), newFake()}
	for i := range 1000 {
		x.Submit(cs[i%len(cs)], nil, func(_ Conn, _ time.Duration, _, out []byte) []byte { ran.Add(1); return out })
	}
	x.Close()
	if n := ran.Load(); n != 1000 {
		t.Errorf("%d of 1000 tasks ran", n)
	}
	if x.Submit(newFake(), []byte("x"), echoTask) {
		t.Error("task accepted after Close")
	}
	x.Post(newFake(), func() { t.Error("post runs after Close") })
	if st := x.Stats(); st.Depth != 0 || st.Bytes != 0 {
		t.Errorf("stats %+v after Close, want nothing queued", st)
	}
	x.Close() // again is harmless
}

// throughExecutor serves every frame on x and says goodbye in order.
func throughExecutor(x *Executor, task Task) *testHandler {
	return &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		if !x.Submit(c, frame, task) {
			return append(out, textFrame("busy")...)
		}
		return out
	}}
}

func TestPipelinedInOrderThroughExecutor(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 8})
	s := serve(t, throughExecutor(x, echoTask), nil)
	var wg sync.WaitGroup
	for range 4 {
		c := s.dial()
		wg.Go(func() {
			const n = 1000
			var all []byte
			for i := range n {
				all = append(all, textFrame("request %d", i)...)
			}
			go c.Write(all)
			for i := range n {
				got, err := readFrame(c)
				if want := fmt.Sprintf("request %d", i); err != nil || string(got) != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestQueueFullIsAnsweredAtOnce(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1, Queue: 1})
	release := block(t, x)
	defer release()
	s := serve(t, throughExecutor(x, echoTask), nil)
	c := s.dial()
	c.send(append(textFrame("waits"), textFrame("too many")...))
	c.want("busy")
	release()
	c.want("waits")
}

func TestTaskPanicClosesThatConnectionOnly(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 2})
	s := serve(t, throughExecutor(x, func(_ Conn, _ time.Duration, frame, out []byte) []byte {
		if string(frame[4:]) == "bomb" {
			panic("boom")
		}
		return append(out, frame...)
	}), nil)
	good, bad := s.dial(), s.dial()
	good.ping("before")
	bad.send(textFrame("bomb"))
	bad.wantClosed()
	good.ping("after")
	eventually(t, "counted", func() bool { return s.Stats().ClosedPanic == 1 })
}

// Requests received are executed, also when their connection is gone, and the
// news of its end comes after them.
func TestTasksOfDeadConnectionRunBeforeItsPost(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 4})
	release := block(t, x)
	defer release()
	var ran atomic.Int32
	gone := make(chan int32, 1)
	h := throughExecutor(x, func(_ Conn, _ time.Duration, frame, out []byte) []byte {
		ran.Add(1)
		return append(out, frame...)
	})
	h.left = func(c Conn, frame []byte) { h.serve(c, frame, nil) }
	h.closed = func(c Conn, _ error) { x.Post(c, func() { gone <- ran.Load() }) }
	s := serve(t, h, nil)
	c := s.dial()
	for range 100 {
		c.send(textFrame("x"))
	}
	c.CloseWrite()
	io.Copy(io.Discard, c)
	release()
	if n := <-gone; n != 100 {
		t.Errorf("%d tasks ran before the post, want 100", n)
	}
}

// Two executors must not share a lane.
func TestLanesOfTwoExecutors(t *testing.T) {
	a := newExecutor(t, ExecutorOptions{Workers: 1})
	b := newExecutor(t, ExecutorOptions{Workers: 1})
	release := block(t, a)
	defer release()
	s := serve(t, &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		x := a
		if string(frame[4:]) == "b" {
			x = b
		}
		x.Submit(c, frame, echoTask)
		return out
	}}, nil)
	c := s.dial()
	c.send(append(textFrame("a"), textFrame("b")...))
	c.want("b") // not held up by a
	release()
	c.want("a")
}

func TestLaneIsMadeOnce(t *testing.T) {
	var xs [3]*Executor
	for i := range xs {
		xs[i] = newExecutor(t, ExecutorOptions{Workers: 1})
	}
	for range 100 {
		c := &conn{}
		var got [3][8]*lane
		var wg sync.WaitGroup
		for i := range xs {
			for j := range 8 {
				wg.Go(func() { got[i][j] = c.lane(xs[i]) })
			}
		}
		wg.Wait()
		for i := range xs {
			for j := range 8 {
				if got[i][j] != got[i][0] || got[i][j].x != xs[i] {
					t.Fatal("a connection has two lanes in one executor")
				}
			}
		}
	}
}

func TestSubmitDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget on purpose")
	}
	x := newExecutor(t, ExecutorOptions{Workers: 1})
	c := deafConn()
	done := make(chan struct{})
	task := func(_ Conn, _ time.Duration, _, out []byte) []byte { done <- struct{}{}; return out }
	frame := make([]byte, 300)
	if n := testing.AllocsPerRun(1000, func() {
		x.Submit(c, frame, task)
		<-done
	}); n >= 1 {
		t.Errorf("%.2f allocations per task, want less than 1", n)
	}
}
