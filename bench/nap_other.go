//go:build !linux

package bench

import "time"

// A napper sleeps as precisely as Go's timers.
type napper struct{}

func newNapper() *napper { return &napper{} }

func (*napper) nap(d time.Duration) { time.Sleep(d) }
func (*napper) close()              {}
