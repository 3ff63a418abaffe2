package nsctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeEvent is an event as /v1/watch sends it; with an ID if it is the last of a message.
func fakeEvent(seq int, id string) string {
	text := fmt.Sprintf("event: event\n%sdata: {\"seq\":%d,\"generation\":\"boot.%d\",\"time\":\"2026-01-01T00:00:00.000Z\",\"type\":\"t\"}\n\n", id, seq, seq)
	return strings.Replace(text, ",\"time\"", ",\ndata: \"time\"", 1) // data may have several lines
}

// fakeStream serves /v1/watch by a script, a text for each connection; after the last one
// nothing comes. Events are listed as pages say.
func fakeStream(t *testing.T, pages func(since string) string, script ...string) (url string, asked func() []string) {
	t.Helper()
	var n atomic.Int32
	var since atomic.Pointer[[]string]
	since.Store(&[]string{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/events" {
			fmt.Fprint(w, pages(r.URL.Query().Get("since")))
			return
		}
		i := int(n.Add(1)) - 1
		all := append(append([]string{}, *since.Load()...), r.URL.Query().Get("since"))
		since.Store(&all)
		w.Header().Set("Content-Type", "text/event-stream")
		if i < len(script) {
			fmt.Fprint(w, "retry: 1\n\n", script[i])
			return
		}
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL, func() []string { return *since.Load() }
}

// TestEventsToldAgain: a message that was cut off comes again as a whole, and its events
// are not told twice; nor are those that a reset brings that are known.
func TestEventsToldAgain(t *testing.T) {
	t.Parallel()
	pages := func(since string) string {
		if since == "" {
			return `{"generation":"boot.0","items":[]}`
		}
		return `{"generation":"boot.9","items":[{"seq":3,"generation":"boot.3"},{"seq":7,"generation":"boot.7"},{"seq":8,"generation":"boot.8"},{"seq":9,"generation":"boot.9"}]}`
	}
	url, asked := fakeStream(t, pages,
		fakeEvent(1, "")+fakeEvent(2, ""), // the end of the message, which has the ID, is missing
		"id: boot.0.1\n: keep\n\n"+fakeEvent(1, "")+fakeEvent(2, "")+fakeEvent(3, "id: boot.3.2\n")+fakeEvent(4, "")+"event: event\ndata: {\"seq\":5",
		"event: reset\nid: 0.0\ndata: {\"generation\":null}\n\n",
		"event: reset\nid: boot.8.1\ndata: {\"generation\":\"boot.8.1\"}\n\n"+fakeEvent(9, "")+fakeEvent(10, "id: boot.10.1\n"),
	)
	w := startAPI(t, "--admin", url, "events", "-f", "-o", "json")
	w.sees(`"boot.10"`)
	w.sees("fallen behind")
	w.ctrlC()
	w.wait()
	if got := fmt.Sprint(seqs(t, w.out.String())); got != "[1 2 3 4 7 8 9 10]" {
		t.Errorf("told are %s", got)
	}
	if !strings.Contains(w.err.String(), "events 5 to 6 are missing") {
		t.Errorf("%s", w.err.String())
	}
	if got := fmt.Sprint(asked()[:4]); got != "[boot.0 boot.2 boot.4 boot.4]" {
		t.Errorf("it comes back with %s", got)
	}
}

// TestBusyStream: who finds no place to watch comes back later, and says so.
func TestBusyStream(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/events":
			fmt.Fprint(w, `{"generation":"boot.0","items":[]}`)
		case n.Add(1) == 1:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"status":503,"detail":"all places are taken"}`)
		default:
			fmt.Fprint(w, fakeEvent(1, "id: boot.1.1\n"))
		}
	}))
	defer s.Close()
	w := startAPI(t, "--admin", s.URL, "events", "-f", "-o", "name")
	w.sees("all places are taken")
	w.sees("boot.1\n")
	w.ctrlC()
	w.wait()
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestSilentStream: a stream that says something now and then is followed for as long as
// it likes; one that says nothing any more, though nobody has closed it, is given up.
func TestSilentStream(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, out := io.Pipe()
		web := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			context.AfterFunc(r.Context(), func() { out.CloseWithError(r.Context().Err()) })
			return &http.Response{StatusCode: http.StatusOK, Body: in}, nil
		})}
		base, _ := url.Parse("http://name")
		a := &admin{ctl: &ctl{timeout: time.Second}, name: "name", at: base, http: web}
		ended := make(chan error, 1)
		events := 0
		began := time.Now()
		go func() {
			ended <- a.stream(t.Context(), "/v1/watch", nil, func(event) bool { events++; return true })
		}()
		for range 100 {
			time.Sleep(15 * time.Second)
			fmt.Fprint(out, ": keep\n\n")
		}
		fmt.Fprint(out, "data: x\n\n")
		err := <-ended
		if took := time.Since(began); !errors.Is(err, errSilent) || events != 1 || took != 1500*time.Second+maxSilence {
			t.Errorf("%v after %v, %d events", err, took, events)
		}
	})
}

// TestPeersAreHashed: of topics that differ a bundle has no names, of the KV config nothing.
func TestPeersAreHashed(t *testing.T) {
	t.Parallel()
	const said = `{"items":[{"addr":"a","brokers":{"samples":["broker"]},"topics":{"samples":["secret"]},"config":{"samples":["secret"]},"kv":{"samples":["secret"]}}]}`
	for _, names := range []bool{false, true} {
		b := &bundle{names: names}
		text, err := scrubText([]byte(said), b.scrubPeers)
		if n := strings.Count(string(text), "secret"); err != nil || n != map[bool]int{false: 0, true: 1}[names] || !strings.Contains(string(text), "broker") {
			t.Errorf("%v: %s", err, text)
		}
	}
}

// TestPages: a list is read to its end over short and empty pages, and one that does not
// end is given up.
func TestPages(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, map[string]string{
			"": `{"items":[1],"next":"a"}`, "a": `{"items":[],"next":"b"}`, "b": `{"items":[2,3]}`, "loop": `{"items":[4],"next":"loop"}`,
		}[r.URL.Query().Get("after")])
	}))
	defer s.Close()
	base, _ := url.Parse(s.URL)
	a := &admin{ctl: &ctl{timeout: time.Minute}, at: base, http: s.Client()}
	for after, want := range map[string]string{"": "[1 2 3]", "loop": "[4]"} {
		var got []int
		query := url.Values{}
		if after != "" {
			query.Set("after", after)
		}
		err := pages(t.Context(), a, "/", query, "after", func(p *page[int]) bool {
			for _, it := range p.Items {
				got = append(got, it.is)
			}
			return true
		})
		if fmt.Sprint(got) != want || (err != nil) != (after == "loop") {
			t.Errorf("from %q: %v, %v", after, got, err)
		}
	}
}

// TestLostBeforeTheStream: a connection that is lost between what there is and what comes
// is made again.
func TestLostBeforeTheStream(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/events":
			fmt.Fprint(w, `{"generation":"boot.0","items":[]}`)
		case n.Add(1) < 3:
			panic(http.ErrAbortHandler)
		default:
			fmt.Fprint(w, fakeEvent(1, "id: boot.1.1\n"))
		}
	}))
	defer s.Close()
	w := startAPI(t, "--admin", s.URL, "events", "-f", "-o", "name")
	w.sees("boot.1\n")
	w.ctrlC()
	w.wait()
}
