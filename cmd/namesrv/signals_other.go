//go:build !unix

package main

import "os"

// There are no signals to catch.
var caughtSignals []os.Signal

func isStackSignal(os.Signal) bool { return false }

func ignoreBrokenPipes() {}
