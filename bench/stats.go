package bench

import (
	"encoding/base64"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies are recorded in nanoseconds, with three digits, up to ten minutes.
const maxLatency = int64(10 * time.Minute)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, maxLatency, 3) }

// opStats is what one worker has seen of one operation in one phase.
type opStats struct {
	sent, answered, wrong uint64
	after                 uint64 // of those answered, when their phase had ended
	errors                map[string]uint64
	bytes                 Bytes
	latency               *hdrhistogram.Histogram // nil until something is answered
	paced                                         // of an open loop
}

func (s *opStats) fail(kind string) {
	if s.errors == nil {
		s.errors = map[string]uint64{}
	}
	s.errors[kind]++
}

func (s *opStats) record(ns int64) {
	if s.latency == nil {
		s.latency = newHistogram()
	}
	recordIn(s.latency, ns)
	s.answered++
}

// add adds what another worker has seen.
func (s *opStats) add(o *opStats) {
	s.sent += o.sent
	s.answered += o.answered
	s.wrong += o.wrong
	s.after += o.after
	s.bytes.Sent += o.bytes.Sent
	s.bytes.Received += o.bytes.Received
	for kind, n := range o.errors {
		if s.errors == nil {
			s.errors = map[string]uint64{}
		}
		s.errors[kind] += n
	}
	merge(&s.latency, o.latency)
	s.paced.add(&o.paced)
}

// recordIn records nanoseconds.
func recordIn(h *hdrhistogram.Histogram, ns int64) {
	_ = h.RecordValue(min(max(ns, 0), maxLatency)) // within its range
}

// merge adds a histogram, nil is an empty one.
func merge(to **hdrhistogram.Histogram, of *hdrhistogram.Histogram) {
	if of == nil {
		return
	}
	if *to == nil {
		*to = newHistogram()
	}
	(*to).Merge(of)
}

// latencyOf returns the figures of a histogram of nanoseconds; nil has none.
func latencyOf(h *hdrhistogram.Histogram) Latency {
	if h == nil || h.TotalCount() == 0 {
		return Latency{}
	}
	us := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e3 }
	return Latency{P50: us(50), P90: us(90), P99: us(99), P999: us(99.9), Max: float64(h.Max()) / 1e3, Mean: h.Mean() / 1e3}
}

// encodeHistogram returns the text form, "" for nil.
func encodeHistogram(h *hdrhistogram.Histogram) string {
	if h == nil || h.TotalCount() == 0 {
		return ""
	}
	b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err != nil {
		return "" // the figures are there
	}
	return base64.StdEncoding.EncodeToString(b)
}

// DecodeHistogram reads Operation.Histogram: latencies in nanoseconds.
func DecodeHistogram(text string) (*hdrhistogram.Histogram, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	return hdrhistogram.Decode(b)
}

// A second is one second of replies: two digits are enough for its p99.
type second struct {
	replies int
	latency *hdrhistogram.Histogram
}

func newSecond() *second { return &second{latency: hdrhistogram.New(1e3, maxLatency, 2)} }

func (s *second) record(ns int64) {
	s.replies++
	_ = s.latency.RecordValue(min(max(ns, 1e3), maxLatency))
}

// A series collects the seconds of all workers.
type series struct {
	mu     sync.Mutex
	points []Point         // by second
	open   map[int]*second // that some worker may still add to
}

// keepOpen is how many seconds a worker may be behind the others before of its replies only
// their number, and the largest p99, goes into the second. A worker that is asked seldom adds
// a second when it sees a reply in a later one.
const keepOpen = 5

// add adds a worker's second and empties it.
func (s *series) add(n int, phase string, w *second) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.points) <= n {
		s.points = append(s.points, Point{Second: len(s.points), Phase: phase})
	}
	if s.open == nil {
		s.open = map[int]*second{}
	}
	p, all := &s.points[n], s.open[n]
	late := all == nil && p.Rate > 0 // this second was closed: its percentiles are not known any more
	if all == nil {
		all = newSecond()
		if !late {
			s.open[n] = all
		}
	}
	all.replies += w.replies
	all.latency.Merge(w.latency)
	w.replies = 0
	w.latency.Reset()
	rate, p50, p99 := float64(all.replies), float64(all.latency.ValueAtQuantile(50))/1e3, float64(all.latency.ValueAtQuantile(99))/1e3
	if late {
		p.Rate, p.P99 = p.Rate+rate, max(p.P99, p99)
	} else {
		p.Rate, p.P50, p.P99 = rate, p50, p99
	}
	for old := range s.open {
		if old < n-keepOpen {
			delete(s.open, old)
		}
	}
}

// last returns the newest point, and false when there is none at or after n.
func (s *series) last(n int) (Point, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.points) == 0 || len(s.points)-1 < n {
		return Point{}, false
	}
	return s.points[len(s.points)-1], true
}

func (s *series) all() []Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.points
}
