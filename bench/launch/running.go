package launch

import (
	"sync"
	"syscall"

	"gonamesrv/bench/group"
)

// running are the servers that were started here and were not ended yet, by their first
// process.
var running struct {
	mu   sync.Mutex
	pids map[int]bool
}

func noteStart(pid int) {
	running.mu.Lock()
	defer running.mu.Unlock()
	if running.pids == nil {
		running.pids = map[int]bool{}
	}
	running.pids[pid] = true
}

func noteEnd(pid int) {
	running.mu.Lock()
	defer running.mu.Unlock()
	delete(running.pids, pid)
}

// KillAll ends every server that was started here and runs still, also one that is stopped,
// and does not wait. It is for a program that ends at once, without a Close of each.
func KillAll() {
	running.mu.Lock()
	defer running.mu.Unlock()
	for pid := range running.pids {
		group.Signal(pid, syscall.SIGKILL)
	}
}
