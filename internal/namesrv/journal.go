package namesrv

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/metrics"
	"strings"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/route"
)

// What the server adds to the journal of the route table: what operators have asked
// for, and what has become of itself.

// The bounds of journalSize and historyBudget.
const (
	leastJournal = 1 << 10
	mostJournal  = 1 << 20
	mostHistory  = 4 << 30
	historyShare = 16 // of the memory there is, for the journal and for the history each
)

// journalFaults are what is wrong with the keys of this file.
func (c *Config) journalFaults() (faults []error) {
	if c.JournalSize < leastJournal || c.JournalSize > mostJournal {
		faults = append(faults, fmt.Errorf("namesrv: journalSize is %d, must be from %d to %d", c.JournalSize, leastJournal, mostJournal))
	}
	if c.HistoryBudget < 0 || c.HistoryBudget > mostHistory {
		faults = append(faults, fmt.Errorf("namesrv: historyBudget is %d, must be from 0 to %d", c.HistoryBudget, int64(mostHistory)))
	}
	return faults
}

// historyBytes returns what route.Options.HistoryBytes is to be, on a machine with so
// much memory.
func (c *Config) historyBytes(memory int64) int64 {
	if n := min(c.HistoryBudget, memory/historyShare); n > 0 {
		return n
	}
	return -1
}

// Journal returns what has happened: to brokers and topics, by operators, and to the
// server. It is the same from New on, whatever table the server begins with. Safe from
// any goroutine.
//
//	events, next, err := s.Journal().Read(since, &route.JournalFilter{…}, 100)
//	changed, cancel, err := s.Journal().Watch()
func (s *Server) Journal() *route.Journal { return s.journal }

// History returns how the routes were before, for topics that are gone:
//
//	past, ok := s.History().Topic(name)
//
// Safe from any goroutine. Before the server is ready it may be that of a table that
// another one takes the place of.
func (s *Server) History() *route.History { return s.tableNow().History() }

// moment is now.
func (s *Server) moment() route.Moment {
	return route.Moment{NowMillis: s.nowMillis(), WallMillis: s.wallMillis()}
}

// origin is who has sent r.
func (r *request) origin() route.Origin {
	return route.Origin{Conn: r.conn.ID(), Remote: remoteOf(r.conn), Code: r.cmd.Code}
}

// remoteOf is who is at the other end of a connection: who a proxy speaks for, if it is
// trusted.
func remoteOf(c engine.Conn) netip.AddrPort {
	if claimed := c.Claimed(); claimed.IsValid() {
		return claimed
	}
	return c.Peer()
}

// tableOf returns the table as the sender of r changes it.
func (s *Server) tableOf(r *request) route.Changer { return s.table.By(s.moment(), r.origin()) }

// note adds an event that is not of a table.
func (s *Server) note(kind route.JournalType, d route.EventDetails) {
	s.auditNote(kind, &d)
	s.journal.Note(route.JournalEvent{AtMillis: s.wallMillis(), Type: kind, Details: &d})
}

// adminEvents are the types of what operators change that is in no table: of the others
// the table tells itself, with what they have changed.
var adminEvents = map[codec.RequestCode]route.JournalType{
	codec.ReqPutKVConfig:         route.JournalKVPut,
	codec.ReqDeleteKVConfig:      route.JournalKVDeleted,
	codec.ReqUpdateNamesrvConfig: route.JournalConfigChanged,
}

// journalChange adds the event of an operator's request, unless the table has: one that
// changed nothing has none, but for one that was refused.
func (s *Server) journalChange(r *request, c *adminChange) {
	kind, ok := adminEvents[c.Code]
	switch {
	case c.Reply != codec.RespSuccess:
		kind = route.JournalAdminRefused
	case !ok || !c.Changed:
		return
	}
	e := route.JournalEvent{AtMillis: s.wallMillis(), Type: kind, Cause: route.Cause{Kind: route.CauseAdmin}, Origin: r.origin()}
	e.Details = &route.EventDetails{Reason: c.Remark, Args: attrsText(c.Args)}
	if c.Changed {
		e.Details.Before, e.Details.After = valueText(c.Before), valueText(c.After)
	}
	s.journal.Note(e)
}

// attrsText writes what a line of the log has.
func attrsText(attrs []slog.Attr) string {
	var text strings.Builder
	for i, a := range attrs {
		if text.Len() > clipLength {
			break
		}
		if i > 0 {
			text.WriteByte(' ')
		}
		fmt.Fprintf(&text, "%s=%s", a.Key, valueText(a.Value))
	}
	return text.String()
}

func valueText(v slog.Value) string {
	if v.Kind() != slog.KindGroup {
		return v.String()
	}
	return attrsText(v.Group())
}

// tableLosing returns the table as it changes because a connection has closed.
func (s *Server) tableLosing(c engine.Conn) route.Changer {
	return s.table.By(s.moment(), route.Origin{Conn: c.ID(), Remote: remoteOf(c)})
}

// isMemoryTight reports whether three quarters of what peers may make us hold, by
// either half of the budget, are used, or of what the Go runtime may take: then nothing is
// kept that is not needed.
func (s *Server) isMemoryTight() bool {
	return max(s.budget.Held(), s.budget.Queued()) > s.budget.Limit()/8*3 || isHeapTight()
}

// isHeapTight reports whether what was alive after the last garbage collection is more
// than three quarters of GOMEMLIMIT: the collector runs more and more often then. It takes
// some microseconds.
func isHeapTight() bool {
	samples := [2]metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/gomemlimit:bytes"}}
	metrics.Read(samples[:])
	live, limit := samples[0].Value.Uint64(), samples[1].Value.Uint64()
	return live > limit/4*3
}
