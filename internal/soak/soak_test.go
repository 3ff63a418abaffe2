//go:build soak

package soak

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

var (
	soakTime = flag.Duration("time", time.Minute, "how long to soak")
	soakSeed = flag.Uint64("seed", 1, "of the actors' choices")
)

const (
	steadyBrokers = 20
	topicsEach    = 50
	readers       = 4

	// heapSlack and rssSlack are how much more the server may hold at the end
	// than after the warm-up. The longer run makes maps, tries and pools larger,
	// and they keep that room.
	heapSlack = 4 << 20
	rssSlack  = 48 << 20
)

// TestSoak runs all actors twice: first for a short time, to warm the server up, and then
// for the chosen time. It compares a reading after the first run with one after the second.
func TestSoak(t *testing.T) {
	s := startServer(t)
	brokers := startBrokers(t, s.addr)
	warmUp := min(10*time.Second, *soakTime/2)
	mix(t, s.addr, brokers, warmUp, 0)
	before := settled(t, s, reading{})
	mix(t, s.addr, brokers, *soakTime, *soakSeed)
	after := settled(t, s, before)
	// What it does for itself, as writing a snapshot of the routes, takes memory for a
	// moment. What leaks stays.
	for deadline := time.Now().Add(nstest.Patience); after.Heap > before.Heap+heapSlack && time.Now().Before(deadline); {
		time.Sleep(500 * time.Millisecond)
		after = s.read(t)
	}
	t.Logf("before: %v", before)
	t.Logf("after:  %v", after)
	if after.Goroutines > before.Goroutines {
		t.Errorf("goroutines: %d, had been %d", after.Goroutines, before.Goroutines)
		for by, n := range after.Begun {
			if had := before.Begun[by]; n > had {
				t.Errorf("%d of them were begun by %s, had been %d", n, by, had)
			}
		}
	}
	if after.Files > before.Files {
		t.Errorf("descriptors: %d, had been %d", after.Files, before.Files)
	}
	if after.Heap > before.Heap+heapSlack {
		t.Errorf("heap: %d bytes, had been %d", after.Heap, before.Heap)
	}
	if after.RSS > before.RSS+rssSlack {
		t.Errorf("resident: %d bytes, had been %d", after.RSS, before.RSS)
	}
	for _, b := range brokers {
		if err := b.checkRoutes(s.addr); err != nil {
			t.Errorf("at the end: %v", err)
		}
	}
}

// settled waits until the server has noticed that the actors are gone, and returns a
// reading. That is when descriptors and goroutines are as few as in floor, or have not
// changed for a while.
func settled(t *testing.T, s *server, floor reading) reading {
	t.Helper()
	last := s.read(t)
	for same := 0; same < 4; {
		if floor.Files > 0 && last.Files <= floor.Files && last.Goroutines <= floor.Goroutines {
			return last
		}
		time.Sleep(500 * time.Millisecond)
		next := s.read(t)
		if same++; next.Files != last.Files || next.Goroutines != last.Goroutines {
			same = 0
		}
		last = next
	}
	return last
}

// An actor does one kind of thing once. mix calls it again and again.
type actor struct {
	name  string
	count int // goroutines
	act   func(ctx context.Context, w *world) error
}

// A world is what one goroutine of an actor knows.
type world struct {
	addr    string
	brokers []*broker
	rand    *rand.Rand
	number  int // of the goroutine among those of all actors
}

// mix runs all actors for the given time. Each of them must have run at least once.
func mix(t *testing.T, addr string, brokers []*broker, d time.Duration, seed uint64) {
	t.Helper()
	timed, stop := context.WithTimeout(context.Background(), d)
	defer stop()
	g, ctx := errgroup.WithContext(timed)
	for _, b := range brokers {
		g.Go(func() error { return b.keepRegistering(ctx) })
	}
	counts := make([]atomic.Int64, len(actors))
	number := 0
	for i, a := range actors {
		for range a.count {
			number++
			w := &world{addr: addr, brokers: brokers, rand: rand.New(rand.NewPCG(seed, uint64(number))), number: number}
			g.Go(func() error {
				for ctx.Err() == nil {
					if err := a.act(ctx, w); err != nil {
						return fmt.Errorf("%s: %w", a.name, err)
					}
					counts[i].Add(1)
				}
				return nil
			})
		}
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for i, a := range actors {
		t.Logf("%-16s %8d times", a.name, counts[i].Load())
		if counts[i].Load() == 0 {
			t.Errorf("%s: not once in %v", a.name, d)
		}
	}
}

// A broker registers all the time, and the routes of its topics must always name it.
type broker struct {
	nstest.Broker
	mu   sync.Mutex // one user of conn at a time
	conn *peer
}

func startBrokers(t *testing.T, addr string) []*broker {
	t.Helper()
	var brokers []*broker
	for i := range steadyBrokers {
		b := &broker{Broker: nstest.Broker{
			Cluster: "soak", Name: fmt.Sprintf("steady-%d", i), Addr: fmt.Sprintf("10.0.0.%d:10911", i), Counter: 1,
		}}
		for j := range topicsEach {
			b.Topics = append(b.Topics, fmt.Sprintf("steady-%d-%d", i/2, j)) // two brokers share a topic
		}
		conn, err := dial(addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		b.conn = conn
		if err := b.register(); err != nil {
			t.Fatal(err)
		}
		brokers = append(brokers, b)
	}
	return brokers
}

func (b *broker) register() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.conn.succeed(b.Register())
	return err
}

// keepRegistering repeats the registration, sometimes with a new data version.
func (b *broker) keepRegistering(ctx context.Context) error {
	for i := 1; ; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
		if i%5 == 0 {
			b.Counter++
		}
		if err := b.register(); err != nil {
			return fmt.Errorf("%s registers: %w", b.Name, err)
		}
	}
}

// checkRoutes asks for every topic of the broker.
func (b *broker) checkRoutes(addr string) error {
	p, err := dial(addr)
	if err != nil {
		return err
	}
	defer p.Close()
	for _, topic := range b.Topics {
		if err := b.checkRoute(p, topic); err != nil {
			return err
		}
	}
	return nil
}

// checkRoute asks for the route of a topic. It must name the broker and its queues.
func (b *broker) checkRoute(p *peer, topic string) error {
	reply, err := p.succeed(nstest.Route(topic))
	if err != nil {
		return fmt.Errorf("route of %s: %w", topic, err)
	}
	var route codec.TopicRouteData
	if err := route.Decode(reply.Body); err != nil {
		return err
	}
	var faults []error
	if len(route.BrokerDatas) != 2 || len(route.QueueDatas) != 2 {
		faults = append(faults, fmt.Errorf("%d brokers, %d with queues", len(route.BrokerDatas), len(route.QueueDatas)))
	}
	found := false
	for _, d := range route.BrokerDatas {
		found = found || d.BrokerName == b.Name
	}
	if !found {
		faults = append(faults, fmt.Errorf("%s is missing", b.Name))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("route of %s: %w: %s", topic, err, reply.Body)
	}
	return nil
}
