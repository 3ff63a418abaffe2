package bench

import (
	"fmt"
	"maps"
	"testing"

	"gonamesrv/codec"
)

func smallFleet(p Params) *fleet {
	if p.Header == "" {
		p.Header = "JSON"
	}
	return newFleet(p, 1)
}

// decode returns the request in frame and, of a registration, its body.
func decode(t *testing.T, frame []byte) (c codec.Command, h codec.RegisterBrokerRequestHeader, body codec.RegisterBrokerBody) {
	t.Helper()
	if n, err := codec.SplitFrame(frame); err != nil || n != len(frame) {
		t.Fatalf("frame of %d bytes says %d (%v)", len(frame), n, err)
	}
	if err := c.Decode(frame); err != nil {
		t.Fatal(err)
	}
	h.Decode(c.Ext)
	if c.Code == codec.ReqRegisterBroker {
		if err := body.Decode(c.Body, c.Version, h.Compressed, 0); err != nil {
			t.Fatal(err)
		}
		if h.BodyCRC32 != codec.BodyCRC32(c.Body) || h.BodyCRC32 == 0 {
			t.Fatalf("checksum is %d, want %d", h.BodyCRC32, codec.BodyCRC32(c.Body))
		}
	}
	return c, h, body
}

// TestRegistration follows the registrations of one broker: what changes from
// one to the next is what was asked for, and no more.
func TestRegistration(t *testing.T) {
	for _, header := range []string{"JSON", "ROCKETMQ"} {
		for _, form := range []string{formPlain, formCompressed, formSplit} {
			for _, changed := range []float64{0, 10, 100} {
				for _, bump := range []bool{false, true} {
					if (changed > 0 && !bump) || (changed > 0 && form == formSplit) {
						continue
					}
					t.Run(fmt.Sprintf("%s/%s/changed=%g/bump=%v", header, form, changed, bump), func(t *testing.T) {
						testRegistration(t, header, form, changed, bump)
					})
				}
			}
		}
	}
}

func testRegistration(t *testing.T, header, form string, changed float64, bump bool) {
	const topics = 998 // and two of its own
	f := smallFleet(Params{Brokers: 1, Topics: topics, BrokersPerTopic: 1, Form: form, Header: header})
	b := f.brokers[0]
	r := newRegistration(f, b, bump, changed)
	wantParts := 1
	if form == formSplit {
		wantParts = 2 // of 800 and of 200
	}
	var before map[string]int32
	var counter int64
	sent := map[string]bool{}
	for round := range 10 { // past the end of what was made beforehand
		queues := map[string]int32{}
		for part := range wantParts {
			opaque := int32(firstNumber + 10*round + part)
			frame, said, last := r.appendNext([]byte("before"), opaque)
			c, h, body := decode(t, frame[len("before"):])
			if form != formCompressed && (sent[string(c.Body)] || codec.Timeless(c.Body, 0).Digits != 13) {
				t.Fatalf("round %d: %.300s has no new time", round, c.Body)
			}
			sent[string(c.Body)] = true
			if c.Opaque != opaque || string(h.BrokerName) != b.name || string(h.BrokerAddr) != b.addr || string(h.ClusterName) != b.cluster || !h.HasBrokerID {
				t.Fatalf("round %d: opaque %d, header %+v", round, c.Opaque, h)
			}
			if last != (part == wantParts-1) {
				t.Fatalf("round %d, part %d: last is %v", round, part, last)
			}
			if body.DataVersion != (codec.DataVersion{Timestamp: dataVersionTime, Counter: said}) {
				t.Fatalf("round %d: data version is %+v, said %d", round, body.DataVersion, said)
			}
			if round > 0 && part == 0 && (said != counter) != bump {
				t.Fatalf("round %d: counter is %d after %d, bump is %v", round, said, counter, bump)
			}
			if part > 0 && said != counter {
				t.Fatalf("round %d: the parts have counters %d and %d", round, counter, said)
			}
			counter = said
			for _, topic := range body.Topics {
				queues[string(topic.Name)] = topic.ReadQueueNums
				if topic.WriteQueueNums != queueNums || topic.Perm != topicPerm {
					t.Fatalf("topic is %+v", topic)
				}
			}
		}
		if len(queues) != topics+topicsOfItsOwn {
			t.Fatalf("round %d: %d topics", round, len(queues))
		}
		want := int(float64(topics+topicsOfItsOwn) * changed / 100)
		if n := differences(before, queues); round > 0 && n != want {
			t.Fatalf("round %d: %d topics changed, want %d", round, n, want)
		}
		before = maps.Clone(queues)
	}
}

func differences(a, b map[string]int32) (n int) {
	for name, v := range a {
		if b[name] != v {
			n++
		}
	}
	return n
}

// TestTemplates: every other request says what it should, in both headers.
func TestTemplates(t *testing.T) {
	for _, header := range []string{"JSON", "ROCKETMQ"} {
		f := smallFleet(Params{Brokers: 1, Topics: 2, BrokersPerTopic: 1, Form: formPlain, Header: header})
		b := f.brokers[0]
		for _, tt := range []struct {
			template *template
			code     codec.RequestCode
			oneway   bool
		}{
			{f.topics[0].request, codec.ReqGetRouteInfoByTopic, false},
			{b.heartbeatRequest(f.header, true), codec.ReqBrokerHeartbeat, true},
			{b.heartbeatRequest(f.header, false), codec.ReqBrokerHeartbeat, false},
			{b.queryRequest(f.header, true), codec.ReqQueryDataVersion, true},
			{b.queryRequest(f.header, false), codec.ReqQueryDataVersion, false},
			{b.unregisterRequest(f.header), codec.ReqUnregisterBroker, false},
		} {
			for _, opaque := range []int32{firstNumber, firstNumber + 1, 1<<31 - 1} {
				c, _, _ := decode(t, tt.template.appendTo(nil, opaque))
				if c.Opaque != opaque || c.Code != tt.code || c.Flag.IsOneway() != tt.oneway || c.SerializeType != f.header {
					t.Errorf("%s %v: got %+v, want opaque %d", header, tt.code, c, opaque)
				}
			}
		}
		c, _, _ := decode(t, b.queryRequest(f.header, false).appendTo(nil, firstNumber))
		if dv, _, err := codec.DecodeDataVersion(c.Body, 0); err != nil || dv != b.dataVersion() {
			t.Errorf("data version is %+v (%v)", dv, err)
		}
	}
}

// TestFleet: every topic is on as many brokers as it should be, and every
// broker has its share.
func TestFleet(t *testing.T) {
	for _, p := range []Params{
		{Brokers: 32, Topics: 40_000, BrokersPerTopic: 8},
		{Brokers: 7, Topics: 100, BrokersPerTopic: 3},
		{Brokers: 5, Topics: 2, BrokersPerTopic: 5},
	} {
		f := smallFleet(p)
		total := 0
		for _, b := range f.brokers {
			total += len(b.topics)
			if p.Brokers == 32 && len(b.topics) != 10_000 {
				t.Errorf("%s has %d topics, want 10,000", b.name, len(b.topics))
			}
		}
		if want := p.Topics * p.BrokersPerTopic; total != want {
			t.Errorf("%+v: %d entries, want %d", p, total, want)
		}
		for _, topic := range f.topics {
			seen := map[*broker]bool{}
			for _, b := range topic.brokers {
				seen[b] = true
			}
			if len(seen) != p.BrokersPerTopic {
				t.Fatalf("%+v: %s is on %d brokers", p, topic.name, len(seen))
			}
		}
	}
	addrs := map[string]bool{}
	for _, b := range smallFleet(Params{Brokers: maxBrokers, Topics: 1, BrokersPerTopic: 1}).brokers {
		addrs[b.addr] = true
	}
	if len(addrs) != maxBrokers {
		t.Errorf("%d addresses for %d brokers", len(addrs), maxBrokers)
	}
}
