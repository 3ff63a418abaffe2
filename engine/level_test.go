package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A levelLog notes in which order tasks have run.
type levelLog struct {
	mu  sync.Mutex
	ran []string
}

func (l *levelLog) task(name string) Task {
	return func(_ Conn, _ time.Duration, _, out []byte) []byte {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ran = append(l.ran, name)
		return out
	}
}

func mustSubmit(t testing.TB, x *Executor, level int, c Conn, task Task) {
	t.Helper()
	if !x.SubmitAt(level, c, []byte("x"), task) {
		t.Fatalf("task of level %d refused", level)
	}
}

func TestUrgentLevelsFirst(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1, Levels: make([]Level, 3)})
	release := block(t, x)
	var log levelLog
	for _, level := range []int{2, 1, 2, 0, 1, 0} {
		mustSubmit(t, x, level, newFake(), log.task(fmt.Sprint(level)))
	}
	release()
	eventually(t, "all run", func() bool { return x.Stats().Completed == 7 })
	if got := strings.Join(log.ran, ""); got != "001122" {
		t.Errorf("levels ran in the order %s, want 001122", got)
	}
}

// What is less urgent must not take the last worker.
func TestLevelsLeaveWorkersFree(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 4, Levels: []Level{{}, {Workers: 2}, {Workers: 1}}})
	release := make(chan struct{})
	var entered [3]atomic.Int32
	wait := func(level int) Task {
		return func(_ Conn, _ time.Duration, _, out []byte) []byte {
			entered[level].Add(1)
			<-release
			return out
		}
	}
	running := func(want ...int32) func() bool {
		return func() bool {
			for level, n := range want {
				if entered[level].Load() != n {
					return false
				}
			}
			return true
		}
	}
	for range 3 {
		mustSubmit(t, x, 2, newFake(), wait(2))
	}
	eventually(t, "one of the lowest level runs", running(0, 0, 1))
	for range 3 {
		mustSubmit(t, x, 1, newFake(), wait(1))
	}
	eventually(t, "and one of the middle, two with the lowest", running(0, 1, 1))
	for range 3 {
		mustSubmit(t, x, 0, newFake(), wait(0))
	}
	eventually(t, "the other workers are for the highest", running(2, 1, 1))
	time.Sleep(20 * time.Millisecond) // what must not happen
	if !running(2, 1, 1)() {
		t.Errorf("running now: %d, %d and %d; want 2, 1 and 1", entered[0].Load(), entered[1].Load(), entered[2].Load())
	}
	if s := x.Stats().Levels; s[0].Running != 2 || s[0].Depth != 1 || s[1].Running != 1 || s[1].Depth != 2 || s[2].Running != 1 || s[2].Depth != 2 {
		t.Errorf("level stats %+v", s)
	}
	close(release)
	eventually(t, "all run in the end", func() bool { return x.Stats().Completed == 9 })
}

// One level's queue is full, in number or in bytes; the others take more.
func TestLevelQueuesAreApart(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1, Queue: 5, Levels: []Level{{}, {Queue: 2, MaxBytes: 100 << 10}}})
	release := block(t, x)
	defer release()
	fill := func(level int) (n int) {
		for x.SubmitAt(level, newFake(), []byte("x"), echoTask) {
			n++
		}
		return n
	}
	if n := fill(1); n != 2 {
		t.Errorf("the lower level takes %d, want 2", n)
	}
	if n := fill(0); n != 5 {
		t.Errorf("the upper level takes %d though the lower one is full, want 5", n)
	}
	s := x.Stats()
	if s.Rejected != 2 || s.Levels[0].Rejected != 1 || s.Levels[1].Rejected != 1 || s.Depth != 7 {
		t.Errorf("stats %+v, want one rejected of each level and 7 waiting", s)
	}
	release()
	eventually(t, "all run", func() bool { return x.Stats().Completed == 8 })

	release = block(t, x)
	defer release()
	big := make([]byte, 70<<10)
	if !x.SubmitAt(1, newFake(), big, echoTask) || x.SubmitAt(1, newFake(), big, echoTask) {
		t.Error("want the first big frame of the lower level taken and the second refused")
	}
	if !x.SubmitAt(0, newFake(), big, echoTask) {
		t.Error("a big frame of the upper level is refused for the bytes of the lower")
	}
}

// The higher level always has work, and the lower one runs all the same.
func TestLevelsDoNotStarve(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1, Levels: make([]Level, 3)})
	release := block(t, x)
	var log levelLog
	for range 2 {
		mustSubmit(t, x, 1, newFake(), log.task("1"))
		mustSubmit(t, x, 2, newFake(), log.task("2"))
	}
	for range 1000 {
		mustSubmit(t, x, 0, newFake(), log.task("0"))
	}
	release()
	eventually(t, "all run", func() bool { return x.Stats().Completed == 1005 })
	order := strings.Join(log.ran, "")
	if first := strings.IndexAny(order, "12"); first != overtakes {
		t.Errorf("the first that is less urgent ran as number %d, want %d", first, overtakes)
	}
	if last := strings.LastIndexAny(order, "12"); last > 4*(overtakes+1) {
		t.Errorf("the last that is less urgent ran as number %d", last)
	}
}

// A worker looks for something more urgent after each turn of a connection.
func TestLevelTurn(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 1, Levels: []Level{{}, {Turn: 1}}})
	release := block(t, x)
	var log levelLog
	c, urgent := newFake(), newFake()
	first := log.task("1")
	mustSubmit(t, x, 1, c, func(c Conn, at time.Duration, frame, out []byte) []byte {
		mustSubmit(t, x, 0, urgent, log.task("0"))
		return first(c, at, frame, out)
	})
	mustSubmit(t, x, 1, c, log.task("1"))
	release()
	eventually(t, "all run", func() bool { return x.Stats().Completed == 4 })
	if got := strings.Join(log.ran, ""); got != "101" {
		t.Errorf("levels ran in the order %s, want 101", got)
	}
}

// The order of a connection does not depend on levels, its post included, and
// no lane is forgotten: everything runs.
func TestLevelsKeepOrderPerConnection(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{
		Workers: 4, Queue: 1 << 20,
		Levels: []Level{{}, {Workers: 3}, {Workers: 2, Turn: 1}, {Workers: 1, Turn: 2}},
	})
	const conns, tasks = 20, 500
	var submitters, all sync.WaitGroup
	all.Add(conns)
	for range conns {
		c := newFake()
		var next, running atomic.Int64
		submitters.Go(func() {
			for i := range tasks {
				level := rand.IntN(4)
				if !x.SubmitAt(level, c, nil, func(_ Conn, _ time.Duration, _, out []byte) []byte {
					if running.Add(1) != 1 {
						t.Errorf("connection %d: two tasks at once", c.id)
					}
					if got := next.Add(1) - 1; got != int64(i) {
						t.Errorf("connection %d: task %d of level %d ran as number %d", c.id, i, level, got)
					}
					running.Add(-1)
					return out
				}) {
					t.Error("refused")
				}
			}
			x.Post(c, func() {
				defer all.Done()
				if got := next.Load(); got != tasks {
					t.Errorf("connection %d: post ran after %d of %d tasks", c.id, got, tasks)
				}
			})
		})
	}
	submitters.Wait()
	done := make(chan struct{})
	go func() { defer close(done); all.Wait() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("not all run: %+v", x.Stats())
	}
	eventually(t, "nothing left", func() bool {
		s := x.Stats()
		return s.Completed == conns*tasks && s.Depth == 0 && s.Running == 0 && s.Bytes == 0
	})
}

func TestCloseRunsAllLevels(t *testing.T) {
	x := NewExecutor(ExecutorOptions{Workers: 3, Levels: []Level{{}, {Workers: 1, Turn: 1}}})
	release := block(t, x)
	var ran atomic.Int32
	for i := range 100 {
		mustSubmit(t, x, i%2, newFake(), func(_ Conn, _ time.Duration, _, out []byte) []byte { ran.Add(1); return out })
	}
	release()
	x.Close()
	if n := ran.Load(); n != 100 {
		t.Errorf("%d of 100 tasks ran", n)
	}
}

// gated returns a task that says when it runs and ends when told.
func gated(t testing.TB) (task Task, entered chan struct{}, release func()) {
	entered, ch := make(chan struct{}), make(chan struct{})
	release = sync.OnceFunc(func() { close(ch) })
	t.Cleanup(release)
	return func(_ Conn, _ time.Duration, _, out []byte) []byte {
		close(entered)
		<-ch
		return out
	}, entered, release
}

func await(t testing.TB, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatalf("does not happen: %s\n%s", what, stacks())
	}
}

// A connection's next task is urgent: it gives back what its last one has
// taken of the lower level's share, and an idle worker hears of that.
func TestLevelIsThatOfTheNextTask(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 2, Levels: []Level{{}, {Workers: 1}}})
	first, firstRuns, endFirst := gated(t)
	second, secondRuns, endSecond := gated(t)
	other, otherRuns, endOther := gated(t)
	one, two := block(t, x), block(t, x)
	c := newFake()
	mustSubmit(t, x, 1, c, first)
	mustSubmit(t, x, 0, c, second)
	mustSubmit(t, x, 1, newFake(), other)
	one()
	two()
	await(t, "the first runs", firstRuns)
	eventually(t, "the other worker looks, finds nothing and is idle", func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return x.idle == 1
	})
	endFirst()
	await(t, "the second runs", secondRuns)
	await(t, "the other connection's runs beside it", otherRuns)
	endSecond()
	endOther()
}

// The share of a level is that of those below it too.
func TestLevelsBelowCount(t *testing.T) {
	x := newExecutor(t, ExecutorOptions{Workers: 3, Levels: []Level{{}, {Workers: 1}, {Workers: 1}}})
	upper, upperRuns, endUpper := gated(t)
	mustSubmit(t, x, 1, newFake(), upper)
	await(t, "the upper runs", upperRuns)
	lower, lowerRuns, endLower := gated(t)
	mustSubmit(t, x, 2, newFake(), lower)
	time.Sleep(20 * time.Millisecond) // what must not happen
	select {
	case <-lowerRuns:
		t.Error("the lower runs beside the upper, whose share is one worker")
	default:
	}
	endUpper()
	await(t, "the lower runs", lowerRuns)
	endLower()
}
