package admin

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// namespace is before each of our own names.
const namespace = "rocketmq_namesrv_"

// A family is all metrics of one name. Which there are is said once, in the files of
// this package that fill them; docs/METRICS.md is made of them.
type family struct {
	name, help string
	kind       kindOfMetric
	labels     []string
	buckets    []float64 // upper bounds, of a histogram
	desc       *prometheus.Desc
}

type kindOfMetric uint8

const (
	counterKind kindOfMetric = iota
	gaugeKind
	histogramKind
)

func (k kindOfMetric) String() string { return [...]string{"counter", "gauge", "histogram"}[k] }

// families are all there are, in the order in which they are said.
var families []*family

func define(name string, kind kindOfMetric, buckets []float64, help string, labels ...string) *family {
	f := &family{name: name, help: help, kind: kind, labels: labels, buckets: buckets, desc: prometheus.NewDesc(name, help, labels, nil)}
	families = append(families, f)
	return f
}

// counter, gauge and histogram define a family of our own.
func counter(name, help string, labels ...string) *family {
	return define(namespace+name, counterKind, nil, help, labels...)
}

func gauge(name, help string, labels ...string) *family {
	return define(namespace+name, gaugeKind, nil, help, labels...)
}

func histogram(name string, buckets []float64, help string, labels ...string) *family {
	return define(namespace+name, histogramKind, buckets, help, labels...)
}

// An emitter hands metrics to a scrape. One that cannot be is an error of the scrape,
// which goes on without it.
type emitter chan<- prometheus.Metric

// add emits a counter or a gauge. Values of labels are from text, or numbers of ours.
func (e emitter) add(f *family, value float64, labels ...string) {
	kind := prometheus.GaugeValue
	if f.kind == counterKind {
		kind = prometheus.CounterValue
	}
	m, err := prometheus.NewConstMetric(f.desc, kind, value, labels...)
	e.send(f, m, err)
}

// addHistogram emits a histogram. below says how many were below the upper bound of
// each bucket.
func (e emitter) addHistogram(f *family, count uint64, sum float64, below func(bound float64) uint64, labels ...string) {
	buckets := make(map[float64]uint64, len(f.buckets))
	for _, bound := range f.buckets {
		buckets[bound] = min(below(bound), count)
	}
	m, err := prometheus.NewConstHistogram(f.desc, count, sum, buckets, labels...)
	e.send(f, m, err)
}

func (e emitter) send(f *family, m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(f.desc, fmt.Errorf("admin: metric %s: %w", f.name, err))
	}
	e <- m
}

// boolean is 1 for true.
func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// maxLabel bounds the value of a label in bytes: peers choose the names of clusters and
// brokers.
const maxLabel = 128

// labelOf returns a name that a peer has chosen as the value of a label: what is not
// UTF-8 is made readable, what is long is cut. Two names may become one.
func labelOf(name string) string {
	if !utf8.ValidString(name) {
		name = strings.ToValidUTF8(name, "\uFFFD")
	}
	if len(name) > maxLabel {
		name = strings.ToValidUTF8(name[:maxLabel-len("…")], "") + "…"
	}
	return name
}

// snake writes a name in camel case as values of labels are written: queueFull is
// queue_full.
func snake(name string) string {
	var b strings.Builder
	for i, r := range name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// sortedFamilies returns all families by name.
func sortedFamilies() []*family {
	return slices.SortedFunc(slices.Values(families), func(a, b *family) int { return strings.Compare(a.name, b.name) })
}
