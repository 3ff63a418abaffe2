package route

import (
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"gonamesrv/codec"
)

// piecesViews are Views of which each has much of one thing.
func piecesViews(t *testing.T) map[string]*View {
	random := rand.New(rand.NewPCG(1, 2))
	tables := map[string]*Table{}
	register := func(name string, broker int, body *codec.RegisterBrokerBody) {
		if tables[name] == nil {
			tables[name] = New(Options{})
		}
		if _, err := tables[name].RegisterBroker(1, benchRegistration(broker, body)); err != nil {
			t.Fatal(err)
		}
	}
	tables["topics"] = benchTable(60_000)
	for broker := range 300 {
		register("rows", broker, benchBody(0, 1_500, 1, never))
	}
	for broker := range 5_000 {
		register("brokers", broker, benchBody(broker, 2, 1, never))
	}
	offers := benchBody(0, 30_000, 1, never)
	for i := range offers.Topics {
		offers.Topics[i].ReadQueueNums = int32(i)
	}
	register("offers", 0, offers)
	names := benchBody(0, 10_000, 1, never)
	for i := range names.Topics {
		name := make([]byte, 100)
		for j := range name {
			name[j] = byte(33 + random.IntN(90))
		}
		names.Topics[i].Name, names.Topics[i].Key = name, name
	}
	register("random names", 0, names)
	queues := benchBody(0, 2, 1, never)
	info := codec.TopicQueueMappingInfo{Topic: string(benchTopic(0)), Bname: "broker-00000", TotalQueues: 300_000}
	for i := range int32(300_000) {
		info.CurrIDMap = append(info.CurrIDMap, codec.QueueID{Logic: i, Physical: random.Int32()})
	}
	queues.Mappings = []codec.RegisteredMapping{{Key: info.Topic, Info: info}}
	register("queues of a mapping", 0, queues)
	views := map[string]*View{}
	for name, table := range tables {
		views[name] = table.View()
	}
	return views
}

// A lineWriter tells how much is written at once.
type lineWriter struct{ most int }

func (w *lineWriter) Write(b []byte) (int, error) {
	w.most = max(w.most, len(b))
	return len(b), nil
}

// TestSnapshotPieces: whatever there is much of, the writer asks between small pieces
// of work whether to go on. It counts its work; that nothing is left out of the count is
// seen by the clock: no piece takes a large part of the whole, of which what a piece took
// counts in the quickest of some writes, so that it does not matter who else was busy.
func TestSnapshotPieces(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine, and its pieces are of other sizes")
	}
	for name, v := range piecesViews(t) {
		t.Run(name, func(t *testing.T) {
			var quickest []time.Duration
			var out lineWriter
			for range 5 {
				var pieces []time.Duration
				began := time.Now()
				w := newSnapshotWriter(&out, func() error {
					pieces = append(pieces, time.Since(began))
					began = time.Now()
					return nil
				})
				size, err := w.snapshot(snapshotHeader(), v)
				if err != nil {
					t.Fatal(err)
				}
				pieces = append(pieces, time.Since(began))
				most := max(w.most, w.work)
				w.release()
				if most >= 2*pieceWork {
					t.Errorf("%d units of work in one piece, want less than %d", most, 2*pieceWork)
				}
				if least := int(size.Topics*(visitedTopic+savedTopic)+size.Rows+size.PlainBytes/plainPerUnit) / (2 * pieceWork); len(pieces) < least {
					t.Errorf("%d pieces for %+v, want %d at least", len(pieces), size, least)
				}
				if quickest == nil {
					quickest = pieces
				}
				if len(pieces) != len(quickest) {
					t.Fatalf("%d pieces, then %d", len(quickest), len(pieces))
				}
				for i, d := range pieces {
					quickest[i] = min(quickest[i], d)
				}
			}
			var all, longest time.Duration
			at := 0
			for i, d := range quickest {
				all += d
				if d > longest {
					longest, at = d, i
				}
			}
			t.Logf("%d pieces in %v, the longest %v (number %d), %d bytes at once", len(quickest), all, longest, at, out.most)
			if longest > all/8 {
				t.Errorf("piece %d of %d takes %v of %v", at, len(quickest), longest, all)
			}
		})
	}
}

// TestSnapshotWriteAllocates: from the second snapshot on, one is made with little
// garbage: a pointer for each topic, and what is said of brokers.
func TestSnapshotWriteAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine, and the detector allocates too")
	}
	for _, c := range []struct{ brokers, topics int }{{2, 50_000}, {200, 1_000}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			table := New(Options{})
			for broker := range c.brokers {
				if _, err := table.RegisterBroker(1, benchRegistration(broker, benchBody(0, c.topics, 1, never))); err != nil {
					t.Fatal(err)
				}
			}
			v, h := table.View(), snapshotHeader()
			least := ^uint64(0)
			for range 5 { // others allocate too
				runtime.GC()
				least = min(least, allocated(func() {
					if _, err := WriteSnapshot(io.Discard, h, v, 3, nil); err != nil {
						t.Fatal(err)
					}
				}))
			}
			most := uint64(64<<10 + 12*c.topics + 2<<10*c.brokers)
			t.Logf("%d bytes, want %d at most", least, most)
			if least > most {
				t.Errorf("%d bytes allocated, want %d at most", least, most)
			}
		})
	}
}
