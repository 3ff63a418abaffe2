package admin

import "runtime/metrics"

// A processStats is what the system knows of this process; nil is not known.
type processStats struct {
	rss                  *int64 // bytes
	openFiles, fileLimit *int64
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
