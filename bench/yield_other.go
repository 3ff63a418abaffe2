//go:build !linux

package bench

// yield does nothing: threads have no priority of their own.
func yield() {}
