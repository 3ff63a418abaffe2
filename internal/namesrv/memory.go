package namesrv

import (
	"math"
	"runtime/debug"
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// What peers make us hold may be a quarter of the memory there is, because the
// garbage collector lets the heap grow to twice what is alive, and the routes
// need the rest. More than 4 GiB is of no use to anybody: that is 256 of the
// largest frames and as many replies.
const (
	leastBudget   = 64 << 20 // room for the largest frame, its growth and its queue
	largestBudget = 4 << 30  // of those that are not configured
)

// memoryBudget returns the bytes of c.MemoryBudget, or what follows from the
// memory there is.
func (c *Config) memoryBudget() int64 {
	if c.MemoryBudget > 0 {
		return c.MemoryBudget
	}
	return budgetFor(memoryLimit())
}

func budgetFor(memory int64) int64 { return max(leastBudget, min(memory/4, largestBudget)) }

// memoryLimit returns the smallest of what GOMEMLIMIT, the control group and
// the machine allow this process, when it was first asked.
var memoryLimit = sync.OnceValue(func() int64 {
	limit := debug.SetMemoryLimit(-1) // asks only; math.MaxInt64 is none
	for _, ask := range []memlimit.Provider{memlimit.FromCgroup, memlimit.FromSystem} {
		if n, err := ask(); err == nil && n <= math.MaxInt64 {
			limit = min(limit, int64(n))
		}
	}
	return limit
})
