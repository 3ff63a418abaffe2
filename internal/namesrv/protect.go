package namesrv

import (
	"log/slog"
	"time"

	"gonamesrv/engine"
	"gonamesrv/route"
)

// Self-protection: route.Protection decides which brokers leave; here is what it is
// told, and what is said of it.

// mostCloseHold bounds closeHoldMillis: route.Protection counts the connections that
// close within two seconds.
const mostCloseHold = 2 * time.Second

var protectionModes = map[string]route.ProtectionMode{
	"off": route.ProtectionOff, "monitor": route.ProtectionMonitor, "on": route.ProtectionOn,
}

func (c *Config) protectionPolicy() route.ProtectionPolicy {
	return route.ProtectionPolicy{Mode: protectionModes[c.SelfProtection], MaxMillis: c.SelfProtectionMax.Milliseconds()}
}

// pulse is what tells whether we hear anybody.
func (s *Server) pulse() route.Pulse {
	e := s.engine.Stats()
	return route.Pulse{BytesIn: e.BytesIn, Connections: e.Open, PausedMillis: s.clock.Paused().Milliseconds()}
}

// peerClosed removes the brokers of a connection that its peer or the network has
// ended: at once, or with selfProtection=on after closeHoldMillis, unless the
// connections of many have closed by then. It runs in the pool, behind the
// connection's own requests.
//
// Differs from Java: BrokerHousekeepingService removes them at once.
func (s *Server) peerClosed(c engine.Conn) {
	cfg := s.config()
	policy := cfg.protectionPolicy()
	brokers := s.table.BrokersOn(c.ID())
	wait := s.protection.Closed(s.nowMillis(), policy, s.clock.Paused().Milliseconds(), s.table.View(), brokers)
	if !wait && (policy.Mode != route.ProtectionOn || s.settled()) {
		s.tableLosing(c).ConnClosed(c.ID())
		return
	}
	s.judgeClosed(c, cfg.CloseHold)
}

// judgeClosed decides after a while about the brokers of a closed connection, but for
// those that have registered over another one meanwhile.
func (s *Server) judgeClosed(c engine.Conn, after time.Duration) {
	s.afterHold(after, func() {
		s.pools.regular.Post(c, func() {
			if s.draining.Load() {
				return
			}
			if !s.settled() { // the closes of many may lie in the sockets
				s.judgeClosed(c, max(after, settleRetry))
				return
			}
			brokers := s.table.BrokersOn(c.ID())
			held, events := s.protection.CloseHeld(s.nowMillis(), s.config().protectionPolicy(), s.clock.Paused().Milliseconds(), s.table.View(), brokers)
			s.logProtection(events)
			if held {
				s.table.ForgetConn(c.ID())
			} else {
				s.tableLosing(c).ConnClosed(c.ID())
			}
		})
	})
}

// settleRetry is how soon a closed connection is looked at again after a pause.
const settleRetry = 100 * time.Millisecond

// protectionLines are what is said of each kind of event.
var protectionLines = [...]struct {
	level slog.Level
	msg   string
}{
	route.ProtectionEntered:   {slog.LevelWarn, "self-protection entered"},
	route.ProtectionLeft:      {slog.LevelInfo, "self-protection left"},
	route.ProtectionCeiling:   {slog.LevelWarn, "self-protection has reached its limit, brokers that were held back leave"},
	route.ProtectionReleased:  {slog.LevelWarn, "brokers leave that were held back"},
	route.ProtectionMassClose: {slog.LevelWarn, "connections of many brokers closed together, the brokers stay"},
}

// logProtection writes what has become of scopes.
func (s *Server) logProtection(events []route.ProtectionEvent) {
	for _, e := range events {
		s.journalProtection(e)
		line := protectionLines[e.Kind]
		s.logLimited(line.level, line.msg, func() []any {
			return []any{
				"cluster", clip(e.Cluster), "zone", clip(e.Zone), "state", e.State.String(), "cause", e.Cause,
				"live", e.Live, "overdue", e.Overdue, "brokers", e.Brokers, "selfProtection", s.config().SelfProtection,
			}
		})
	}
}
