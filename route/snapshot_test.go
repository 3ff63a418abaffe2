package route

import (
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/crc32"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/codec"
)

// snapshotHeader is one with something in each field.
func snapshotHeader() *SnapshotHeader {
	return &SnapshotHeader{
		Identity: "name-server", Hostname: "host.example.com", ProcessID: "0b9b3cf4-3f33-4d8c-8b39-5cf6c7a4a1de", Reason: "a broker joined",
		ServerVersion: "1.2.3", Sequence: 7, WrittenMillis: 1_700_000_000_001,
		Stamp: SnapshotStamp{Number: 3, WallMillis: 1_700_000_000_002, BootID: "5f1c8b4e-0f0a-4c52-9d11-54a5e30b2c11", BoottimeNanos: 987_654_321},
	}
}

// snapshotOf returns the snapshot of a View, and its size.
func snapshotOf(tb testing.TB, v *View, nowMillis int64) ([]byte, SnapshotSize) {
	tb.Helper()
	var b bytes.Buffer
	size, err := WriteSnapshot(&b, snapshotHeader(), v, nowMillis, nil)
	if err != nil {
		tb.Fatal(err)
	}
	if size.Bytes != int64(b.Len()) {
		tb.Fatalf("%d bytes written, %d counted", b.Len(), size.Bytes)
	}
	return b.Bytes(), size
}

// TestSnapshotRoundTrip: what a snapshot says is what Save says, after any history.
func TestSnapshotRoundTrip(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine; TestTableAgainstReference and TestStepsAreSerial have the same histories")
	}
	most := SnapshotSize{}
	rapid.Check(t, func(rt *rapid.T) {
		h := &history{rt: rt, table: New(Options{}), ref: newReference(false, Limits{}), now: 1_000_000}
		check := func() {
			v := h.table.View()
			want := v.Save(h.now)
			b, size := snapshotOf(t, v, h.now)
			header, got, err := ReadSnapshot(b, 0)
			if err != nil {
				rt.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				rt.Fatalf("read\n%+v\nwant\n%+v", got, want)
			}
			wantHeader := snapshotHeader()
			wantHeader.Major, wantHeader.Minor, wantHeader.AtMillis, wantHeader.Edition = 1, 0, h.now, v.Edition()
			if *header != *wantHeader {
				rt.Fatalf("read %+v, want %+v", header, wantHeader)
			}
			for _, n := range []struct{ most, size *int64 }{{&most.Topics, &size.Topics}, {&most.Mappings, &size.Mappings}, {&most.Offers, &size.Offers}, {&most.Sets, &size.Sets}} {
				*n.most = max(*n.most, *n.size)
			}
		}
		if rapid.Bool().Draw(rt, "in steps") {
			h.table.stepWork = 1
			h.table.betweenSteps = check
		}
		if rapid.IntRange(0, 3).Draw(rt, "crowded") == 0 {
			h.crowd()
		}
		for range rapid.IntRange(1, 15).Draw(rt, "steps") {
			h.step()
		}
		check()
	})
	if most.Topics < 5 || most.Mappings < 2 || most.Offers < 3 || most.Sets < 3 {
		t.Errorf("the histories came to %+v at most: hardly anything has been tried", most)
	}
}

// smallTable has a little of everything.
func smallTable(tb testing.TB) *Table {
	tb.Helper()
	table := New(Options{})
	for i, r := range []*Registration{
		{RegistrationHeader: RegistrationHeader{Cluster: "c1", BrokerName: "b1", BrokerAddr: "10.0.0.1:10911", HAServerAddr: "10.0.0.1:10912", TimeoutMillis: 120_000, OldVersion: true}},
		{RegistrationHeader: RegistrationHeader{Cluster: "c1", BrokerName: "b1", BrokerAddr: "10.0.0.2:10911", BrokerID: 1, ZoneName: "z", HasZoneName: true, EnableActingMaster: true, TimeoutMillis: 10_000}},
		{RegistrationHeader: RegistrationHeader{Cluster: "c2", BrokerName: "b2", BrokerAddr: "10.0.0.1:10911", TimeoutMillis: -1}},
		{RegistrationHeader: RegistrationHeader{Cluster: "c2", BrokerName: "b1", BrokerAddr: "10.0.0.1:10911", TimeoutMillis: 120_000}},
	} {
		r.Peer = []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1%eth0"), {}}[i%3]
		r.Body = &codec.RegisterBrokerBody{
			DataVersion:   codec.DataVersion{StateVersion: int64(i), Timestamp: 1_700_000_000_000, Counter: int64(3 - i), NoCounter: i == 2},
			FilterServers: []string{"10.0.0.9:1", "10.0.0.9:2"},
		}
		for j := range 6 {
			name := fmt.Appendf(nil, "topic-%d", i%2*3+j)
			r.Body.Topics = append(r.Body.Topics, codec.TopicConfig{Name: name, Key: name, ReadQueueNums: int32(i * j * 1000), WriteQueueNums: 8, Perm: 6, TopicSysFlag: int32(j % 2)})
		}
		r.Body.Mappings = []codec.RegisteredMapping{{Key: "topic-3", Info: codec.TopicQueueMappingInfo{
			Topic: "topic-3", Scope: "__global__", TotalQueues: 2, Bname: r.BrokerName, Epoch: -7, Dirty: true, CurrIDMap: []codec.QueueID{{Logic: 0, Physical: 5}, {Logic: 1, Physical: -1}},
		}}}
		if _, err := table.RegisterBroker(int64(1000+i), r); err != nil {
			tb.Fatal(err)
		}
	}
	table.RegistrationMissed(1010, []byte("c2"), []byte("10.0.0.1:10911"), 9)
	return table
}

// TestSnapshotDamage: a byte that is not as it was written, or is missing, or is one
// too many, is found. Of the stamps one may be damaged.
func TestSnapshotDamage(t *testing.T) {
	good, size := snapshotOf(t, smallTable(t).View(), 2000)
	if size.Sets != 2 || size.Lives != 3 || size.Topics < 6 || size.Mappings < 2 || size.Offers < 4 {
		t.Fatalf("the small table has %+v", size)
	}
	header, want, err := ReadSnapshot(good, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := slices.Clone(good)
	for i := range b {
		for _, flip := range []byte{1, 0x80, 0xff} {
			b[i] ^= flip
			h, s, err := ReadSnapshot(b, 0)
			if inStamps := i >= stampsAt && i < SnapshotHeadSize; inStamps {
				if err != nil || *h != *header || !reflect.DeepEqual(s, want) {
					t.Errorf("stamp's byte %d ^ %#x: %+v, %v", i, flip, h, err)
				}
			} else if err == nil || h != nil || s != nil || !isSnapshotError(err) {
				t.Errorf("byte %d ^ %#x: accepted, or %v", i, flip, err)
			}
			b[i] ^= flip
		}
	}
	for n := range good {
		if _, s, err := ReadSnapshot(good[:n:n], 0); s != nil || !isSnapshotError(err) {
			t.Errorf("cut to %d bytes: accepted, or %v", n, err)
		}
	}
	if _, _, err := ReadSnapshot(append(b, 0), 0); !isSnapshotError(err) {
		t.Errorf("one byte more: %v", err)
	}
}

// isSnapshotError reports whether err is one that ReadSnapshot promises.
func isSnapshotError(err error) bool {
	var version *SnapshotVersionError
	var damage *SnapshotDamageError
	var size *SnapshotSizeError
	return errors.Is(err, ErrNotSnapshot) || errors.As(err, &version) || errors.As(err, &damage) || errors.As(err, &size)
}

// TestSnapshotStamp: however much of a new stamp is written, the snapshot has the
// old one or the new one.
func TestSnapshotStamp(t *testing.T) {
	b, _ := snapshotOf(t, New(Options{}).View(), 5)
	old := snapshotHeader().Stamp
	for range 4 {
		next := SnapshotStamp{Number: old.Number + 1, WallMillis: old.WallMillis + 60_000, BootID: "boot", BoottimeNanos: old.BoottimeNanos + 60e9}
		stamp, at, err := next.At()
		if err != nil {
			t.Fatal(err)
		}
		met := map[SnapshotStamp]bool{}
		for n := range len(stamp) + 1 {
			torn := slices.Clone(b)
			copy(torn[at:], stamp[:n])
			h, _, err := ReadSnapshot(torn, 0)
			if err != nil || h.Stamp != old && h.Stamp != next || n == len(stamp) && h.Stamp != next {
				t.Fatalf("%d bytes of stamp %d written: %+v, %v", n, next.Number, h, err)
			}
			met[h.Stamp] = true
			if h2, err := ReadSnapshotHeader(torn[:SnapshotHeadSize]); err != nil || *h2 != *h {
				t.Fatalf("%d bytes of stamp %d written: the head says %+v, %v", n, next.Number, h2, err)
			}
		}
		if !met[old] || !met[next] {
			t.Fatalf("met stamps %v", met)
		}
		copy(b[at:], stamp)
		old = next
	}
	for _, at := range []int{stampsAt, stampsAt + stampSize} {
		b[at] ^= 1
	}
	if _, _, err := ReadSnapshot(b, 0); !isSnapshotError(err) {
		t.Errorf("both stamps damaged: %v", err)
	}
}

// snapshotSize returns what the end section of b says.
func snapshotSize(b []byte) (SnapshotSize, error) {
	h, err := ReadSnapshotHeader(b)
	if err != nil {
		return SnapshotSize{}, err
	}
	r := &snapshotReader{header: h, texts: map[byte]*sectionText{}}
	err = r.sections(b)
	return r.size, err
}

// TestSnapshotVersions: sections of kinds below 128 that nobody knows are passed
// over; others, and other major versions, are refused as such.
func TestSnapshotVersions(t *testing.T) {
	s := smallTable(t).View().Save(2000)
	with := func(kind byte) []byte {
		return forge(func(w *snapshotWriter) {
			w.begin(kind)
			w.text("something of a later version")
			w.flush()
			w.size.PlainBytes = 0 // of what is read
			w.begin(livesKind)
			w.saved(s)
		})
	}
	if _, got, err := ReadSnapshot(with(127), 0); err != nil || len(got.Topics) != len(s.Topics) {
		t.Errorf("with an unknown section: %v", err)
	}
	var version *SnapshotVersionError
	if _, _, err := ReadSnapshot(with(200), 0); !errors.As(err, &version) || version.Kind != 200 {
		t.Errorf("with an unknown section that is to be known: %v", err)
	}
	b := with(1)
	b[8]++
	version = nil
	if _, _, err := ReadSnapshot(b, 0); !errors.As(err, &version) || version.Major != snapshotMajor+1 || version.Kind != 0 {
		t.Errorf("of another major version: %v", err)
	}
	b[8]--
	b[9] = 9
	fixSums(b)
	if h, _, err := ReadSnapshot(b, 0); err != nil || h.Minor != 9 {
		t.Errorf("of a later minor version: %+v, %v", h, err)
	}
	for _, b := range [][]byte{nil, []byte("GNS"), make([]byte, 5000)} {
		if _, _, err := ReadSnapshot(b, 0); !errors.Is(err, ErrNotSnapshot) {
			t.Errorf("of %d bytes of something else: %v", len(b), err)
		}
	}
}

// fixSums makes all crcs of b right, as far as it has sections.
func fixSums(b []byte) {
	if len(b) < SnapshotHeadSize {
		return
	}
	sum := func(from, to int) []byte {
		binary.BigEndian.PutUint32(b[to:], crc32.Checksum(b[from:to], castagnoli))
		return b[to : to+sectionTail]
	}
	sums := slices.Clone(sum(0, stampsAt-sectionTail))
	sum(stampsAt, stampsAt+stampSize-sectionTail)
	for at := SnapshotHeadSize; len(b)-at >= sectionHead+sectionTail; {
		length := int(binary.BigEndian.Uint32(b[at+2:]))
		if length > len(b)-at-sectionHead-sectionTail {
			return
		}
		end := at + sectionHead + length
		if b[at] == endKind && length == 8*8+4 {
			binary.BigEndian.PutUint64(b[end-12:], uint64(len(sums)/sectionTail))
			binary.BigEndian.PutUint32(b[end-4:], crc32.Checksum(sums, castagnoli))
		}
		sums = append(sums, sum(at, end)...)
		at = end + sectionTail
	}
}

// undeflated returns b with its texts as they are.
func undeflated(tb testing.TB, b []byte) []byte {
	tb.Helper()
	h, err := ReadSnapshotHeader(b)
	r := &snapshotReader{header: h, texts: map[byte]*sectionText{}}
	if err == nil {
		err = r.sections(b)
	}
	if err == nil {
		err = r.inflate()
	}
	if err != nil {
		tb.Fatal(err)
	}
	var out bytes.Buffer
	w := &snapshotWriter{w: &out, size: r.size}
	w.head(h)
	for kind := byte(setsKind); kind < endKind; kind++ {
		w.section.Reset()
		w.section.Write([]byte{kind, 0, 0, 0, 0, 0})
		w.section.Write(r.text(kind).b)
		w.finish()
	}
	if _, err := w.end(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// FuzzReadSnapshot: whatever the bytes, ReadSnapshot says what is wrong, or returns
// values that are valid and that can be written and read again. So that more than
// the crcs is tried, they are made right.
func FuzzReadSnapshot(f *testing.F) {
	small, _ := snapshotOf(f, smallTable(f).View(), 2000)
	empty, _ := snapshotOf(f, New(Options{}).View(), 1)
	f.Add(small, false)
	f.Add(small, true)
	f.Add(undeflated(f, small), true)
	f.Add(empty, true)
	f.Add(undeflated(f, empty), true)
	const most = 256 << 10
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if fix {
			b = slices.Clone(b)
			fixSums(b)
		}
		var s *Saved
		var err error
		bytes := allocated(func() { _, s, err = ReadSnapshot(b, most) })
		if bytes > uint64(33*most+4*len(b)+8<<20) {
			t.Fatalf("%d bytes allocated for %d", bytes, len(b))
		}
		if err != nil {
			if s != nil || !isSnapshotError(err) {
				t.Fatalf("%v, %v", s, err)
			}
			return
		}
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		_, again, err := ReadSnapshot(forge(func(w *snapshotWriter) { w.saved(s) }), 0)
		if err != nil {
			t.Fatal(err)
		}
		again.AtMillis, again.Edition = s.AtMillis, s.Edition
		if !reflect.DeepEqual(again, s) {
			t.Fatalf("read again\n%+v\nwant\n%+v", again, s)
		}
	})
}

var updateSnapshot = flag.Bool("update-snapshot", false, "write the golden snapshot of the minor version that is written now")

// TestSnapshotGolden reads what each minor version has written.
func TestSnapshotGolden(t *testing.T) {
	want := smallTable(t).View().Save(2000)
	name := filepath.Join("testdata", fmt.Sprintf("snapshot-%d.%d", snapshotMajor, snapshotMinor))
	if *updateSnapshot {
		b, _ := snapshotOf(t, smallTable(t).View(), 2000)
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	names, err := filepath.Glob("testdata/snapshot-*")
	if err != nil || !slices.Contains(names, name) {
		t.Fatalf("there is no %s: %v", name, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		h, got, err := ReadSnapshot(b, 0)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		wantHeader := snapshotHeader()
		wantHeader.Major, wantHeader.Minor, wantHeader.AtMillis, wantHeader.Edition = h.Major, h.Minor, 2000, got.Edition
		if *h != *wantHeader {
			t.Errorf("%s: header %+v, want %+v", name, h, wantHeader)
		}
		want.Edition = got.Edition
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read\n%+v\nwant\n%+v", name, got, want)
		}
	}
}

var errFull = errors.New("full")

// A fullWriter takes so many writes.
type fullWriter struct{ left int }

func (w *fullWriter) Write(b []byte) (int, error) {
	if w.left--; w.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}
