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
	yielded := make(chan int)
	go func() {
		yield()
		yielded <- priority(unix.Gettid())
	}()
	if got := <-yielded; got != 1 {
		t.Errorf("priority after yield is %d, want the lowest, 1", got)
	}
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
