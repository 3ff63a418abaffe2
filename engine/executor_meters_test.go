package engine

import (
	"sync/atomic"
	"testing"
	"time"
)

// timeless makes a task of a function that does not ask when it arrived.
func timeless(f func(c Conn, frame, out []byte) []byte) Task {
	return func(c Conn, _ time.Duration, frame, out []byte) []byte { return f(c, frame, out) }
}

// TestExecutorMeters: each task's wait and service are counted, at its own level, by the
// clock of the engine, also when it panics.
func TestExecutorMeters(t *testing.T) {
	var now atomic.Int64
	x := newExecutor(t, ExecutorOptions{Workers: 1, Levels: []Level{{}, {Target: time.Second}}})
	c := newFake()
	c.e.o.Clock = ClockOf(func() time.Duration { return time.Duration(now.Load()) })
	begun, goOn := make(chan struct{}), make(chan struct{})
	submit := func(level int, end func()) {
		if !x.SubmitAt(level, c, nil, func(_ Conn, _ time.Duration, _, out []byte) []byte {
			begun <- struct{}{}
			<-goOn
			end()
			return out
		}) {
			t.Fatal("refused")
		}
	}
	c.beginTurn() // 0
	submit(1, func() { now.Add(3_000) })
	<-begun
	now.Store(1_000)
	c.beginTurn()
	submit(0, func() { now.Add(500); panic("expected") }) // waits from 1 µs to 3 µs more than that
	goOn <- struct{}{}
	<-begun
	goOn <- struct{}{}
	eventually(t, "both are counted", func() bool { return x.Stats().Completed == 2 })
	m := x.Meters()
	for i, want := range []struct{ wait, service uint64 }{{3_000, 500}, {0, 4_000}} {
		if got := m[i]; got.Wait.Count != 1 || got.Wait.Sum != want.wait || got.Service.Count != 1 || got.Service.Sum != want.service {
			t.Errorf("level %d: waited %d ns (%d), took %d ns (%d), want %d and %d, once", i,
				got.Wait.Sum, got.Wait.Count, got.Service.Sum, got.Service.Count, want.wait, want.service)
		}
	}
	posted := make(chan struct{})
	x.Post(c, func() { close(posted) })
	<-posted
	if m := x.Meters(); m[0].Wait.Count != 1 || m[0].Service.Count != 1 {
		t.Error("a post is counted as a task")
	}
}

// TestExecutorReadsTheClockOnce: the end of a task is the beginning of the next one of its
// connection, also after a panic, so that the clock is read once for each.
func TestExecutorReadsTheClockOnce(t *testing.T) {
	const tasks = turnTasks - 1
	var reads, now atomic.Int64
	x := newExecutor(t, ExecutorOptions{Workers: 1})
	c := newFake()
	c.e.o.Clock = ClockOf(func() time.Duration { reads.Add(1); return time.Duration(now.Load()) })
	begun, goOn := make(chan struct{}), make(chan struct{})
	submit := func(f func()) {
		if !x.Submit(c, nil, func(_ Conn, _ time.Duration, _, out []byte) []byte { f(); return out }) {
			t.Fatal("refused")
		}
	}
	c.beginTurn()
	submit(func() { close(begun); <-goOn })
	<-begun
	for i := range tasks {
		submit(func() {
			now.Add(1_000)
			if i == tasks/2 {
				panic("expected")
			}
		})
	}
	reads.Store(0)
	close(goOn)
	eventually(t, "all have run", func() bool { return x.Stats().Completed == tasks+1 })
	if n := reads.Load(); n > tasks+2 {
		t.Errorf("%d readings of the clock for %d tasks", n, tasks)
	}
	if m := x.Meters()[0]; m.Service.Sum != tasks*1_000 || m.Service.Count != tasks+1 || m.Wait.Sum != tasks*(tasks-1)/2*1_000 {
		t.Errorf("%d tasks took %d ns and waited %d ns", m.Service.Count, m.Service.Sum, m.Wait.Sum)
	}
}
