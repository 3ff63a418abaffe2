//go:build !linux

package bench

import "time"

func preciseNaps() {}

func nap(d time.Duration) { time.Sleep(d) }
