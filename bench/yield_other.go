//go:build !linux

package bench

// yield does nothing: a thread has no priority of its own.
func yield() {}
