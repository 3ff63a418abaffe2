package codec

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// topicsByName is what a table means: of equal names the last one counts.
func topicsByName(topics []TopicConfig) map[string][4]int32 {
	m := map[string][4]int32{}
	for _, t := range topics {
		m[string(t.Name)] = [4]int32{t.ReadQueueNums, t.WriteQueueNums, t.Perm, t.TopicSysFlag}
	}
	return m
}

// A sender is a broker whose table of topics changes from body to body.
type sender struct {
	t      *rapid.T
	topics []TopicConfig
	named  int
}

func (s *sender) newTopic() TopicConfig {
	s.named++
	name := fmt.Appendf(nil, "topic-%d", s.named)
	return TopicConfig{Name: name, Key: name, ReadQueueNums: 4, WriteQueueNums: 4, Perm: 6}
}

// change does one thing to some topics in a row.
func (s *sender) change() {
	n := rapid.SampledFrom([]int{1, 1, 1, 3, 20, 100}).Draw(s.t, "how many")
	at := rapid.IntRange(0, len(s.topics)).Draw(s.t, "where")
	end := min(at+n, len(s.topics))
	switch rapid.SampledFrom([]string{"insert", "delete", "modify", "swap", "twin", "reverse"}).Draw(s.t, "change") {
	case "insert":
		for range n {
			s.topics = slices.Insert(s.topics, at, s.newTopic())
		}
	case "delete":
		s.topics = slices.Delete(s.topics, at, end)
	case "modify":
		for i := at; i < end; i++ {
			s.topics[i].WriteQueueNums++
		}
	case "swap":
		if at < len(s.topics) {
			i := rapid.IntRange(0, len(s.topics)-1).Draw(s.t, "with")
			s.topics[at], s.topics[i] = s.topics[i], s.topics[at]
		}
	case "twin":
		if at < len(s.topics) {
			twin := s.topics[at]
			twin.Perm = 4
			to := rapid.IntRange(0, len(s.topics)).Draw(s.t, "to")
			s.topics = slices.Insert(s.topics, to, twin)
		}
	case "reverse":
		slices.Reverse(s.topics[at:end])
	}
}

func (s *sender) dropTwins() {
	seen := map[string]bool{}
	s.topics = slices.DeleteFunc(s.topics, func(t TopicConfig) bool {
		was := seen[string(t.Name)]
		seen[string(t.Name)] = true
		return was
	})
}

// TestDecodeKnown sends bodies that follow from each other. What a body means
// must not depend on whether its sender is known, and what it leaves out must
// be what the former body said.
func TestDecodeKnown(t *testing.T) {
	t.Parallel()
	skipped := 0
	rapid.Check(t, func(t *rapid.T) {
		s := sender{t: t}
		for range rapid.SampledFrom([]int{0, 1, 15, 16, 17, 200}).Draw(t, "topics") {
			s.topics = append(s.topics, s.newTopic())
		}
		var known *KnownTopics
		var before map[string][4]int32
		var plain, b RegisterBrokerBody
		for range rapid.IntRange(2, 8).Draw(t, "bodies") {
			body := (&RegisterBrokerBody{DataVersion: DataVersion{Counter: int64(s.named)}, Topics: s.topics}).AppendJSON(nil)
			if err := plain.Decode(body, Version, false, nowMillis); err != nil {
				t.Fatal(err)
			}
			want := topicsByName(plain.Topics)
			if err := b.DecodeKnown(body, Version, false, nowMillis, known); err != nil {
				t.Fatal(err)
			}
			if b.DataVersion != plain.DataVersion || b.TopicCount() != len(plain.Topics) {
				t.Fatalf("%v and %d topics, want %v and %d", b.DataVersion, b.TopicCount(), plain.DataVersion, len(plain.Topics))
			}
			if (b.Base != nil) != (len(b.Topics) < b.TopicCount()) || b.Base != nil && b.Base != known {
				t.Fatalf("base %p of known %p with %d of %d topics", b.Base, known, len(b.Topics), b.TopicCount())
			}
			got := topicsByName(b.Topics)
			for name, tc := range want {
				if _, ok := got[name]; !ok && b.Base != nil {
					got[name] = before[name]
				}
				if got[name] != tc {
					t.Fatalf("%s is %v, want %v; %d of %d topics decoded", name, got[name], tc, len(b.Topics), b.TopicCount())
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%d topics, want %d", len(got), len(want))
			}
			if b.Base != nil {
				skipped++
			}
			if known, before = b.Said, want; len(want) != len(plain.Topics) {
				// A table with twins says nothing that can be relied on. The
				// next body is without.
				known = nil
				s.dropTwins()
			}
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				s.change()
			}
		}
	})
	if skipped == 0 {
		t.Error("nothing was ever skipped")
	}
}

// TestDecodeKnownDecodesWhatChanged counts what has to be decoded.
func TestDecodeKnownDecodesWhatChanged(t *testing.T) {
	t.Parallel()
	const n = 1000
	cases := []struct {
		name   string
		change func([]TopicConfig) []TopicConfig
		want   int // topics to decode
	}{
		{"nothing", func(s []TopicConfig) []TopicConfig { return s }, 0},
		{"one modified", func(s []TopicConfig) []TopicConfig { s[500].Perm = 4; return s }, 16},
		{"one inserted in a piece", func(s []TopicConfig) []TopicConfig { return slices.Insert(s, 500, s[0].renamed("new")) }, 17},
		{"one inserted between pieces", func(s []TopicConfig) []TopicConfig { return slices.Insert(s, 16*10, s[0].renamed("new")) }, 1},
		{"four inserted between pieces", func(s []TopicConfig) []TopicConfig {
			for i := range 4 {
				s = slices.Insert(s, 16*10, s[0].renamed(fmt.Sprint("new", i)))
			}
			return s
		}, 4 + 16},
		{"a hundred inserted", func(s []TopicConfig) []TopicConfig {
			for i := range 100 {
				s = slices.Insert(s, 16*10, s[0].renamed(fmt.Sprint("new", i)))
			}
			return s
		}, 100 + 16},
		{"one deleted", func(s []TopicConfig) []TopicConfig { return slices.Delete(s, 500, 501) }, 15},
		{"a whole piece deleted", func(s []TopicConfig) []TopicConfig { return slices.Delete(s, 160, 176) }, 16},
		{"sixty deleted", func(s []TopicConfig) []TopicConfig { return slices.Delete(s, 500, 560) }, 20},
		{"the first and the last deleted", func(s []TopicConfig) []TopicConfig { return s[1 : n-1] }, 15 + 7},
		{"the last piece deleted", func(s []TopicConfig) []TopicConfig { return s[:n-n%16] }, 0},
		{"one appended", func(s []TopicConfig) []TopicConfig { return append(s, s[0].renamed("new")) }, 1},
		{"every hundredth modified", func(s []TopicConfig) []TopicConfig {
			for i := 0; i < n; i += 100 {
				s[i].Perm = 4
			}
			return s
		}, 160},
		{"all modified", func(s []TopicConfig) []TopicConfig {
			for i := range s {
				s[i].Perm = 4
			}
			return s
		}, n},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			body := manyTopics(n)
			var b RegisterBrokerBody
			if err := b.Decode(body.AppendJSON(nil), Version, false, nowMillis); err != nil {
				t.Fatal(err)
			}
			before := b.Said
			body.Topics = tc.change(body.Topics)
			text := body.AppendJSON(nil)
			if err := b.DecodeKnown(text, Version, false, nowMillis, before); err != nil {
				t.Fatal(err)
			}
			if len(b.Topics) != tc.want || b.TopicCount() != len(body.Topics) {
				t.Errorf("%d of %d topics decoded, want %d of %d", len(b.Topics), b.TopicCount(), tc.want, len(body.Topics))
			}
			if (b.Said == before) != (tc.name == "nothing") {
				t.Errorf("what it said is kept: %v", b.Said == before)
			}
			// What was learnt is as good as if all had been decoded.
			if err := b.DecodeKnown(text, Version, false, nowMillis, b.Said); err != nil || len(b.Topics) != 0 {
				t.Errorf("the same again: %v, %d topics decoded", err, len(b.Topics))
			}
		})
	}
}

func (t TopicConfig) renamed(name string) TopicConfig {
	t.Name, t.Key = []byte(name), []byte(name)
	return t
}

// TestKnownPiecesKeepTheirSize: topics that come one by one make no piece of
// their own, nor any piece long; and where they go, what is left is joined.
func TestKnownPiecesKeepTheirSize(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	t.Parallel()
	body := manyTopics(160)
	var b RegisterBrokerBody
	check := func() {
		t.Helper()
		if err := b.DecodeKnown(body.AppendJSON(nil), Version, false, nowMillis, b.Said); err != nil {
			t.Fatal(err)
		}
		k := b.Said
		if most := k.Count()/(pieceTopics/2) + 1; len(k.pieces) > most {
			t.Fatalf("%d topics in %d pieces, want at most %d", k.Count(), len(k.pieces), most)
		}
		for i := range k.pieces {
			if n := k.end(i) - int(k.pieces[i].first); n > maxPieceTopics {
				t.Fatalf("piece %d has %d topics, want at most %d", i, n, maxPieceTopics)
			}
		}
	}
	for i := range 500 {
		check()
		body.Topics = slices.Insert(body.Topics, i*7%len(body.Topics), body.Topics[0].renamed(fmt.Sprint("new", i)))
	}
	for i := range 640 {
		check()
		at := i * 7 % len(body.Topics)
		body.Topics = slices.Delete(body.Topics, at, at+1)
	}
}

// TestDecodeKnownRefuses: what is malformed is found beside what is known.
func TestDecodeKnownRefuses(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine decodes a body cut at every byte")
	}
	t.Parallel()
	body := manyTopics(100)
	var b RegisterBrokerBody
	text := body.AppendJSON(nil)
	if err := b.Decode(text, Version, false, nowMillis); err != nil {
		t.Fatal(err)
	}
	known := b.Said
	for end := range text {
		if err := b.DecodeKnown(text[:end], Version, false, nowMillis, known); err == nil && end > 0 {
			t.Fatalf("cut at %d of %d: no error", end, len(text))
		}
	}
	for i := range text {
		broken := slices.Clone(text)
		broken[i] = '}'
		got, want := b.DecodeKnown(broken, Version, false, nowMillis, known), new(RegisterBrokerBody).Decode(broken, Version, false, nowMillis)
		if (got == nil) != (want == nil) {
			t.Fatalf("a bracket at %d of %d: %v, want %v", i, len(text), got, want)
		}
	}
}
