package admin

import (
	"bufio"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestStream: what a browser is told, first and when it comes back, byte for byte.
func TestStream(t *testing.T) {
	r := run(t, func(c *namesrv.Config) { c.AdminAnonymousLocal = "read" })
	a := r.server.Addr().String()
	if reply := nstest.Dial(t, a).Do(nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.1:1", Counter: 1, Topics: []string{"T", "X"}}.Register()); reply.Code != 0 {
		t.Fatal(reply)
	}
	open := func(id string) (io.Closer, *bufio.Reader, http.Header) {
		q, _ := http.NewRequest("GET", "http://"+r.addr+"/v1/watch?topic=T&since=gone.1.1", nil)
		q.Header.Set("Accept", "text/event-stream")
		q.Header.Set("Last-Event-ID", id)
		answer, err := http.DefaultTransport.RoundTrip(q)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Body, bufio.NewReader(answer.Body), answer.Header
	}
	block := func(from *bufio.Reader) (lines []string) {
		for {
			line, err := from.ReadString('\n')
			if err != nil {
				t.Fatal(err, lines)
			}
			if line == "\n" {
				return lines
			}
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	body, text, header := open("")
	if header.Get("Content-Type") != "text/event-stream" || header.Get("Cache-Control") != "no-store" {
		t.Errorf("the header is %v", header)
	}
	if got := block(text); !slices.Equal(got, []string{"retry: 3000"}) {
		t.Errorf("it begins with %q", got)
	}
	if got := block(text); got[0] != "event: reset" || len(got) != 2 {
		t.Errorf("then comes %q", got)
	}
	got := block(text)
	if len(got) != 3 || got[0] != "event: topic" || !strings.HasPrefix(got[1], "id: "+r.boot+".") || !strings.HasPrefix(got[2], `data: {"topic":"T","routed":true`) {
		t.Fatalf("then comes %q", got)
	}
	id := strings.TrimPrefix(got[1], "id: ")
	body.Close()
	// While it is away, its topic does not change, and then it does.
	body, text, _ = open(id)
	block(text)
	nstest.Dial(t, a).Do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "T"))
	if got := block(text); got[0] != "event: topic" || !strings.Contains(got[2], `"routed":false`) || got[1] == "id: "+id {
		t.Errorf("then comes %q", got)
	}
	body.Close()
	body, text, _ = open(id)
	block(text)
	if got := block(text); got[0] != "event: topic" || !strings.Contains(got[2], `"routed":false`) {
		t.Errorf("with the first id comes %q", got)
	}
	body.Close()
	nstest.Eventually(t, "its end is noticed", func() bool { return r.Stats().Watchers == 0 })
}

// TestWatchersEnd: they end with the server, which waits for none of them, and leave no
// goroutine.
func TestWatchersEnd(t *testing.T) {
	before := goleak.IgnoreCurrent()
	r := run(t, func(c *namesrv.Config) { c.ShutdownWaitTime, c.DrainTime = 0, 0 })
	r.guard.asks, r.guard.scrapes = newLimiter(1e9, 1e9), newLimiter(1e9, 1e9)
	var clients sync.WaitGroup
	transport := &http.Transport{}
	for i := range 20 {
		q, _ := http.NewRequest("GET", "http://"+r.addr+"/v1/watch?topic=T&state=1&wait=300s", nil)
		if i%2 == 0 {
			q.Header.Set("Accept", "text/event-stream")
		} else {
			q.URL.RawQuery = "topic=T&wait=300s&since=" + r.markText(mark{0, r.server.View().Edition()})
		}
		clients.Go(func() {
			if answer, err := transport.RoundTrip(q); err == nil {
				_, _ = io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		})
	}
	nstest.Eventually(t, "streams watch", func() bool { return r.Stats().Watchers >= 10 })
	r.end()
	r.wait()
	clients.Wait()
	transport.CloseIdleConnections()
	if n := r.Stats().Watchers; n != 0 {
		t.Errorf("%d watch", n)
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	if _, _, err := r.hub.join(&watchAsk{state: true}); err != errNotServing {
		t.Errorf("after the end one joins with %v", err)
	}
}
