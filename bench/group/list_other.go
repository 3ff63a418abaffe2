//go:build !linux

package group

import (
	"slices"
	"time"

	"github.com/shirou/gopsutil/v4/process"
)

// processes lists those that we can see. Their groups, and what their children
// have used, are not known here: a server is its first process and that one's
// descendants.
func processes() []Process {
	all, err := process.Processes()
	if err != nil {
		return nil
	}
	var out []Process
	for _, p := range all {
		parent, err := p.Ppid()
		if err != nil {
			continue // it has ended since
		}
		one := Process{PID: int(p.Pid), Parent: int(parent)}
		if status, err := p.Status(); err == nil {
			one.Ended = slices.Contains(status, process.Zombie)
		}
		if t, err := p.Times(); err == nil {
			one.User, one.System = time.Duration(t.User*1e9), time.Duration(t.System*1e9)
		}
		out = append(out, one)
	}
	return out
}
