//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// caughtSignals are those that a signalCatcher serves.
var caughtSignals = []os.Signal{syscall.SIGHUP, syscall.SIGQUIT}

func isStackSignal(sig os.Signal) bool { return sig == syscall.SIGQUIT }

// ignoreBrokenPipes makes a write to standard output or standard error fail when
// its reader is gone; Go ends the process otherwise.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }
