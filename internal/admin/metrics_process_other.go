//go:build !linux

package admin

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"gonamesrv/internal/namesrv"
)

// newProcessCollector shows the process.
func newProcessCollector(*namesrv.Server) prometheus.Collector {
	return collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})
}
