package logging

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A pipe is a writer that takes nothing while it is shut, and fails while err is
// set.
type pipe struct {
	shut chan struct{} // nil: it is open

	mu   sync.Mutex
	err  error
	text bytes.Buffer
}

func newPipe() *pipe { return &pipe{shut: make(chan struct{})} }

func (p *pipe) open() { close(p.shut) }

func (p *pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *pipe) Write(b []byte) (int, error) {
	if p.shut != nil {
		<-p.shut
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	return p.text.Write(b)
}

func (p *pipe) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func dropNote(n int) []byte { return fmt.Appendf(nil, "dropped %d\n", n) }

// account reads what a queue has written: how many lines there are, whether they
// ascend, and how many it says were dropped.
func account(t *testing.T, text string) (lines, dropped int) {
	t.Helper()
	last := -1
	for line := range strings.Lines(text) {
		var n int
		if _, err := fmt.Sscanf(line, "dropped %d\n", &n); err == nil {
			dropped += n
			continue
		}
		if _, err := fmt.Sscanf(line, "line %d\n", &n); err != nil || n <= last {
			t.Fatalf("line %q after line %d", line, last)
		}
		last = n
		lines++
	}
	return lines, dropped
}

// TestQueueNeverBlocks: nobody waits for a pipe that nobody reads. Of what does
// not fit the number is kept, and written in front of what is written next.
func TestQueueNeverBlocks(t *testing.T) {
	p := newPipe()
	q := newQueue(p, 1000)
	q.whenDropped(dropNote)
	for i := range 10_000 {
		fmt.Fprintf(q, "line %06d\n", i)
	}
	if got, want := q.Dropped(), 10_000-1000/len("line 000000\n"); got != want {
		t.Errorf("%d dropped, want %d", got, want)
	}
	q.mu.Lock()
	if q.bytes > 1000 {
		t.Errorf("%d bytes wait, more than the limit", q.bytes)
	}
	q.mu.Unlock()
	p.open()
	// It takes lines again when half of it is written, and says then how many are
	// missing.
	sent := 10_000
	for deadline := time.Now().Add(time.Minute); q.Dropped() > 0 && time.Now().Before(deadline); sent++ {
		fmt.Fprintf(q, "line %06d\n", sent)
		time.Sleep(time.Millisecond)
	}
	q.Close(t.Context())
	lines, dropped := account(t, p.String())
	if lines+dropped != sent || dropped == 0 {
		t.Errorf("%d lines and %d dropped of %d", lines, dropped, sent)
	}
	if _, after, _ := strings.Cut(p.String(), "dropped"); !strings.Contains(after, "line") {
		t.Errorf("no line comes after the word of what was dropped:\n%s", p)
	}
}

// TestQueueSaysDroppedAtTheEnd: there is no next line.
func TestQueueSaysDroppedAtTheEnd(t *testing.T) {
	p := newPipe()
	q := newQueue(p, 100)
	q.whenDropped(dropNote)
	for i := range 50 {
		fmt.Fprintf(q, "line %d\n", i)
	}
	time.AfterFunc(10*time.Millisecond, p.open) // whenever: Close waits
	q.Close(t.Context())
	if lines, dropped := account(t, p.String()); lines+dropped != 50 || dropped == 0 {
		t.Errorf("%d lines and %d dropped of 50", lines, dropped)
	}
	if n, err := q.Write([]byte("late")); n != 4 || err != nil {
		t.Errorf("a write to a closed queue returns %d, %v", n, err)
	}
}

// TestQueueCloseIsBounded: who does not read does not keep the process.
func TestQueueCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe()
		q := NewQueue(p)
		fmt.Fprintln(q, "stuck")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		q.Close(ctx)
		if took := time.Since(began); took != time.Second {
			t.Errorf("Close takes %v, want 1s", took)
		}
		p.open() // or its goroutine does not end
	})
}

// TestQueueCountsFailures: a line that cannot be written is one that is dropped,
// also if it is the one that says how many were.
func TestQueueCountsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{}
		q := newQueue(p, 1000)
		q.whenDropped(dropNote)
		failures := 0
		q.whenFailed(func(error) { failures++ })
		p.fail(errors.New("no space left on device"))
		for i := range 5 {
			fmt.Fprintf(q, "line %d\n", i)
			synctest.Wait()
		}
		p.fail(nil)
		fmt.Fprintf(q, "line 5\n")
		q.Close(t.Context())
		if got, want := p.String(), "dropped 5\nline 5\n"; got != want {
			t.Errorf("written is %q, want %q", got, want)
		}
		if failures != 9 { // five lines, and four times the word of those before
			t.Errorf("%d failures, want 9", failures)
		}
	})
}

// TestQueueAtOnce lets many write while the queue is read and closed.
func TestQueueAtOnce(t *testing.T) {
	p := &pipe{}
	q := newQueue(p, 500)
	q.whenDropped(func(n int) []byte { return dropNote(n) })
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 1000 {
				fmt.Fprintf(q, "x\n")
			}
		})
	}
	writers.Wait()
	q.Close(t.Context())
	lines, dropped := strings.Count(p.String(), "x\n"), 0
	for line := range strings.Lines(p.String()) {
		var n int
		if _, err := fmt.Sscanf(line, "dropped %d\n", &n); err == nil {
			dropped += n
		}
	}
	if lines+dropped != 8000 {
		t.Errorf("%d lines and %d dropped of 8000", lines, dropped)
	}
}

// TestFullQueueIsEmptiedByHalf: else each line that is let in brings another one
// about those that are not.
func TestFullQueueIsEmptiedByHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := make(chan struct{})
		p := &pipe{}
		q := newQueue(writerFunc(func(b []byte) (int, error) {
			<-step
			return p.Write(b)
		}), 1000)
		q.whenDropped(dropNote)
		for i := range 101 {
			fmt.Fprintf(q, "line %04d\n", i)
		}
		if q.Dropped() != 1 {
			t.Fatalf("%d of 101 lines are dropped, want 1", q.Dropped())
		}
		for written := 1; written <= 60; written++ {
			step <- struct{}{}
			synctest.Wait()
			before := q.Dropped()
			fmt.Fprintf(q, "line %04d\n", 1000+written)
			if dropped := q.Dropped() > before; dropped != (written < 50) {
				t.Fatalf("after %d of 100 lines are written, another one is dropped: %v", written, dropped)
			}
			if written == 50 {
				break
			}
		}
		close(step)
		q.Close(t.Context())
		if want := "line 0099\ndropped 50\nline 1050\n"; !strings.HasSuffix(p.String(), want) {
			t.Errorf("the end is %q, want %q", p.String()[900:], want)
		}
	})
}

// A writerFunc is a Write.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
