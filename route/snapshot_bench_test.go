package route

import (
	"bytes"
	"io"
	"runtime"
	"runtime/debug"
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

// BenchmarkLoad makes a Table of a snapshot and looks whether it is in order, as who
// starts with one does: without garbage collection, and with that of cmd/namesrv. It
// tells what CPU each of the three takes, all of them for a name and for a row, what
// they allocate, and what of that the Table keeps.
func BenchmarkLoad(b *testing.B) {
	for i, c := range snapshotCases {
		b.Run(c.name, func(b *testing.B) {
			var file bytes.Buffer
			size, err := WriteSnapshot(&file, &SnapshotHeader{}, snapshotView(b, i), 2, nil)
			if err != nil {
				b.Fatal(err)
			}
			for _, gc := range []int{-1, 50} {
				b.Run(map[int]string{-1: "gc=off", 50: "gc=50"}[gc], func(b *testing.B) { benchLoad(b, file.Bytes(), gc, &size) })
			}
		})
	}
}

// benchLoad is one case of BenchmarkLoad.
func benchLoad(b *testing.B, file []byte, gc int, size *SnapshotSize) {
	var read, restore, check float64
	var before, after, allocated runtime.MemStats
	var table *Table
	for b.Loop() {
		b.StopTimer()
		table = nil
		debug.FreeOSMemory() // a process that starts has none
		runtime.ReadMemStats(&before)
		percent := debug.SetGCPercent(gc)
		b.StartTimer()
		began := processCPU(b)
		_, saved, err := ReadSnapshot(file, 0)
		if err != nil {
			b.Fatal(err)
		}
		haveRead := processCPU(b)
		if table, err = Restore(Options{}, saved, 10, 1); err != nil {
			b.Fatal(err)
		}
		haveRestored := processCPU(b)
		if err := table.CheckInvariants(); err != nil {
			b.Fatal(err)
		}
		checked := processCPU(b)
		b.StopTimer()
		read += haveRead - began
		restore += haveRestored - haveRead
		check += checked - haveRestored
		runtime.ReadMemStats(&allocated)
		debug.SetGCPercent(percent)
		saved = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.StartTimer()
	}
	runtime.KeepAlive(table)
	n := float64(b.N)
	all := (read + restore + check) / n
	b.ReportMetric(read/n*1e3, "read-cpu-ms")
	b.ReportMetric(restore/n*1e3, "restore-cpu-ms")
	b.ReportMetric(check/n*1e3, "check-cpu-ms")
	b.ReportMetric(all*1e9/float64(size.Topics), "cpu-ns/name")
	b.ReportMetric(all*1e9/float64(size.Rows), "cpu-ns/row")
	b.ReportMetric(float64(allocated.TotalAlloc-before.TotalAlloc)/(1<<20), "allocated-MB")
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "kept-MB")
}
