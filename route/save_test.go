package route

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gonamesrv/codec"
)

// saveDifference says what of the tables Save leaves out, or says otherwise. Nobody
// may be changing the Table.
func (t *Table) saveDifference(nowMillis int64) string {
	saved := t.View().Save(nowMillis)
	if err := saved.Validate(); err != nil {
		return err.Error()
	}
	got, want := saved.lines(), t.lines(nowMillis)
	for _, line := range slices.Sorted(maps.Keys(want)) {
		if got[line] != want[line] {
			return fmt.Sprintf("%d saved, want %d: %s", got[line], want[line], line)
		}
		delete(got, line)
	}
	for line := range got {
		return "saved, but is not so: " + line
	}
	return ""
}

// lines are what s says, each thing once.
func (s *Saved) lines() map[string]int {
	lines := map[string]int{}
	say := func(format string, args ...any) { lines[fmt.Sprintf(format, args...)]++ }
	for _, set := range s.Sets {
		for _, m := range set.Members {
			var lives []string
			for _, i := range m.Lives {
				lives = append(lives, s.Lives[i].Cluster+"/"+s.Lives[i].Addr)
			}
			say("member %s %s %d %s %v %s %v %q kept by %q", set.Name, set.Cluster, m.ID, m.Addr, m.EnableActingMaster, m.ZoneName, m.HasZoneName, m.FilterServers, lives)
		}
	}
	for _, l := range s.Lives {
		say("live %+v", l)
	}
	rows := s.Rows
	for i, topic := range s.Topics {
		for _, r := range rows[:topic.Rows] {
			say("row %q %s %+v", topic.Name, s.Sets[r.Set].Name, s.Offers[r.Offer])
		}
		rows = rows[topic.Rows:]
		for _, m := range s.Mappings {
			if int(m.Topic) == i {
				say("mapping %q %s %+v", topic.Name, m.BrokerName, m.Info)
			}
		}
	}
	return lines
}

// lines are what a Saved of t is to say, found by what only changes see.
func (t *Table) lines(nowMillis int64) map[string]int {
	lines := map[string]int{}
	say := func(format string, args ...any) { lines[fmt.Sprintf(format, args...)]++ }
	for b := range t.brokerAddrTable.all {
		for pub := range b.set.members.all {
			m := pub.of
			byAge := slices.Clone(m.lives)
			slices.SortFunc(byAge, func(a, b *link) int { return strings.Compare(a.key, b.key) })
			var lives []string
			for _, k := range byAge {
				lives = append(lives, k.live.key.Cluster+"/"+k.live.key.Addr)
			}
			say("member %s %s %d %s %v %s %v %q kept by %q", b.Name, b.Cluster, m.id, m.addr, m.enableActingMaster, m.zoneName, m.hasZoneName, pub.FilterServers, lives)
		}
	}
	for li := range t.brokerLiveTable.all {
		l := li.live
		say("live %+v", SavedLive{
			Cluster: l.key.Cluster, Addr: l.key.Addr, HAServerAddr: l.haServerAddr, DataVersion: l.dataVersion,
			NullDataVersion: l.nullDataVersion || l.applying > 0, Untrusted: li.isInDoubt(), Confirmed: li.State() == Confirmed, OldVersion: l.oldVersion,
			TimeoutMillis: l.timeoutMillis, SilentMillis: nowMillis - l.lastUpdate.Load(), IntervalMillis: l.interval.Load(), Peer: l.peer,
		})
	}
	for e := range t.topicQueueTable.all {
		for q := range e.queues.all {
			if b := t.brokerByID.get(q.set); !b.gone {
				say("row %q %s %+v", e.name, b.Name, SavedOffer{q.readQueueNums, q.writeQueueNums, q.perm, q.topicSysFlag})
			}
		}
		if e.mappings == nil {
			continue
		}
		for _, m := range e.mappings.byBroker {
			if t.set(m.BrokerName) != nil {
				say("mapping %q %s %+v", e.name, m.BrokerName, m.Info)
			}
		}
	}
	return lines
}

// TestSaveTellsClustersApart: a name is in two clusters, and an address of it is in
// both too, but under the name in one of them only. What is listed does not say so.
func TestSaveTellsClustersApart(t *testing.T) {
	table := New(Options{})
	register := func(cluster, name, addr string, id int64) {
		t.Helper()
		r := &Registration{
			RegistrationHeader: RegistrationHeader{Cluster: cluster, BrokerName: name, BrokerAddr: addr, BrokerID: id},
			Peer:               netip.MustParseAddr("192.0.2.7"),
			Body:               &codec.RegisterBrokerBody{},
		}
		if _, err := table.RegisterBroker(1, r); err != nil {
			t.Fatal(err)
		}
	}
	register("c1", "a", "addr-0", 0)
	register("c2", "b", "addr-0", 0)
	register("c2", "a", "addr-1", 1)
	saved := table.View().Save(5)
	keeps := func() (lives []string) {
		for _, set := range saved.Sets {
			for _, m := range set.Members {
				for _, i := range m.Lives {
					lives = append(lives, fmt.Sprintf("%s/%d: %s %v", set.Name, m.ID, saved.Lives[i].Cluster, saved.Lives[i].Peer))
				}
			}
		}
		return lives
	}
	if got, want := keeps(), []string{"a/0: c1 192.0.2.7", "a/1: c2 192.0.2.7", "b/0: c2 192.0.2.7"}; !reflect.DeepEqual(got, want) {
		t.Errorf("kept by %q, want %q", got, want)
	}
	register("c2", "a", "addr-0", 0)
	saved = table.View().Save(5)
	if got, want := keeps(), []string{"a/0: c1 192.0.2.7", "a/0: c2 192.0.2.7", "a/1: c2 192.0.2.7", "b/0: c2 192.0.2.7"}; !reflect.DeepEqual(got, want) {
		t.Errorf("after one more cluster kept by %q, want %q", got, want)
	}
}

// TestPeerOfRepetition: a registration that says nothing new may come from elsewhere.
func TestPeerOfRepetition(t *testing.T) {
	table := New(Options{})
	r := benchRegistration(0, benchBody(0, 2, 1, never))
	r.BodyHash = 1
	if _, err := table.RegisterBroker(1, r); err != nil {
		t.Fatal(err)
	}
	r.Peer = netip.MustParseAddr("192.0.2.8")
	if _, ok := table.RegisterUnchanged(2, r); !ok {
		t.Fatal("the repetition is not recognised")
	}
	saved := table.View().Save(5)
	if l := saved.Lives[0]; l.Peer != r.Peer || !l.OldVersion || l.SilentMillis != 3 {
		t.Errorf("saved %+v, want one of peer %v before 5.0 that has been silent for 3 ms", l, r.Peer)
	}
	if got := table.View().Save(1).Lives[0].SilentMillis; got != 0 {
		t.Errorf("silent for %d ms before it was heard of", got)
	}
}

// TestSaveFewOfMany: the number of a topic may be far beyond the count of topics.
func TestSaveFewOfMany(t *testing.T) {
	table := New(Options{})
	const topics = 3000
	if _, err := table.RegisterBroker(1, benchRegistration(0, benchBody(0, topics, 1, never))); err != nil {
		t.Fatal(err)
	}
	for i := range topics - 2 {
		table.DeleteTopic(string(benchTopic(i)))
	}
	if d := table.saveDifference(5); d != "" {
		t.Error(d)
	}
	if got := len(table.View().Save(5).Topics); got != 2 {
		t.Errorf("%d topics saved, want 2", got)
	}
}
