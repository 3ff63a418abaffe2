package top

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/goccy/go-json"
)

// follow follows one server for so long, in time that does not pass, and returns what was told.
func follow(t *testing.T, long time.Duration, s Server) (told []tea.Msg) {
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	f := &feed{servers: []Server{s}, now: time.Now}
	var all sync.WaitGroup
	all.Go(func() { f.follow(ctx, 0, func(m tea.Msg) { told = append(told, m) }) })
	all.Wait()
	return told
}

func nothing(context.Context, string, url.Values, any) error { return errors.New("nothing is asked") }

// TestComingBack makes sure that a server that is not there is asked again, less and less
// often, and at once often again when it was there.
func TestComingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries []time.Duration
		began := time.Now()
		told := follow(t, 10*time.Minute, Server{Name: "ns1", Get: nothing, Stream: func(_ context.Context, _ string, _ url.Values, each func(string, []byte) bool) error {
			tries = append(tries, time.Since(began))
			if len(tries) == 20 {
				each("state", []byte("{}"))
			}
			return errors.New("connection refused")
		}})
		lost := 0
		for _, m := range told {
			if l, ok := m.(lostMsg); ok && l.err.Error() == "connection refused" {
				lost++
			}
		}
		if lost != len(tries) || lost < 25 || lost > 60 {
			t.Errorf("lost %d times in %d tries", lost, len(tries))
		}
		for i := 1; i < len(tries); i++ {
			most := min(shortestWait<<min(i-1, 10), longestWait)
			if i >= 20 {
				most = min(shortestWait<<min(i-20, 10), longestWait)
			}
			if pause := tries[i] - tries[i-1]; pause < most/2 || pause > most {
				t.Errorf("the pause before try %d is %v, want %v to %v", i, pause, most/2, most)
			}
		}
	})
}

// TestSilentServer makes sure that a stream which says nothing is given up.
func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := follow(t, time.Minute, Server{Name: "ns1", Get: nothing, Stream: func(ctx context.Context, _ string, _ url.Values, each func(string, []byte) bool) error {
			for range 3 {
				time.Sleep(mostSilence - time.Second)
				if !each("state", []byte("{}")) {
					break
				}
			}
			<-ctx.Done()
			return ctx.Err()
		}})
		if l, ok := told[3].(lostMsg); !ok {
			t.Errorf("told are %v, want three states and that it is lost", told)
		} else if !errors.Is(l.err, errSilent) {
			t.Errorf("it is lost because of %v", l.err)
		}
	})
}

// TestStorm makes sure that many events are few messages, with the newest events of all, and
// what was before.
func TestStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const events = 5000
		asked := ""
		told := follow(t, 5*time.Second, Server{
			Name: "ns1",
			Get: func(_ context.Context, path string, query url.Values, v any) error {
				asked += path + "?" + query.Encode()
				return json.Unmarshal([]byte(`{"items":[{"seq":"1","generation":"a.1","time":"2026-03-04T12:03:00Z","type":"broker.registered"}]}`), v)
			},
			Stream: func(ctx context.Context, path string, query url.Values, each func(string, []byte) bool) error {
				asked += path + "?" + query.Encode() + " "
				for i := range events {
					each("event", fmt.Appendf(nil, `{"seq":%d,"generation":"a.%d","time":"2026-03-04T12:03:00Z","type":%q}`, i+2, i+2, strings.Repeat("x", 5000)))
				}
				each("nonsense", nil)
				each("event", []byte("{"))
				each("broker", []byte("{}"))
				each("state", []byte(`{"state":"ready","brokers":{"members":7}}`))
				<-ctx.Done()
				return nil
			},
		})
		if asked != "/v1/watch?brokers=1&events=1&state=1 /v1/events?limit=100" {
			t.Errorf("asked is %s", asked)
		}
		if len(told) != 2 {
			t.Fatalf("%d messages, want one at once and one with the state", len(told))
		}
		first, last := told[0].(toldMsg), told[1].(toldMsg)
		if len(first.events) != 2 || first.events[0].Seq != 1 {
			t.Errorf("at first %d events are told", len(first.events))
		}
		n := len(last.events)
		if n > 2*mostEvents || n < mostEvents || last.events[n-1].Seq != events+1 || len(last.events[0].Type) > mostText+4 {
			t.Errorf("then %d events, the last is %d", n, last.events[n-1].Seq)
		}
		if !last.changed || last.status == nil || last.status.Brokers.Members != 7 {
			t.Errorf("then %v, %+v", last.changed, last.status)
		}
	})
}

// TestAsk makes sure what is asked for each table, and that brokers without end are not.
func TestAsk(t *testing.T) {
	var asked []string
	s := Server{Name: "ns1", Get: func(_ context.Context, path string, query url.Values, v any) error {
		asked = append(asked, path+"?"+query.Encode())
		items := strings.Repeat(`{"broker":"b","count":"9007199254740993","members":[{"brokerId":"9007199254740993"}]},`, pageRows)
		return json.Unmarshal([]byte(`{"items":[`+strings.TrimSuffix(items, ",")+`],"next":"more"}`), v)
	}}
	for i, want := range [tabs]string{
		"/v1/brokers?limit=1000", "/v1/top?by=topic&limit=256", "/v1/top?by=missedTopic&limit=256", "/v1/connections?by=language%2Cversion", "", "",
	} {
		asked = nil
		d, err := ask(t.Context(), &s, tab(i))
		if err != nil {
			t.Error(err)
		}
		if got := strings.Join(asked, " "); got != want && tab(i) != tabBrokers || !strings.HasPrefix(got, want) {
			t.Errorf("%s: asked is %s, want %s", tabNames[i], got, want)
		}
		if tab(i) == tabBrokers && (len(asked) != 5 || asked[4] != "/v1/brokers?after=more&limit=1000" || len(d.brokers) != mostRows || !d.more || d.brokers[0].Members[0].BrokerID != 1<<53+1) {
			t.Errorf("%d questions, the last %s; %d brokers", len(asked), asked[len(asked)-1], len(d.brokers))
		}
	}
}

// TestExplanation makes lines of an explanation, and of none.
func TestExplanation(t *testing.T) {
	answer, fault := `{"verdict":"notRouted","steps":[{"check":"history","result":"failed","text":"it was"}]}`, error(nil)
	s := Server{Name: "ns1", Get: func(_ context.Context, path string, _ url.Values, v any) error {
		if path != "/v1/explain/topics/%25RETRY%25a%2Fb" {
			t.Errorf("asked is %s", path)
		}
		if fault != nil {
			return fault
		}
		return json.Unmarshal([]byte(answer), v)
	}}
	want := func(want string) {
		t.Helper()
		if got := strings.Join(explain(t.Context(), &s, "topics", "%RETRY%a/b"), "|"); got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
	want("%RETRY%a/b is NOT ROUTED on ns1|history  failed   it was")
	answer = `{"verdict":"other"}`
	want("%RETRY%a/b on ns1: other")
	fault = errors.New("busy")
	want("not explained: busy")
}
