package namesrv

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"gonamesrv/engine"
	"gonamesrv/route"
)

// Opened implements engine.Handler.
func (s *Server) Opened(engine.Conn) {}

// Closed removes the brokers of a connection that its peer or the network has
// ended (peerClosed says when), after every request of that connection which is still in the pool: none
// can bring them back. One that we have closed says nothing of its brokers: they
// live on until they are silent for too long.
// Java: BrokerHousekeepingService, which removes them in any case.
func (s *Server) Closed(c engine.Conn, err error) {
	s.late.abandon(c.ID())
	s.damper.forget(c.ID())
	if tag := connTag(c.Tag()); tag != 0 {
		s.clients.leave(tag.kind())
	}
	if s.draining.Load() || errors.Is(err, engine.ErrShutdown) {
		return // it is us who leave
	}
	s.pools.regular.Post(c, func() {
		if !s.brokerConns.remove(c.ID()) {
			return // no broker has ever registered over it
		}
		if engine.PeerLeft(err) {
			s.peerClosed(c)
		} else if n := s.table.ForgetConn(c.ID()); n > 0 {
			s.logLimited(slog.LevelInfo, "connection closed by us, its brokers stay", func() []any {
				return []any{"conn", c.ID(), "remote", c.RemoteAddr(), "brokers", n, "err", clip(err.Error())}
			})
		}
	})
}

// scan removes silent brokers until ctx is done, but not in the moment after a
// pause of the process: their heartbeats may lie in the sockets.
// Java: NamesrvController#startScheduleService, scanNotActiveBroker.
func (s *Server) scan(ctx context.Context) {
	tick := time.NewTicker(s.config().ScanNotActiveBrokerInterval)
	defer tick.Stop()
	defer s.scanned.Store(0)
	for {
		s.scanned.Store(max(1, int64(s.clock.Now())))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if ctx.Err() == nil && s.settled() {
				s.scanOnce(s.nowMillis())
			}
		}
	}
}

// scanOnce closes the connections of expired brokers too, unless a broker lives on
// the same connection. Whether one does is decided in the pool, among the
// connection's own requests: so no registration can come between the decision and
// the close, and those that wait are heard first.
func (s *Server) scanOnce(nowMillis int64) {
	began := s.clock.Now()
	defer func() { s.scanTime.Add(int64(s.clock.Now() - began)) }()
	expired, events := s.table.By(route.Moment{NowMillis: nowMillis, WallMillis: s.wallMillis()}, route.Origin{}).Scan(s.protection, s.config().protectionPolicy(), s.pulse())
	s.logProtection(events)
	for _, b := range expired {
		c := s.brokerConns.get(b.Conn)
		if c == nil {
			continue
		}
		s.pools.regular.Post(c, func() {
			if !s.table.HasBrokers(c.ID()) {
				c.Close(errBrokerExpired)
			}
		})
	}
	s.table.SweepBodies()
	s.table.History().Sweep(nowMillis, s.isMemoryTight())
}

// logKVConfigs writes the KV config into the log a minute after the start and
// every ten minutes then, until ctx is done.
func (s *Server) logKVConfigs(ctx context.Context) {
	next := time.NewTimer(time.Minute)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
			s.logKVConfig()
			next.Reset(10 * time.Minute)
		}
	}
}

// brokerConns are the open connections over which brokers register, by
// ID: those that the scan may have to close.
type brokerConns struct {
	mu   sync.Mutex
	byID map[uint64]brokerConn // under mu
}

// A brokerConn is one of them.
type brokerConn struct {
	engine.Conn
	account  string    // that the last registration was let in by; "" if nobody had to look
	verified *verified // it, if its signature was right; nil if not, or nobody had to look
}

func (b *brokerConns) add(c engine.Conn, key *accessKey, v *verified) {
	with := brokerConn{Conn: c, verified: v}
	if key != nil {
		with.account = key.key
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byID == nil {
		b.byID = map[uint64]brokerConn{}
	}
	b.byID[c.ID()] = with
}

// remove reports whether id was there.
func (b *brokerConns) remove(id uint64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.byID[id]
	delete(b.byID, id)
	return ok
}

// get returns a connection, nil if it is closed.
func (b *brokerConns) get(id uint64) engine.Conn {
	c, _ := b.getWith(id)
	return c
}

// getWith returns its account too.
func (b *brokerConns) getWith(id uint64) (c engine.Conn, account string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	with := b.byID[id]
	return with.Conn, with.account
}

// verifiedOn returns which registration was verified last over a connection, nil if none
// was.
func (b *brokerConns) verifiedOn(id uint64) *verified {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byID[id].verified
}
