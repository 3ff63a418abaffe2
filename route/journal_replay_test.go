package route

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A replay makes tables of nothing but the events of a Journal. TestTableAgainstReference
// compares them with those of the reference after each change, and it and
// TestStepsAreSerial with each View that is published, as far as its Seq goes: so no
// event is missing, told twice, or out of order, and none is told too early or late.
type replay struct {
	next uint64 // event
	sets map[string]*replayedSet
}

type replayedSet struct {
	cluster string // that lists it as long as it is there
	brokers map[replayedBroker]bool
	topics  int
}

type replayedBroker struct {
	cluster string
	id      int64
	addr    string
}

// upTo goes on to an event, whether it is shown yet or not.
func (p *replay) upTo(j *Journal, seq uint64) error {
	if p.sets == nil {
		p.sets = map[string]*replayedSet{}
	}
	chunks := *j.chunks.Load()
	for p.next < seq {
		p.next++
		e := at(chunks, p.next)
		if e.Seq != p.next {
			return fmt.Errorf("event %d has the number %d", p.next, e.Seq)
		}
		if err := p.apply(e); err != nil {
			return fmt.Errorf("event %+v: %w", *e, err)
		}
	}
	return nil
}

func (p *replay) apply(e *JournalEvent) error {
	s := p.sets[e.Broker]
	b := replayedBroker{e.Cluster, e.BrokerID, e.Addr}
	if e.Parent >= e.Seq {
		return fmt.Errorf("its parent is not before it")
	}
	switch e.Type {
	case JournalBrokerRegistered:
		if s == nil {
			s = &replayedSet{cluster: e.Cluster, brokers: map[replayedBroker]bool{}}
			p.sets[e.Broker] = s
		}
		if s.brokers[b] {
			return fmt.Errorf("is there already")
		}
		s.brokers[b] = true
	case JournalBrokerDisplaced, JournalBrokerUnregistered, JournalBrokerConnectionLost, JournalBrokerExpired:
		if s == nil || !s.brokers[b] {
			return fmt.Errorf("is not there")
		}
		delete(s.brokers, b)
	case JournalSetRemoved:
		if s == nil || len(s.brokers) > 0 || s.topics != int(e.Topics.Removed) {
			return fmt.Errorf("is %+v", s)
		}
		delete(p.sets, e.Broker)
	case JournalSetMinID, JournalSetMasterless, JournalSetActing, JournalPermWiped, JournalPermRestored:
		if s == nil {
			return fmt.Errorf("is not there")
		}
	case JournalTopicsChanged:
		s.topics += int(e.Topics.Added - e.Topics.Removed)
	case JournalTopicRegistered, JournalTopicDeleted:
		if n := e.Topics.Added + e.Topics.Changed + e.Topics.Removed; int(n) != len(e.Details.Brokers) {
			return fmt.Errorf("counts %d of %d names", n, len(e.Details.Brokers))
		}
		for _, name := range e.Details.Brokers {
			switch {
			case e.Topics.Added > 0:
				p.sets[name].topics++
			case e.Topics.Removed > 0:
				p.sets[name].topics--
			}
		}
	case JournalBrokerRefused:
	default:
		return fmt.Errorf("is not of a table")
	}
	return nil
}

// A tables is brokerAddrTable and clusterAddrTable as text, and the number of topics of
// each broker name.
type tables struct {
	brokers, clusters []string
	topics            map[string]int
}

func (p *replay) tables() *tables {
	t := &tables{topics: map[string]int{}}
	for name, s := range p.sets {
		clusters := map[string]bool{s.cluster: true}
		for b := range s.brokers {
			t.broker(s.cluster, name, b.id, b.addr)
			clusters[b.cluster] = true
		}
		for c := range clusters {
			t.cluster(c, name)
		}
		t.topics[name] = s.topics
	}
	return t.sorted()
}

func (t *tables) broker(cluster, name string, id int64, addr string) {
	t.brokers = append(t.brokers, fmt.Sprintf("%s in %s: %d at %s", name, cluster, id, cut(addr)))
}

func (t *tables) cluster(cluster, name string) {
	t.clusters = append(t.clusters, cluster+" lists "+name)
}

func (t *tables) sorted() *tables {
	slices.Sort(t.brokers)
	t.brokers = slices.Compact(t.brokers) // one of two clusters is one member
	slices.Sort(t.clusters)
	return t
}

// difference says what t has otherwise than want.
func (t *tables) difference(want *tables) string {
	switch {
	case !slices.Equal(t.brokers, want.brokers):
		return fmt.Sprintf("brokers\n got %s\nwant %s", strings.Join(t.brokers, ", "), strings.Join(want.brokers, ", "))
	case !slices.Equal(t.clusters, want.clusters):
		return fmt.Sprintf("clusters\n got %s\nwant %s", strings.Join(t.clusters, ", "), strings.Join(want.clusters, ", "))
	case want.topics != nil && !maps.Equal(t.topics, want.topics):
		return fmt.Sprintf("topics\n got %v\nwant %v", t.topics, want.topics)
	}
	return ""
}

func (f *reference) tables() *tables {
	t := &tables{topics: map[string]int{}}
	for name, g := range f.groups {
		for id, m := range g.members {
			t.broker(g.cluster, name, id, m.addr)
		}
		n := 0
		for _, queues := range f.topics {
			if _, ok := queues[name]; ok {
				n++
			}
		}
		t.topics[name] = n
	}
	for c, names := range f.lists() {
		for name := range names {
			t.cluster(c, name)
		}
	}
	return t.sorted()
}

// tables are those of a View, without the topics: of these a View may show some before
// the registration is done, and told of.
func (v *View) tables() *tables {
	t := &tables{}
	for b := range v.brokers.byName.all {
		for m := range b.Members() {
			t.broker(b.Cluster, b.Name, m.ID, m.Addr)
		}
	}
	for l := range v.brokers.listings.all {
		t.cluster(l.cluster, l.brokerName)
	}
	return t.sorted()
}

// replayed says how the replay differs from ref, with all that has happened.
func (h *history) replayed(ref *reference) string {
	j := h.table.journal
	if j.unshown || j.Newest() != j.given.Load() {
		return "events are not shown"
	}
	if err := h.replay.upTo(j, j.Newest()); err != nil {
		return err.Error()
	}
	return h.replay.tables().difference(ref.tables())
}

// replayViews compares each View that the table publishes with a replay of its own.
func (h *history) replayViews() {
	var p replay
	h.table.viewStored = func() {
		t := h.table
		v := t.View()
		if h.fault != "" {
			return
		}
		if shown := t.journal.Newest(); shown > v.seq || shown == v.seq && t.recorded {
			h.fault = fmt.Sprintf("event %d is shown with the View of %d, not after it", shown, v.seq)
		}
		if err := p.upTo(t.journal, v.seq); err != nil {
			h.fault = err.Error()
		} else if d := p.tables().difference(v.tables()); d != "" {
			h.fault = fmt.Sprintf("View %d with event %d: %s", v.edition, v.seq, d)
		}
	}
}
