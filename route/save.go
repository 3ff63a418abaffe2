package route

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"gonamesrv/codec"
)

// Save returns what v shows, as it is at the given time of the Table's clock. It
// takes no lock, and costs about as much as what is saved. Strings and slices are
// those of v: they are not to be changed.
//
// A View in the middle of a large change may show topics of a broker set that is
// gone: its rows are left out, and so is a topic that has no other.
func (v *View) Save(nowMillis int64) *Saved {
	s := v.saving(nowMillis, noPacer)
	saved := s.Saved
	topics := make([]SavedTopic, 0, v.topics.size)
	for e := range v.topicsByNumber(noPacer) {
		n := len(saved.Rows)
		saved.Rows = s.appendRows(saved.Rows, e)
		if len(saved.Rows) == n {
			continue
		}
		for _, m := range s.mappingsOf(e) {
			saved.Mappings = append(saved.Mappings, SavedMapping{uint32(len(topics)), m.BrokerName, m.Info})
		}
		topics = append(topics, SavedTopic{e.name, len(saved.Rows) - n})
	}
	if len(topics) > 0 {
		saved.Topics = topics
	}
	saved.Offers = s.offers
	return &saved
}

// A saving is a View that is being saved: the numbers that its parts get.
type saving struct {
	Saved // its Sets and Lives

	view   *View
	lives  map[*liveBroker]uint32 // index in Lives
	sets   []uint32               // by the number of a broker set: index in Sets, plus 1; 0 is a set that is gone
	offers []SavedOffer
	// numbers are the indexes in offers. Nearly always it is the one of the row
	// before: last, if there is one.
	numbers map[SavedOffer]uint32
	last    uint32
	word    uint32 // what last is in a narrow row, if narrow
	narrow  bool
}

// saving returns v with its broker sets and live entries saved.
func (v *View) saving(nowMillis int64, p *pacer) *saving {
	s := &saving{
		Saved:   Saved{AtMillis: nowMillis, Edition: v.edition},
		view:    v,
		lives:   map[*liveBroker]uint32{},
		sets:    make([]uint32, v.brokers.byID.size),
		numbers: map[SavedOffer]uint32{},
	}
	keepers := v.keepers(p)
	for id, b := range v.brokers.byID.all {
		if !p.did(1) {
			break
		}
		if b == nil || b.gone {
			continue
		}
		set := SavedSet{Name: b.Name, Cluster: b.Cluster}
		for m := range b.Members() {
			p.did(savedMember)
			if saved, ok := s.member(m, keepers[m.of]); ok {
				set.Members = append(set.Members, saved)
			}
		}
		if len(set.Members) > 0 {
			s.Sets = append(s.Sets, set)
			s.sets[id] = uint32(len(s.Sets))
		}
	}
	return s
}

// A keeper is a live entry that keeps a member.
type keeper struct {
	link *link
	info *LiveInfo
}

// keepers returns the live entries that keep each member, the oldest first.
func (v *View) keepers(p *pacer) map[*member][]keeper {
	infos := make(map[*liveBroker]*LiveInfo, v.live.size)
	for l := range v.live.all {
		p.did(savedLink)
		infos[l.live] = l
	}
	keepers := make(map[*member][]keeper, v.brokers.links.size)
	for k := range v.brokers.links.all {
		p.did(savedLink)
		if info := infos[k.live]; info != nil {
			keepers[k.member] = append(keepers[k.member], keeper{k, info})
		}
	}
	for _, list := range keepers {
		p.did(savedLink)
		slices.SortFunc(list, func(a, b keeper) int { return strings.Compare(a.link.key, b.link.key) })
	}
	return keepers
}

// member returns m with the live entries that keep it, of which there must be one.
func (s *saving) member(m *Member, keepers []keeper) (saved SavedMember, ok bool) {
	saved = SavedMember{
		ID: m.ID, Addr: m.Addr, EnableActingMaster: m.EnableActingMaster, ZoneName: m.ZoneName, HasZoneName: m.HasZoneName,
		FilterServers: m.FilterServers,
	}
	for _, k := range keepers {
		i, ok := s.lives[k.info.live]
		if !ok {
			i = uint32(len(s.Lives))
			s.lives[k.info.live] = i
			s.Lives = append(s.Lives, k.info.save(s.AtMillis))
		}
		saved.Lives = append(saved.Lives, i)
	}
	return saved, len(saved.Lives) > 0
}

// save returns l as it is at the given time.
func (l *LiveInfo) save(nowMillis int64) SavedLive {
	k := l.Key()
	return SavedLive{
		Cluster: k.Cluster, Addr: k.Addr, HAServerAddr: l.HAServerAddr, DataVersion: l.DataVersion, NullDataVersion: l.NullDataVersion,
		Untrusted: l.isInDoubt(), OldVersion: l.OldVersion, Confirmed: l.State() == Confirmed, TimeoutMillis: l.TimeoutMillis,
		SilentMillis: max(nowMillis-l.LastUpdateMillis(), 0), IntervalMillis: l.live.interval.Load(), Peer: l.Peer,
	}
}

// appendRows appends the rows of a topic whose broker sets are not gone.
func (s *saving) appendRows(dst []SavedRow, e *TopicEntry) []SavedRow {
	if !e.queues.isPatched() {
		return s.appendNode(dst, e.queues)
	}
	n := len(dst)
	dst = s.appendNode(dst, e.queues.tree())
	patch := e.queues.patch()
	for i := 0; i < len(patch); i += narrowWords {
		if set := s.sets[patch[i]]; set != 0 {
			at, _ := slices.BinarySearchFunc(dst[n:], set-1, func(r SavedRow, set uint32) int { return cmp.Compare(r.Set, set) })
			dst[n+at].Offer = s.narrowOffer(patch[i], patch[i+1])
		}
	}
	return dst
}

// appendNode is appendRows for a node that is no queuePatch. There are millions of
// rows, and an iterator would take most of the time.
func (s *saving) appendNode(dst []SavedRow, n *queueNode) []SavedRow {
	if !n.isLeaf() {
		for _, down := range n.down() {
			dst = s.appendNode(dst, down)
		}
		return dst
	}
	if n.isWide() {
		for i := range n.count() {
			q := n.row(i)
			if set := s.sets[q.set]; set != 0 {
				dst = append(dst, SavedRow{set - 1, s.offer(&q)})
			}
		}
		return dst
	}
	for words := n.words()[1:]; len(words) >= narrowWords; words = words[narrowWords:] {
		if set := s.sets[words[0]]; set != 0 {
			dst = append(dst, SavedRow{set - 1, s.narrowOffer(words[0], words[1])})
		}
	}
	return dst
}

// narrowOffer is offer for a narrow row.
func (s *saving) narrowOffer(set, word uint32) uint32 {
	if !s.narrow || s.word != word {
		q := narrowRow(set, word)
		s.offer(&q)
		s.narrow, s.word = true, word
	}
	return s.last
}

// offer returns the index of what q offers.
func (s *saving) offer(q *queueData) uint32 {
	o := SavedOffer{q.readQueueNums, q.writeQueueNums, q.perm, q.topicSysFlag}
	s.narrow = false
	if len(s.offers) > 0 && s.offers[s.last] == o {
		return s.last
	}
	i, ok := s.numbers[o]
	if !ok {
		i = uint32(len(s.offers))
		s.numbers[o] = i
		s.offers = append(s.offers, o)
	}
	s.last = i
	return i
}

// mappingsOf returns the static mappings of a topic whose broker sets are not gone.
func (s *saving) mappingsOf(e *TopicEntry) []codec.BrokerQueueMapping {
	kept := e.mappings.keep(func(brokerName string) bool {
		b, ok := s.view.brokers.byName.get(brokerName)
		return ok && s.sets[b.set.id] != 0
	})
	if kept == nil {
		return nil
	}
	return kept.byBroker
}

// topicsByNumber yields all topics, with those of broker sets that are gone, until
// yield returns false or p gives up. Topics that came together have numbers in a row:
// they lie together in memory, and their names are like each other. Topics whose
// numbers are far beyond the count of topics come last, in no useful order.
func (v *View) topicsByNumber(p *pacer) iter.Seq[*TopicEntry] {
	const pageSize = 512 // one large slice would be cleared in one go
	return func(yield func(*TopicEntry) bool) {
		pages := make([][]*TopicEntry, (v.topics.size+v.topics.size/4)/pageSize+3)
		var others []*TopicEntry
		for e := range v.topics.all {
			if !p.did(visitedTopic) {
				return
			}
			at := int(e.id / pageSize)
			if at >= len(pages) {
				others = append(others, e)
				continue
			}
			if pages[at] == nil {
				pages[at] = make([]*TopicEntry, pageSize)
			}
			pages[at][e.id%pageSize] = e
		}
		for _, list := range append(pages, others) {
			for _, e := range list {
				if e != nil && !yield(e) {
					return
				}
			}
		}
	}
}
