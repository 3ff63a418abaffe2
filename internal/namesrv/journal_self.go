package namesrv

import (
	"context"
	"fmt"
	"time"

	"gonamesrv/route"
)

// What becomes of the server itself, as the journal has it. Nothing of it can be caused
// by peers more than once a minute, but for what only an operator can.

const (
	selfInterval = time.Second
	shedInterval = time.Minute // between two events of what there was no room for
)

// A selfWatch is what was told of the server last. Of the goroutine that watches.
type selfWatch struct {
	served bool // peers are served
	ready  bool // and routes are given
	paused time.Duration
	shed   uint64
	shedAt time.Duration // not before
}

// watchSelf tells of what nobody is called for when it happens, until ctx is done.
func (s *Server) watchSelf(ctx context.Context) {
	tick := time.NewTicker(selfInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.lookAtSelf(&s.self)
		}
	}
}

// lookAtSelf tells what has changed since the last look.
func (s *Server) lookAtSelf(w *selfWatch) {
	if ready := s.hasServed() && !s.mustWait(s.config()); s.hasServed() && (!w.served || ready != w.ready) {
		w.served, w.ready = true, ready
		if ready {
			s.note(route.JournalServerReady, route.EventDetails{})
		} else {
			s.note(route.JournalServerNotReady, route.EventDetails{Reason: "needWaitForService"})
		}
	}
	if paused := s.clock.Paused(); paused != w.paused {
		s.note(route.JournalServerPaused, route.EventDetails{Reason: "it has stood still", Count: (paused - w.paused).Milliseconds()})
		w.paused = paused
	}
	shed := uint64(s.dispatch.refused(reasonNoMemory)) + s.engine.Stats().ClosedOverloaded
	if now := s.uptime(); shed != w.shed && now >= w.shedAt {
		s.note(route.JournalBudgetShed, route.EventDetails{Reason: "memoryBudget", Count: int64(shed - w.shed)})
		w.shed, w.shedAt = shed, now+shedInterval
	}
}

// protectionTypes are the types of what self-protection tells.
var protectionTypes = map[route.ProtectionEventKind]route.JournalType{
	route.ProtectionEntered:   route.JournalProtectionEntered,
	route.ProtectionLeft:      route.JournalProtectionLeft,
	route.ProtectionCeiling:   route.JournalProtectionCeiling,
	route.ProtectionReleased:  route.JournalProtectionReleased,
	route.ProtectionMassClose: route.JournalProtectionMassClose,
}

// journalProtection adds what has become of a scope. The rule tells of each kind once a
// minute and scope at most.
func (s *Server) journalProtection(e route.ProtectionEvent) {
	d := &route.EventDetails{
		Reason: e.Cause, Count: int64(e.Brokers),
		Args: fmt.Sprintf("zone=%s state=%v live=%d overdue=%d selfProtection=%s", clip(e.Zone), e.State, e.Live, e.Overdue, s.config().SelfProtection),
	}
	s.journal.Note(route.JournalEvent{AtMillis: s.wallMillis(), Type: protectionTypes[e.Kind], Cluster: e.Cluster, Details: d})
	s.auditNote(protectionTypes[e.Kind], d)
}

// journalLoad adds what the server begins with.
func (s *Server) journalLoad(r RouteLoadStats) {
	reason := r.Result
	if r.Why != "" {
		reason += ": " + r.Why
	}
	d := route.EventDetails{Reason: reason, Count: int64(r.Brokers)}
	if r.File != "" {
		d.Args = fmt.Sprintf("brokers=%d topics=%d ageMillis=%d file=%s", r.Brokers, r.Topics, r.Age.Milliseconds(), r.File)
	}
	s.note(route.JournalWarmLoaded, d)
}

// journalReload adds that TLS files have changed, and whether they can be used.
func (s *Server) journalReload(err error) {
	d := route.EventDetails{Reason: "in force for new connections"}
	if err != nil {
		d.Reason = "cannot be used: " + err.Error()
	}
	s.note(route.JournalTLSReloaded, d)
}

// journalStart adds that the process has begun.
func (s *Server) journalStart() {
	s.note(route.JournalServerStarted, route.EventDetails{Args: fmt.Sprintf("version=%s listenPort=%d", Version(), s.config().ListenPort)})
}
