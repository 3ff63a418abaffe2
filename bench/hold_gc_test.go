package bench

import (
	"runtime"
	"runtime/debug"
	"testing"
)

// TestHoldGC: as long as a run goes on no garbage is collected, and afterwards all is as
// it was; several runs at a time do not disturb each other.
func TestHoldGC(t *testing.T) {
	percent := debug.SetGCPercent(77)
	defer debug.SetGCPercent(percent)
	limit := debug.SetMemoryLimit(-1)
	cycles := func() uint32 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.NumGC
	}
	one, two := holdGC(), holdGC()
	before := cycles()
	for range 64 { // four times the heap that there may be at 77 %
		sinkhole = make([]byte, 1<<20)
	}
	if n := cycles() - before; n > 0 {
		t.Errorf("garbage was collected %d times", n)
	}
	one()
	one() // it counts once
	if got := debug.SetGCPercent(-1); got != -1 {
		t.Errorf("the percentage is %d as long as a run goes on", got)
	}
	two()
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("afterwards the percentage is %d, want 77", got)
	}
	if got := debug.SetMemoryLimit(-1); got != limit {
		t.Errorf("afterwards the limit is %d, want %d", got, limit)
	}
}

// TestHoldGCEnds when more is allocated than a run should need.
func TestHoldGCEnds(t *testing.T) {
	percent := debug.SetGCPercent(77)
	defer debug.SetGCPercent(percent)
	release := holdGC()
	defer release()
	held.mu.Lock()
	hold := held.hold
	held.mu.Unlock()
	collectAgain(hold - 1) // of a run before
	if got := debug.SetGCPercent(-1); got != -1 {
		t.Fatalf("a former run ends the hold of this one: %d", got)
	}
	collectAgain(hold)
	if got := debug.SetGCPercent(77); got != 77 {
		t.Errorf("the percentage is %d, want 77", got)
	}
}

// sinkhole keeps what is allocated on the heap.
var sinkhole []byte
