package admin

import (
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// chartSeconds is how far back charts go: one sample a second, 40 KB in all.
const chartSeconds = 900

// The figures of a sample, all as /v1/status has them.
const (
	figureRequests = iota
	figureRouteReads
	figureRegistrations
	figureMisses
	figureLoopDelay
	figureRSS
	figureConnections
	figureRefused
	figures
)

// chartInfo says what a figure is, by its number. Field is where /v1/status has it.
var chartInfo = [figures]struct{ Key, Title, Unit, Field string }{
	{"requests", "Requests", "/s", "rates.requests"},
	{"routeReads", "Route reads", "/s", "rates.routeReads"},
	{"registrations", "Registrations", "/s", "rates.registrations"},
	{"routeMisses", "Route misses", "/s", "rates.routeMisses"},
	{"loopDelay", "Loop delay, p99", "ms", "latencyMs.loopDelay.p99"},
	{"rss", "Memory of the process", "B", "memory.rss"},
	{"connections", "Connections", "", "connections.open"},
	{"refused", "Refused", "/s", "rates.refused"},
}

// A chartSample is the figures at one moment. NaN is not known.
type chartSample struct {
	at     int64 // milliseconds since the Unix epoch
	values [figures]float32
}

// charts are the samples of the last 15 minutes.
type charts struct {
	mu      sync.Mutex
	samples []chartSample // a ring once it is full
	next    int           // the oldest one then
	delay   *float64      // of the loops, as it was measured last
}

func (c *charts) add(s chartSample) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.samples) < chartSeconds {
		c.samples = append(c.samples, s)
		return
	}
	c.samples[c.next] = s
	c.next = (c.next + 1) % chartSeconds
}

// all returns the samples, oldest first.
func (c *charts) all() []chartSample {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append(append(make([]chartSample, 0, len(c.samples)), c.samples[c.next:]...), c.samples[:c.next]...)
}

// sample takes the figures of now. delay is nil where it was not measured anew.
func (a *Admin) sample(now time.Time, connections int, delay *float64) {
	if delay != nil {
		a.charts.delay = delay
	}
	a.readings.mu.Lock()
	rss := a.readings.process.rss
	a.readings.mu.Unlock()
	rates := a.readings.rates()
	s := chartSample{at: now.UnixMilli()}
	for i, v := range [figures]*float64{
		rates.Requests, rates.RouteReads, rates.Registrations, rates.RouteMisses, a.charts.delay, nil, nil, rates.Refused,
	} {
		s.values[i] = float32(math.NaN())
		if v != nil {
			s.values[i] = float32(*v)
		}
	}
	if rss != nil {
		s.values[figureRSS] = float32(*rss)
	}
	s.values[figureConnections] = float32(connections)
	a.charts.add(s)
}

// chartsJSON gives all samples: the times in seconds, and the values of each figure.
func (a *Admin) chartsJSON(w http.ResponseWriter, _ *http.Request) {
	samples := a.charts.all()
	b := append(make([]byte, 0, 64<<10), `{"times":[`...)
	for i, s := range samples {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, s.at/1000, 10)
	}
	b = append(b, ']')
	for f := range chartInfo {
		b = append(append(append(b, `,"`...), chartInfo[f].Key...), `":[`...)
		for i, s := range samples {
			if i > 0 {
				b = append(b, ',')
			}
			if v := float64(s.values[f]); math.IsNaN(v) {
				b = append(b, "null"...)
			} else {
				b = strconv.AppendFloat(b, v, 'f', -1, 32)
			}
		}
		b = append(b, ']')
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '}'))
}

// A chartView is a chart in a page: what it says to those who do not see it.
type chartView struct {
	Key, Title, Unit, Field string
	Now                     string
	Span                    string // from the least to the most
}

// chartsView sums the samples up.
func chartsView(samples []chartSample) []chartView {
	views := make([]chartView, 0, figures)
	for f, info := range chartInfo {
		v := chartView{Key: info.Key, Title: info.Title, Unit: info.Unit, Field: info.Field, Now: notKnown, Span: "not known yet"}
		least, most := math.Inf(1), math.Inf(-1)
		word := func(x float64) string {
			if info.Unit == "B" {
				return bytesWord(int64(x))
			}
			if text := decimalWord(&x); info.Unit != "" {
				return text + " " + info.Unit
			} else {
				return text
			}
		}
		for i, s := range samples {
			x := float64(s.values[f])
			if math.IsNaN(x) {
				continue
			}
			least, most = min(least, x), max(most, x)
			if i == len(samples)-1 {
				v.Now = word(x)
			}
		}
		if most >= least {
			if v.Span = "always " + word(most); word(least) != word(most) {
				v.Span = "from " + word(least) + " to " + word(most)
			}
		}
		views = append(views, v)
	}
	return views
}
