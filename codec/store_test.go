package codec

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// TestMemoryTake: memory is asked for in steps, and what was granted is used up
// before more is asked for. A refusal is final.
func TestMemoryTake(t *testing.T) {
	var asked []int
	granted := true
	m := memory{reserve: func(n int) bool { asked = append(asked, n); return granted }}
	for _, tt := range []struct {
		n       int
		granted bool
		ok      bool
		asked   string // all that was asked for so far
	}{
		{0, true, true, "[]"},
		{1, true, true, "[16384]"},
		{memoryStep - 1, true, true, "[16384]"},
		{1, true, true, "[16384 16384]"},
		{2 * memoryStep, true, true, "[16384 16384 16385]"}, // 16383 were left
		{1, false, false, "[16384 16384 16385 16384]"},
		{1, true, false, "[16384 16384 16385 16384]"}, // not asked again
	} {
		granted = tt.granted
		if ok := m.take(tt.n); ok != tt.ok || fmt.Sprint(asked) != tt.asked {
			t.Errorf("take(%d): %t, asked for %v; want %t, %s", tt.n, ok, asked, tt.ok, tt.asked)
		}
	}
	if !m.refused {
		t.Error("the refusal is forgotten")
	}
	if !(*memory)(nil).take(1<<40) || !(&memory{}).take(1<<40) {
		t.Error("without a limit something was refused")
	}
}

// TestMemoryLeftOver: what is left can be taken after a refusal.
func TestMemoryLeftOver(t *testing.T) {
	m := memory{left: 10, reserve: func(int) bool { return false }}
	if m.take(11) || !m.take(10) || m.take(1) {
		t.Errorf("10 bytes, 11, 10 and 1 asked for: %d left", m.left)
	}
}

// TestRoomFor: a list grows to twice its size, and what that takes is reserved
// first, with what stands beside each element.
func TestRoomFor(t *testing.T) {
	for _, tt := range []struct {
		length, capacity, first, beside int
		want, reserved                  int
	}{
		{0, 0, 0, 0, 8, 8 * 8},
		{0, 0, 5, 0, 8, 8 * 8},
		{0, 0, 100, 0, 100, 100 * 8},
		{0, 0, 100, 12, 100, 100 * 20},
		{3, 4, 0, 0, 4, 0},
		{4, 4, 0, 0, 8, 8 * 8},
		{5, 5, 0, 1, 10, 10 * 9},
		{100, 100, 150, 0, 200, 200 * 8},
	} {
		reserved := 0
		m := &memory{reserve: func(n int) bool { reserved += n; return true }}
		list := make([]int64, tt.length, tt.capacity)
		for i := range list {
			list[i] = int64(i)
		}
		got, ok := roomFor(m, list, tt.first, tt.beside)
		if reserved -= m.left; !ok || len(got) != tt.length || cap(got) != tt.want || reserved != tt.reserved {
			t.Errorf("%+v: %t, length %d, room for %d, %d bytes reserved", tt, ok, len(got), cap(got), reserved)
		}
		for i := range got {
			if got[i] != int64(i) {
				t.Errorf("%+v: element %d is %d", tt, i, got[i])
			}
		}
	}
	full := []int64{1, 2}[:2:2]
	if got, ok := roomFor(&memory{reserve: func(int) bool { return false }}, full, 0, 0); ok || len(got) != 2 || cap(got) != 2 {
		t.Errorf("without memory: %t, %v", ok, got)
	}
}

// TestNameStore: names are copied, stand apart, and their memory is used again.
func TestNameStore(t *testing.T) {
	var s nameStore
	m := &memory{}
	keep := func(name string) []byte {
		t.Helper()
		buf := []byte(name)
		kept, ok := s.keep(m, buf)
		spoil(buf)
		if !ok || string(kept) != name || cap(kept) != len(kept) {
			t.Fatalf("kept %t, %.20q of %.20q, room for %d in %d", ok, kept, name, cap(kept), len(kept))
		}
		return kept
	}
	// Chunks of 4, 8, 16, 32 and then 64 KiB, filled to the last byte but one.
	name := strings.Repeat("n", longestName-1)
	all := [][]byte{keep(""), keep("a")}
	for range 300 {
		all = append(all, keep(name))
	}
	if got, want := s.size(), (4+8+16+32+64+64+64+64)<<10; got != want {
		t.Errorf("%d bytes for 300 KiB of names, want %d", got, want)
	}
	for i, kept := range all[2:] {
		if string(kept) != name {
			t.Fatalf("name %d was overwritten", i)
		}
	}
	// The longest name that shares a chunk, and one that does not.
	before := s.size()
	keep(strings.Repeat("l", longestName+1))
	if s.size() != before {
		t.Error("a long name lies in a chunk")
	}
	s.reset()
	first := keep("again")
	if s.size() != before || !bytes.Contains(s.chunks[0], first) || s.next != 0 {
		t.Errorf("after a reset: %d bytes, chunk %d; want %d bytes used again", s.size(), s.next, before)
	}
	// Chunks beyond those that are kept are given up.
	for range (maxKeptNames + 8) * nameChunk / len(name) {
		keep(name)
	}
	if len(s.chunks) <= maxKeptNames {
		t.Fatalf("only %d chunks", len(s.chunks))
	}
	if s.reset(); len(s.chunks) != maxKeptNames || s.size() > maxKeptNames*nameChunk {
		t.Errorf("%d chunks kept, want %d", len(s.chunks), maxKeptNames)
	}
}

// TestNameStoreIsFilled: a chunk takes names up to its last byte.
func TestNameStoreIsFilled(t *testing.T) {
	var s nameStore
	for i := range 4 + 8 {
		if _, ok := s.keep(&memory{}, bytes.Repeat([]byte{'n'}, longestName)); !ok {
			t.Fatal("refused")
		}
		want := 4 << 10
		if i >= 4 {
			want += 8 << 10
		}
		if s.size() != want {
			t.Errorf("%d names of 1 KiB take %d bytes, want %d", i+1, s.size(), want)
		}
	}
}

// TestNameStoreWithoutMemory: what is refused leaves the store as it was.
func TestNameStoreWithoutMemory(t *testing.T) {
	granted := true
	m := &memory{reserve: func(int) bool { return granted }}
	var s nameStore
	if _, ok := s.keep(m, []byte("first")); !ok {
		t.Fatal("refused")
	}
	*m = memory{reserve: m.reserve}
	granted = false
	for _, name := range []string{strings.Repeat("l", longestName+1), strings.Repeat("n", longestName)} {
		for range 10 { // until the chunk is full
			if kept, ok := s.keep(m, []byte(name)); ok != (kept != nil) {
				t.Errorf("%.3q: %t, but %d bytes", name, ok, len(kept))
			}
		}
	}
	if s.size() != 4<<10 || !m.refused {
		t.Errorf("%d bytes, refused %t; want 4 KiB and a refusal", s.size(), m.refused)
	}
}

// TestLists: a topic is listed whether it was decoded or known before.
func TestLists(t *testing.T) {
	body := func(n, changed int) []byte {
		b := manyTopics(n)
		for i := range changed {
			b.Topics[i].Perm = 2
		}
		return b.AppendJSON(nil)
	}
	names := manyTopics(100).Topics
	var b RegisterBrokerBody
	if err := b.Decode(body(100, 0), Version, false, nowMillis); err != nil {
		t.Fatal(err)
	}
	known := b.Said
	for _, tt := range []struct {
		name       string
		known      *KnownTopics
		n, changed int
		decoded    int // topics at least, and one piece more at most
	}{
		{"all new", nil, 100, 0, 100},
		{"all known", known, 100, 0, 0},
		{"one changed", known, 100, 1, 1},
		{"some gone", known, 60, 0, 0},
	} {
		if err := b.DecodeKnown(body(tt.n, tt.changed), Version, false, nowMillis, tt.known); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if b.TopicCount() != tt.n || b.Said.Count() != tt.n {
			t.Errorf("%s: %d topics, %d said; want %d", tt.name, b.TopicCount(), b.Said.Count(), tt.n)
		}
		if got := len(b.Topics); got < tt.decoded || got > tt.decoded+pieceTopics {
			t.Errorf("%s: %d topics decoded, want about %d", tt.name, got, tt.decoded)
		}
		for i, topic := range names {
			if got := b.Lists(string(topic.Name)); got != (i < tt.n) {
				t.Errorf("%s: topic %d is listed: %t", tt.name, i, got)
			}
		}
		for _, other := range []string{"", "ORDER_CENTER", string(names[0].Name) + "x"} {
			if b.Lists(other) {
				t.Errorf("%s: lists %q", tt.name, other)
			}
		}
	}
	if (*KnownTopics)(nil).Count() != 0 || known.Count() != 100 {
		t.Errorf("counts %d and %d, want 0 and 100", (*KnownTopics)(nil).Count(), known.Count())
	}
	b.Forget()
	if b.TopicCount() != 0 || b.Lists(string(names[0].Name)) || b.Said != nil || b.Base != nil {
		t.Errorf("after Forget %d topics are left", b.TopicCount())
	}
}
