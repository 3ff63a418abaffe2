package bench

import (
	"fmt"

	"github.com/shirou/gopsutil/v4/process"
)

// readProcess returns what the system says of a process now; CPU times count
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
	out := Process{CPUUserSeconds: t.User, CPUSystemSeconds: t.System, CPUSeconds: t.User + t.System}
	if m, err := p.MemoryInfo(); err == nil {
		out.RSS, out.PeakRSS = m.RSS, max(m.HWM, m.RSS)
	}
	if n, err := p.NumThreads(); err == nil {
		out.Threads = int(n)
	}
	if n, err := p.NumFDs(); err == nil {
		out.FDs = int(n)
	}
	return out, nil
}

// A meter adds up the CPU of one server, which may be several processes one
// after the other.
type meter struct {
	pid   int // 0 when there is none
	begun Process
	spent Process // by the processes before
}

// follow goes on with another process, which has just started. spent is the CPU
// time that the process before it had used at its end.
func (m *meter) follow(pid int, spent Process) {
	if m.pid != 0 {
		m.pid, m.spent, m.begun = pid, spent, Process{}
	}
}

// begin counts from now on.
func (m *meter) begin() error {
	m.spent = Process{}
	if m.pid == 0 {
		return nil
	}
	var err error
	m.begun, err = readProcess(m.pid)
	return err
}

// read returns the CPU time spent since begin, and the other values as they are
// now. If the process has ended, they stay as they were.
func (m *meter) read() Process {
	if m.pid == 0 {
		return Process{}
	}
	now, err := readProcess(m.pid)
	if err != nil {
		return m.spent
	}
	now.CPUSeconds += m.spent.CPUSeconds - m.begun.CPUSeconds
	now.CPUUserSeconds += m.spent.CPUUserSeconds - m.begun.CPUUserSeconds
	now.CPUSystemSeconds += m.spent.CPUSystemSeconds - m.begun.CPUSystemSeconds
	return now
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
