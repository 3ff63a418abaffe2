package admin

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// BenchmarkGather makes the metrics of a server with a million topics and 300 brokers:
// without and with their text. CPU is of all threads, with the garbage collector's.
func BenchmarkGather(b *testing.B) {
	for _, size := range []struct{ brokers, topics int }{{1, 1}, {300, 1_000_000}} {
		a, addr := serveMetrics(b, func(c *namesrv.Config) { c.MemoryBudget = 2 << 30 })
		c := nstest.Dial(b, addr)
		per := size.topics / size.brokers
		for i := range size.brokers {
			broker := nstest.Broker{Cluster: fmt.Sprint("c", i%3), Name: fmt.Sprintf("broker-%03d", i/2), ID: int64(i % 2), Addr: fmt.Sprintf("10.0.%d.%d:10911", i/200, i%200)}
			if i%2 == 0 || size.brokers == 1 {
				for j := range 2*per + 2 {
					broker.Topics = append(broker.Topics, fmt.Sprintf("topic-%03d-%06d", i, j))
				}
			}
			c.Do(broker.Register())
		}
		name := fmt.Sprintf("brokers=%d/topics=%d", size.brokers, size.topics)
		b.Run(name+"/gather", func(b *testing.B) {
			registry := prometheus.NewRegistry()
			registry.MustRegister(newCollector(a))
			series := 0
			b.ReportAllocs()
			begun := cpuTime(b)
			for b.Loop() {
				families, err := registry.Gather()
				if err != nil {
					b.Fatal(err)
				}
				series = 0
				for _, f := range families {
					series += len(f.Metric)
				}
			}
			b.ReportMetric(float64(cpuTime(b)-begun)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(series), "series")
			b.ReportMetric(float64(a.server.View().TopicCount()), "topics")
		})
		b.Run(name+"/scrape", func(b *testing.B) {
			b.ReportAllocs()
			var body *bytes.Buffer
			begun := cpuTime(b)
			for b.Loop() {
				w := httptest.NewRecorder()
				a.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
				body = w.Body
			}
			b.ReportMetric(float64(cpuTime(b)-begun)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(body.Len()), "bytes")
		})
	}
}

// cpuTime returns what the process has used so far.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
