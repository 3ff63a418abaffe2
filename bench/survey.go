package bench

import (
	"sync/atomic"

	"gonamesrv/codec"
)

// A survey notes what readers are told of routes while something happens to
// the server or to its brokers. All brokers live as far as clients can know, so
// each route should be whole: name all brokers that it named before.
//
// A shrunken route does more harm than none. A client that is told nothing
// keeps the route it has; one that is told of fewer brokers drops the others.
type survey struct {
	begun      atomic.Int64 // in the run's nanoseconds; 0 while nothing is noted
	back       atomic.Int64 // what leaves from then on is answered after the server was away
	firstWhole atomic.Int64 // when the first whole route came of what left after back
	first      atomic.Int64 // when the first came that was missing or shrunken
	last       atomic.Int64 // and the last
}

// covers reports whether a request that left at since belongs to the survey.
func (s *survey) covers(since int64) bool {
	begun := s.begun.Load()
	return begun > 0 && since >= begun
}

// whole notes a route that was as it should be.
func (s *survey) whole(since, now int64) {
	if back := s.back.Load(); back > 0 && since >= back {
		s.firstWhole.CompareAndSwap(0, now)
	}
}

// lacking notes a reply that lacked brokers.
func (s *survey) lacking(now int64) {
	s.first.CompareAndSwap(0, now)
	for {
		last := s.last.Load()
		if last >= now || s.last.CompareAndSwap(last, now) {
			return
		}
	}
}

// surveyMissing notes that the server knew no route of t.
func (t *topic) surveyMissing(since int64) {
	f := t.fleet
	if !f.survey.covers(since) {
		return
	}
	t.lost.Store(true)
	for _, b := range t.brokers {
		b.leftOut.Store(true)
	}
	f.survey.lacking(f.now())
}

// survey judges a route in which nothing is wrong by whether it is whole.
func (t *topic) survey(route *codec.TopicRouteData, since int64) (errorKind string) {
	f := t.fleet
	if !f.survey.covers(since) {
		return ""
	}
	if len(route.BrokerDatas) >= len(t.brokers) {
		f.survey.whole(since, f.now())
		return ""
	}
	t.shrunk.Store(true)
	for _, b := range t.brokers {
		if !names(route, b.name) {
			b.leftOut.Store(true)
		}
	}
	f.survey.lacking(f.now())
	return ErrorShrunken
}

// disturb begins a survey: from now on no broker must be in a route, and none
// must not.
func (f *fleet) disturb(now int64) {
	f.disturbed.Store(true)
	for _, b := range f.brokers {
		f.set(b, brokerMoving, now)
	}
	f.survey.begun.Store(now)
}

// settle ends it: from now on all brokers must be in their routes again.
func (f *fleet) settle(now int64) {
	f.survey.begun.Store(0)
	for _, b := range f.brokers {
		f.set(b, brokerThere, now)
	}
	f.disturbed.Store(false)
}

// The phase of the event, and the operation of the readers, in a run that is
// about an event: see survive.
const (
	eventPhase = 2
	readersOp  = 0
)

// survival puts together what the survey has found; the driver is closed.
func (r *run) survival() *Survival {
	sum := r.d.tally(eventPhase, readersOp)
	count := func(kinds ...string) (n uint64) {
		for _, k := range kinds {
			n += sum.errors[k]
		}
		return n
	}
	s := &Survival{
		Event: r.event, Lookups: sum.sent + count(ErrorConnect, ErrorOverrun),
		Unreached: count(ErrorConnect, ErrorClosed), NotFound: count(ErrorNotReady), Refused: count(ErrorBusy),
		Unanswered: count(ErrorUnanswered, ErrorOverrun), Shrunken: count(ErrorShrunken),
		Recovery: &r.recovery,
		Topics:   len(r.fleet.topics), Brokers: len(r.fleet.brokers), RegistrationsMissed: r.missedRegistrations(),
	}
	s.Failed = s.Unreached + s.NotFound + s.Refused + s.Unanswered
	if sum.latency != nil {
		for _, bar := range sum.latency.Distribution() {
			if bar.From > int64(clientPatience) {
				s.Late += uint64(bar.Count)
			}
		}
	}
	for _, t := range r.fleet.topics {
		if t.lost.Load() {
			s.TopicsLost++
		}
		if t.shrunk.Load() {
			s.TopicsShrunken++
		}
	}
	for _, b := range r.fleet.brokers {
		if b.leftOut.Load() {
			s.BrokersLeftOut++
		}
	}
	if first := r.fleet.survey.first.Load(); first > 0 {
		s.LackingFrom, s.LackingTo = seconds(first-r.begun), seconds(r.fleet.survey.last.Load()-r.begun)
	}
	return s
}
