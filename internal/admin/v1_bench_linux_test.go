package admin

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"testing"
	"time"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A discardWriter is an answer that nobody reads.
type discardWriter struct {
	header http.Header
	status int
}

func (w *discardWriter) Header() http.Header         { return w.header }
func (w *discardWriter) WriteHeader(status int)      { w.status = status }
func (w *discardWriter) Write(b []byte) (int, error) { return io.Discard.Write(b) }

// BenchmarkMillionTopics asks for topics of a million. The first page makes the list of
// names; all others use it. cpu-ms is the time of all threads, so that of the collector
// too.
func BenchmarkMillionTopics(b *testing.B) {
	const brokers, each = 25, 40_000
	f := newFixture(b, func(c *namesrv.Config) {
		c.MaxTopics, c.MaxRouteEntries, c.MemoryBudget = 2_000_000, 4_000_000, 1<<30
	})
	for i := range brokers {
		names := make([]string, each)
		for k := range names {
			names[k] = fmt.Sprintf("%%RETRY%%group-%03d-%06d", k%1000, i*each+k)
		}
		f.register(nstest.Broker{Cluster: "c", Name: fmt.Sprintf("b%d", i), Addr: fmt.Sprintf("10.0.0.%d:1", i), Counter: 1, Topics: names})
	}
	if n := f.server.View().TopicCount(); n != brokers*each {
		b.Fatalf("%d topics", n)
	}
	forget := func() {
		f.names.forget(time.Now().Add(time.Hour))
		runtime.GC()
		runtime.GC()
	}
	for _, bm := range []struct{ name, path string }{
		{"first page", "/v1/topics"},
		{"page of 100", "/v1/topics?after=%25RETRY%25group-500"},
		{"page of 1000", "/v1/topics?limit=1000&after=%25RETRY%25group-500"},
		{"page of 10000 names", "/v1/topics?limit=10000&fields=name&after=%25RETRY%25group-500"},
		{"prefix", "/v1/topics?prefix=%25RETRY%25group-777-"},
		{"contains nothing", "/v1/topics?contains=nowhere"},
		{"one topic", "/v1/topics/%25RETRY%25group-000-000000"},
		{"status", "/v1/status"},
		{"snapshot", "/v1/snapshot"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			if bm.name != "first page" {
				f.names.made = time.Time{}
				f.get("/v1/topics?limit=1")
			}
			var spent time.Duration
			b.ReportAllocs()
			for b.Loop() {
				if bm.name == "first page" {
					b.StopTimer()
					forget()
					b.StartTimer()
				}
				w := &discardWriter{header: http.Header{}, status: 200}
				r := httptest.NewRequest(http.MethodGet, bm.path, nil)
				before := cpuTime(b)
				f.Handler.ServeHTTP(w, r)
				if spent += cpuTime(b) - before; w.status != http.StatusOK {
					b.Fatalf("status %d", w.status)
				}
			}
			b.ReportMetric(float64(spent.Microseconds())/1000/float64(b.N), "cpu-ms/op")
		})
	}
}
