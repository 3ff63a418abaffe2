package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gonamesrv/codec"
)

// dump is everything that readers of a table are shown.
func dump(t *Table) string {
	v := t.View()
	var lines []string
	for e := range v.topics.all {
		data := v.PickupTopicRouteData(e, false)
		lines = append(lines, fmt.Sprintf("%s %s", e.name, data.AppendJSON(nil, codec.DialectStrict)))
	}
	for li := range v.live.all {
		lines = append(lines, fmt.Sprintf("%q %+v %d %s", li.key, li.DataVersion, li.live.timeoutMillis, li.live.haServerAddr))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%s\n%s\n%s", v.ClusterInfo(), v.AllTopicList(), strings.Join(lines, "\n"))
}

// limited is a table with two brokers, of which the first has one of everything
// that can be limited by number.
func limited(t *testing.T, limits Limits) *Table {
	t.Helper()
	table := New(Options{Limits: limits})
	r := limitedRegistration("b0", 0, "a0", "T0", "T1")
	r.Body.FilterServers, r.Body.FilterServersNull = []string{"f0"}, false
	r.Body.Mappings = []codec.RegisteredMapping{{Key: "T0", Info: codec.TopicQueueMappingInfo{
		Topic: "T0", Scope: "s", Bname: "b0", CurrIDMap: []codec.QueueID{{}},
	}}}
	mustRegister(t, table, r)
	mustRegister(t, table, limitedRegistration("b1", 0, "a1", "T0", "T1"))
	return table
}

func limitedRegistration(name string, id int64, addr string, topics ...string) *Registration {
	b := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 7}, FilterServersNull: true}
	for _, topic := range topics {
		b.Topics = append(b.Topics, codec.TopicConfig{Name: []byte(topic), Key: []byte(topic), ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6})
	}
	return &Registration{
		RegistrationHeader: RegistrationHeader{Cluster: "c0", BrokerName: name, BrokerAddr: addr, BrokerID: id, TimeoutMillis: 1000},
		Conn:               1,
		Body:               b,
	}
}

// TestLimits lets a registration be one beyond each limit: of a name, of an
// address, of a list, of a total. It is refused and changes nothing; and at the
// limit it is not refused.
func TestLimits(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	// Each row makes a registration of b0 such that what is limited is of size n.
	for _, tc := range []struct {
		name   string
		limit  Limit
		most   int
		limits Limits
		make   func(r *Registration, n int)
	}{
		{"cluster", LimitNameLength, 255, Limits{}, func(r *Registration, n int) { r.Cluster = long(n) }},
		{"broker name", LimitNameLength, 255, Limits{}, func(r *Registration, n int) { r.BrokerName = long(n) }},
		{"zone", LimitNameLength, 255, Limits{}, func(r *Registration, n int) { r.ZoneName, r.HasZoneName = long(n), true }},
		{"address", LimitAddrLength, 260, Limits{}, func(r *Registration, n int) { r.BrokerAddr = long(n) }},
		{"HA address", LimitAddrLength, 260, Limits{}, func(r *Registration, n int) { r.HAServerAddr = long(n) }},
		{"filter server", LimitAddrLength, 260, Limits{}, func(r *Registration, n int) {
			r.Body.FilterServers, r.Body.FilterServersNull = []string{"f", long(n)}, false
		}},
		{"topic", LimitTopicLength, 512, Limits{}, func(r *Registration, n int) {
			r.Body.Topics = append(r.Body.Topics, codec.TopicConfig{Name: []byte(long(n)), Key: []byte("k")})
		}},
		{"mapped topic", LimitTopicLength, 512, Limits{}, func(r *Registration, n int) { mapping(r).Topic = long(n) }},
		{"mapped scope", LimitNameLength, 255, Limits{}, func(r *Registration, n int) { mapping(r).Scope = long(n) }},
		{"mapped broker name", LimitNameLength, 255, Limits{}, func(r *Registration, n int) { mapping(r).Bname = long(n) }},

		{"filter servers", LimitFilterServers, 1024, Limits{}, func(r *Registration, n int) {
			r.Body.FilterServers, r.Body.FilterServersNull = nil, false
			for i := range n {
				r.Body.FilterServers = append(r.Body.FilterServers, fmt.Sprint("f", i))
			}
		}},
		{"topics", LimitTopics, 5, Limits{Topics: 5}, func(r *Registration, n int) { offer(r, n-2) }},
		{"topics, twins", LimitTopics, 5, Limits{Topics: 5}, func(r *Registration, n int) {
			offer(r, n-2)
			offer(r, n-2)
		}},
		{"topics, others missing", LimitTopics, 5, Limits{Topics: 5}, func(r *Registration, n int) {
			r.BrokerName, r.BrokerAddr, r.DeleteMissingTopics = "b1", "a1", true
			r.Body.Topics = nil
			offer(r, n-2)
		}},
		{"entries, topics", LimitEntries, 10, Limits{Entries: 10}, func(r *Registration, n int) { offer(r, n-7) }},
		{"entries, filter servers", LimitEntries, 10, Limits{Entries: 10}, func(r *Registration, n int) {
			r.Body.FilterServers, r.Body.FilterServersNull = make([]string, n-6), false
		}},
		{"entries, mappings", LimitEntries, 10, Limits{Entries: 10}, func(r *Registration, n int) {
			mapping(r).CurrIDMap = make([]codec.QueueID, n-6)
		}},
		{"entries, mappings of others", LimitEntries, 10, Limits{Entries: 10}, func(r *Registration, n int) {
			m := mapping(r)
			m.Bname, m.CurrIDMap = "b1", make([]codec.QueueID, n-8)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := limited(t, tc.limits)
			request := func(n int) *Registration {
				r := limitedRegistration("b0", 0, "a0", "T0", "T1")
				r.Body.DataVersion.Counter = int64(n)
				tc.make(r, n)
				return r
			}
			refusedAt(t, table, tc.limit, tc.most, func(n int) error {
				_, err := table.RegisterBroker(2, request(n))
				return err
			})
		})
	}
}

// TestLimitsOfMembers does the same for limits that take several brokers.
func TestLimitsOfMembers(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limit  Limit
		most   int
		limits Limits
		make   func(n int) *Registration // the n-th
	}{
		{"brokers", LimitBrokers, 20, Limits{Brokers: 20}, func(n int) *Registration {
			return limitedRegistration(fmt.Sprint("b", n-1), 0, fmt.Sprint("a", n-1))
		}},
		{"brokers, names of an address", LimitBrokers, 20, Limits{Brokers: 20}, func(n int) *Registration {
			return limitedRegistration(fmt.Sprint("b", n-1), 0, "a0")
		}},
		{"brokers of a connection", LimitConnBrokers, 1024, Limits{}, func(n int) *Registration {
			return limitedRegistration(fmt.Sprint("b", n-1), 0, fmt.Sprint("a", n-1))
		}},
		{"names of a connection", LimitConnBrokers, 1024, Limits{}, func(n int) *Registration {
			return limitedRegistration(fmt.Sprint("b", n-1), 0, "a0")
		}},
		{"IDs", LimitNameIDs, 1024, Limits{BrokersPerConn: 9999}, func(n int) *Registration {
			return limitedRegistration("b0", int64(n-1), fmt.Sprint("other", n))
		}},
		{"clusters", LimitAddrClusters, 64, Limits{}, func(n int) *Registration {
			r := limitedRegistration("b0", 0, "a0")
			r.Cluster = fmt.Sprint("c", n-1)
			return r
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := limited(t, tc.limits)
			for n := range tc.most - 1 {
				mustRegister(t, table, tc.make(n+1))
			}
			refusedAt(t, table, tc.limit, tc.most, func(n int) error {
				_, err := table.RegisterBroker(2, tc.make(n))
				return err
			})
		})
	}
}

// TestLimitsOfOneTopic does the same for RegisterTopic.
func TestLimitsOfOneTopic(t *testing.T) {
	for _, tc := range []struct {
		name   string
		limit  Limit
		most   int
		limits Limits
		topic  func(n int) (string, []string)
	}{
		{"name", LimitTopicLength, 512, Limits{}, func(n int) (string, []string) { return strings.Repeat("x", n), []string{"b0"} }},
		{"topics", LimitTopics, 3, Limits{Topics: 3}, func(n int) (string, []string) { return fmt.Sprint("new", n), []string{"b0", "b0"} }},
		{"entries", LimitEntries, 8, Limits{Entries: 8}, func(n int) (string, []string) { return fmt.Sprint("new", n), []string{"b0", "b0"} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			table := limited(t, tc.limits)
			refusedAt(t, table, tc.limit, tc.most, func(n int) error {
				topic, brokers := tc.topic(n)
				var q []codec.QueueData
				for _, b := range brokers {
					q = append(q, codec.QueueData{BrokerName: b, Perm: 6})
				}
				_, err := table.RegisterTopic(topic, q)
				return err
			})
			if stored, err := table.RegisterTopic("T0", []codec.QueueData{{BrokerName: "b1", Perm: 4}}); !stored || err != nil {
				t.Errorf("a topic that does not grow: %v, %v", stored, err)
			}
		})
	}
}

// refusedAt makes a change of size most+1, which is refused, then one of size
// most, which is not, then one more again.
func refusedAt(t *testing.T, table *Table, limit Limit, most int, change func(n int) error) {
	t.Helper()
	refused := func() {
		t.Helper()
		before, count := dump(table), table.Refusals(limit)
		err := change(most + 1)
		var beyond *LimitError
		if !errors.As(err, &beyond) || *beyond != (LimitError{limit, most + 1, most}) {
			t.Fatalf("one beyond the limit: %v, want %v", err, &LimitError{limit, most + 1, most})
		}
		if after := dump(table); after != before {
			t.Errorf("it has changed\n%s\nto\n%s", before, after)
		}
		if got := table.Refusals(limit); got != count+1 {
			t.Errorf("%d counted, want %d", got, count+1)
		}
		if err := table.CheckInvariants(); err != nil {
			t.Error(err)
		}
	}
	if limit <= LimitFilterServers {
		refused() // of the others, most has to be there first
	}
	before := dump(table)
	if err := change(most); err != nil {
		t.Fatalf("at the limit: %v", err)
	}
	if before == dump(table) {
		t.Error("at the limit nothing has changed: the test tests nothing")
	}
	refused()
}

func offer(r *Registration, n int) {
	for i := range n {
		name := fmt.Appendf(nil, "new%d", i)
		r.Body.Topics = append(r.Body.Topics, codec.TopicConfig{Name: name, Key: name, Perm: 6})
	}
}

// mapping gives r a static mapping of T0.
func mapping(r *Registration) *codec.TopicQueueMappingInfo {
	r.Body.Mappings = []codec.RegisteredMapping{{Key: "T0", Info: codec.TopicQueueMappingInfo{Topic: "T0", Scope: "s", Bname: r.BrokerName}}}
	return &r.Body.Mappings[0].Info
}

// TestRefusedIsASignOfLife lets a broker with too much speak again and again: it
// does not expire, and it follows its connection as far as there is room.
func TestRefusedIsASignOfLife(t *testing.T) {
	table := New(Options{Limits: Limits{Topics: 2, BrokersPerConn: 2}})
	for i := range 2 {
		mustRegister(t, table, limitedRegistration(fmt.Sprint("b", i), 0, fmt.Sprint("a", i), "T0", "T1"))
	}
	tooMuch := func(now int64, name, addr string, conn uint64) {
		t.Helper()
		r := limitedRegistration(name, 0, addr, "T0", "T1", "T2")
		r.Conn = conn
		if _, err := table.RegisterBroker(now, r); err == nil {
			t.Fatal("not refused")
		}
	}
	for now := int64(2); now < 3000; now += 500 {
		tooMuch(now, "b0", "a0", 2)
	}
	if gone := table.ScanNotActiveBroker(3000); len(gone) != 1 || gone[0].Addr != "a1" {
		t.Errorf("expired: %+v, want a1 only", gone)
	}
	table.ConnClosed(1)
	if n := table.View().LiveCount(); n != 1 {
		t.Errorf("%d brokers are left when the former connection ends, want 1", n)
	}
	for i := range 2 {
		r := limitedRegistration(fmt.Sprint("c", i), 0, fmt.Sprint("d", i))
		r.Conn = 3
		mustRegister(t, table, r)
	}
	tooMuch(3000, "b0", "a0", 3) // connection 3 is full
	if table.ConnClosed(2) != 1 {
		t.Error("the broker has left its connection for one that is full")
	}
	tooMuch(3000, "b0", "a0", 2)
	if n := table.View().LiveCount(); n != 2 {
		t.Errorf("%d brokers, want 2: who is not known is not alive", n)
	}
}

// TestUnchangedOverAFullConnection repeats registrations over a connection that
// has all the brokers it may have.
func TestUnchangedOverAFullConnection(t *testing.T) {
	table := New(Options{Limits: Limits{BrokersPerConn: 2}})
	for i := range 3 {
		r := limitedRegistration(fmt.Sprint("b", i), 0, fmt.Sprint("a", i))
		r.Conn, r.BodyHash = uint64(1+i/2), 1
		mustRegister(t, table, r)
	}
	r := limitedRegistration("b2", 0, "a2")
	r.Conn, r.BodyHash = 1, 1
	if _, ok := table.RegisterUnchanged(2, r); ok {
		t.Error("a third broker is on the connection")
	}
	if r.Conn = 2; table.set("b2") == nil {
		t.Fatal("b2 is gone")
	}
	if _, ok := table.RegisterUnchanged(2, r); !ok {
		t.Error("over its own connection it is not recognised")
	}
}

// TestLimitsGiveWay takes back what fills the tables, and puts other things in.
func TestLimitsGiveWay(t *testing.T) {
	table := limited(t, Limits{Topics: 2, Brokers: 2, Entries: 7})
	full := func(want Limit) {
		t.Helper()
		_, err := table.RegisterBroker(2, limitedRegistration("b2", 0, "a2", "T2", "T3"))
		var beyond *LimitError
		if !errors.As(err, &beyond) || beyond.Limit != want {
			t.Fatalf("%v, want %v", err, want)
		}
	}
	full(LimitBrokers)
	table.UnregisterBrokers(Unregistration{"c0", "b1", "a1"})
	full(LimitTopics)
	table.DeleteTopic("T0") // with its mapping
	full(LimitTopics)
	table.DeleteTopic("T1")
	mustRegister(t, table, limitedRegistration("b2", 0, "a2", "T2", "T3"))
	// Another takes over its address, its ID and its topics.
	r := limitedRegistration("b2", 0, "a3", "T2", "T4")
	r.DeleteMissingTopics = true
	mustRegister(t, table, r)
	if err := table.CheckInvariants(); err != nil {
		t.Error(err)
	}
}

// TestMappingThatStays repeats a registration with a longer static mapping and
// the same data version: the mapping stays as it is, and takes no room.
func TestMappingThatStays(t *testing.T) {
	table := limited(t, Limits{Entries: 7})
	r := limitedRegistration("b0", 0, "a0", "T0", "T1")
	mapping(r).CurrIDMap = make([]codec.QueueID, 5)
	before := dump(table)
	mustRegister(t, table, r)
	if dump(table) != before {
		t.Error("the mapping has changed")
	}
	r.Body.DataVersion.Counter++
	if _, err := table.RegisterBroker(2, r); err == nil {
		t.Error("with another data version it is replaced, and is too long")
	}
}
