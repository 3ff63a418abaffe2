package route

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"gonamesrv/codec"
)

// TestJournalReads reads a journal that has gone round: up to a thousand at a time, in
// order, without a gap, and an error says where it begins when that is past.
func TestJournalReads(t *testing.T) {
	j := NewJournal(1_000)
	if events, next, err := j.Read(0, nil, 0); len(events) != 0 || next != 0 || err != nil {
		t.Fatalf("of nothing: %v, %d, %v", events, next, err)
	}
	const all = 5_000
	for i := range all {
		kind := JournalKVPut
		if i%10 == 0 {
			kind = JournalTLSReloaded
		}
		if seq := j.Note(JournalEvent{Type: kind, AtMillis: int64(i)}); seq != uint64(i+1) {
			t.Fatalf("event %d is %d", i+1, seq)
		}
	}
	oldest := j.Oldest()
	if n := all - oldest + 1; n < 1_000 || n > 1_000+chunkEvents {
		t.Errorf("%d events are kept", n)
	}
	var gone *GoneError
	if _, _, err := j.Read(oldest-2, nil, 0); !errors.As(err, &gone) || gone.Oldest != oldest || gone.After != oldest-2 {
		t.Errorf("read after %d: %v, want it to be gone", oldest-2, err)
	}
	var seqs []uint64
	for since := oldest - 1; since < all; {
		events, next, err := j.Read(since, nil, 10_000)
		if err != nil || len(events) > MaxRead {
			t.Fatal(len(events), err)
		}
		for _, e := range events {
			seqs = append(seqs, e.Seq)
			if e.AtMillis != int64(e.Seq-1) || e.Details == nil {
				t.Fatalf("event %+v", e)
			}
		}
		since = next
	}
	for i, seq := range seqs {
		if seq != oldest+uint64(i) {
			t.Fatalf("event %d comes after %d others", seq, i)
		}
	}
	if len(seqs) != int(all-oldest+1) {
		t.Errorf("%d events, want %d", len(seqs), all-oldest+1)
	}
	events, next, err := j.Read(0, &JournalFilter{Types: []JournalType{JournalTLSReloaded}}, 3)
	if err != nil || len(events) != 3 || next != events[2].Seq || slices.ContainsFunc(events, func(e JournalEvent) bool { return e.Type != JournalTLSReloaded }) {
		t.Errorf("filtered: %v, %d, %v", events, next, err)
	}
	last := j.Last(&JournalFilter{Types: []JournalType{JournalTLSReloaded}}, 2)
	if len(last) != 2 || last[0].Seq != 4981 || last[1].Seq != 4991 {
		t.Errorf("the last: %v", last)
	}
	if events, next, err := j.Read(all, nil, 0); len(events) != 0 || next != all || err != nil {
		t.Errorf("of the future: %v, %d, %v", events, next, err)
	}
}

// TestJournalReadersBesideWriters reads while events come: what is read is what was
// written, in order, and those who watch are signalled.
func TestJournalReadersBesideWriters(t *testing.T) {
	j := NewJournal(256)
	changed, cancel, err := j.Watch()
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	const writers, each = 4, 5_000
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				j.Note(JournalEvent{Type: JournalKVPut, BrokerID: int64(w), AtMillis: int64(i), Addr: fmt.Sprint(w, " ", i)})
			}
		})
	}
	newest := map[int64]int64{}
	for since := uint64(0); since < writers*each; {
		<-changed
		for {
			events, next, err := j.Read(since, nil, 100)
			var gone *GoneError
			if errors.As(err, &gone) {
				since = gone.Oldest - 1
				continue
			}
			if since == 0 && len(events) > 0 {
				since = events[0].Seq - 1
			}
			for _, e := range events {
				if since++; e.Seq != since || e.Addr != fmt.Sprint(e.BrokerID, " ", e.AtMillis) {
					t.Fatalf("event %d is %+v", since, e)
				}
				if last, ok := newest[e.BrokerID]; ok && e.AtMillis <= last {
					t.Fatalf("event %d of writer %d comes after %d", e.AtMillis, e.BrokerID, last)
				}
				newest[e.BrokerID] = e.AtMillis
			}
			if next == since && len(events) == 0 {
				break
			}
		}
	}
	writing.Wait()
}

// TestJournalRefusalsAreBounded sends refusals, which anybody can, for a day: few get
// in, the next one says how many did not, and what matters stays.
func TestJournalRefusalsAreBounded(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	j := NewJournal(0)
	j.Note(JournalEvent{Type: JournalTopicDeleted, AtMillis: 1})
	for ms := int64(0); ms < 86_400_000; ms += 100 {
		kind := JournalAdminRefused
		if ms%200 == 0 {
			kind = JournalBrokerRefused
		}
		j.Note(JournalEvent{Type: kind, AtMillis: ms})
	}
	s := j.Stats()
	if s.Newest > 9_000 || s.Oldest != 1 || s.Newest-1+s.LeftOut != 864_000 {
		t.Errorf("%d events, of %d kept the oldest is %d, %d left out", s.Newest, s.Kept, s.Oldest, s.LeftOut)
	}
	events, _, _ := j.Read(s.Newest-1, nil, 0)
	if n := events[0].Details.Count; n != 99 {
		t.Errorf("the last one says that %d were left out, want 99", n)
	}
	// A wall clock that is put back closes it for nobody.
	before := j.Newest()
	for ms := int64(0); ms < 100_000; ms += 1000 {
		j.Note(JournalEvent{Type: JournalAdminRefused, AtMillis: ms})
	}
	if n := j.Newest() - before; n < 9 || n > 11 {
		t.Errorf("%d refusals got in within 100 s after the clock was put back", n)
	}
}

// TestJournalTells goes through the life of two brokers: who asked for each change, why
// it was, and what followed from it.
func TestJournalTells(t *testing.T) {
	table := New(Options{})
	at := Moment{NowMillis: 1, WallMillis: 1_700_000_000_000}
	from := Origin{Conn: 7, Remote: netip.MustParseAddrPort("10.0.0.1:4711"), Code: codec.ReqRegisterBroker}
	register := func(id int64, counter int64, topics int, changed func(int) bool) {
		r := benchRegistration(0, benchBody(0, topics, counter, changed))
		r.BrokerID, r.BrokerAddr = id, fmt.Sprintf("10.0.0.%d:10911", id)
		r.OldVersion, r.EnableActingMaster = false, true
		r.WallMillis, r.Origin, r.Conn = at.WallMillis, from, uint64(100+id)
		_, _ = table.RegisterBroker(at.NowMillis, r)
	}
	since := uint64(0)
	told := func(want ...string) []JournalEvent {
		t.Helper()
		events, next, err := table.Journal().Read(since, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range events {
			text := fmt.Sprintf("%v %v", e.Type, e.Cause.Kind)
			if e.Parent != 0 {
				text += fmt.Sprintf(" of %d", e.Parent-since)
			}
			if e.Topics != (TopicCounts{}) {
				text += fmt.Sprintf(" +%d ~%d -%d", e.Topics.Added, e.Topics.Changed, e.Topics.Removed)
			}
			got = append(got, text)
			if e.AtMillis != at.WallMillis {
				t.Errorf("event %+v: not of its time", e)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("told %q\nwant %q", got, want)
		}
		if seq := table.View().Seq(); seq > next {
			t.Errorf("the View is of %d", seq)
		}
		since = next
		return events
	}
	register(0, 1, 1, never)
	if e := told("broker.refused register"); e[0].Details.Reason != "singleTopic" || e[0].Origin != from {
		t.Errorf("%+v", e[0])
	}
	register(0, 1, 100, never)
	if e := told("broker.registered register", "topics.changed register of 1 +100 ~0 -0"); len(e[1].Details.Sample) != maxSample || e[1].Origin != from || e[0].Addr != "10.0.0.0:10911" {
		t.Errorf("%+v", e)
	}
	register(0, 1, 100, never)
	told()
	register(0, 2, 101, func(i int) bool { return i == 3 })
	if e := told("topics.changed register +1 ~1 -0"); !slices.Contains(e[0].Details.Sample, string(benchTopic(3))) {
		t.Errorf("%q", e[0].Details.Sample)
	}
	register(1, 2, 101, func(i int) bool { return i == 3 })
	told("broker.registered register")

	name := benchRegistration(0, nil).BrokerName
	operator := Origin{Conn: 9, Code: codec.ReqDeleteTopicInNamesrv, Remote: netip.MustParseAddrPort("10.0.0.9:1")}
	table.By(at, operator).DeleteTopic(string(benchTopic(5)))
	if e := told("topic.deleted admin +0 ~0 -1"); e[0].Details.Topic != string(benchTopic(5)) || !slices.Equal(e[0].Details.Brokers, []string{name}) || e[0].Origin != operator {
		t.Errorf("%+v", e[0])
	}
	table.By(at, operator).DeleteTopic(string(benchTopic(5)))
	told()
	table.By(at, operator).WipeWritePerm(name)
	told("perm.wiped admin +0 ~100 -0")
	table.By(at, operator).AddWritePerm(name)
	told("perm.restored admin +0 ~100 -0")
	if stored, err := table.By(at, operator).RegisterTopic("new", []codec.QueueData{{BrokerName: name, Perm: 6}}); !stored || err != nil {
		t.Fatal(stored, err)
	}
	told("topic.registered admin +1 ~0 -0")

	closed := Origin{Conn: 100}
	table.By(at, closed).ConnClosed(100)
	if e := told("broker.connectionLost close", "set.minId parent of 1", "set.masterless parent of 1", "set.acting parent of 1 +0 ~101 -0"); e[0].Origin != closed || e[0].BrokerID != 0 || e[1].BrokerID != 1 {
		t.Errorf("%+v", e)
	}
	at.NowMillis += 500_000
	table.By(at, Origin{}).Scan(NewProtection(), ProtectionPolicy{}, Pulse{})
	if e := told("broker.expired silence", "set.removed parent of 1 +0 ~0 -101"); e[0].Cause.SilentMillis != 500_000 || e[0].Cause.TimeoutMillis != DefaultHeartbeatTimeoutMillis {
		t.Errorf("%+v", e)
	}
}

// TestJournalOfManyBrokers deletes a topic of more names than one event lists.
func TestJournalOfManyBrokers(t *testing.T) {
	table := benchShared(70, 10)
	before := table.Journal().Newest()
	table.DeleteTopic(string(benchTopic(0)))
	events, _, _ := table.Journal().Read(before, &JournalFilter{Topic: string(benchTopic(0))}, 0)
	if len(events) != 3 {
		t.Fatalf("%d events", len(events))
	}
	names := map[string]bool{}
	for _, e := range events {
		for _, name := range e.Details.Brokers {
			names[name] = true
		}
		if len(e.Details.Brokers) != int(e.Topics.Removed) || len(e.Details.Brokers) > maxEventBrokers || e.Seq != events[0].Seq && e.Parent != events[0].Seq {
			t.Errorf("%+v", e)
		}
	}
	if len(names) != 70 {
		t.Errorf("%d names", len(names))
	}
	byBroker, _, _ := table.Journal().Read(before, &JournalFilter{Broker: "broker-00069"}, 0)
	if len(byBroker) != 1 {
		t.Errorf("%d events of the last name", len(byBroker))
	}
}

// TestJournalDuringSweep deletes a topic of a name that has gone, before its rows have:
// nobody was shown it any more, and so nobody is told.
func TestJournalDuringSweep(t *testing.T) {
	table := benchShared(2, 100)
	table.stepWork = 1
	deleted := false
	table.betweenSteps = func() {
		if len(table.leaving) > 0 && !deleted {
			deleted = true
			for i := range 100 {
				table.DeleteTopic(string(benchTopic(i)))
			}
		}
	}
	r := benchRegistration(0, nil)
	before := table.Journal().Newest()
	table.UnregisterBrokers(Unregistration{r.Cluster, r.BrokerName, r.BrokerAddr})
	events, _, _ := table.Journal().Read(before, &JournalFilter{Types: []JournalType{JournalTopicDeleted}}, 0)
	if !deleted || len(events) != 100 {
		t.Errorf("%d deletions are told, want 100", len(events))
	}
	for _, e := range events {
		if slices.Contains(e.Details.Brokers, r.BrokerName) {
			t.Fatalf("%+v tells of %s", e, r.BrokerName)
		}
	}
}

// TestJournalTextsAreCut notes texts of a mebibyte: what is kept of them is short, is
// text, and does not keep the rest.
func TestJournalTextsAreCut(t *testing.T) {
	j := NewJournal(0)
	long := strings.Repeat("é", 1<<19)
	j.Note(JournalEvent{Type: JournalKVPut, Cluster: long, Broker: long, Addr: long, Origin: Origin{Identity: long}, Details: &EventDetails{
		Reason: long, ByCluster: long, ByAddr: long, Topic: long, Args: long, Before: long, After: long, Sample: []string{long},
	}})
	events, _, _ := j.Read(0, nil, 0)
	e := events[0]
	d := e.Details
	for i, text := range []string{e.Cluster, e.Broker, e.Addr, e.Origin.Identity, d.Reason, d.ByCluster, d.ByAddr, d.Topic, d.Args, d.Before, d.After, d.Sample[0]} {
		if text != strings.Repeat("é", 127) || unsafe.StringData(text) == unsafe.StringData(long) {
			t.Errorf("text %d has %d bytes", i, len(text))
		}
	}
}

// TestJournalTypes finds types by name and by the part before the dot.
func TestJournalTypes(t *testing.T) {
	for kind := range journalTypes {
		if got, err := ParseJournalType(kind.String()); err != nil || len(got) != 1 || got[0] != kind || kind.String() == "" {
			t.Errorf("%q: %v, %v", kind, got, err)
		}
	}
	if got, err := ParseJournalType("broker.*"); err != nil || len(got) != 6 {
		t.Errorf("broker.*: %v, %v", got, err)
	}
	for _, name := range []string{"", "*", "broker", "brok*", "broker.", "x.*"} {
		if got, err := ParseJournalType(name); err == nil {
			t.Errorf("%q is %v", name, got)
		}
	}
}

// TestJournalCostsNothingUnchanged registers the same again, and hears heartbeats:
// nothing is told and nothing allocated.
func TestJournalCostsNothingUnchanged(t *testing.T) {
	table := New(Options{})
	r := benchRegistration(0, benchBody(0, 100, 1, never))
	r.BodyHash = 1
	mustRegister(t, table, r)
	before := table.Journal().Newest()
	n := testing.AllocsPerRun(100, func() {
		if _, ok := table.RegisterUnchanged(5, r); !ok || !table.Heartbeat(6, []byte(r.Cluster), []byte(r.BrokerAddr)) {
			t.Fatal("it is not known")
		}
	})
	if now := table.Journal().Newest(); n != 0 || now != before {
		t.Errorf("%v allocations, %d events", n, now-before)
	}
}

// TestJournalIsShownAfterTheView: nobody reads an event before there is a View that
// shows it, not even because an event of no table comes in between.
func TestJournalIsShownAfterTheView(t *testing.T) {
	table := registered(t, 1, 2)
	j := table.Journal()
	asked := 0
	table.viewStored = func() {
		asked++
		j.Note(JournalEvent{Type: JournalServerReady})
		if newest, seq := j.Newest(), table.View().Seq(); newest >= seq {
			t.Errorf("event %d can be read while the View that shows events up to %d is being stored", newest, seq)
		}
	}
	table.DeleteTopic(string(benchTopic(0)))
	table.viewStored = nil
	if newest := j.Newest(); asked != 1 || newest != table.View().Seq()+1 {
		t.Errorf("%d Views; the newest event is %d and the View shows those up to %d: want 1, and one more than that", asked, newest, table.View().Seq())
	}
}

// TestJournalFindsLongTopics: a name longer than texts of events is found by what is
// kept of it.
func TestJournalFindsLongTopics(t *testing.T) {
	j := NewJournal(0)
	long := strings.Repeat("x", maxEventText+1)
	j.Note(JournalEvent{Type: JournalTopicDeleted, Details: &EventDetails{Topic: long}})
	if events, _, err := j.Read(0, &JournalFilter{Topic: long}, 0); err != nil || len(events) != 1 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

// TestJournalStaysWithinBytes fills a journal with the longest events there are: it keeps
// fewer of them, so that it takes what it says and no more, and keeps many again of short
// ones.
func TestJournalStaysWithinBytes(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	long := func(c byte) string { return strings.Repeat(string(c), maxEventText) }
	longest := func() JournalEvent {
		d := &EventDetails{
			Reason: long('r'), ByCluster: long('c'), ByAddr: long('a'), Topic: long('t'),
			Args: long('g'), Before: long('b'), After: long('f'),
		}
		for range maxEventBrokers {
			d.Brokers = append(d.Brokers, long('n'))
		}
		return JournalEvent{Type: JournalTopicDeleted, Cluster: long('k'), Broker: long('o'), Addr: long('d'), Origin: Origin{Identity: long('i')}, Details: d}
	}
	const size, chunk = 4_096, chunkEvents * 12 << 10
	for _, tt := range []struct{ most, want int64 }{{1 << 40, (size + chunkEvents) << 10}, {2 << 20, 2 << 20}} {
		before := heapInUse()
		j := NewJournalWithin(size, tt.most)
		for range 2 * size {
			j.Note(longest())
			if s := j.Stats(); s.MaxBytes != tt.want || s.Bytes > max(s.MaxBytes, chunk) {
				t.Fatalf("after %d events: %d bytes of %d", s.Newest, s.Bytes, s.MaxBytes)
			}
		}
		s, heap := j.Stats(), int64(heapInUse()-before)
		if s.Kept < chunkEvents || s.Kept > size || heap > s.Bytes*5/4+1<<20 {
			t.Errorf("%d events of %d bytes are kept, which take %d", s.Kept, s.Bytes, heap)
		}
		events, _, err := j.Read(0, nil, 0)
		if err != nil || len(events) == 0 || events[0].Seq != s.Oldest {
			t.Errorf("read: %d events, %v", len(events), err)
		}
		for range 3 * size {
			j.Note(JournalEvent{Type: JournalServerReady})
		}
		if s := j.Stats(); s.Kept < size || s.Kept > size+chunkEvents {
			t.Errorf("%d short events are kept", s.Kept)
		}
		runtime.KeepAlive(j)
	}
}
