package admin

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// A follower watches over HTTP and applies what it is told, in order.
type follower struct {
	base   string // address and query
	stream bool
	cuts   bool // it loses its connection now and then, also in the middle of a message

	mu       sync.Mutex
	topics   map[string]string // what it was told last, as JSON
	brokers  map[string]string
	events   []uint64
	mark     string
	messages int // with something in them
	items    int
	resets   int
	began    time.Time
}

func (f *follower) apply(kind, body string) {
	switch kind {
	case "topic":
		var t watchedTopic
		if json.Unmarshal([]byte(body), &t) == nil {
			f.topics[t.Topic] = body
		}
	case "broker":
		var b watchedBroker
		if json.Unmarshal([]byte(body), &b) == nil {
			if f.brokers[b.Broker] = body; !b.Registered {
				delete(f.brokers, b.Broker)
			}
		}
	case "event":
		var e struct{ Seq uint64 }
		if json.Unmarshal([]byte(body), &e) == nil {
			f.events = append(f.events, e.Seq)
		}
	case "reset":
		f.resets++
		clear(f.topics)
		clear(f.brokers)
	}
	f.items++
}

// follow watches until ctx is done.
func (f *follower) follow(ctx context.Context, client *http.Client) error {
	f.topics, f.brokers, f.began = map[string]string{}, map[string]string{}, time.Now()
	for ctx.Err() == nil {
		var err error
		if f.stream {
			err = f.stay(ctx, client)
		} else {
			err = f.poll(ctx, client)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (f *follower) poll(ctx context.Context, client *http.Client) error {
	address := f.base + "&wait=20s"
	if f.mark != "" {
		address += "&since=" + f.mark
	}
	r, _ := http.NewRequestWithContext(ctx, "GET", address, nil)
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if answer.StatusCode == http.StatusNotModified {
		f.mark = strings.Trim(answer.Header.Get("ETag"), `"`)
		return nil
	}
	var got watchAnswer
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || answer.StatusCode != 200 {
		return fmt.Errorf("%d: %v", answer.StatusCode, err)
	}
	if got.Reset {
		f.apply("reset", "")
	}
	for kind, bodies := range map[string][]json.RawMessage{"topic": got.Topics, "broker": got.Brokers, "event": got.Events} {
		for _, body := range bodies {
			f.apply(kind, string(body))
		}
	}
	f.mark = got.Generation
	f.messages++
	return nil
}

func (f *follower) stay(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", f.base, nil)
	r.Header.Set("Accept", "text/event-stream")
	if f.mark != "" {
		r.Header.Set("Last-Event-ID", f.mark)
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		return fmt.Errorf("%d", answer.StatusCode)
	}
	lines := bufio.NewReader(answer.Body)
	left := -1
	if f.cuts {
		left = rand.IntN(500)
	}
	var kind, id, body string
	for ; left != 0; left-- {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil // it comes back
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "event":
			kind = value
		case "id":
			id = value
		case "data":
			body = value
		case "":
			f.mu.Lock()
			if body != "" {
				f.apply(kind, body)
			}
			if id != "" {
				f.mark = id
				f.messages++
			}
			f.mu.Unlock()
			kind, id, body = "", "", ""
		}
	}
	return nil
}

// A crowd of brokers changes topics all the time.
type crowd struct {
	f     *fixture
	conns []*nstest.Client
	names []string // of topics
	round int
}

func newCrowd(f *fixture, brokers, topics int) *crowd {
	c := &crowd{f: f}
	for range brokers {
		c.conns = append(c.conns, nstest.Dial(f.t, f.addr))
	}
	for i := range topics {
		c.names = append(c.names, fmt.Sprintf("topic-%d", i))
	}
	return c
}

// register lets broker i register a share of the topics, each with another number of
// queues than before; in some rounds without some of them.
func (c *crowd) register(i, round int) {
	body := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: int64(round + 1)}}
	for n, name := range c.names {
		if n%len(c.conns) == i && (n+round)%7 != 0 {
			q := int32(1 + (n+round)%16)
			body.Topics = append(body.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: q, WriteQueueNums: q, Perm: 6})
		}
	}
	b := nstest.Broker{Cluster: "c", Name: fmt.Sprintf("b%d", i), Addr: fmt.Sprintf("10.0.%d.%d:1", i, round%3), Counter: int64(round + 1)}
	if reply := c.conns[i].Do(b.RegisterBody(body.AppendJSON(nil))); reply.Code != 0 {
		c.f.t.Errorf("a registration is answered %d %s", reply.Code, reply.Remark)
	}
}

// storm registers all brokers so many times, each on a goroutine of its own.
func (c *crowd) storm(rounds int) {
	var all sync.WaitGroup
	for i := range c.conns {
		all.Go(func() {
			for r := range rounds {
				c.register(i, c.round+r)
			}
		})
	}
	all.Wait()
	c.round += rounds
}
