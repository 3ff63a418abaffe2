package namesrv_test

import (
	"crypto/tls"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"gonamesrv/internal/nstest"
)

// BenchmarkIdleMemory measures how much a server grows with each connection
// that has asked once and is silent now, with the garbage of its beginning (a TLS
// handshake leaves 100 KB) and after the collector has run. The server is a process
// of its own.
func BenchmarkIdleMemory(b *testing.B) {
	b.Setenv("GOGC", "50") // that of cmd/namesrv
	for _, kind := range []struct {
		name string
		dial func(b *testing.B, addr string) *nstest.Client
	}{
		{"plain", func(b *testing.B, addr string) *nstest.Client { return nstest.Dial(b, addr) }},
		{"TLS", func(b *testing.B, addr string) *nstest.Client {
			return nstest.DialTLS(b, addr, &tls.Config{MinVersion: tls.VersionTLS13})
		}},
	} {
		for _, connections := range []int{1000, 10_000} {
			b.Run(fmt.Sprintf("%s/connections=%d", kind.name, connections), func(b *testing.B) {
				for b.Loop() {
					server := startChild(b, "loop", 0)
					routeExchange(b, server)
					server.dial(b).Close() // skips the benchmark if there are no more files
					before := server.anonymous(b)
					server.rssFreed(b)
					beforeFreed := server.anonymous(b)
					for range connections {
						kind.dial(b, server.addr).Do(nstest.Route("T"))
					}
					b.ReportMetric(float64(server.anonymous(b)-before)/float64(connections), "B/conn")
					server.rssFreed(b)
					b.ReportMetric(float64(server.anonymous(b)-beforeFreed)/float64(connections), "B-live/conn")
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// anonymous returns the memory of the process that is not of files, in bytes.
func (c *child) anonymous(b *testing.B) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		b.Skipf("no memory of other processes on this system: %v", err)
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}
