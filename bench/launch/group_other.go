//go:build !unix

package launch

import (
	"errors"
	"os/exec"
	"syscall"
)

func ownGroup(*exec.Cmd) {}

func pauseGroup(*exec.Cmd) error { return errors.ErrUnsupported }

func resumeGroup(*exec.Cmd) error { return errors.ErrUnsupported }

func signalGroup(cmd *exec.Cmd, _ syscall.Signal) { _ = cmd.Process.Kill() }
