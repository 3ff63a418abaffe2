package bench

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestYield: the thread gives way, and no other does.
func TestYield(t *testing.T) {
	// The kernel says 20 less the nice value, from 1 to 40.
	priority := func() int {
		p, err := unix.Getpriority(unix.PRIO_PROCESS, unix.Gettid())
		if err != nil {
			t.Error(err)
		}
		return p
	}
	before := priority()
	yielded := make(chan int)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		yield()
		yielded <- priority()
	}()
	if got := <-yielded; got != 1 {
		t.Errorf("priority after yield is %d, want the lowest, 1", got)
	}
	if got := priority(); got != before {
		t.Errorf("priority of another thread is %d, was %d", got, before)
	}
}
