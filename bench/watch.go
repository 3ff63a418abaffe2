package bench

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/shirou/gopsutil/v4/process"

	"gonamesrv/bench/group"
)

// A watch looks at the server once a second, for the series.
type watch struct {
	pid  atomic.Int64 // of the server; 0 is not watched
	used []usage      // by second; read it after stop only
	// latest is the newest of used, for whoever looks while it runs.
	latest atomic.Pointer[usage]
	quit   chan struct{}
	wg     sync.WaitGroup
}

// A usage is what a server took in one second.
type usage struct {
	cores float64
	rss   uint64
}

// start begins the first second now.
func (w *watch) start(pid int) {
	w.pid.Store(int64(pid))
	if pid == 0 {
		return
	}
	w.quit = make(chan struct{})
	w.wg.Go(w.run)
}

func (w *watch) stop() {
	if w.quit != nil {
		close(w.quit)
		w.wg.Wait()
		w.quit = nil
	}
}

func (w *watch) run() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	pid := w.pid.Load()
	before, _ := readUsage(pid)
	at := time.Now()
	for {
		select {
		case <-w.quit:
			return
		case <-tick.C:
		}
		if now := w.pid.Load(); now != pid { // restarted: all it has spent belongs to now
			pid, before = now, usage{}
		}
		spent, ok := readUsage(pid)
		u, now := usage{rss: spent.rss}, time.Now()
		if ok {
			u.cores = max(0, spent.cores-before.cores) / now.Sub(at).Seconds()
			before = spent
		}
		at = now
		w.used = append(w.used, u)
		w.latest.Store(&u)
	}
}

// readUsage returns the CPU seconds since the server began, as cores, and its
// memory, of all its processes; false when there is none.
func readUsage(pid int64) (usage, bool) {
	members := group.Members(int(pid))
	var u usage
	for _, m := range members {
		u.cores += (m.User + m.System + m.ReapedUser + m.ReapedSystem).Seconds()
		p := process.Process{Pid: int32(m.PID)}
		if mem, err := p.MemoryInfo(); err == nil && !m.Ended {
			u.rss += mem.RSS
		}
	}
	return u, len(members) > 0
}

// fill puts what was seen into the points of the same seconds.
func (w *watch) fill(points []Point) []Point {
	for i, u := range w.used {
		if i < len(points) {
			points[i].ServerCPU, points[i].ServerRSS = u.cores, u.rss
		}
	}
	return points
}
