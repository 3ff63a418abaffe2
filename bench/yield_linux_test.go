package bench

import (
	"fmt"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestYield: the goroutine gives way, and its thread is not left to others,
// also where the whole process gives way already.
func TestYield(t *testing.T) {
	// The kernel says 20 less the nice value, from 1 to 40.
	priority := func(tid int) int {
		p, err := unix.Getpriority(unix.PRIO_PROCESS, tid)
		if err != nil {
			return 0 // the thread has ended
		}
		return p
	}
	// Several at once, so that not all are on the first thread.
	const n = 4
	type thread struct{ tid, priority int }
	yielded, end := make(chan thread), make(chan bool)
	for range n {
		go func() {
			yield()
			tid := unix.Gettid()
			unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil) // on its thread
			yielded <- thread{tid, priority(tid)}
			<-end
		}()
	}
	polite := map[int]bool{} // threads
	for range n {
		got := <-yielded
		if got.priority != 1 {
			t.Errorf("priority after yield is %d, want the lowest, 1", got.priority)
		}
		polite[got.tid] = true
	}
	if len(polite) != n {
		t.Errorf("%d goroutines share %d threads, want one each", n, len(polite))
	}
	close(end)
	delete(polite, os.Getpid()) // the first thread cannot end; Go parks it for ever instead
	left := func() bool {
		for tid := range polite {
			if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", tid)); err == nil {
				return true
			}
		}
		return false
	}
	if !await(t.Context(), 2*time.Minute, func() bool { return !left() }) {
		t.Error("a thread that gives way is left behind")
	}
}
