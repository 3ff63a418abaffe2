package namesrv

import (
	"context"
	"errors"
	"sync"
	"time"

	"gonamesrv/engine"
)

// Opened implements engine.Handler.
func (s *Server) Opened(engine.Conn) {}

// Closed removes the brokers of a connection, after every request of that
// connection which is still in the pool: none can bring them back.
// Java: BrokerHousekeepingService.
func (s *Server) Closed(c engine.Conn, err error) {
	if s.draining.Load() || errors.Is(err, engine.ErrShutdown) {
		return // it is us who leave
	}
	s.pools.regular.Post(c, func() {
		s.brokerConns.remove(c.ID())
		s.table.ConnClosed(c.ID())
	})
}

// scan removes silent brokers until ctx is done.
// Java: NamesrvController#startScheduleService, scanNotActiveBroker.
func (s *Server) scan(ctx context.Context) {
	tick := time.NewTicker(s.config().ScanNotActiveBrokerInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.scanOnce(s.nowMillis())
		}
	}
}

// scanOnce closes the connections of expired brokers too, unless another broker
// still lives on the same connection.
func (s *Server) scanOnce(nowMillis int64) {
	for _, b := range s.table.ScanNotActiveBroker(nowMillis) {
		if c := s.brokerConns.get(b.Conn); c != nil && b.ConnIdle {
			c.Close(errBrokerExpired)
		}
	}
	s.table.SweepBodies()
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
	byID map[uint64]engine.Conn // under mu
}

func (b *brokerConns) add(c engine.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byID == nil {
		b.byID = map[uint64]engine.Conn{}
	}
	b.byID[c.ID()] = c
}

func (b *brokerConns) remove(id uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.byID, id)
}

func (b *brokerConns) get(id uint64) engine.Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byID[id]
}
