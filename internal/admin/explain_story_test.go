package admin

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

func (f *fixture) explain(path string) (explainAnswer, string) {
	f.t.Helper()
	var x explainAnswer
	f.want(200, path, &x)
	text, err := json.MarshalIndent(x, "", " ")
	if err != nil {
		f.t.Fatal(err)
	}
	return x, string(text)
}

// step returns the first step of a check.
func (s steps) step(check string) explainStep {
	if i := slices.IndexFunc(s, func(st explainStep) bool { return st.Check == check }); i >= 0 {
		return s[i]
	}
	return explainStep{}
}

// TestExplainLostTopics loses a topic of a real server in each way there is: explain says
// who had it, and names the events that ended it by number.
func TestExplainLostTopics(t *testing.T) {
	mine := nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.1:10911", Counter: 1, Topics: []string{"LOST", "OTHER"}}
	other := nstest.Broker{Cluster: "c1", Name: "broker-b", Addr: "10.0.0.2:10911", Counter: 1, Topics: []string{"STAYS", "STAYS2"}}
	for _, tc := range []struct {
		name string
		lose func(f *fixture, c *nstest.Client)
		want []route.JournalType
		says string
	}{
		{"expiry", func(f *fixture, c *nstest.Client) {
			b := mine
			b.Fields = []string{"heartbeatTimeoutMillis", "50"}
			c.Do(b.Register())
		}, []route.JournalType{route.JournalBrokerExpired, route.JournalSetRemoved}, "s of 0.1 s"},
		{
			"connection loss", func(f *fixture, c *nstest.Client) { c.Close() },
			[]route.JournalType{route.JournalBrokerConnectionLost, route.JournalSetRemoved},
			`at "10.0.0.1:10911"`,
		},
		{
			"unregister", func(f *fixture, c *nstest.Client) { c.Do(mine.Unregister()) },
			[]route.JournalType{route.JournalBrokerUnregistered, route.JournalSetRemoved},
			`of broker "broker-a"`,
		},
		{"delete", func(f *fixture, c *nstest.Client) {
			f.do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "LOST"))
		}, []route.JournalType{route.JournalTopicDeleted}, "by 127.0.0.1:"},
		{"displaced", func(f *fixture, c *nstest.Client) {
			b := mine
			b.Addr, b.Counter, b.Topics = "10.0.0.9:10911", 2, []string{"OTHER", "NEW"}
			f.register(b)
		}, []route.JournalType{route.JournalBrokerDisplaced, route.JournalTopicsChanged}, `by "10.0.0.9:10911"`},
		{"not listed any more", func(f *fixture, c *nstest.Client) {
			b := mine
			b.Counter, b.Topics = 2, []string{"OTHER", "NEW"}
			c.Do(b.Register())
		}, []route.JournalType{route.JournalTopicsChanged}, `of broker "broker-a"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, func(c *namesrv.Config) {
				c.SelfProtection, c.DeleteTopicWithBrokerRegistration, c.ScanNotActiveBrokerInterval = "off", true, 20*time.Millisecond
			})
			f.register(other)
			c := nstest.Dial(t, f.addr)
			if r := c.Do(mine.Register()); codec.ResponseCode(r.Code) != codec.RespSuccess {
				t.Fatalf("register: %d %s", r.Code, r.Remark)
			}
			if x, text := f.explain("/v1/explain/topics/LOST"); x.Verdict != verdictRouted {
				t.Fatalf("before: %s", text)
			}
			tc.lose(f, c)
			nstest.Eventually(t, "the end", func() bool { return f.get("/v1/topics/LOST").Code == 404 })
			x, text := f.explain("/v1/explain/topics/LOST")
			h := x.Steps.step("history")
			if x.Verdict != verdictNotRouted || !strings.Contains(h.Text, `by "broker-a"; ended by`) || !strings.Contains(h.Text, tc.says) {
				t.Errorf("want %q: %s", tc.says, text)
			}
			events, _ := h.Data["events"].([]any)
			if len(events) != len(tc.want) {
				t.Fatalf("want %v: %s", tc.want, text)
			}
			for i, kind := range tc.want {
				all := f.ofType(kind)
				e := events[i].(map[string]any)
				last := all[len(all)-1].Seq
				if e["seq"] != float64(last) || !strings.Contains(h.Text, fmt.Sprintf("#%d %s at ", last, kind)) {
					t.Errorf("event %d is not %v of %+v: %s", i, kind, all, text)
				}
			}
			if n := x.Steps.step("brokers"); !strings.Contains(n.Text, `"broker-b"`) || strings.Contains(n.Text, "broker-a") {
				t.Errorf("who never had it: %s", n.Text)
			}
			// The 404 names the same event, whatever way it is asked.
			var p problem
			f.want(404, "/v1/topics/LOST/route", &p)
			if p.LastEvent == nil || p.LastEvent.Type != tc.want[len(tc.want)-1].String() {
				t.Errorf("lastEvent: %+v", p.LastEvent)
			}
		})
	}
}

// TestExplainLostHalf: a topic that one of two brokers has lost is routed in part for as
// long as the history knows that it had it, with a step that says which event ended that.
func TestExplainLostHalf(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) { c.SelfProtection = "off" })
	mine := nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.1:10911", Counter: 1, Topics: []string{"T", "U"}}
	other := nstest.Broker{Cluster: "c1", Name: "broker-b", Addr: "10.0.0.2:10911", Counter: 1, Topics: []string{"T", "STAYS"}}
	f.register(other)
	c := nstest.Dial(t, f.addr)
	c.Do(mine.Register())
	if x, text := f.explain("/v1/explain/topics/T"); x.Verdict != verdictRouted || x.Steps.step("history").Check != "" {
		t.Errorf("before: %s", text)
	}
	c.Close()
	nstest.Eventually(t, "the end", func() bool { return f.get("/v1/topics/U").Code == 404 })
	x, text := f.explain("/v1/explain/topics/T")
	h := x.Steps.step("history")
	removed := f.ofType(route.JournalSetRemoved)
	if x.Verdict != verdictPartly || h.Result != stepWarning || h.Data["broker"] != "broker-a" || h.Data["until"] == nil || len(removed) != 1 ||
		!strings.Contains(h.Text, `broker "broker-a" had it until `) || !strings.Contains(h.Text, fmt.Sprintf("#%d set.removed", removed[0].Seq)) || !strings.Contains(h.Text, "broker.connectionLost") {
		t.Errorf("when it has gone: %s", text)
	}
	if x, text := f.explain("/v1/explain/topics/STAYS"); x.Verdict != verdictRouted {
		t.Errorf("a topic that it never had: %s", text)
	}
	f.register(mine)
	if x, text := f.explain("/v1/explain/topics/T"); x.Verdict != verdictRouted {
		t.Errorf("when it is back: %s", text)
	}
}

// TestExplainLostBrokers: a broker that did not mean to go is named, in its explanation and
// in the list of what is wrong, until it is back; one that said farewell is not.
func TestExplainLostBrokers(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) { c.SelfProtection = "off" })
	mine := nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.1:10911", Counter: 1, Topics: []string{"T", "U"}}
	slave := nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.2:10911", ID: 1, Counter: 1, Topics: mine.Topics}
	lostNow := func() (lost []attentionEntry) {
		var st statusAnswer
		f.want(200, "/v1/status", &st)
		for _, e := range st.Attention {
			if e.Code == "broker.lost" {
				lost = append(lost, e)
			}
		}
		return lost
	}
	f.register(mine)
	c := nstest.Dial(t, f.addr)
	c.Do(slave.Register())
	if x, text := f.explain("/v1/explain/brokers/broker-a"); x.Verdict != verdictRouted || len(lostNow()) != 0 {
		t.Fatalf("before: %s", text)
	}
	c.Close()
	nstest.Eventually(t, "the slave's end", func() bool { return len(f.ofType(route.JournalBrokerConnectionLost)) == 1 })
	x, text := f.explain("/v1/explain/brokers/broker-a")
	if got := x.Steps.step("lost"); x.Verdict != verdictPartly || !strings.Contains(got.Text, `member 1 at "10.0.0.2:10911"`) || !strings.Contains(got.Text, "broker.connectionLost") {
		t.Errorf("lost: %s", text)
	}
	lost := lostNow()
	if len(lost) != 1 || lost[0].Severity != severityWarning || *lost[0].Link != "/v1/explain/brokers/broker-a" || lost[0].Since == nil {
		t.Errorf("attention: %+v", lost)
	} else if at := f.ofType(route.JournalBrokerConnectionLost)[0].AtMillis; time.Time(*lost[0].Since).UnixMilli() != at {
		t.Errorf("lost since %v, want %d", lost[0].Since, at)
	}
	f.register(slave)
	if x, text := f.explain("/v1/explain/brokers/broker-a"); x.Verdict != verdictRouted || len(lostNow()) != 0 {
		t.Errorf("it is back: %s", text)
	}
	f.do(slave.Unregister())
	f.do(mine.Unregister())
	nstest.Eventually(t, "the end", func() bool { return f.get("/v1/brokers/broker-a").Code == 404 })
	if x, text := f.explain("/v1/explain/brokers/broker-a"); x.Verdict != verdictNotRouted || x.Steps.step("lost").Check != "" || len(lostNow()) != 0 {
		t.Errorf("it said farewell: %s", text)
	}
}

// TestExplainGate: while needWaitForService keeps clients waiting, whatever is asked is gated.
func TestExplainGate(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) { c.NeedWaitForService, c.WaitSecondsForService = true, 3600 })
	f.register(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: []string{"T", "U"}})
	for _, path := range []string{"topics/T", "topics/none", "brokers/b", "brokers/none"} {
		x, text := f.explain("/v1/explain/" + path)
		gate := x.Steps.step("gate")
		if wait, _ := gate.Data["waitMs"].(float64); x.Verdict != verdictGated || gate.Result != stepFailed || wait <= 0 || wait > 3_600_000 {
			t.Errorf("%s: %s", path, text)
		}
		if b := x.Steps.step("broker"); path == "topics/T" && (b.Result != stepOK || strings.Contains(b.Text, "left out")) {
			t.Errorf("%s: %s", path, text)
		}
	}
}
