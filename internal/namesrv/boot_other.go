//go:build !linux

package namesrv

import "time"

// bootTime says that nothing is known of the run of the machine. The wall clock has
// to do.
func bootTime() (id string, d time.Duration) { return "", 0 }
