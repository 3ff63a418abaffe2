package bench

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestYield: the goroutine gives way, and its thread is not left to others.
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
	yielded, end := make(chan int), make(chan bool)
	for range n {
		go func() {
			yield()
			p := priority(unix.Gettid())
			unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil) // on its thread
			yielded <- p
			<-end
		}()
	}
	for range n {
		if got := <-yielded; got != 1 {
			t.Errorf("priority after yield is %d, want the lowest, 1", got)
		}
	}
	close(end)
	polite := func() bool {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			// The first thread cannot end; Go parks it for ever instead.
			if tid, _ := strconv.Atoi(task.Name()); tid != os.Getpid() && priority(tid) == 1 {
				return true
			}
		}
		return false
	}
	if !await(t.Context(), connectTimeout, func() bool { return !polite() }) {
		t.Error("a thread that gives way is left behind")
	}
}
