package route

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// forge returns a snapshot that write fills.
func forge(write func(w *snapshotWriter)) []byte {
	var b bytes.Buffer
	w := newSnapshotWriter(&b, nil)
	defer w.release()
	w.head(snapshotHeader())
	write(w)
	if _, err := w.end(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// saved writes s, whatever it says.
func (w *snapshotWriter) saved(s *Saved) {
	for i := range s.Sets {
		w.set(&s.Sets[i])
	}
	for i := range s.Lives {
		w.live(&s.Lives[i])
	}
	rows := s.Rows
	for _, topic := range s.Topics {
		n := min(max(topic.Rows, 0), len(rows))
		if n == 0 {
			w.begin(topicsKind)
			w.size.Topics++
			w.text(topic.Name)
			w.uint(0)
			continue
		}
		w.topic(topic.Name, rows[:n])
		rows = rows[n:]
	}
	for i := range s.Mappings {
		w.mapping(&s.Mappings[i])
	}
	for _, o := range s.Offers {
		w.offer(o)
	}
}

// TestSnapshotForged: values that no Table can have are refused, although every crc
// is right.
func TestSnapshotForged(t *testing.T) {
	read := func() *Saved {
		b, _ := snapshotOf(t, smallTable(t).View(), 2000)
		_, s, err := ReadSnapshot(b, 0)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if _, s, err := ReadSnapshot(forge(func(w *snapshotWriter) { w.saved(read()) }), 0); err != nil || !reflect.DeepEqual(s.Sets, read().Sets) || !reflect.DeepEqual(s.Rows, read().Rows) {
		t.Fatalf("what is not forged: %v", err)
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, edit := range map[string]func(s *Saved){
		"set without name":            func(s *Saved) { s.Sets[0].Name = "" },
		"set with a long name":        func(s *Saved) { s.Sets[0].Name = long(256) },
		"set without cluster":         func(s *Saved) { s.Sets[0].Cluster = "" },
		"set twice":                   func(s *Saved) { s.Sets[1].Name = s.Sets[0].Name },
		"set without members":         func(s *Saved) { s.Sets[0].Members = nil },
		"members not in order":        func(s *Saved) { m := s.Sets[0].Members; m[0], m[1] = m[1], m[0] },
		"member twice":                func(s *Saved) { s.Sets[0].Members[1].ID = 0 },
		"members at one address":      func(s *Saved) { m := s.Sets[0].Members; m[1].Addr, m[1].Lives = m[0].Addr, m[0].Lives[1:] },
		"member without address":      func(s *Saved) { s.Sets[0].Members[0].Addr = "" },
		"member with a long address":  func(s *Saved) { s.Sets[0].Members[0].Addr = long(261) },
		"member with a long zone":     func(s *Saved) { s.Sets[0].Members[1].ZoneName = long(256) },
		"long filter server":          func(s *Saved) { s.Sets[0].Members[0].FilterServers[0] = long(261) },
		"filter servers elsewhere":    func(s *Saved) { s.Sets[0].Cluster = "c3" },
		"member without live entry":   func(s *Saved) { s.Sets[0].Members[0].Lives = nil },
		"live entry out of range":     func(s *Saved) { s.Sets[0].Members[0].Lives[0] = uint32(len(s.Lives)) },
		"live entry of another":       func(s *Saved) { m := s.Sets[0].Members; m[0].Lives[0] = m[1].Lives[0] },
		"kept twice":                  func(s *Saved) { m := &s.Sets[0].Members[0]; m.Lives = append(m.Lives, m.Lives[0]) },
		"live entry that keeps none":  func(s *Saved) { s.Lives = append(s.Lives, SavedLive{Cluster: "c", Addr: "a"}) },
		"live entry without cluster":  func(s *Saved) { s.Lives[0].Cluster = "" },
		"live entry twice":            func(s *Saved) { s.Lives[2].Cluster, s.Lives[1].Cluster = "c1", "c1" },
		"long HA address":             func(s *Saved) { s.Lives[0].HAServerAddr = long(261) },
		"negative silence":            func(s *Saved) { s.Lives[0].SilentMillis = -1 },
		"negative interval":           func(s *Saved) { s.Lives[0].IntervalMillis = -1 },
		"long topic":                  func(s *Saved) { s.Topics[0].Name = long(513) },
		"topic twice":                 func(s *Saved) { s.Topics[3].Name = s.Topics[1].Name },
		"topic without rows":          func(s *Saved) { s.Topics = append(s.Topics, SavedTopic{Name: "none"}) },
		"row of no set":               func(s *Saved) { s.Rows[len(s.Rows)-1].Set = 2 },
		"rows not in order":           func(s *Saved) { s.Rows[0], s.Rows[1] = s.Rows[1], s.Rows[0] },
		"row of no offer":             func(s *Saved) { s.Rows[0].Offer = uint32(len(s.Offers)) },
		"offer twice":                 func(s *Saved) { s.Offers[1] = s.Offers[0] },
		"mapping of no topic":         func(s *Saved) { s.Mappings[len(s.Mappings)-1].Topic = uint32(len(s.Topics)) },
		"mapping of no row":           func(s *Saved) { s.Mappings[0].BrokerName = "b9" },
		"mapping twice":               func(s *Saved) { s.Mappings = append(s.Mappings, s.Mappings[len(s.Mappings)-1]) },
		"mapping with a long scope":   func(s *Saved) { s.Mappings[0].Info.Scope = long(256) },
		"mapping with a long topic":   func(s *Saved) { s.Mappings[0].Info.Topic = long(513) },
		"rows of no topic (the last)": func(s *Saved) { s.Topics[0].Rows = len(s.Rows) },
	} {
		s := read()
		edit(s)
		if err := s.Validate(); err == nil && name != "rows not in order" {
			t.Errorf("%s: valid", name)
		}
		_, got, err := ReadSnapshot(forge(func(w *snapshotWriter) { w.saved(s) }), 0)
		var damage *SnapshotDamageError
		if got != nil || !errors.As(err, &damage) {
			t.Errorf("%s: accepted, or %v", name, err)
		}
	}
}

// TestSnapshotForgedCounts: a count that does not fit what is there costs nothing.
func TestSnapshotForgedCounts(t *testing.T) {
	s := smallTable(t).View().Save(2000)
	for name, write := range map[string]func(w *snapshotWriter){
		"sets":           func(w *snapshotWriter) { w.saved(s); w.size.Sets += 1 << 40 },
		"one set more":   func(w *snapshotWriter) { w.saved(s); w.size.Sets++ },
		"one set less":   func(w *snapshotWriter) { w.saved(s); w.size.Sets-- },
		"lives":          func(w *snapshotWriter) { w.saved(s); w.size.Lives += 1 << 40 },
		"one live less":  func(w *snapshotWriter) { w.saved(s); w.size.Lives-- },
		"topics":         func(w *snapshotWriter) { w.saved(s); w.size.Topics += 1 << 40 },
		"one topic less": func(w *snapshotWriter) { w.saved(s); w.size.Topics-- },
		"rows":           func(w *snapshotWriter) { w.saved(s); w.size.Rows += 1 << 40 },
		"one row more":   func(w *snapshotWriter) { w.saved(s); w.size.Rows++ },
		"one row less":   func(w *snapshotWriter) { w.saved(s); w.size.Rows-- },
		"mappings":       func(w *snapshotWriter) { w.saved(s); w.size.Mappings += 1 << 40 },
		"offers":         func(w *snapshotWriter) { w.saved(s); w.size.Offers += 1 << 40 },
		"negative":       func(w *snapshotWriter) { w.saved(s); w.size.Offers = -1 },
		"text":           func(w *snapshotWriter) { w.saved(s); w.flush(); w.size.PlainBytes += 1 << 40 },
		"members": func(w *snapshotWriter) {
			w.begin(setsKind)
			w.size.Sets++
			w.text("b")
			w.text("c")
			w.uint(1 << 40)
			w.plain = append(w.plain, make([]byte, 100)...)
		},
		"filter servers": func(w *snapshotWriter) {
			w.begin(setsKind)
			w.size.Sets++
			w.text("b")
			w.text("c")
			w.uint(1)
			w.int(0)
			w.text("a")
			w.flags(false)
			w.uint(1 << 40)
			w.plain = append(w.plain, make([]byte, 100)...)
		},
		"queues": func(w *snapshotWriter) {
			w.begin(mappingsKind)
			w.size.Mappings++
			w.uint(0)
			for range 3 {
				w.text("b")
			}
			w.int(1)
			w.int(1)
			w.flags(false)
			w.uint(1 << 40)
			w.plain = append(w.plain, make([]byte, 100)...)
		},
		"rows of a topic": func(w *snapshotWriter) {
			w.begin(topicsKind)
			w.size.Topics++
			w.text("t")
			w.uint(1 << 40)
			w.plain = append(w.plain, make([]byte, 100)...)
		},
	} {
		b := forge(write)
		var err error
		bytes := allocated(func() { _, _, err = ReadSnapshot(b, 0) })
		var damage *SnapshotDamageError
		if !errors.As(err, &damage) {
			t.Errorf("%s: %v", name, err)
		}
		if bytes > 512<<10 {
			t.Errorf("%s: %d bytes allocated for a snapshot of %d", name, bytes, len(b))
		}
	}
	b := forge(func(w *snapshotWriter) { w.saved(s) })
	_, _, err := ReadSnapshot(b, 100)
	var size *SnapshotSizeError
	if !errors.As(err, &size) || size.Most != 100 || size.Bytes <= 100 {
		t.Errorf("more text than may be: %v", err)
	}
}

// allocated returns how many bytes f allocates, and others meanwhile.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestSnapshotReadAllocates: no text makes a reader allocate more than 32 times as
// much beside it, whatever it is packed with.
func TestSnapshotReadAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	const n = 100_000
	for name, write := range map[string]func(w *snapshotWriter){
		"sets": func(w *snapshotWriter) {
			for i := range n {
				w.set(&SavedSet{Name: fmt.Sprint(i), Cluster: "c", Members: []SavedMember{{Addr: "a", Lives: []uint32{0}}}})
			}
			w.live(&SavedLive{Cluster: "c", Addr: "a"})
		},
		"members": func(w *snapshotWriter) {
			set := &SavedSet{Name: "b", Cluster: "c"}
			for i := range n {
				set.Members = append(set.Members, SavedMember{ID: int64(i), Addr: "a", Lives: []uint32{0}})
			}
			w.set(set)
			w.live(&SavedLive{Cluster: "c", Addr: "a"})
		},
		"filter servers": func(w *snapshotWriter) {
			w.set(&SavedSet{Name: "b", Cluster: "c", Members: []SavedMember{{Addr: "a", Lives: []uint32{0}, FilterServers: make([]string, n)}}})
			w.live(&SavedLive{Cluster: "c", Addr: "a"})
		},
		"lives": func(w *snapshotWriter) {
			set := &SavedSet{Name: "b", Cluster: "0", Members: []SavedMember{{Addr: "a"}}}
			for i := range n {
				set.Members[0].Lives = append(set.Members[0].Lives, uint32(i))
			}
			w.set(set)
			for i := range n {
				w.live(&SavedLive{Cluster: fmt.Sprint(i), Addr: "a"})
			}
		},
		"topics": func(w *snapshotWriter) {
			w.set(&SavedSet{Name: "b", Cluster: "c", Members: []SavedMember{{Addr: "a", Lives: []uint32{0}}}})
			w.live(&SavedLive{Cluster: "c", Addr: "a"})
			for i := range n {
				w.topic(fmt.Sprint(i), []SavedRow{{}})
			}
			w.offer(SavedOffer{})
		},
		"mappings": func(w *snapshotWriter) {
			for range n {
				w.mapping(&SavedMapping{BrokerName: "b"})
			}
		},
		"offers": func(w *snapshotWriter) {
			for i := range int32(n) {
				w.offer(SavedOffer{ReadQueueNums: i})
			}
		},
	} {
		b := forge(write)
		size, err := snapshotSize(b)
		if err != nil {
			t.Fatal(err)
		}
		bytes := allocated(func() { _, _, _ = ReadSnapshot(b, 0) })
		t.Logf("%s: %d bytes of text, %d of file, %.1f times as much allocated", name, size.PlainBytes, len(b), float64(bytes)/float64(size.PlainBytes))
		if most := uint64(33*size.PlainBytes + 1<<20); bytes > most {
			t.Errorf("%s: %d bytes allocated for %d of text", name, bytes, size.PlainBytes)
		}
	}
}

// TestSnapshotManySections: texts go on from section to section; whoever is asked
// between them may give up, and so may the writer.
func TestSnapshotManySections(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	v := benchTable(60_000).View()
	var b bytes.Buffer
	pieces := 0
	size, err := WriteSnapshot(&b, snapshotHeader(), v, 3, func() error { pieces++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	least := int(size.PlainBytes / sectionSize) // sections
	if pieces < least || least < 3 {
		t.Fatalf("%d pieces for %d bytes of text", pieces, size.PlainBytes)
	}
	_, got, err := ReadSnapshot(b.Bytes(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, v.Save(3)) {
		t.Fatal("what is read is not what was written")
	}
	gaveUp := errors.New("no more")
	for _, most := range []int{0, 1, 2, least, pieces - 1} {
		n := 0
		_, err = WriteSnapshot(&b, snapshotHeader(), v, 3, func() error {
			if n++; n > most {
				return gaveUp
			}
			return nil
		})
		if !errors.Is(err, gaveUp) || n != most+1 {
			t.Errorf("after %d pieces: %v, asked %d times", most, err, n)
		}
		w := &fullWriter{left: min(most, least)}
		if _, err = WriteSnapshot(w, snapshotHeader(), v, 3, nil); !errors.Is(err, errFull) || w.left != -1 {
			t.Errorf("no room after %d sections: %v, %d writes more", most, err, -w.left)
		}
	}
	long := snapshotHeader()
	long.Reason = strings.Repeat("x", 256)
	if _, err = WriteSnapshot(&b, long, v, 3, nil); err == nil {
		t.Error("a text of 256 bytes in the header is accepted")
	}
	long = snapshotHeader()
	long.Stamp.BootID = strings.Repeat("x", 65)
	if _, err = WriteSnapshot(&b, long, v, 3, nil); err == nil {
		t.Error("a boot ID of 65 bytes is accepted")
	}
}

// TestSnapshotForgedSections: sections that no writer makes are refused, although
// every crc is right.
func TestSnapshotForgedSections(t *testing.T) {
	section := func(flags byte, plain int64, payload []byte) func(w *snapshotWriter) {
		return func(w *snapshotWriter) {
			w.section.Reset()
			w.section.Write([]byte{topicsKind, flags, 0, 0, 0, 0})
			w.section.Write(payload)
			w.finish()
			w.size.PlainBytes = plain
		}
	}
	claims := binary.BigEndian.AppendUint32(nil, maxSection)
	for name, write := range map[string]func(w *snapshotWriter){
		"unknown flags":      section(2, 0, nil),
		"too long":           section(0, maxSection+1, make([]byte, maxSection+1)),
		"claims too much":    section(deflatedSection, maxSection, append(claims, 3, 0)),
		"no length":          section(deflatedSection, 0, []byte{0}),
		"not deflated":       section(deflatedSection, 5, []byte{0, 0, 0, 5, 0xff, 0xff}),
		"text behind it all": func(w *snapshotWriter) { w.offer(SavedOffer{}); w.int(0) },
		"flags of a live":    func(w *snapshotWriter) { w.live(&SavedLive{Cluster: "c", Addr: "a"}); w.plain[len(w.plain)-5] = 0x80 },
	} {
		_, _, err := ReadSnapshot(forge(write), 0)
		var damage *SnapshotDamageError
		if !errors.As(err, &damage) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSnapshotSectionCount: the end section says another number of sections than there
// are, or something behind it all, although every crc is right.
func TestSnapshotSectionCount(t *testing.T) {
	b, _ := snapshotOf(t, smallTable(t).View(), 2000)
	const payload = 8*8 + 4
	at := len(b) - sectionTail - payload - sectionHead
	if b[at] != endKind {
		t.Fatalf("the last section has kind %d", b[at])
	}
	count := b[at+sectionHead+7*8:]
	for _, n := range []uint64{binary.BigEndian.Uint64(count) - 1, binary.BigEndian.Uint64(count) + 1, 1 << 63} {
		binary.BigEndian.PutUint64(count, n)
		binary.BigEndian.PutUint32(b[len(b)-sectionTail:], crc32.Checksum(b[at:len(b)-sectionTail], castagnoli))
		_, _, err := ReadSnapshot(b, 0)
		var damage *SnapshotDamageError
		if !errors.As(err, &damage) {
			t.Errorf("%d sections are said to be there: %v", n, err)
		}
	}
	good, _ := snapshotOf(t, smallTable(t).View(), 2000)
	long := append(slices.Clone(good[:len(good)-sectionTail]), 0)
	binary.BigEndian.PutUint32(long[at+2:], payload+1)
	long = binary.BigEndian.AppendUint32(long, crc32.Checksum(long[at:], castagnoli))
	var damage *SnapshotDamageError
	if _, _, err := ReadSnapshot(long, 0); !errors.As(err, &damage) {
		t.Errorf("an end section of a byte more: %v", err)
	}
}
