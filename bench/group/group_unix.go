//go:build unix

package group

import (
	"os/exec"
	"syscall"
)

// Own gives the process that cmd will start a group of its own. A Ctrl-C in the
// terminal does not reach it: who has started it ends it.
func Own(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// Signal signals all processes of a server whose first one was started with Own,
// and returns them. They may be gone.
func Signal(pid int, sig syscall.Signal) []Process {
	// First, as a process whose parent has ended is nobody's.
	members := Members(pid)
	_ = syscall.Kill(-pid, sig)
	for _, p := range members {
		if p.Group != pid && !p.Ended {
			_ = syscall.Kill(p.PID, sig)
		}
	}
	return members
}

// Pause stops all processes of a server until Resume.
func Pause(pid int) error {
	Signal(pid, syscall.SIGSTOP)
	return nil
}

// Resume lets them go on.
func Resume(pid int) error {
	Signal(pid, syscall.SIGCONT)
	return nil
}
