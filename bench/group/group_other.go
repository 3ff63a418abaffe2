//go:build !unix

package group

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// Own does nothing: there are no groups here.
func Own(*exec.Cmd) {}

// Signal ends the processes of a server, whatever the signal, and returns them.
func Signal(pid int, _ syscall.Signal) []Process {
	members := Members(pid)
	for _, p := range members {
		if proc, err := os.FindProcess(p.PID); err == nil {
			_ = proc.Kill() // it may be gone
		}
	}
	return members
}

// Pause cannot stop a server here.
func Pause(int) error { return errors.ErrUnsupported }

// Resume cannot let it go on.
func Resume(int) error { return errors.ErrUnsupported }
