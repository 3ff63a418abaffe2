package route

import (
	"errors"
	"testing"

	"gonamesrv/codec"
)

// A knownBroker registers bodies of many topics as the server does.
type knownBroker struct {
	*testing.T
	table *Table
	reg   *Registration
}

func newKnownBroker(t *testing.T, table *Table, number int) *knownBroker {
	return &knownBroker{t, table, benchRegistration(number, nil)}
}

// decode decodes a body beside what is known.
func (k *knownBroker) decode(b *codec.RegisterBrokerBody, known *codec.KnownTopics) {
	k.Helper()
	k.reg.Body = &codec.RegisterBrokerBody{}
	if err := k.reg.Body.DecodeKnown(b.AppendJSON(nil), codec.Version, false, 1, known); err != nil {
		k.Fatal(err)
	}
}

// register registers b and returns how many topics had to be decoded.
func (k *knownBroker) register(b *codec.RegisterBrokerBody) int {
	k.Helper()
	k.decode(b, k.table.KnownTopics(k.reg))
	if _, err := k.table.RegisterBroker(1, k.reg); err != nil {
		k.Fatal(err)
	}
	if err := k.table.CheckInvariants(); err != nil {
		k.Fatal(err)
	}
	return len(k.reg.Body.Topics)
}

// perm is the permission that readers see.
func (k *knownBroker) perm(topic string) int32 {
	k.Helper()
	v := k.table.View()
	e, ok := v.Topic([]byte(topic))
	if !ok {
		k.Fatalf("no topic %s", topic)
	}
	return v.PickupTopicRouteData(e, false).QueueDatas[0].Perm
}

func TestKnownTopicsOfANewDataVersion(t *testing.T) {
	k := newKnownBroker(t, New(Options{}), 1)
	if n := k.register(benchBody(0, 100, 1, never)); n != 100 {
		t.Errorf("%d topics decoded the first time, want 100", n)
	}
	if n := k.register(benchBody(0, 100, 2, never)); n != 0 {
		t.Errorf("%d topics decoded with a new data version, want 0", n)
	}
	if n := k.register(benchBody(0, 100, 3, func(i int) bool { return i == 50 })); n == 0 || n > 16 {
		t.Errorf("%d topics decoded after one has changed, want 1 to 16", n)
	}
}

// TestKnownTopicsAfterAChange: whatever changes the tables, or the meaning of
// the text, the next body is decoded in full, and counts.
func TestKnownTopicsAfterAChange(t *testing.T) {
	name := func(k *knownBroker) string { return k.reg.BrokerName }
	topic := string(benchTopic(7))
	for _, tc := range []struct {
		what string
		do   func(k *knownBroker)
		want int32 // perm afterwards
	}{
		{"wiped", func(k *knownBroker) { k.table.WipeWritePermOfBroker(name(k)) }, 6},
		{"topic deleted", func(k *knownBroker) { k.table.DeleteTopic(topic) }, 6},
		{"topic registered otherwise", func(k *knownBroker) {
			k.table.RegisterTopic(topic, []codec.QueueData{{BrokerName: name(k), Perm: 4}})
		}, 6},
		{"broker left and came back", func(k *knownBroker) {
			k.table.UnregisterBrokers(Unregistration{k.reg.Cluster, name(k), k.reg.BrokerAddr})
		}, 6},
		{"acting master", func(k *knownBroker) { k.reg.BrokerID, k.reg.EnableActingMaster, k.reg.OldVersion = 1, true, false }, 4},
		{"missing topics deleted", func(k *knownBroker) { k.reg.DeleteMissingTopics = true }, 6},
	} {
		t.Run(tc.what, func(t *testing.T) {
			k := newKnownBroker(t, New(Options{}), 1)
			k.register(benchBody(0, 100, 1, never))
			stale := k.table.KnownTopics(k.reg)
			tc.do(k)
			body := benchBody(0, 100, 2, never)
			if k.decode(body, stale); !k.reg.DeleteMissingTopics {
				before := string(k.table.View().AllTopicList())
				if _, err := k.table.RegisterBroker(1, k.reg); !errors.Is(err, ErrTopicsChanged) {
					t.Errorf("registered beside what is no longer so: %v, want %v", err, ErrTopicsChanged)
				}
				if after := string(k.table.View().AllTopicList()); after != before {
					t.Errorf("topics changed by a refused registration from %s to %s", before, after)
				}
			}
			if n := k.register(body); n != 100 {
				t.Errorf("%d topics decoded, want all 100", n)
			}
			if got := k.perm(topic); got != tc.want {
				t.Errorf("perm of %s is %d, want %d", topic, got, tc.want)
			}
		})
	}
}

// TestKnownTopicsKeptAsTheyWere: with an unchanged data version a wiped
// permission survives, and the text of the body is not what the tables say.
func TestKnownTopicsKeptAsTheyWere(t *testing.T) {
	k := newKnownBroker(t, New(Options{}), 1)
	k.register(benchBody(0, 100, 1, never))
	k.table.WipeWritePermOfBroker(k.reg.BrokerName)
	for range 2 {
		if n := k.register(benchBody(0, 100, 1, never)); n != 100 {
			t.Errorf("%d topics decoded, want 100", n)
		}
		if got := k.perm(string(benchTopic(7))); got != 4 {
			t.Errorf("perm is %d, want 4", got)
		}
	}
	k.register(benchBody(0, 100, 2, never))
	if got := k.perm(string(benchTopic(7))); got != 6 {
		t.Errorf("perm after a new data version is %d, want 6", got)
	}
}

// TestKnownTopicsOfAnother: what one broker said is nothing to another.
func TestKnownTopicsOfAnother(t *testing.T) {
	table := New(Options{})
	a, b := newKnownBroker(t, table, 1), newKnownBroker(t, table, 2)
	a.register(benchBody(0, 100, 1, never))
	b.register(benchBody(0, 100, 1, always))
	b.decode(benchBody(0, 100, 2, never), table.KnownTopics(a.reg))
	if _, err := table.RegisterBroker(1, b.reg); !errors.Is(err, ErrTopicsChanged) {
		t.Errorf("registered beside what another has said: %v, want %v", err, ErrTopicsChanged)
	}
}

// TestTwinsAreNotKnown: of a topic that is there twice the last one counts, and
// the first would seem to be known when that is gone.
func TestTwinsAreNotKnown(t *testing.T) {
	k := newKnownBroker(t, New(Options{}), 1)
	body := benchBody(0, 100, 1, never)
	twin := body.Topics[7]
	twin.Perm = 4
	body.Topics = append(body.Topics, twin)
	k.register(body)
	if got := k.perm(string(twin.Name)); got != 4 {
		t.Errorf("perm is %d, want that of the last twin, 4", got)
	}
	body.DataVersion.Counter++
	body.Topics = body.Topics[:100]
	if n := k.register(body); n != 100 {
		t.Errorf("%d topics decoded, want all 100", n)
	}
	if got := k.perm(string(twin.Name)); got != 6 {
		t.Errorf("perm is %d without the last twin, want 6", got)
	}
	if n := k.register(body); n != 0 {
		t.Errorf("%d topics decoded once all are there once, want 0", n)
	}
}

// TestMissedAndUnchanged turns a registration away of a broker that then repeats
// another one byte for byte. That makes up for it if it is the whole table.
func TestMissedAndUnchanged(t *testing.T) {
	for _, full := range []bool{false, true} {
		table := New(Options{})
		r := &Registration{RegistrationHeader: RegistrationHeader{Cluster: "c", BrokerName: "b", BrokerAddr: "a"}}
		seq := uint64(0)
		register := func(hash uint64, topics ...string) {
			t.Helper()
			seq++
			r.Seq, r.BodyHash = seq, hash
			if _, ok := table.RegisterUnchanged(0, r); ok {
				return
			}
			r.Body = &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Counter: int64(hash)}}
			for _, name := range topics {
				r.Body.Topics = append(r.Body.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name)})
			}
			if _, err := table.RegisterBroker(0, r); err != nil {
				t.Fatal(err)
			}
		}
		changed := func() bool {
			li, _ := table.View().Live([]byte("c"), []byte("a"))
			return li.IsBrokerTopicConfigChanged(li.DataVersion)
		}
		register(1, "b", "T")
		if !full {
			register(2, "T")
		}
		seq++
		table.RegistrationMissed(0, []byte("c"), []byte("a"), seq)
		if !changed() {
			t.Fatal("the data version is trusted")
		}
		r.Body = nil // must not be looked at
		if full {
			register(1)
		} else {
			register(2)
		}
		if got := changed(); got == full {
			t.Errorf("full %v: changed is %v", full, got)
		}
	}
}
