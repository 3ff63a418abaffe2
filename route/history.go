package route

import (
	"runtime"
	"slices"
	"sync"
)

const (
	// DefaultHistoryBytes is what a History may keep alive if it is not told: 32 MiB.
	DefaultHistoryBytes = 32 << 20

	historyMillis   = 900_000 // how old what is kept may be: 15 min
	historyInterval = 1_000   // between two Views that are kept
	entryBytes      = 256     // what an entry that was replaced keeps alive, about: BenchmarkHistoryMemory
)

// A History is Views as they were before something was lost or changed: before a
// broker name went, a topic was deleted, a registration or an operator changed what a
// broker offers. It says what of a topic is not there any more, and since when.
//
// A View shares with the next one what did not change, so to keep one costs what was
// replaced since. Of Views in one second the first is kept; what is older than 15
// minutes goes, and so do the oldest while what all keep alive is more than the
// budget. Their encoded routes have gone with the entries, and lists are not kept.
//
// Who reads takes a lock that is held while a list of 900 at most is copied. Safe from
// any goroutine.
type History struct {
	journal *Journal
	now     func() *View
	most    int // entries

	mu       sync.Mutex
	kept     []keptView // oldest first
	replaced int        // the sum over kept
	dropped  HistoryStats
}

// A keptView is one View of a History.
type keptView struct {
	view     *View
	at       int64 // until when it was the newest, by the clock that the Table is told
	replaced int   // entries, from then until the next one that was kept
}

// newHistory returns an empty History. bytes is its budget: 0 is DefaultHistoryBytes,
// less than 0 keeps nothing.
func newHistory(j *Journal, now func() *View, bytes int64) *History {
	if bytes == 0 {
		bytes = DefaultHistoryBytes
	}
	return &History{journal: j, now: now, most: int(max(bytes, 0) / entryBytes)}
}

// published notes that another View has taken the place of old, and that so many
// entries of old were replaced. losing says that old shows what was lost or changed.
// Under Table.mu.
func (h *History) published(old *View, replaced int, losing bool, nowMillis int64) {
	if h.most == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	n := len(h.kept)
	if losing && (n == 0 || nowMillis-h.kept[n-1].at >= historyInterval) {
		h.kept = append(h.kept, keptView{view: old.bare(), at: nowMillis})
		n++
	}
	if n > 0 {
		h.kept[n-1].replaced += replaced
		h.replaced += replaced
	}
	h.trim(nowMillis)
}

// trim lets go of what is too old, and of the oldest while there is too much. Under mu.
func (h *History) trim(nowMillis int64) {
	n := 0
	for n < len(h.kept) && (h.replaced > h.most || nowMillis-h.kept[n].at > historyMillis) {
		h.replaced -= h.kept[n].replaced
		n++
	}
	h.drop(n)
}

// drop lets go of the n oldest, which are counted out already. Under mu.
func (h *History) drop(n int) {
	if n == 0 {
		return
	}
	h.dropped.Dropped += uint64(n)
	h.kept = slices.Delete(h.kept, 0, n)
	if len(h.kept) == 0 {
		h.kept = nil
	}
}

// Sweep lets go of what is too old at a time of the Table's clock; and, if memory is
// tight, of everything.
func (h *History) Sweep(nowMillis int64, tight bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if tight {
		h.replaced = 0
		h.drop(len(h.kept))
		return
	}
	h.trim(nowMillis)
}

// bare returns v without the encoded lists, which may be long. It says the same.
func (v *View) bare() *View {
	b := *v
	t := v.brokers
	b.names, b.lists = &topicNames{}, &topicLists{room: byteCount{most: 1}}
	b.brokers = &brokerTable{version: t.version, byName: t.byName, listings: t.listings, byID: t.byID, links: t.links}
	return &b
}

// A Past is what was known of a topic that nobody has any more.
type Past struct {
	// View is the newest one kept that has the topic. What moves without the lock (when
	// a broker was last heard of, whether it is suspect) is that of today. Do not ask it
	// for encoded lists: they would be kept beside it.
	View  *View
	Entry *TopicEntry // of the topic, in View
	// Until is the event that ended it; Seq is 0 if that is not known, because the
	// Journal does not have it any more.
	Until JournalEvent
}

// Topic returns what was known of a topic that the newest View does not have. It walks
// back through the Views that are kept, and then through the events after the one it
// finds: at most 900 look-ups, and the events of the Journal. name is borrowed.
func (h *History) Topic(name []byte) (Past, bool) {
	if _, ok := h.now().Topic(name); ok {
		return Past{}, false
	}
	h.mu.Lock()
	kept := slices.Clone(h.kept)
	h.mu.Unlock()
	end := h.journal.Newest()
	for i := len(kept) - 1; i >= 0; i-- {
		v := kept[i].view
		if e, ok := v.Topic(name); ok {
			return Past{v, e, h.journal.ended(v, e, end)}, true
		}
		end = v.seq
	}
	return Past{}, false
}

// A Loss is a broker name that had a topic, and has it no longer.
type Loss struct {
	Broker string
	// End is the event that ended it; Seq is 0 if that is not known, because the Journal
	// does not have it any more. It may be a registration that took many topics away and
	// does not name this one.
	End JournalEvent
}

// Losses returns the broker names that had a topic in a View that is kept and do not have it
// now, who has lost it last first, then by name, and the first of them only if
// there are more than most. It looks at the rows that the topic had in each View, 900 at
// most, and at the events of the Journal once. name is borrowed.
func (h *History) Losses(name []byte, most int) []Loss {
	now := h.now()
	h.mu.Lock()
	kept := slices.Clone(h.kept)
	h.mu.Unlock()
	has := map[string]bool{} // or had it in a newer View
	if e, ok := now.Topic(name); ok {
		for o := range now.Offers(e) {
			has[o.Broker.Name] = true
		}
	}
	var losses []Loss
	var looked struct { // by the View before: the next one mostly shows the same
		entry   *TopicEntry
		brokers *brokerTable
	}
	end := now.seq
	for i := len(kept) - 1; i >= 0 && len(losses) < most; i-- {
		v := kept[i].view
		e, ok := v.Topic(name)
		if ok && (e != looked.entry || v.brokers.byID.root != looked.brokers.byID.root) {
			looked.entry, looked.brokers = e, v.brokers
			var lost []string
			for o := range v.Offers(e) {
				if b := o.Broker.Name; !has[b] {
					has[b] = true
					lost = append(lost, b)
				}
			}
			slices.Sort(lost)
			losses = append(losses, h.journal.losses(e.name, lost, v.seq, end)...)
			runtime.Gosched()
		}
		end = v.seq
	}
	return losses[:min(len(losses), most)]
}

// losses returns what took a topic from each of some broker names, which have lost it after
// one event and until another.
func (j *Journal) losses(topic string, names []string, after, until uint64) []Loss {
	if len(names) == 0 {
		return nil
	}
	losses := make([]Loss, len(names))
	index := make(map[string]int, len(names)) // by name, cut as in events
	for i, name := range names {
		losses[i].Broker, index[cut(name)] = name, i
	}
	newest, oldest, chunks := j.window()
	sure := make([]bool, len(names))
	for seq := max(after+1, oldest); seq <= min(newest, until); seq++ {
		o := at(chunks, seq)
		lost, names := o.takes(topic)
		for _, name := range lost {
			if i, ok := index[name]; ok && (names || !sure[i]) {
				losses[i].End, sure[i] = o.read(), names
			}
		}
	}
	return losses
}

// takes returns the broker names that an event has taken a topic from; or, if it does not
// name the topic, from which it has taken some topics.
func (e *JournalEvent) takes(topic string) (brokers []string, sure bool) {
	topic = cut(topic)
	switch {
	case e.Type == JournalTopicDeleted && e.Details.Topic == topic:
		return e.Details.Brokers, true
	case e.Topics.Removed == 0:
		return nil, false
	case e.Type == JournalSetRemoved:
		return []string{e.Broker}, true
	case e.Type == JournalTopicsChanged:
		return []string{e.Broker}, slices.Contains(e.Details.Sample, topic)
	}
	return nil, false
}

// ended returns the event that took a topic from its last broker name: one after v,
// which has it, up to end, when nobody had it. The zero event is not known. Where the
// registrations of several moments have taken many topics away, and none names this
// one, it is the last of those that may have.
func (j *Journal) ended(v *View, e *TopicEntry, end uint64) JournalEvent {
	newest, oldest, chunks := j.window()
	if v.seq+1 < oldest {
		return JournalEvent{}
	}
	has := map[string]bool{} // broker names, cut as in events
	for q := range e.queues.all {
		has[cut(v.brokers.byID.get(q.set).Name)] = true
	}
	var last, perhaps *JournalEvent
	for seq := v.seq + 1; seq <= min(newest, end); seq++ {
		o := at(chunks, seq)
		if o.Type == JournalTopicRegistered && o.Details.Topic == cut(e.name) {
			for _, name := range o.Details.Brokers {
				has[name] = true
			}
		}
		lost, sure := o.takes(e.name)
		for _, name := range lost {
			switch {
			case !sure && has[name]:
				perhaps = o
			case sure && (has[name] || o.Type == JournalTopicDeleted):
				if delete(has, name); len(has) == 0 {
					last = o
				}
			}
		}
	}
	switch {
	case last != nil:
		return last.read()
	case perhaps != nil:
		return perhaps.read()
	}
	return JournalEvent{}
}

// A HistoryStats shows a History. All numbers are of one moment.
type HistoryStats struct {
	Views    int
	Bytes    int64  // that they keep alive, about
	MaxBytes int64  // historyBudget
	Dropped  uint64 // Views that were let go of, since the start
}

// Stats returns the counters.
func (h *History) Stats() HistoryStats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.dropped
	s.Views, s.Bytes, s.MaxBytes = len(h.kept), int64(h.replaced)*entryBytes, int64(h.most)*entryBytes
	return s
}
