package group

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// A Process is one member, as the system shows it.
type Process struct {
	PID, Parent, Group int
	Ended              bool          // and its parent has not asked how
	User, System       time.Duration // CPU time of its own
	// CPU time of its children that have ended, as far as it has asked how, and of
	// theirs.
	ReapedUser, ReapedSystem time.Duration
}

// Members returns the processes of the server whose first process is pid, which
// may have ended, the newest descendants last. This process is in none.
func Members(pid int) []Process {
	all := processes()
	self := os.Getpid()
	ourGroup := 0
	for _, p := range all {
		if p.PID == self {
			ourGroup = p.Group
		}
	}
	in := map[int]bool{}
	var out []Process
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			// A group that we are in ourselves is a shell's, not the server's.
			first := p.PID == pid || (p.Group == pid && pid != ourGroup)
			if !in[p.PID] && p.PID != self && (first || in[p.Parent]) {
				in[p.PID], grown = true, true
				out = append(out, p)
			}
		}
	}
	return out
}

// Alive reports whether any process of the server has not ended.
func Alive(pid int) bool {
	for _, p := range Members(pid) {
		if !p.Ended {
			return true
		}
	}
	return false
}

// poll is how often Wait looks.
const poll = 10 * time.Millisecond

// Wait waits until all processes of the server, and these, have ended, for at most
// within. It reports whether they have.
func Wait(pid int, these []Process, within time.Duration) bool {
	for deadline := time.Now().Add(within); Alive(pid) || anyAlive(these); time.Sleep(poll) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func anyAlive(these []Process) bool {
	alive := map[int]bool{}
	for _, p := range processes() {
		alive[p.PID] = !p.Ended
	}
	for _, p := range these {
		if alive[p.PID] {
			return true
		}
	}
	return false
}

// endWithin is how long killed processes may take to be gone.
const endWithin = time.Minute

// Kill ends all processes of the server at once, also those that they start
// meanwhile, and returns when they are gone.
func Kill(pid int) error {
	var seen []Process
	for deadline := time.Now().Add(endWithin); ; {
		seen = append(seen, Signal(pid, syscall.SIGKILL)...)
		if Wait(pid, seen, time.Second) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes of server %d do not end", pid)
		}
	}
}
