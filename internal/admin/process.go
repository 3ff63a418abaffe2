package admin

import (
	"runtime/metrics"
	"time"
)

// A processStats is what the system knows of this process; nil is not known.
type processStats struct {
	rss                  *int64 // bytes
	openFiles, fileLimit *int64
	cpu                  *time.Duration // of all threads, since the start
}

// cpuPercent returns how much of one processor was used between two readings that are so
// far apart: 200 is two of them. nil is not known.
func cpuPercent(before, now processStats, apart time.Duration) *float64 {
	if before.cpu == nil || now.cpu == nil || apart <= 0 {
		return nil
	}
	percent := float64(*now.cpu-*before.cpu) / float64(apart) * 100
	return &percent
}

// heapBytes returns the bytes of live objects, and of those that are not collected yet.
func heapBytes() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(sample[0].Value.Uint64())
}
