package bench

import (
	"runtime"
	"runtime/debug"
	"sync"
)

// heldHeap is how many bytes a run may allocate before garbage is collected: the load itself
// allocates next to nothing, and what is beside it gets this far in minutes.
const heldHeap = 256 << 20

// held is what was set before the first of the runs of this process that go on.
var held struct {
	mu      sync.Mutex // guards the following fields
	runs    int
	hold    int // counts the times that runs has become 1
	percent int
	limit   int64
}

// holdGC puts garbage collection off, which takes processors from the load and from the
// server, until the function that it returns is called or heldHeap is used up.
func holdGC() (release func()) {
	held.mu.Lock()
	defer held.mu.Unlock()
	if held.runs++; held.runs == 1 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		held.percent = debug.SetGCPercent(-1)
		held.limit = debug.SetMemoryLimit(-1)
		debug.SetMemoryLimit(min(held.limit, int64(m.Sys-m.HeapReleased)+heldHeap))
		held.hold++
		runtime.AddCleanup(new([64]byte), collectAgain, held.hold)
	}
	return sync.OnceFunc(func() {
		held.mu.Lock()
		defer held.mu.Unlock()
		if held.runs--; held.runs == 0 {
			collectLocked()
		}
	})
}

// collectAgain is called when the first garbage was collected since a hold began: there is
// more than was thought, and a heap at its limit would be collected all the time.
func collectAgain(hold int) {
	held.mu.Lock()
	defer held.mu.Unlock()
	if held.runs > 0 && held.hold == hold {
		collectLocked()
	}
}

func collectLocked() {
	debug.SetGCPercent(held.percent)
	debug.SetMemoryLimit(held.limit)
}
