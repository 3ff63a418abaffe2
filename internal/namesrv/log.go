package namesrv

import (
	"log/slog"
	"sync/atomic"

	"golang.org/x/time/rate"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/route"
)

// Peers decide how often something happens, so the lines about it are bounded:
// a cluster of thousands may start at once, a flood may not fill the disk.
const (
	eventLinesPerSecond = 100
	eventLinesAtOnce    = 10_000
)

// An eventLog bounds the lines about events and counts those it holds back.
type eventLog struct {
	limit *rate.Limiter
	held  atomic.Int64
}

func newEventLog() *eventLog {
	return &eventLog{limit: rate.NewLimiter(eventLinesPerSecond, eventLinesAtOnce)}
}

// noteOverload says that a request was refused because its queue is full, or its
// connection's share of it, once a second at most.
func (s *Server) noteOverload(c engine.Conn, code codec.RequestCode) {
	s.overloads.Do(func() {
		s.log.Warn("request refused, queue full", "code", int32(code), "conn", c.ID(), "remote", c.RemoteAddr(),
			"refusedSoFar", s.counters.overloaded.Load())
	})
}

// logEvent writes what a change of the route table did. Java:
// RouteInfoManager's log lines.
func (s *Server) logEvent(e route.Event) {
	if !s.events.limit.Allow() {
		s.events.held.Add(1)
		return
	}
	if held := s.events.held.Swap(0); held > 0 {
		s.log.Warn("events not logged", "suppressed", held)
	}
	attrs := []any{slog.String("cluster", e.Cluster), slog.String("broker", e.BrokerName)}
	if e.Kind != route.BrokerSetRemoved {
		attrs = append(attrs, slog.Int64("brokerId", e.BrokerID), slog.String("addr", e.Addr))
	}
	switch e.Kind {
	case route.BrokerRegistered:
		s.log.Info("broker registered", attrs...)
	case route.RegistrationRefused:
		s.log.Warn("registration refused", attrs...)
	case route.BrokerUnregistered:
		s.log.Info("broker unregistered", attrs...)
	case route.BrokerDisplaced:
		s.log.Info("broker displaced", attrs...)
	case route.BrokerConnLost:
		s.log.Info("broker connection lost", attrs...)
	case route.BrokerExpired:
		s.log.Info("broker expired", attrs...)
	case route.BrokerSetRemoved:
		s.log.Info("broker name removed", append(attrs, slog.Int("topics", e.Topics))...)
	case route.MinBrokerIDChanged:
		s.log.Info("smallest broker id changed", attrs...)
	}
}
