package route

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"unsafe"
)

// TestQueueList: whatever happens to the queue datas of a topic, the list is what a
// sorted slice would be, and the entries before are as they were.
func TestQueueList(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	shapes := []struct {
		name string
		set  func(r *rand.Rand, step int) uint32 // that comes at the next step
		wide int                                 // one of so many is wide; 0 is none
		most int                                 // rows, before more go than come
	}{
		{"few brokers", func(r *rand.Rand, _ int) uint32 { return r.Uint32N(20) }, 0, 18},
		{"some are wide", func(r *rand.Rand, _ int) uint32 { return r.Uint32N(60) }, 9, 50},
		{"brokers come in order", func(_ *rand.Rand, step int) uint32 { return uint32(step) }, 0, 700},
		{"brokers come in reverse", func(_ *rand.Rand, step int) uint32 { return math.MaxUint32 - uint32(step) }, 0, 700},
		{"brokers come as they like", func(r *rand.Rand, _ int) uint32 { return r.Uint32N(3000) }, 200, 1500},
	}
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			for seed := range uint64(4) {
				queueHistory(t, rand.New(rand.NewPCG(seed, 12)), shape.set, shape.wide, shape.most)
			}
		})
	}
}

func queueHistory(t *testing.T, r *rand.Rand, setAt func(*rand.Rand, int) uint32, wide, most int) {
	type moment struct {
		entry *TopicEntry
		rows  []queueData
	}
	row := func(set uint32) queueData {
		q := queueData{set, r.Int32N(offerNums + 1), r.Int32N(offerNums + 1), r.Int32N(offerFlags + 1), r.Int32N(offerFlags + 1)}
		if wide > 0 && r.IntN(wide) == 0 {
			*[...]*int32{&q.readQueueNums, &q.writeQueueNums, &q.perm, &q.topicSysFlag}[r.IntN(4)] = [...]int32{-1, math.MinInt32, math.MaxInt32, offerNums + 1}[r.IntN(4)]
		}
		return q
	}
	rows := []queueData{row(setAt(r, 0))}
	e := newEntry("T", 7, nil, newTree(rows), nil)
	var before []moment
	shrink := false
	for step := 1; step < 4*most; step++ {
		if step%(1+most/8) == 0 {
			before = append(before, moment{e, slices.Clone(rows)})
		}
		set := setAt(r, step)
		if len(rows) > most {
			shrink = true
		} else if len(rows) < 3 {
			shrink = false
		}
		if r.IntN(3) == 0 || shrink && r.IntN(2) == 0 {
			set = rows[r.IntN(len(rows))].set // one that is there
		}
		i, there := slices.BinarySearchFunc(rows, set, func(q queueData, set uint32) int { return int(int64(q.set) - int64(set)) })
		old, ok := e.queues.get(set)
		if ok != there || ok && old != rows[i] {
			t.Fatalf("step %d: set %d is %+v, %v; there: %v", step, set, old, ok, there)
		}
		q := row(set)
		switch {
		case !there:
			rows = slices.Insert(rows, i, q)
			e = e.edited(insertRow, q)
		case shrink && len(rows) > 1:
			rows = slices.Delete(rows, i, i+1)
			e = e.edited(removeRow, queueData{set: set})
		default:
			rows[i] = q
			e = e.edited(replaceRow, q)
		}
		if e.name != "T" || e.id != 7 {
			t.Fatalf("step %d: the entry is of topic %d, %q", step, e.id, e.name)
		}
		checkQueues(t, e, rows)
	}
	for _, m := range before {
		checkQueues(t, m.entry, m.rows)
	}
}

func checkQueues(t *testing.T, e *TopicEntry, rows []queueData) {
	t.Helper()
	i := 0
	for q := range e.queues.all {
		if i >= len(rows) || q != rows[i] {
			t.Fatalf("row %d of %d is %+v, want %+v", i, e.queues.len(), q, rows[min(i, len(rows)-1)])
		}
		i++
	}
	if i != len(rows) || e.queues.len() != len(rows) {
		t.Fatalf("%d rows, said to be %d, want %d", i, e.queues.len(), len(rows))
	}
	if f := e.queues.fault(); f != "" {
		t.Fatalf("%d rows: %s", len(rows), f)
	}
}

// TestQueueListStops: whoever has seen enough is not called again.
func TestQueueListStops(t *testing.T) {
	var rows []queueData
	for i := range 100 {
		rows = append(rows, queueData{set: uint32(i)})
	}
	e := newEntry("T", 0, nil, newTree(rows), nil)
	for want := range 100 {
		n := 0
		for q := range e.queues.all {
			if n++; int(q.set) == want {
				break
			}
		}
		if n != want+1 {
			t.Fatalf("%d rows were shown, want %d", n, want+1)
		}
	}
}

// TestBrokersInOrderFillLeaves: brokers get higher and higher numbers as they come, and
// the leaves that they leave behind are full.
func TestBrokersInOrderFillLeaves(t *testing.T) {
	e := newEntry("T", 0, nil, newTree([]queueData{{}}), nil)
	const brokers = 40 * queueRows
	for set := uint32(1); set < brokers; set++ {
		e = e.edited(insertRow, queueData{set: set})
	}
	leaves := 0
	var count func(n *queueNode)
	count = func(n *queueNode) {
		if n.isLeaf() {
			leaves++
			return
		}
		for _, down := range n.down() {
			count(down)
		}
	}
	count(e.queues.tree())
	if leaves != brokers/queueRows {
		t.Errorf("%d brokers are in %d leaves, want %d", brokers, leaves, brokers/queueRows)
	}
}

// TestOneChangeCopiesLittle: however many brokers share a topic, one changed queue
// data costs about as much memory, in few pieces.
func TestOneChangeCopiesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("counts what is allocated")
	}
	for _, brokers := range []int{1, 8, 15, 16, 32, 128, 300, 2000} {
		t.Run(fmt.Sprintf("brokers=%d", brokers), func(t *testing.T) {
			var rows []queueData
			for i := range brokers {
				rows = append(rows, queueData{set: uint32(i), readQueueNums: 8, writeQueueNums: 8, perm: 6})
			}
			e := newEntry("T", 0, nil, newTree(rows), nil)
			i := uint32(0)
			change := func() {
				e = e.edited(replaceRow, queueData{set: i % uint32(brokers), readQueueNums: int32(i & 15)})
				i += 77
			}
			const times = 9_000
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range times {
				change()
			}
			runtime.ReadMemStats(&after)
			pieces, bytes := (after.Mallocs-before.Mallocs)/times, (after.TotalAlloc-before.TotalAlloc)/times
			t.Logf("%d bytes in %d pieces", bytes, pieces)
			if pieces > 3 || bytes > 384 {
				t.Errorf("a change allocates %d bytes in %d pieces", bytes, pieces)
			}
		})
	}
}

// TestEntryOfFewBrokersIsSmall: nothing was added to the most common entries.
func TestEntryOfFewBrokersIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(entryWith[[1 + narrowWords]uint32]{}); size > 64 {
		t.Errorf("an entry of one broker takes %d bytes, want 64 at most", size)
	}
	if size := unsafe.Sizeof(entryWith[[1 + 5*narrowWords]uint32]{}); size > 96 {
		t.Errorf("an entry of five brokers takes %d bytes, want 96 at most", size)
	}
}
