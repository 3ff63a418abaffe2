package route

import (
	"bytes"
	"io"
	"runtime"
	"testing"
)

// snapshotCases are tables of snapshots: brokers of some topics each, of which so
// many are another broker's too.
var snapshotCases = []struct {
	name            string
	brokers, topics int
	first           func(broker int) int // number of its first topic
}{
	{"brokers=32/topics=10000/names=40000", 32, 10_000, func(broker int) int { return broker % 4 * 10_000 }},
	{"brokers=300/topics=10000/names=10000", 300, 10_000, func(int) int { return 0 }},
	{"brokers=300/topics=1000/names=300000", 300, 1_000, func(broker int) int { return broker * 1_000 }},
	{"brokers=300/topics=10000/names=3000000", 300, 10_000, func(broker int) int { return broker * 10_000 }},
}

// snapshotView is the View of a case.
func snapshotView(b *testing.B, i int) *View {
	c := &snapshotCases[i]
	if testing.Short() && c.brokers*c.topics > 1_000_000 && c.first(1) > 0 {
		b.Skip("takes 2 GB and a minute")
	}
	t := New(Options{})
	for broker := range c.brokers {
		if _, err := t.RegisterBroker(1, benchRegistration(broker, benchBody(c.first(broker), c.topics, 1, never))); err != nil {
			b.Fatal(err)
		}
	}
	return t.View()
}

// BenchmarkSnapshotWrite writes a View as a snapshot.
func BenchmarkSnapshotWrite(b *testing.B) {
	for i, c := range snapshotCases {
		b.Run(c.name, func(b *testing.B) {
			v := snapshotView(b, i)
			runtime.GC()
			b.ReportAllocs()
			var size SnapshotSize
			before := processCPU(b)
			for b.Loop() {
				var err error
				if size, err = WriteSnapshot(io.Discard, &SnapshotHeader{}, v, 2, nil); err != nil {
					b.Fatal(err)
				}
			}
			reportSnapshot(b, before, size)
		})
	}
}

// BenchmarkSnapshotRead reads a snapshot into plain values.
func BenchmarkSnapshotRead(b *testing.B) {
	for i, c := range snapshotCases {
		b.Run(c.name, func(b *testing.B) {
			var file bytes.Buffer
			size, err := WriteSnapshot(&file, &SnapshotHeader{}, snapshotView(b, i), 2, nil)
			if err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			b.ReportAllocs()
			before := processCPU(b)
			for b.Loop() {
				if _, _, err := ReadSnapshot(file.Bytes(), 0); err != nil {
					b.Fatal(err)
				}
			}
			reportSnapshot(b, before, size)
		})
	}
}

func reportSnapshot(b *testing.B, before float64, size SnapshotSize) {
	cpu := (processCPU(b) - before) / float64(b.N)
	b.ReportMetric(cpu*1e3, "cpu-ms/op")
	b.ReportMetric(cpu*1e9/float64(size.Topics), "cpu-ns/name")
	b.ReportMetric(float64(size.Bytes), "file-bytes")
	b.ReportMetric(float64(size.PlainBytes), "plain-bytes")
}
