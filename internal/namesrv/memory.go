package namesrv

import (
	"log/slog"
	"math"
	"runtime/debug"
	"sync"

	"github.com/KimMachineGun/automemlimit/memlimit"

	"gonamesrv/engine"
)

// What peers make us hold may be a quarter of the memory there is. The garbage
// collector lets the heap grow to half more than what is alive, and routes and the
// program itself need the rest. More than 4 GiB is of no use to anybody: that is
// 256 of the largest frames. Less than 8 MiB is not enough for a registration of
// some thousand topics.
const (
	leastBudget   = 8 << 20
	largestBudget = 4 << 30 // of those that are not configured
)

// frameLimit returns how large a frame may be, in bytes: frameMaxLength, but not
// more than a quarter of the budget. That is half of the half for unfinished
// frames, and half of the half for requests. So there is room for a frame while its
// buffer grows, and for one in a queue.
func frameLimit(frameMaxLength int, budget int64) int {
	return int(min(int64(frameMaxLength), budget/4))
}

// A reservation is what one request has reserved of the budget.
type reservation struct {
	budget *engine.Budget
	bytes  int
}

// grow reserves n bytes more, if there is room for them.
func (r *reservation) grow(n int) bool {
	if !r.budget.Reserve(n) {
		return false
	}
	r.bytes += n
	return true
}

// release gives all of it back.
func (r *reservation) release() { r.budget.Release(r.bytes) }

// memoryBudget returns the bytes of c.MemoryBudget, or what follows from the
// memory there is.
func (c *Config) memoryBudget() int64 {
	if c.MemoryBudget > 0 {
		return c.MemoryBudget
	}
	return budgetFor(memoryLimit())
}

func budgetFor(memory int64) int64 { return max(leastBudget, min(memory/4, largestBudget)) }

// goShare is the part of a container's memory that the Go runtime may use. The
// rest is for the program's text and the kernel's side of its sockets.
const goShare = 0.85

// SetMemoryLimit makes the Go runtime keep within the memory limit of the control
// group that the process is in, and tells log. It does nothing where GOMEMLIMIT is
// set, gomemlimit being its value, or where there is no such limit. To be called
// before New.
func SetMemoryLimit(gomemlimit string, log *slog.Logger) {
	container, err := memlimit.FromCgroup()
	if err != nil {
		container = math.MaxUint64
	}
	machine, err := memlimit.FromSystem()
	if err != nil {
		machine = math.MaxInt64
	}
	switch limit := goLimit(container, machine); {
	case gomemlimit != "":
		log.Info("memory limit", "bytes", debug.SetMemoryLimit(-1), "from", "GOMEMLIMIT")
	case limit == 0:
		log.Info("no memory limit of a control group")
	default:
		debug.SetMemoryLimit(limit)
		log.Info("memory limit", "bytes", limit, "from", "control group", "container", container)
	}
}

// goLimit returns how many bytes the Go runtime may use in a container of so many
// on such a machine, 0 if that is as much as the machine has.
func goLimit(container, machine uint64) int64 {
	if container >= machine {
		return 0
	}
	return int64(float64(container) * goShare)
}

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
