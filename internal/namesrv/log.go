package namesrv

import (
	"context"
	"errors"
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

// Messages that more than one file knows.
const (
	msgServes        = "name server serves"
	msgAdminChange   = "admin change"
	msgTopicsChanged = "topics changed"
	msgNotReady      = "routes are not given yet, needWaitForService"
	msgBadCRC        = "registration refused, its checksum is not that of its body"
	msgKeyChanged    = "key of the configuration changed"
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
	route.BrokerExpired:       {slog.LevelWarn, "broker expired"}, // Java's level
	route.BrokerSetRemoved:    {slog.LevelInfo, "broker name removed"},
	route.MinBrokerIDChanged:  {slog.LevelInfo, "smallest broker id changed"},
	route.BrokerNameShared:    {slog.LevelWarn, "broker name taken over, another cluster registers it"},
	route.TopicsDropped:       {slog.LevelWarn, "topics removed, the registration does not list them"},

	route.RestoredTopicsDropped: {slog.LevelInfo, "restored topics removed, the broker does not list them any more"},
}

// An eventLog bounds the lines about events and counts those it holds back.
// Safe from any goroutine.
type eventLog struct {
	byKind [len(eventLines)]eventLimit
	topics eventLimit // msgTopicsChanged
}

// An eventLimit bounds the lines of one kind.
type eventLimit struct {
	limit *rate.Limiter
	mu    sync.Mutex
	held  int    // under mu; since the last line
	total uint64 // under mu; since the start
}

func newEventLog() *eventLog {
	l := &eventLog{}
	for i := range l.byKind {
		l.byKind[i].limit = newEventLimiter()
	}
	l.topics.limit = newEventLimiter()
	return l
}

func newEventLimiter() *rate.Limiter { return rate.NewLimiter(eventLinesPerSecond, eventLinesAtOnce) }

// allow reports whether a line of this kind may be written, and how many were
// held back since the last one.
func (k *eventLimit) allow() (held int, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.limit.Allow() {
		k.held++
		k.total++
		return 0, false
	}
	held, k.held = k.held, 0
	return held, true
}

func (k *eventLimit) heldBack() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.total
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

// Why a registration is refused: the words of the attribute.
const (
	whySingleTopic  = "the first registration has a single topic"
	whyStateVersion = "another address has the broker ID, with a newer state version"
)

func refusedAttrs(e *route.Event) []slog.Attr {
	if errors.Is(e.Refused, route.ErrStateVersion) {
		return []slog.Attr{
			slog.String("why", whyStateVersion), slog.Int64("stateVersion", e.StateVersion),
			slog.String("byAddr", clip(e.ByAddr)), slog.Int64("byStateVersion", e.ByStateVersion),
		}
	}
	return []slog.Attr{slog.String("why", whySingleTopic), slog.String("topic", clip(e.Topic))}
}

// noteTopics says what a registration has changed of topics: one line, however many
// they are.
func (s *Server) noteTopics(reg *route.Registration) {
	c := &reg.Changes
	if !c.Any() || !s.log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	held, ok := s.events.topics.allow()
	if !ok {
		return
	}
	attrs := []slog.Attr{
		slog.String("cluster", clip(reg.Cluster)), slog.String("broker", clip(reg.BrokerName)), slog.Int64("brokerId", reg.BrokerID), slog.String("addr", clip(reg.BrokerAddr)),
		slog.Int("new", c.New), slog.Int("added", c.Added), slog.Int("changed", c.Changed),
	}
	for _, l := range []struct {
		key   string
		names []string
		most  int // five in all
	}{{"newNames", c.NewNames, 2}, {"addedNames", c.AddedNames, 1}, {"changedNames", c.ChangedNames, 2}} {
		if len(l.names) > 0 {
			attrs = append(attrs, slog.String(l.key, someOf(l.names[:min(len(l.names), l.most)])))
		}
	}
	if held > 0 {
		attrs = append(attrs, slog.Int("suppressed", held))
	}
	s.log.LogAttrs(context.Background(), slog.LevelInfo, msgTopicsChanged, attrs...)
}

// logEvent writes what a change of the route table did. Java:
// RouteInfoManager's log lines.
func (s *Server) logEvent(e route.Event) {
	line := eventLines[e.Kind]
	ctx := context.Background()
	if !s.log.Enabled(ctx, line.level) {
		return
	}
	held, ok := s.events.byKind[e.Kind].allow()
	if !ok {
		return
	}
	attrs := []slog.Attr{slog.String("cluster", clip(e.Cluster)), slog.String("broker", clip(e.BrokerName))}
	if e.Kind != route.BrokerSetRemoved {
		attrs = append(attrs, slog.Int64("brokerId", e.BrokerID), slog.String("addr", clip(e.Addr)))
	}
	switch e.Kind {
	case route.BrokerRegistered:
		attrs = append(attrs, slog.String("haServerAddr", clip(e.HAServerAddr)))
	case route.RegistrationRefused:
		attrs = append(attrs, refusedAttrs(&e)...)
	case route.BrokerExpired:
		attrs = append(attrs, slog.Int64("silentMs", s.nowMillis()-e.LastUpdateMillis), slog.Int64("timeoutMs", e.TimeoutMillis))
	case route.MinBrokerIDChanged:
		if e.MinID != nil && e.MinID.OfflineBrokerAddr != "" {
			attrs = append(attrs, slog.String("offlineAddr", clip(e.MinID.OfflineBrokerAddr)))
		}
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
