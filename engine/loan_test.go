package engine

import (
	"runtime"
	"testing"
	"time"
)

// serveLent serves one client, whose frames are given to f with the executor.
func serveLent(t *testing.T, o ExecutorOptions, f func(x *Executor, c Conn, frame, out []byte) []byte) (*server, *Executor) {
	t.Helper()
	x := newExecutor(t, o)
	return serve(t, &testHandler{serve: func(c Conn, frame, out []byte) []byte {
		return f(x, c, frame, out)
	}}, func(o *Options) { o.Loops, o.Budget = 1, x.o.Budget }), x
}

// wantNothingHeld wants all of a budget back.
func (s *server) wantNothingHeld(x *Executor) {
	s.t.Helper()
	eventually(s.t, "all given back", func() bool {
		b := s.Budget()
		return b.Held() == 0 && b.Queued() == 0 && x.Stats().Bytes == 0 && s.Stats().PartialBytes == 0
	})
}

// same reports whether two slices are the same bytes.
func same(a, b []byte) bool { return len(a) == len(b) && &a[0] == &b[0] }

// A frame that was put together is not copied for its task, and counts as
// queued from then on; any other is.
func TestLoan(t *testing.T) {
	var served []byte
	ran, release := make(chan bool), make(chan struct{})
	s, x := serveLent(t, ExecutorOptions{}, func(x *Executor, c Conn, frame, out []byte) []byte {
		served = frame
		x.Submit(c, frame, func(_ Conn, _ time.Duration, frame, out []byte) []byte {
			ran <- same(frame, served)
			<-release
			return answerPattern(c, frame, out)
		})
		return out
	})
	c := s.dial()
	for _, f := range []struct {
		size int
		lent bool
	}{{100, false}, {400_000, true}, {5_000, false}, {70_000, true}, {hugeBuffer + 1, true}} {
		frame := patternFrame(f.size, 1)
		c.send(frame)
		if lent := <-ran; lent != f.lent {
			t.Errorf("frame of %d bytes: lent %v, want %v", f.size, lent, f.lent)
		}
		eventually(t, "turn over", func() bool { return s.Stats().PartialBytes == 0 && s.Budget().Held() == 0 })
		if n := s.Budget().Queued(); n < int64(f.size) || n != x.Stats().Bytes {
			t.Errorf("frame of %d bytes: %d queued in the budget, %d in the executor", f.size, n, x.Stats().Bytes)
		}
		release <- struct{}{}
		c.wantPattern(frame)
		s.wantNothingHeld(x)
	}
}

// The handler may read its frame until it returns, though the task has run and
// others look for a buffer; and then it is given back, once.
func TestLoanOutlivesTask(t *testing.T) {
	const size = 400_000
	frame := patternFrame(size, 1)
	first := true
	s, x := serveLent(t, ExecutorOptions{}, func(x *Executor, c Conn, frame, out []byte) []byte {
		if !first {
			return answerPattern(c, frame, out)
		}
		first = false
		done := x.Stats().Completed
		if !x.Submit(c, frame, timeless(answerPattern)) {
			t.Error("refused")
		}
		eventually(t, "task run", func() bool { return x.Stats().Completed == done+1 && x.Stats().Bytes == 0 })
		for range 20 {
			b := c.(*conn).e.bufs.get(size)
			if same(b.B[:1], frame[:1]) {
				t.Fatal("the buffer is given to somebody else while the handler has it")
			}
		}
		if !x.Submit(c, frame, timeless(answerPattern)) { // once more, now as a copy
			t.Error("refused")
		}
		return out
	})
	c := s.dial()
	c.send(frame)
	c.wantPattern(frame)
	c.wantPattern(frame)
	s.wantNothingHeld(x)
	s.wantDistinctBuffers(size)
	c.send(frame)
	c.wantPattern(frame)
	s.wantDistinctBuffers(size)
}

// wantDistinctBuffers wants that no buffer is in a pool twice.
func (s *server) wantDistinctBuffers(size int) {
	s.t.Helper()
	seen := make(map[*byte]bool)
	for range 50 {
		b := s.bufs.get(size)
		at := &b.B[:1][0]
		if seen[at] {
			s.t.Fatal("a buffer was put back twice")
		}
		seen[at] = true
	}
}

// A task may submit its frame once more while the handler that it was lent to
// still has it: the second task has a copy.
func TestLoanSubmittedAgainByItsTask(t *testing.T) {
	second := newExecutor(t, ExecutorOptions{})
	s, x := serveLent(t, ExecutorOptions{}, func(x *Executor, c Conn, frame, out []byte) []byte {
		submitted := make(chan struct{})
		x.Submit(c, frame, func(c Conn, _ time.Duration, lent, out []byte) []byte {
			defer close(submitted)
			if !second.Submit(c, lent, func(_ Conn, _ time.Duration, again, out []byte) []byte {
				if same(again, lent) {
					t.Error("the frame is lent to two tasks")
				}
				return answerPattern(c, again, out)
			}) {
				t.Error("refused")
			}
			return answerPattern(c, lent, out)
		})
		<-submitted
		if err := patternFault(frame); err != nil {
			t.Error(err)
		}
		return out
	})
	c := s.dial()
	frame := patternFrame(400_000, 1)
	for range 20 {
		c.send(frame)
		c.wantPattern(frame)
		c.wantPattern(frame)
	}
	s.wantNothingHeld(x)
	eventually(t, "all given back", func() bool { return second.Stats().Bytes == 0 })
	s.wantDistinctBuffers(len(frame))
}

// What is handed over comes back to be used again.
func TestLoanIsReturned(t *testing.T) {
	keepPools(t)
	s, x := serveLent(t, ExecutorOptions{}, func(x *Executor, c Conn, frame, out []byte) []byte {
		x.Submit(c, frame, timeless(answerPattern))
		return out
	})
	const n = 50
	c, frame := s.dial(), patternFrame(400_000, 1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range n {
		c.send(frame)
		c.wantPattern(frame)
	}
	runtime.ReadMemStats(&after)
	if each := int(after.TotalAlloc-before.TotalAlloc) / n; each > len(frame)/2 {
		t.Errorf("%d bytes allocated for each frame, want next to none", each)
	}
	s.wantNothingHeld(x)
}

// A frame that is refused stays with the connection, and may be submitted
// again.
func TestLoanRefused(t *testing.T) {
	var other *Executor
	s, x := serveLent(t, ExecutorOptions{Workers: 1, Queue: 1}, func(x *Executor, c Conn, frame, out []byte) []byte {
		if x.Submit(c, frame, timeless(answerPattern)) {
			t.Error("accepted, want it refused")
		}
		if err := patternFault(frame); err != nil {
			t.Error(err)
		}
		if !other.Submit(c, frame, timeless(answerPattern)) {
			t.Error("refused by an executor that has nothing to do")
		}
		return out
	})
	other = newExecutor(t, ExecutorOptions{Budget: x.o.Budget})
	release := block(t, x)
	defer release()
	c := s.dial()
	frame := patternFrame(400_000, 1)
	for _, fill := range []func() bool{
		func() bool { return x.Submit(newFake(), nil, echoTask) }, // by its depth
		func() bool { x.mu.Lock(); defer x.mu.Unlock(); x.closed = true; return true },
	} {
		if !fill() {
			t.Fatal("queue not filled")
		}
		for range 10 {
			c.send(frame)
			c.wantPattern(frame)
		}
		eventually(t, "nothing held", func() bool { return s.Budget().Held() == 0 && other.Stats().Bytes == 0 })
		s.wantDistinctBuffers(len(frame))
		if st := x.Stats(); st.Bytes >= int64(len(frame)) {
			t.Errorf("%d bytes counted by who refused the frame", st.Bytes)
		}
		release()
		eventually(t, "queue empty", func() bool { return x.Stats().Depth == 0 && x.Stats().Running == 0 })
	}
}

// A handler that panics has submitted its frame all the same.
func TestLoanAndPanic(t *testing.T) {
	ran := make(chan error, 1)
	h := &testHandler{}
	x := newExecutor(t, ExecutorOptions{})
	h.serve = func(c Conn, frame, _ []byte) []byte {
		x.Submit(c, frame, func(_ Conn, _ time.Duration, frame, out []byte) []byte {
			ran <- patternFault(frame)
			return out
		})
		panic("on purpose")
	}
	s := serve(t, h, func(o *Options) { o.Loops, o.Budget = 1, x.o.Budget })
	for range 3 {
		c := s.dial()
		c.send(patternFrame(400_000, 1))
		if err := <-ran; err != nil {
			t.Error(err)
		}
		c.wantClosed()
		s.wantNothingHeld(x)
		s.wantDistinctBuffers(400_000)
	}
	h.wantCause(t, ErrPanic)
}

// A connection may die in the turn that hands its frame over.
func TestLoanOfWhoDies(t *testing.T) {
	s, x := serveLent(t, ExecutorOptions{}, func(x *Executor, c Conn, frame, out []byte) []byte {
		if len(frame) > 100_000 {
			x.Submit(c, frame, timeless(answerPattern))
		}
		return append(out, make([]byte, flushSize)...) // written at once
	})
	for range 20 {
		c := s.dial()
		go c.Write(patternFrame(400_000, 1))
		c.Read(make([]byte, 1))
		c.reset()
	}
	eventually(t, "all closed", func() bool { return s.Stats().Open == 0 })
	s.wantNothingHeld(x)
	s.wantDistinctBuffers(400_000)
}
