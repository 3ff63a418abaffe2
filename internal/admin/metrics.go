package admin

import (
	"bytes"
	"log/slog"
	"net/http"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metricsRows is the endpoint for Prometheus and its kin.
func metricsRows() []row {
	return []row{
		{path: "/metrics", needs: roleMetrics, handle: (*Admin).metrics},
	}
}

// A scraper makes what /metrics answers. One scrape is made at a time, in memory, and
// is sent afterwards: a peer that reads slowly keeps nobody waiting, and holds one
// answer, some 100 KB.
type scraper struct {
	mu      sync.Mutex
	handler http.Handler
}

// newScraper returns the scraper of an Admin. It is made for the first scrape: a
// server that nobody scrapes does not pay for it.
func newScraper(a *Admin) *scraper {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newCollector(a), newProcessCollector(a.server), collectors.NewGoCollector())
	return &scraper{handler: promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog:            errorLog{a.log},
		ErrorHandling:       promhttp.ContinueOnError, // the rest is worth more than nothing
		EnableOpenMetrics:   true,
		OfferedCompressions: []promhttp.Compression{promhttp.Identity, promhttp.Gzip},
	})}
}

// metrics answers with the metrics, as text, as OpenMetrics or as protobuf, as the
// request prefers.
func (a *Admin) metrics(w http.ResponseWriter, r *http.Request) {
	a.scraping.Do(func() { a.scraper = newScraper(a) })
	answer := a.scraper.scrape(r)
	for name, values := range answer.header {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Length", strconv.Itoa(answer.body.Len()))
	w.WriteHeader(answer.status)
	_, _ = w.Write(answer.body.Bytes()) // whoever asked may have gone
}

func (s *scraper) scrape(r *http.Request) *heldAnswer {
	answer := &heldAnswer{header: http.Header{}, status: http.StatusOK}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler.ServeHTTP(answer, r)
	return answer
}

// A heldAnswer is an answer that is not sent yet.
type heldAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *heldAnswer) Header() http.Header         { return h.header }
func (h *heldAnswer) WriteHeader(status int)      { h.status = status }
func (h *heldAnswer) Write(p []byte) (int, error) { return h.body.Write(p) }

// An errorLog writes what goes wrong in a scrape, which is our own fault.
type errorLog struct{ log *slog.Logger }

func (l errorLog) Println(v ...any) { l.log.Error("metrics are incomplete", "err", v[len(v)-1]) }
