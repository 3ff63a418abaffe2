package admin

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// BenchmarkWatchedStorm registers a broker with 2,500 topics, each of them with another
// number of queues each time, of a table of 10,000, while nobody watches and while 64
// watch 100 topics each, whom nothing is written to: what a registration costs beside
// the hub. cpu is of all threads, requests and clients included.
func BenchmarkWatchedStorm(b *testing.B) {
	for _, watchers := range []int{0, 64} {
		b.Run(fmt.Sprintf("watchers=%d", watchers), func(b *testing.B) {
			f := newFixture(b, nil)
			c := newCrowd(f, 4, 10_000)
			c.storm(1)
			for i := range watchers {
				ask := &watchAsk{}
				for n := range 100 {
					ask.topics = append(ask.topics, c.names[(i*100+n)%len(c.names)])
				}
				w, _, err := f.hub.join(ask)
				if err != nil {
					b.Fatal(err)
				}
				done := make(chan struct{})
				go func() {
					for {
						select {
						case m := <-w.messages:
							f.hub.took(w, m)
						case <-done:
							return
						}
					}
				}()
				b.Cleanup(func() { close(done); f.hub.part(w) })
			}
			began := cpuTime(b)
			round := 0
			for b.Loop() {
				round++
				c.register(round%4, c.round+round)
			}
			b.ReportMetric(float64((cpuTime(b)-began).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkWatchLatency changes one topic, 4 times a second, and takes the time from
// before the request until the last of 64 streams has told of it: on a server that is
// idle, and on one where brokers with 5,000 other topics register without a pause.
func BenchmarkWatchLatency(b *testing.B) {
	for _, busy := range []bool{false, true} {
		b.Run(fmt.Sprintf("storm=%t", busy), func(b *testing.B) {
			f := newFixture(b, nil)
			c := newCrowd(f, 2, 5_000)
			c.storm(1)
			body := codec.RegisterBrokerBody{Topics: []codec.TopicConfig{
				{Name: []byte("WATCHED"), Key: []byte("WATCHED"), Perm: 6}, {Name: []byte("OTHER"), Key: []byte("OTHER"), Perm: 6},
			}}
			client := nstest.Dial(b, f.addr)
			change := func(n int) {
				body.DataVersion.Counter = int64(n)
				body.Topics[0].ReadQueueNums = int32(n)
				broker := nstest.Broker{Cluster: "c", Name: "one", Addr: "10.1.0.1:1", Counter: int64(n)}
				client.Do(broker.RegisterBody(body.AppendJSON(nil)))
			}
			change(1)
			listener := httptest.NewServer(f.Handler)
			defer listener.Close()
			told := make(chan int, 1<<16)
			var open []io.Closer
			for i := range 64 {
				query := url.Values{"topic": {"WATCHED"}}
				for n := range 99 {
					query.Add("topic", c.names[(i*99+n)%len(c.names)])
				}
				r, _ := http.NewRequest("GET", listener.URL+"/v1/watch?"+query.Encode(), nil)
				r.Header.Set("Accept", "text/event-stream")
				answer, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					b.Fatal(err)
				}
				open = append(open, answer.Body)
				go func() {
					for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
						var n int
						const queues = `data: {"topic":"WATCHED","routed":true,"static":false,"queues":[{"broker":"one","cluster":"c","readQueueNums":%d,`
						if _, err := fmt.Sscanf(lines.Text(), queues, &n); err == nil {
							told <- n
						}
					}
				}()
			}
			defer func() {
				for _, body := range open {
					body.Close()
				}
			}()
			for range open {
				<-told
			}
			var stop atomic.Bool
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for round := 1; busy && !stop.Load(); round++ {
					c.register(round%2, round)
				}
			}()
			var all []time.Duration
			n := 1
			for b.Loop() {
				n++
				time.Sleep(250 * time.Millisecond)
				began := time.Now()
				change(n)
				for range open {
					for <-told != n {
					}
					all = append(all, time.Since(began))
				}
			}
			stop.Store(true)
			<-ended
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Microseconds())/1e3, "p50-ms")
			b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1e3, "p99-ms")
		})
	}
}
