package bench

import (
	"fmt"

	"github.com/shirou/gopsutil/v4/process"

	"gonamesrv/bench/group"
)

// readProcess returns what the system says of one process now; CPU times count
// from its start, in steps of what the system counts in (10 ms on Linux).
func readProcess(pid int) (Process, error) {
	p, err := process.NewProcess(int32(pid))
	if err != nil {
		return Process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	t, err := p.Times()
	if err != nil {
		return Process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	out := sizeOf(p)
	out.CPUUserSeconds, out.CPUSystemSeconds, out.CPUSeconds = t.User, t.System, t.User+t.System
	return out, nil
}

// sizeOf is what the system says of a process beside its CPU time.
func sizeOf(p *process.Process) (out Process) {
	if m, err := p.MemoryInfo(); err == nil {
		out.RSS, out.PeakRSS = m.RSS, max(group.Peak(int(p.Pid)), m.RSS)
	}
	if n, err := p.NumThreads(); err == nil {
		out.Threads = int(n)
	}
	if n, err := p.NumFDs(); err == nil {
		out.FDs = int(n)
	}
	return out
}

// readServer is readProcess for a server: all its processes together, and the
// CPU time of those that have ended.
func readServer(pid int) (sum Process, err error) {
	alive := 0
	for _, m := range group.Members(pid) {
		sum.CPUUserSeconds += (m.User + m.ReapedUser).Seconds()
		sum.CPUSystemSeconds += (m.System + m.ReapedSystem).Seconds()
		if m.Ended {
			continue
		}
		alive++
		one := sizeOf(&process.Process{Pid: int32(m.PID)})
		sum.RSS += one.RSS
		sum.PeakRSS += one.PeakRSS
		sum.Threads += one.Threads
		sum.FDs += one.FDs
	}
	if alive == 0 {
		return Process{}, fmt.Errorf("process %d: it has ended, or never was", pid)
	}
	sum.CPUSeconds, sum.Processes = sum.CPUUserSeconds+sum.CPUSystemSeconds, alive
	return sum, nil
}

// A meter adds up the CPU of one server, which may be several processes one
// after the other.
type meter struct {
	pid   int  // of its first process; 0 when there is none
	alone bool // this one process, and not what it has started
	begun Process
	spent Process // by the processes before
	last  Process // what was read last: CPU time is never less than that
}

// follow goes on with another process, which has just started. spent is the CPU
// time that the process before it had used at its end.
func (m *meter) follow(pid int, spent Process) {
	if m.pid != 0 {
		m.pid, m.spent, m.begun, m.last = pid, spent, Process{}, spent
	}
}

func (m *meter) now() (Process, error) {
	if m.alone {
		return readProcess(m.pid)
	}
	return readServer(m.pid)
}

// begin counts from now on.
func (m *meter) begin() error {
	m.spent, m.last = Process{}, Process{}
	if m.pid == 0 {
		return nil
	}
	var err error
	m.begun, err = m.now()
	m.last = m.begun.since(m.begun, 0)
	return err
}

// read returns the CPU time spent since begin, and the other values as they are
// now. If the process has ended, they stay as they were read last.
func (m *meter) read() Process {
	if m.pid == 0 {
		return Process{}
	}
	now, err := m.now()
	if err != nil {
		return m.last
	}
	now = now.plus(m.spent).since(m.begun, 0)
	// Of a process that has ended, and whose parent was not there to ask how, the system says
	// nothing any more. What it had used by the last time counts.
	lost := Process{CPUUserSeconds: max(0, m.last.CPUUserSeconds-now.CPUUserSeconds), CPUSystemSeconds: max(0, m.last.CPUSystemSeconds-now.CPUSystemSeconds)}
	lost.CPUSeconds = lost.CPUUserSeconds + lost.CPUSystemSeconds
	m.spent, now = m.spent.plus(lost), now.plus(lost)
	m.last = now
	return now
}

// plus returns p with the CPU time of o as well.
func (p Process) plus(o Process) Process {
	p.CPUSeconds += o.CPUSeconds
	p.CPUUserSeconds += o.CPUUserSeconds
	p.CPUSystemSeconds += o.CPUSystemSeconds
	return p
}

// since returns p with the CPU time that was spent after before was read.
func (p Process) since(before Process, requests uint64) Process {
	p.CPUSeconds -= before.CPUSeconds
	p.CPUUserSeconds -= before.CPUUserSeconds
	p.CPUSystemSeconds -= before.CPUSystemSeconds
	if requests > 0 {
		p.CPUSecondsPerMillion = p.CPUSeconds / float64(requests) * 1e6
	}
	return p
}
