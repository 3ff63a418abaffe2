package admin

import (
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"

	"gonamesrv/internal/namesrv"
)

// A processCollector shows the process as client_golang's does, but for the number of
// open descriptors: kernels before 6.2 tell it to nobody who does not list them, and
// there may be 100,000. It has no network bytes, which were those of all processes.
type processCollector struct{ server *namesrv.Server }

func newProcessCollector(s *namesrv.Server) prometheus.Collector { return &processCollector{s} }

func processMetric(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("process_"+name, help, nil, nil)
}

var (
	processCPU       = processMetric("cpu_seconds_total", "Total user and system CPU time spent in seconds.")
	processFiles     = processMetric("open_fds", "Number of open file descriptors; before Linux 6.2, of connections of the name server.")
	processMaxFiles  = processMetric("max_fds", "Maximum number of open file descriptors.")
	processVirtual   = processMetric("virtual_memory_bytes", "Virtual memory size in bytes.")
	processResident  = processMetric("resident_memory_bytes", "Resident memory size in bytes.")
	processStartTime = processMetric("start_time_seconds", "Start time of the process since unix epoch in seconds.")
)

func (c *processCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{processCPU, processFiles, processMaxFiles, processVirtual, processResident, processStartTime} {
		ch <- d
	}
}

// Collect leaves out what cannot be read.
func (c *processCollector) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(processFiles, prometheus.GaugeValue, float64(openFiles(c.server)))
	p, err := procfs.Self()
	if err != nil {
		return
	}
	if stat, err := p.Stat(); err == nil {
		ch <- prometheus.MustNewConstMetric(processCPU, prometheus.CounterValue, stat.CPUTime())
		ch <- prometheus.MustNewConstMetric(processVirtual, prometheus.GaugeValue, float64(stat.VirtualMemory()))
		ch <- prometheus.MustNewConstMetric(processResident, prometheus.GaugeValue, float64(stat.ResidentMemory()))
		if start, err := stat.StartTime(); err == nil {
			ch <- prometheus.MustNewConstMetric(processStartTime, prometheus.GaugeValue, start)
		}
	}
	if limits, err := p.Limits(); err == nil {
		ch <- prometheus.MustNewConstMetric(processMaxFiles, prometheus.GaugeValue, float64(limits.OpenFiles))
	}
}

// openFiles returns the number of open descriptors without listing them: since Linux
// 6.2 it is the size of their folder, which was 0 before. Then it is the number of
// connections, which nearly all of them are where they matter.
func openFiles(s *namesrv.Server) int64 {
	if info, err := os.Stat("/proc/self/fd"); err == nil && info.Size() > 0 {
		return info.Size()
	}
	return int64(s.Snapshot().Engine.Open)
}
