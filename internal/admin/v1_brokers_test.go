package admin

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestBrokerPages: as TestTopicPages.
func TestBrokerPages(t *testing.T) {
	f := newWorld(t)
	for limit := 1; limit < 7; limit++ {
		var got []string
		for after := ""; ; {
			var page listing[brokerAnswer]
			f.want(200, fmt.Sprintf("/v1/brokers?limit=%d&after=%s", limit, url.QueryEscape(after)), &page)
			for _, b := range page.Items {
				got = append(got, b.Broker)
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if want := []string{"broker c", "broker-a", "broker-b", "broker-d", "broker-e"}; !slices.Equal(got, want) {
			t.Errorf("in pages of %d: %q", limit, got)
		}
	}
}

// TestMemberSaysWhoRegistered: a member shows since when it has been registered, how
// often it has registered, over which connection last and in which version; of one that
// comes from a file, only that it has not registered yet.
func TestMemberSaysWhoRegistered(t *testing.T) {
	f := newFixture(t, nil)
	member := func(f *fixture) memberAnswer {
		t.Helper()
		var b brokerAnswer
		f.want(200, "/v1/brokers/b", &b)
		return b.Members[0]
	}
	want := func(m memberAnswer, registrations number, from *nstest.Client, version string) {
		t.Helper()
		if m.Registrations == nil || *m.Registrations != registrations {
			t.Errorf("registrations %v, want %d", m.Registrations, registrations)
		}
		if m.Remote == nil || *m.Remote != from.LocalAddr() {
			t.Errorf("remote %v, want %s", m.Remote, from.LocalAddr())
		}
		if m.ClientVersion == nil || *m.ClientVersion != version {
			t.Errorf("clientVersion %v, want %s", m.ClientVersion, version)
		}
	}
	broker := nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:10911", Counter: 1, Topics: []string{"T", "U"}}
	first, second := nstest.Dial(t, f.addr), nstest.Dial(t, f.addr)
	register := func(c *nstest.Client, version int32) {
		t.Helper()
		r := broker.Register()
		r.Version = version
		if reply := c.Do(r); codec.ResponseCode(reply.Code) != codec.RespSuccess {
			t.Fatalf("it is answered %d: %s", reply.Code, reply.Remark)
		}
	}
	before := time.Now().Truncate(time.Millisecond)
	register(first, codec.V4_9_4)
	m := member(f)
	want(m, 1, first, "V4_9_4")
	if m.Since == nil || time.Time(*m.Since).Before(before) || time.Time(*m.Since).After(time.Now()) {
		t.Fatalf("since %v, not between %v and now", m.Since, before)
	}
	since := *m.Since
	register(first, codec.V4_9_4) // nothing new
	want(member(f), 2, first, "V4_9_4")
	register(second, codec.V4_9_4) // nothing new but the connection
	want(member(f), 3, second, "V4_9_4")
	register(first, codec.Version) // updated
	version, _ := codec.VersionName(codec.Version)
	m = member(f)
	want(m, 4, first, version)
	if m.Since == nil || *m.Since != since {
		t.Errorf("since %v, and before %v", m.Since, since)
	}

	first.Do(broker.Unregister())
	register(second, codec.Version)
	if m = member(f); m.Since == nil || time.Time(*m.Since).Before(time.Time(since)) {
		t.Errorf("after it has left and come back: since %v, before %v", m.Since, since)
	}
	want(m, 1, second, version)
}

// TestMemberOfBefore: of a broker, and its topics, that come from the snapshot of the
// process before it is known that the broker has not registered since, and no more.
func TestMemberOfBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.snap")
	keeping := func(c *namesrv.Config) { c.RouteSnapshotPath, c.WarmStartIdentity = path, "this" }
	broker := nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:10911", Counter: 1, Topics: []string{"T", "U"}}
	outlives := t // the broker is connected when the process ends
	t.Run("process before", func(t *testing.T) {
		nstest.Dial(outlives, newFixture(t, keeping).addr).Do(broker.Register())
	})
	f := newFixture(t, keeping)
	var b brokerAnswer
	var topic topicAnswer
	f.want(200, "/v1/brokers/b", &b)
	f.want(200, "/v1/topics/T", &topic)
	m := b.Members[0]
	if m.State != stateRestored || m.Since != nil || m.Remote != nil || m.ClientVersion != nil || m.Registrations == nil || *m.Registrations != 0 {
		t.Errorf("restored: %+v", m)
	}
	if topic.Changed != nil {
		t.Errorf("its topic has changed at %s", *topic.Changed)
	}
	f.register(broker)
	f.want(200, "/v1/brokers/b", &b)
	if m = b.Members[0]; m.Since != nil || m.Remote == nil || m.ClientVersion == nil || *m.Registrations != 1 {
		t.Errorf("after it has registered again: %+v", m)
	}
}
