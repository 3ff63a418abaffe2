package engine

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/valyala/bytebufferpool"
)

// The classes follow each other without a gap, and none is wider than a quarter
// of its least buffer.
func TestBufferClasses(t *testing.T) {
	last, least := firstHuge, largeBuffer+1
	for n := least; n <= hugeBuffer; n++ {
		i := classOf(n)
		if i != last {
			if i != last+1 {
				t.Fatalf("class %d follows %d at %d bytes", i, last, n)
			}
			last, least = i, n
		}
		if n > least+least/4 {
			t.Fatalf("class %d is from %d to %d bytes", i, least, n)
		}
	}
	if last != bufferClasses-1 {
		t.Errorf("the last class is %d, want %d", last, bufferClasses-1)
	}
}

// keepPools makes what is put into a pool come out of it again until the test
// ends. A sync.Pool keeps one value of each processor from the others, and loses
// some to the garbage collector, so there is one processor, and no collection but
// those that the test asks for. Under the race detector the test is skipped,
// because that makes pools forget.
func keepPools(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	processors, percent := runtime.GOMAXPROCS(1), debug.SetGCPercent(-1)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(processors)
		debug.SetGCPercent(percent)
	})
}

// A class with buffers too small for what is asked for comes to have larger
// ones.
func TestBufferClassGrows(t *testing.T) {
	keepPools(t)
	var p buffers
	p.put(p.get(400_000))
	b := p.get(450_000)
	if n := cap(b.B); n < 450_000 || n >= 450_000+page {
		t.Fatalf("got %d bytes for 450,000", n)
	}
	p.put(b)
	if again := p.get(400_000); again != b {
		t.Error("the larger one is not used for less")
	}
}

func TestBuffersAreEmptyAndLargeEnough(t *testing.T) {
	var p buffers
	for _, n := range []int{0, 1, smallBuffer, smallBuffer + 1, largeBuffer, largeBuffer + 1, 400_000, hugeBuffer, hugeBuffer + 1} {
		for range 3 {
			b := p.get(n)
			if len(b.B) != 0 || cap(b.B) < n {
				t.Errorf("asked for %d bytes, got %d of %d", n, len(b.B), cap(b.B))
			}
			b.B = append(b.B, make([]byte, n)...)
			p.put(b)
		}
	}
}

// A class holds so much and no more, however many come back at once, and again
// as much after the collector has emptied it.
func TestBufferClassIsBounded(t *testing.T) {
	keepPools(t)
	const size = 1 << 20
	most := int(buffersKept / size)
	var p buffers
	for _, round := range []string{"first", "emptied by the collector"} {
		var taken []*bytebufferpool.ByteBuffer
		for range 3 * most {
			taken = append(taken, p.get(size))
		}
		returned := map[*bytebufferpool.ByteBuffer]bool{}
		for _, b := range taken {
			returned[b] = true
			p.put(b)
		}
		again := 0
		for range 3 * most {
			if returned[p.get(size)] {
				again++
			}
		}
		if again != most {
			t.Errorf("%s: %d of %d buffers were kept, want %d", round, again, len(taken), most)
		}
		for b := range returned {
			p.put(b)
		}
		runtime.GC()
		runtime.GC() // what was not used between two rounds is gone
	}
}

// Where the budget is small, the pools hold less.
func TestBuffersOfASmallBudget(t *testing.T) {
	keepPools(t)
	var p buffers
	p.keepLess(NewBudget(16 << 20))
	for size, most := range map[int]int{512 << 10: 2, 2 << 20: 0} {
		returned := map[*bytebufferpool.ByteBuffer]bool{}
		for range 8 {
			returned[p.get(size)] = true
		}
		for b := range returned {
			p.put(b)
		}
		again := 0
		for range 8 {
			if returned[p.get(size)] {
				again++
			}
		}
		if again != most {
			t.Errorf("%d of 8 buffers of %d bytes were kept, want %d", again, size, most)
		}
	}
}

// Whatever sizes come back, small, large and huge buffers each hold so much and
// no more, and the size that is in use is among them.
func TestBuffersKeepSoMuchOfAllSizes(t *testing.T) {
	keepPools(t)
	var p buffers
	p.keepLess(NewBudget(64 << 20)) // 4 MiB of each
	held := func() (small, large, huge int64) {
		for i := firstHuge; i < bufferClasses; i++ {
			huge += p.classes[i].held.Load()
		}
		return p.classes[0].held.Load(), p.classes[1].held.Load(), huge
	}
	for _, size := range []int{300, 4096, 5000, largeBuffer, 70_000, 100_000, 400_000, 1 << 20, 3 << 20} {
		var taken []*bytebufferpool.ByteBuffer
		for range 8<<20/size + 1 {
			taken = append(taken, p.get(size))
		}
		for _, b := range taken {
			p.put(b)
		}
		small, large, huge := held()
		if small > p.keep || large > p.keep || huge > p.keep {
			t.Errorf("after %d bytes: %d, %d and %d held, want at most %d each", size, small, large, huge, p.keep)
		}
		b := p.get(size)
		found := false
		for _, other := range taken {
			found = found || b == other
		}
		if !found {
			t.Errorf("no buffer of %d bytes was kept", size)
		}
		p.put(b)
	}
}
