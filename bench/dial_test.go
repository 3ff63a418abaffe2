package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"gonamesrv/internal/nstest"
)

// A gate holds attempts to connect back while it is shut.
type gate struct {
	mu      sync.Mutex // guards the following fields
	waiting int
	opened  chan struct{} // nil lets all pass
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.opened = make(chan struct{})
}

func (g *gate) pass(ctx context.Context) error {
	g.mu.Lock()
	opened := g.opened
	if opened == nil {
		g.mu.Unlock()
		return nil
	}
	g.waiting++
	g.mu.Unlock()
	select {
	case <-opened:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting--
	return ctx.Err()
}

func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waiting
}

// openWhenFull opens the gate when as many wait as may, and no more come.
func (g *gate) openWhenFull(t *testing.T, what string) {
	t.Helper()
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		close(g.opened)
		g.opened = nil
	}()
	if !await(t.Context(), nstest.Patience, func() bool { return g.count() == dialAtOnce }) {
		t.Errorf("%s: %d connections are made at a time, want %d", what, g.count(), dialAtOnce)
		return
	}
	time.Sleep(20 * time.Millisecond) // for those that are too many
	if n := g.count(); n != dialAtOnce {
		t.Errorf("%s: %d connections are made at a time, want %d", what, n, dialAtOnce)
	}
}

// A taker takes connections and answers nothing.
type taker struct {
	net.Listener
	mu    sync.Mutex // guards conns
	conns []net.Conn
}

func startTaker(t *testing.T) *taker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &taker{Listener: l}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			k.mu.Lock()
			k.conns = append(k.conns, c)
			k.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
		k.hangUp()
	})
	return k
}

// hangUp closes all connections.
func (k *taker) hangUp() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.conns {
		c.Close()
	}
	k.conns = nil
}

func (k *taker) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.conns)
}

// connected counts the connections that a driver has.
func connected(d *driver) (n int) {
	d.each(func(w *worker) {
		for _, l := range w.lanes {
			for _, c := range l.conns {
				if c.s != nil {
					n++
				}
			}
		}
	})
	return n
}

// newReaders is a driver of n connections, which may break, and so many requests a second.
func newReaders(addr string, n int, rate float64) *driver {
	f := smallFleet(Params{Brokers: 2, Topics: 8, BrokersPerTopic: 2, Form: formPlain})
	d := newDriver(addr, 1)
	d.ops = []operation{{name: opRoute}}
	d.phases = []*phase{{name: "warm-up"}, {name: "measured"}}
	d.streams = []*stream{{
		name: "readers", connections: n, depth: 1, rate: rate, tolerant: true,
		source: func(int) source { return &routes{f.topics, rand.New(rand.NewPCG(1, 1)), 0} },
	}}
	return d
}

// TestConnectsTogether: the connections of a run are made, and made anew, many at a time and
// not more. Meanwhile requests are due at their times as ever, be there a connection or not.
func TestConnectsTogether(t *testing.T) {
	const n, rate = 3 * dialAtOnce, 2000
	server := startTaker(t)
	d := newReaders(server.Addr().String(), n, rate)
	var g gate
	g.shut()
	d.attempt = g.pass
	opened := make(chan error, 1)
	go func() { opened <- d.open(t.Context(), 2) }()
	g.openWhenFull(t, "at the start")
	if err := <-opened; err != nil {
		t.Fatal(err)
	}
	closeAll := sync.OnceFunc(d.close)
	defer closeAll()
	if got := connected(d); got != n {
		t.Fatalf("%d connections, want %d", got, n)
	}
	if !await(t.Context(), nstest.Patience, func() bool { return server.count() == n }) {
		t.Fatalf("the server has %d connections, want %d", server.count(), n)
	}
	d.enter(1)
	g.shut()
	server.hangUp()
	g.openWhenFull(t, "when all are lost")
	if !await(t.Context(), nstest.Patience, func() bool { return connected(d) == n }) {
		t.Errorf("%d of %d connections are back", connected(d), n)
	}
	d.finish(t.Context(), time.Millisecond)
	over := d.now() // loops go on until they hear of it
	closeAll()
	o := operation{name: opRoute}.result(d.tally(1, 0), 1)
	due := func(to int64) float64 { return seconds(to-d.phases[1].from) * rate }
	if n := float64(o.Offered()); n < due(d.phases[1].to)-2 || n > due(over)+2 || o.Errors[ErrorConnect] == 0 {
		t.Errorf("%g requests were due, want %g to %g: %+v", n, due(d.phases[1].to), due(over), o.Errors)
	}
}

// TestOneLooksForTheServer: while the server is away, one attempt at a time finds out whether
// it is back, so that the load takes no more of the processors than it must.
func TestOneLooksForTheServer(t *testing.T) {
	const n = 3 * dialAtOnce
	server := startTaker(t)
	d := newReaders(server.Addr().String(), n, 0)
	var mu sync.Mutex // guards the following variables
	away, begun, ended := false, 0, 0
	alone, together := 0, 0 // attempts since those are over that were on their way when the first one failed
	d.attempt = func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !away:
			return nil
		case begun == ended && ended >= dialAtOnce:
			alone++
		case alone > 0:
			together++
		}
		begun++
		mu.Unlock()
		time.Sleep(time.Millisecond)
		mu.Lock()
		ended++
		return errors.New("refused")
	}
	if err := d.open(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	defer d.close()
	if !await(t.Context(), nstest.Patience, func() bool { return server.count() == n }) {
		t.Fatalf("the server has %d connections, want %d", server.count(), n)
	}
	mu.Lock()
	away = true
	mu.Unlock()
	server.hangUp()
	enough := await(t.Context(), nstest.Patience, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return alone+together > 20
	})
	mu.Lock()
	if !enough || together > 0 {
		t.Errorf("of %d attempts %d were made alone and %d beside another one", begun, alone, together)
	}
	away = false
	mu.Unlock()
	if !await(t.Context(), nstest.Patience, func() bool { return connected(d) == n }) {
		t.Errorf("%d of %d connections are back", connected(d), n)
	}
}

// TestIdleConnectTogether: idle connections are opened many at a time: else the way to the
// server and back is what a step takes.
func TestIdleConnectTogether(t *testing.T) {
	const n = 2 * dialAtOnce
	f := smallFleet(Params{Brokers: 1, Topics: 1, BrokersPerTopic: 1, Form: formPlain})
	addr, stop, err := ListenEcho(t.Context(), routeReply(f.topics[0], firstNumber))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	sc := scenarioNamed(t, "connections")
	sc.Params.Connections, sc.Params.Steps, sc.Params.Topics, sc.Params.Duration = n, 1, 4, Duration(time.Millisecond)
	r, err := newRun(t.Context(), sc, Options{Target: Target{Address: addr}, Seed: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.fleet = newFleet(r.p, 1)
	r.fleet.now = r.d.now
	r.d.within = 0 // the gate decides how long it takes
	var g gate
	asks := true // who asks beside them connects first
	r.d.attempt = func(ctx context.Context) error {
		if asks {
			asks = false
			g.shut()
			return nil
		}
		return g.pass(ctx)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.idle(t.Context(), 0) }()
	g.openWhenFull(t, "idle ones")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if len(r.steps) != 1 || r.steps[0].Connections != n {
		t.Errorf("steps %+v", r.steps)
	}
}

// TestBrokersConnectTogether: brokers that die and come back, each on its own, do not connect
// all at once either.
func TestBrokersConnectTogether(t *testing.T) {
	server := startTaker(t)
	d := newDriver(server.Addr().String(), 1)
	var g gate
	g.shut()
	d.attempt = g.pass
	const n = 3 * dialAtOnce
	errs := make(chan error, n)
	for range n {
		go func() {
			c, err := dialCaller(t.Context(), &d.dialer)
			if err == nil {
				c.close()
			}
			errs <- err
		}()
	}
	g.openWhenFull(t, "brokers")
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestDialEach: the first that fails ends all.
func TestDialEach(t *testing.T) {
	var mu sync.Mutex
	dialled := 0
	err := dialEach(t.Context(), 10*dialAtOnce, func(ctx context.Context, i int) error {
		mu.Lock()
		dialled++
		mu.Unlock()
		if i == 3 {
			return errors.New("lost")
		}
		<-ctx.Done()
		return ctx.Err()
	})
	if err == nil || err.Error() != "lost" || dialled > dialAtOnce+1 {
		t.Errorf("%d were dialled, and it ends with %v", dialled, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := dialEach(ctx, 3, func(context.Context, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody wants them any more, and it ends with %v", err)
	}
}
