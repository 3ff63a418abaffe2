package namesrv_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// A protected is a server with brokers that each have a connection.
type protected struct {
	*testServer
	now     atomic.Int64
	lines   chan string
	brokers []nstest.Broker
	conns   []*nstest.Client

	mu      sync.Mutex
	waiting []func() // decisions about closed connections
}

func startProtected(t *testing.T, mode string, n int, change func(*namesrv.Config)) *protected {
	p := &protected{lines: make(chan string, 10_000)}
	p.testServer = start(t, func(c *namesrv.Config) {
		c.SelfProtection, c.ScanNotActiveBrokerInterval = mode, time.Hour
		if change != nil {
			change(c)
		}
	}, func(s *namesrv.Server) {
		s.SetClock(func() time.Duration { return time.Duration(p.now.Load()) })
		s.OnLog(func(line string) { p.lines <- line })
		s.AfterHold(func(d time.Duration, f func()) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.waiting = append(p.waiting, f)
		})
	})
	for i := range n {
		p.brokers = append(p.brokers, nstest.Broker{Cluster: "C", Name: fmt.Sprint("b", i), Addr: fmt.Sprintf("10.0.0.%d:1", i), Topics: []string{"T", fmt.Sprint("b", i)}})
		p.conns = append(p.conns, p.dial(t))
		p.register(t, i)
	}
	return p
}

func (p *protected) register(t *testing.T, i int) {
	t.Helper()
	wantCode(t, p.conns[i].Do(p.brokers[i].Register()), codec.RespSuccess, "")
}

func (p *protected) alive() int { return p.Table().View().LiveCount() }

// closedAll waits until the server knows of the end of so many connections, of which
// so many wait, lets these have waited, and returns when it has decided about all.
func (p *protected) closedAll(t *testing.T, n uint64, waits int) {
	t.Helper()
	var waiting []func()
	nstest.Eventually(t, "the connections are closed, and some wait", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		waiting = p.waiting
		return p.EngineStats().ClosedByPeer == n && len(waiting) >= waits
	})
	p.now.Add(int64(500 * time.Millisecond))
	for _, f := range waiting {
		f()
	}
	nstest.Eventually(t, "the server has decided about all", func() bool {
		for i, b := range p.brokers {
			if l, ok := p.Table().View().Live([]byte(b.Cluster), []byte(b.Addr)); ok && p.conns[i] == nil && l.Conn != 0 {
				return false
			}
		}
		return true
	})
}

// reset ends the connections of some brokers.
func (p *protected) reset(which []int) {
	for _, i := range which {
		p.conns[i].Reset()
		p.conns[i] = nil
	}
}

func upTo(n int) (all []int) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// TestMassClose resets the connections of all, of half, and of one of eight brokers.
// With selfProtection=on many that close together stay until they are silent for too
// long; in all other cases they leave, as with Java.
func TestMassClose(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mode                  string
		brokers, reset, alive int
		held, wouldHold       uint64
	}{
		{"on", 8, 8, 8, 8, 0},
		{"on", 8, 4, 8, 4, 0},
		{"on", 8, 1, 7, 0, 0},
		{"on", 2, 2, 0, 0, 0},
		{"monitor", 8, 8, 0, 0, 8},
		{"off", 8, 8, 0, 0, 0},
	} {
		t.Run(fmt.Sprintf("%s, %d of %d", c.mode, c.reset, c.brokers), func(t *testing.T) {
			t.Parallel()
			p := startProtected(t, c.mode, c.brokers, nil)
			p.reset(upTo(c.reset))
			p.closedAll(t, uint64(c.reset), map[string]int{"on": c.reset}[c.mode])
			if n := p.alive(); n != c.alive {
				t.Errorf("%d are alive, want %d", n, c.alive)
			}
			s := p.Snapshot().Protection
			if s.Held.MassClose != c.held || s.WouldHold.MassClose != c.wouldHold {
				t.Errorf("held %d, would hold %d, want %d and %d", s.Held.MassClose, s.WouldHold.MassClose, c.held, c.wouldHold)
			}
			// Those that stay have their timeout, and no more where others are heard; all of
			// them are held where nobody is.
			if c.mode == "on" && c.held > 0 && c.reset < c.brokers {
				p.now.Add(int64(119 * time.Second))
				p.ScanIn(0)
				if n := p.alive(); n != c.alive {
					t.Errorf("%d are alive before the timeout", n)
				}
			}
		})
	}
}

// TestCloseIsCancelled has a broker register over another connection while the end
// of the one before waits: it stays.
func TestCloseIsCancelled(t *testing.T) {
	p := startProtected(t, "on", 8, nil)
	for i := range 2 {
		p.conns[i].Reset()
		p.conns[i] = nil
	}
	nstest.Eventually(t, "both wait", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.waiting) == 2
	})
	p.conns[0] = p.dial(t)
	p.register(t, 0)
	if p.alive() != 8 {
		t.Fatalf("%d are alive while the closes wait", p.alive())
	}
	p.closedAll(t, 2, 2)
	wantCode(t, p.conns[0].Do(nstest.Route("b0")), codec.RespSuccess, "")
	if p.alive() != 7 {
		t.Errorf("%d are alive, want all but one", p.alive())
	}
}

// TestCloseHold waits with the real timer for one broker of eight that is killed.
func TestCloseHold(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *namesrv.Config) { c.SelfProtection = "on" })
	b, c := nstest.Broker{Cluster: "C", Name: "b", Addr: "10.0.0.1:1", Topics: []string{"T", "b"}}, s.dial(t)
	wantCode(t, c.Do(b.Register()), codec.RespSuccess, "")
	closed := time.Now()
	c.Reset()
	nstest.Eventually(t, "the broker leaves", func() bool { return s.Table().View().LiveCount() == 0 })
	if took := time.Since(closed); took < 500*time.Millisecond {
		t.Errorf("it has left after %v, want half a second at least", took)
	}
}

// TestOfASetWithActingMaster resets both connections of each set: with an acting master
// one member of each leaves at once, and the other stays.
func TestOfASetWithActingMaster(t *testing.T) {
	t.Parallel()
	for acting, alive := range map[bool]int{true: 4, false: 8} {
		t.Run(fmt.Sprint(acting), func(t *testing.T) {
			t.Parallel()
			p := startProtected(t, "on", 0, func(c *namesrv.Config) { c.SupportActingMaster = true })
			for i := range 8 {
				name := fmt.Sprint("set", i/2)
				p.brokers = append(p.brokers, nstest.Broker{
					Cluster: "C", Name: name, Addr: fmt.Sprintf("10.0.0.%d:1", i), ID: int64(i % 2), Topics: []string{"T", name},
					Fields: []string{"enableActingMaster", fmt.Sprint(acting)},
				})
				p.conns = append(p.conns, p.dial(t))
				p.register(t, i)
			}
			p.reset(upTo(8))
			p.closedAll(t, 8, alive)
			if n := p.alive(); n != alive {
				t.Errorf("%d are alive, want %d", n, alive)
			}
		})
	}
}

// TestHeldByTheScan lets half of eight brokers fall silent. With selfProtection=on they
// stay, nobody is answered otherwise, and the log and the Snapshot say so;
// selfProtection=off by request lets them leave with the next scan.
func TestHeldByTheScan(t *testing.T) {
	p := startProtected(t, "on", 8, nil)
	p.now.Add(int64(100 * time.Second))
	for i := range 4 {
		p.register(t, i)
	}
	before := p.conns[0].Do(nstest.Route("T"))
	p.now.Add(int64(21 * time.Second))
	p.ScanIn(0)
	if n := p.alive(); n != 8 {
		t.Fatalf("%d are alive, want all", n)
	}
	if after := p.conns[0].Do(nstest.Route("T")); string(after.Body) != string(before.Body) {
		t.Errorf("the route is\n%s, was\n%s", after.Body, before.Body)
	}
	s := p.Snapshot().Protection
	if s.Suspects != 4 || s.Overdue != 4 || s.Held.Partial != 4 || len(s.Scopes) != 1 ||
		s.Scopes[0] != (route.ScopeStats{Cluster: "C", State: route.ProtectionPartial, Live: 8, Overdue: 4, Suspects: 4}) {
		t.Errorf("the Snapshot shows %+v", s)
	}
	p.wantLine(t, "self-protection entered")
	wantCode(t, p.conns[0].Do(updateConfig("selfProtection=off")), codec.RespSuccess, "")
	p.ScanIn(0)
	if n := p.alive(); n != 4 {
		t.Errorf("%d are alive after it was turned off, want 4", n)
	}
}

func (p *protected) wantLine(t *testing.T, want string) {
	t.Helper()
	for {
		select {
		case line := <-p.lines:
			if line == want {
				return
			}
		default:
			t.Errorf("no line %q", want)
			return
		}
	}
}

// TestProtectionByDefault: nothing is held, but what would be is counted.
func TestProtectionByDefault(t *testing.T) {
	if mode := namesrv.DefaultConfig().SelfProtection; mode != "monitor" {
		t.Fatalf("the default is %s", mode)
	}
	p := startProtected(t, "monitor", 8, nil)
	p.ScanIn(121 * time.Second)
	if s := p.Snapshot().Protection; p.alive() != 0 || s.Suspects != 0 || s.WouldHold.Isolated != 8 || s.Held != (route.HeldCounts{}) {
		t.Errorf("%d are alive, %+v", p.alive(), s)
	}
}

// TestProtectionKeys: values that cannot be.
func TestProtectionKeys(t *testing.T) {
	for _, change := range []func(*namesrv.Config){
		func(c *namesrv.Config) { c.SelfProtectionMax = -1 },
		func(c *namesrv.Config) { c.CloseHold = -1 },
		func(c *namesrv.Config) { c.CloseHold = 2*time.Second + 1 },
		func(c *namesrv.Config) { c.SelfProtection = "maybe" },
	} {
		c := namesrv.DefaultConfig()
		change(&c)
		if c.Validate() == nil {
			t.Errorf("%q, %v, %v is valid", c.SelfProtection, c.SelfProtectionMax, c.CloseHold)
		}
	}
}
