package route

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// TestNameSlab: copies say what the names say, share no byte with them or each other,
// and take at most as much memory again as they have bytes.
func TestNameSlab(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		lengths := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 30), rapid.IntRange(0, maxTopicLength)), 100, 600).Draw(rt, "lengths")
		var s nameSlab
		var names, copies []string
		taken, bytes := 0, 0
		for i, n := range lengths {
			name := strings.Repeat(string(rune('a'+i%26)), n)
			before := s.free
			c := s.copy(name)
			switch {
			case len(before) > 0 && unsafe.StringData(c) == unsafe.SliceData(before): // goes on
			case len(c) > 0 && uintptr(unsafe.Pointer(unsafe.StringData(c)))+uintptr(n) == uintptr(unsafe.Pointer(unsafe.SliceData(s.free))):
				chunk := n + len(s.free)
				if chunk > nameChunk {
					rt.Fatalf("a chunk of %d bytes", chunk)
				}
				taken += chunk
			default:
				taken += n // or a chunk that is full: names are at most a part of one
			}
			bytes += n
			names, copies = append(names, name), append(copies, c)
		}
		if !slices.Equal(names, copies) {
			rt.Fatalf("copies %q of %q", copies, names)
		}
		if taken > 2*bytes {
			rt.Fatalf("%d bytes of names take %d", bytes, taken)
		}
	})
}

// TestNameSlabLetsGo: names of which few are left keep little alive.
func TestNameSlabLetsGo(t *testing.T) {
	const names, each = 200_000, 1_000
	before := heapInUse()
	var s nameSlab
	var left []string
	for i := range names {
		c := s.copy(string(benchTopic(i)))
		if i%each == 0 {
			left = append(left, c)
		}
	}
	s = nameSlab{}
	kept := int64(heapInUse()) - int64(before)
	if most := int64(len(left)*maxTopicLength + 64<<10); kept > most {
		t.Errorf("%d names keep %d bytes, as many of the longest would keep %d", len(left), kept, most)
	}
	runtime.KeepAlive(left)
}

// TestFirstRegistrationAllocatesInBulk: a new topic costs little more than one
// allocation: its entry. Its name, and its place in the trie, are shared.
func TestFirstRegistrationAllocatesInBulk(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates too")
	}
	const topics = 10_000
	r := benchRegistration(0, benchBody(0, topics, 1, never))
	n := testing.AllocsPerRun(2, func() {
		if _, err := New(Options{}).RegisterBroker(1, r); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%.0f allocations", n)
	if most := 1.75 * topics; n > most {
		t.Errorf("%d new topics cost %.0f allocations, want at most %.0f", topics, n, most)
	}
}

// TestNamesAreCopied: what a registration or a snapshot was read from does not stay
// because of a topic's name.
func TestNamesAreCopied(t *testing.T) {
	text := bytes.Repeat([]byte("many-topics-come-together"), 100)
	body := benchBody(0, 100, 1, never)
	s := &Saved{}
	for i := range body.Topics {
		body.Topics[i].Name = text[i : i+25+i%3]
		body.Topics[i].Key = body.Topics[i].Name
	}
	table := New(Options{})
	mustRegister(t, table, benchRegistration(0, body))
	s = table.View().Save(1)
	for i := range s.Topics {
		at := bytes.Index(text, []byte(s.Topics[i].Name))
		s.Topics[i].Name = window(text[at : at+len(s.Topics[i].Name)])
	}
	restored, err := Restore(Options{}, s, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	begin := uintptr(unsafe.Pointer(unsafe.SliceData(text)))
	for _, of := range []*Table{table, restored} {
		if of.topicQueueTable.size == 0 {
			t.Error("there are no topics")
		}
		for e := range of.topicQueueTable.all {
			if at := uintptr(unsafe.Pointer(unsafe.StringData(e.name))); at-begin < uintptr(len(text)) {
				t.Errorf("%s is a window into what it was read from", e.name)
			}
		}
	}
	for i := range text {
		text[i] = '!'
	}
	for _, of := range []*Table{table, restored} {
		if err := of.CheckInvariants(); err != nil {
			t.Error(err)
		}
	}
}
