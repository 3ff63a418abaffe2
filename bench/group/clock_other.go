//go:build !linux

package group

import "time"

// CPU returns the CPU time of all processes of a server, as precisely as the
// system counts it; 0 when it has none.
func CPU(pid int) (sum time.Duration) {
	for _, p := range Members(pid) {
		sum += p.User + p.System
	}
	return sum
}
