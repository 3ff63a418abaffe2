package namesrv

import (
	"context"
	"log/slog"
	"sync"

	"golang.org/x/time/rate"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/route"
)

// Peers decide how often something happens, so the lines about it are bounded,
// for each kind of event: a cluster of thousands may start at once, a flood may
// neither fill the disk nor hide what else happens.
const (
	eventLinesPerSecond = 50
	eventLinesAtOnce    = 5000
)

// eventLines are what is said of each kind of event.
var eventLines = [...]struct {
	level slog.Level
	msg   string
}{
	route.BrokerRegistered:    {slog.LevelInfo, "broker registered"},
	route.RegistrationRefused: {slog.LevelWarn, "registration refused"},
	route.BrokerUnregistered:  {slog.LevelInfo, "broker unregistered"},
	route.BrokerDisplaced:     {slog.LevelWarn, "broker displaced, another registers with its name and ID"},
	route.BrokerConnLost:      {slog.LevelInfo, "broker connection lost"},
	route.BrokerExpired:       {slog.LevelInfo, "broker expired"},
	route.BrokerSetRemoved:    {slog.LevelInfo, "broker name removed"},
	route.MinBrokerIDChanged:  {slog.LevelInfo, "smallest broker id changed"},
	route.BrokerNameShared:    {slog.LevelWarn, "broker name taken over, another cluster registers it"},
	route.TopicsDropped:       {slog.LevelWarn, "topics removed, the registration does not list them"},

	route.RestoredTopicsDropped: {slog.LevelInfo, "restored topics removed, the broker does not list them any more"},
}

// An eventLog bounds the lines about events and counts those it holds back.
// Safe from any goroutine.
type eventLog [len(eventLines)]struct {
	limit *rate.Limiter
	mu    sync.Mutex
	held  int // under mu
}

func newEventLog() *eventLog {
	l := &eventLog{}
	for i := range l {
		l[i].limit = rate.NewLimiter(eventLinesPerSecond, eventLinesAtOnce)
	}
	return l
}

// allow reports whether a line of this kind may be written, and how many were
// held back since the last one.
func (l *eventLog) allow(kind route.EventKind) (held int, ok bool) {
	k := &l[kind]
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.limit.Allow() {
		k.held++
		return 0, false
	}
	held, k.held = k.held, 0
	return held, true
}

// noteOverload says that a request was refused because its queue is full, or its
// connection's share of it.
func (s *Server) noteOverload(c engine.Conn, code codec.RequestCode) {
	s.logLimited(slog.LevelWarn, "request refused, queue full", func() []any {
		return []any{
			"code", int32(code), "conn", c.ID(), "remote", c.RemoteAddr(),
			"refusedSoFar", s.dispatch.refused(reasonQueueFull),
		}
	})
}

// logEvent writes what a change of the route table did. Java:
// RouteInfoManager's log lines.
func (s *Server) logEvent(e route.Event) {
	line := eventLines[e.Kind]
	ctx := context.Background()
	if !s.log.Enabled(ctx, line.level) {
		return
	}
	held, ok := s.events.allow(e.Kind)
	if !ok {
		return
	}
	attrs := []slog.Attr{slog.String("cluster", clip(e.Cluster)), slog.String("broker", clip(e.BrokerName))}
	if e.Kind != route.BrokerSetRemoved {
		attrs = append(attrs, slog.Int64("brokerId", e.BrokerID), slog.String("addr", clip(e.Addr)))
	}
	switch e.Kind {
	case route.BrokerDisplaced, route.BrokerNameShared:
		attrs = append(attrs, slog.String("byCluster", clip(e.ByCluster)), slog.String("byAddr", clip(e.ByAddr)))
	case route.BrokerSetRemoved:
		attrs = append(attrs, slog.Int("topics", e.Topics))
	case route.TopicsDropped:
		attrs = append(attrs, slog.Int("topics", e.Topics), slog.Int("kept", e.Kept))
		if e.Kept == 0 {
			// Parts have no topic in common, a whole table has the broker's own.
			attrs = append(attrs, slog.String("hint", "looks like enableSplitRegistration=true of a broker, which does not go with deleteTopicWithBrokerRegistration=true: each part removes the topics of the others"))
		}
	case route.RestoredTopicsDropped:
		attrs = append(attrs, slog.Int("topics", e.Topics), slog.Int("kept", e.Kept))
	}
	if held > 0 {
		attrs = append(attrs, slog.Int("suppressed", held))
	}
	s.log.LogAttrs(ctx, line.level, line.msg, attrs...)
}
