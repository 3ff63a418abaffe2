package route

import (
	"math"
	"slices"
)

// Leaving is decided in one place and done in another. Due says who has been
// silent for too long, Remove makes those leave that are still so. Between the
// two, without the lock, whoever calls them may hold some of them back (and mark
// them, Suspect), for it may be us who cannot hear them. ScanNotActiveBroker lets
// all go at once, as Java does.

// A DueBroker is a live broker that was found due to leave, and what was known of
// it then.
type DueBroker struct {
	BrokerKey
	LastUpdateMillis int64  // when it was last heard of
	TimeoutMillis    int64  // how long it may be silent
	Conn             uint64 // the connection of its last registration; 0 is none
	// Restored says that nothing was heard of it since Restore: it is its window
	// that has ended, not its time-out.
	Restored bool

	live *liveBroker
	at   int64 // when it was found due
}

// IsSuspect reports whether the broker is suspect, now.
func (d *DueBroker) IsSuspect() bool { return d.live.isSuspect() }

// Due returns every broker that has been silent for longer than its timeout at the
// given time, and changes nothing that a reader sees. Those that stay are returned
// again next time, unless they have been heard of. The cost goes with the number of
// those that may have expired and of those that were due before, not with that of
// all.
// Java: RouteInfoManager#scanNotActiveBroker.
func (t *Table) Due(nowMillis int64) []DueBroker {
	t.mu.Lock()
	defer t.unlock()
	for t.scanning {
		t.turns.Wait()
	}
	t.scanning = true
	defer func() {
		t.scanning = false
		t.turns.Broadcast()
	}()
	for n := len(t.overdue); n > 0; n = len(t.overdue) { // perhaps they are not any more
		t.expire(t.overdue[n-1], t.overdue[n-1].deadlineMillis())
		t.work++
		t.pause()
	}
	var due []DueBroker
	for len(t.expiry) > 0 && t.expiry[0].deadline < nowMillis {
		l := t.expiry[0]
		last := l.lastUpdate.Load()
		if l.deadlineAfter(last) >= nowMillis {
			t.expire(l, max(l.lookAgain(nowMillis), nowMillis))
		} else {
			t.setAside(l)
			due = append(due, DueBroker{
				BrokerKey: l.key, LastUpdateMillis: last, TimeoutMillis: l.timeoutMillis, Conn: l.conn,
				Restored: l.isUnheard(last), live: l, at: nowMillis,
			})
		}
		t.work++
		t.pause()
	}
	return due
}

// stillDue reports whether nothing has been heard of the broker since. Under mu.
func (d *DueBroker) stillDue() bool {
	l := d.live
	return !l.doomed && l.lastUpdate.Load() == d.LastUpdateMillis && l.timeoutMillis == d.TimeoutMillis
}

// Remove removes those brokers of a Due that have not been heard of since, and
// returns them. kind says why, in the events: BrokerExpired.
func (t *Table) Remove(due []DueBroker, kind EventKind) []ExpiredBroker {
	return t.By(Moment{}, Origin{}).Remove(due, kind)
}

// Remove is Table.Remove.
func (c Changer) Remove(due []DueBroker, kind EventKind) []ExpiredBroker {
	if len(due) == 0 {
		return nil
	}
	t := c.t
	c.at.NowMillis = max(c.at.NowMillis, due[0].at)
	c.lock()
	defer t.unlock()
	var expired []ExpiredBroker
	var links []*link
	for i := range due {
		l := due[i].live
		t.work++
		if due[i].stillDue() {
			expired = append(expired, ExpiredBroker{BrokerKey: l.key, Conn: l.conn})
			links = append(links, l.owners...)
			t.doom(l)
		}
		t.pause()
	}
	c.depart(links, kind)
	return expired
}

// Suspect marks those brokers of a Due that have not been heard of since: they are
// held back, and may be gone. A registration or a heartbeat takes the mark away. It
// shows in LiveInfo.IsSuspect of every View at once, and nowhere else: nobody is
// answered otherwise, and there is no new View. Lock-free.
func (t *Table) Suspect(due []DueBroker) {
	for i := range due {
		due[i].live.suspected.Store(suspicion(due[i].LastUpdateMillis))
	}
}

// suspicion is what liveBroker.suspected holds while a broker is suspect that was
// last heard of at the given time. So the suspicion ends by itself when anybody hears
// of the broker. 0 stands for none.
func suspicion(lastMillis int64) int64 {
	if lastMillis == 0 {
		return math.MinInt64
	}
	return lastMillis
}

func (l *liveBroker) isSuspect() bool { return l.suspected.Load() == suspicion(l.lastUpdate.Load()) }

// IsSuspect reports whether the broker is held back although it is due to leave,
// now, not at the time of the View.
func (l *LiveInfo) IsSuspect() bool { return l.live.isSuspect() }

// setAside moves l from the queue of those that may expire to those that have.
// Under mu.
func (t *Table) setAside(l *liveBroker) {
	t.unexpire(l)
	l.overdue, l.index = true, len(t.overdue)
	t.overdue = append(t.overdue, l)
}

// unexpire takes l out of the queue it is in, if it is in one. Under mu.
func (t *Table) unexpire(l *liveBroker) {
	switch {
	case l.index < 0:
	case l.overdue:
		last := len(t.overdue) - 1
		t.overdue[l.index] = t.overdue[last]
		t.overdue[l.index].index = l.index
		t.overdue = slices.Delete(t.overdue, last, last+1)
	default:
		t.expiry.remove(l)
	}
	l.overdue, l.index = false, -1
}
