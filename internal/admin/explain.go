package admin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gonamesrv/route"
)

// The verdicts on a topic, or on a broker.
const (
	verdictRouted    = "routed"    // clients are told of all that there is, and can use it
	verdictPartly    = "partly"    // some broker is left out, or cannot be used in full, or had it until lately
	verdictReadOnly  = "readOnly"  // no producer may send
	verdictNotRouted = "notRouted" // clients are told of nothing
	verdictGated     = "gated"     // clients are told nothing yet, whatever there is
)

// The results of a step.
const (
	stepOK      = "ok"
	stepInfo    = "info"
	stepWarning = "warning"
	stepFailed  = "failed"
)

// An explainStep is one thing that was looked at.
type explainStep struct {
	Check  string `json:"check"`
	Result string `json:"result"`
	Text   string `json:"text"`
	Data   facts  `json:"data"` // null where the text says it all
}

// facts are what a step goes by, by name.
type facts map[string]any

// steps are what was looked at, in order.
type steps []explainStep

func (s *steps) add(check, result string, data facts, format string, args ...any) {
	*s = append(*s, explainStep{check, result, fmt.Sprintf(format, args...), data})
}

// mostNamed is how many names a text or a list of a step has.
const mostNamed = 10

// someNames is a list for a text.
func someNames(names []string) string {
	quotes := make([]string, 0, mostNamed)
	for _, name := range names[:min(len(names), mostNamed)] {
		quotes = append(quotes, quoted(name))
	}
	text := strings.Join(quotes, ", ")
	if more := len(names) - len(quotes); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func firstNames(names []string) []string {
	return append([]string{}, names[:min(len(names), mostNamed)]...)
}

// atTime is a moment in a text.
func atTime(millis int64) string { return time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05Z") }

// silentText is for how long a broker was silent.
func silentText(silent, timeout int64) string {
	return fmt.Sprintf("silent for %.1f s of %.1f s", float64(silent)/1000, float64(timeout)/1000)
}

// eventText is what an event says, in a text.
func eventText(e *route.JournalEvent) string {
	text := fmt.Sprintf("#%d %s at %s", e.Seq, e.Type, atTime(e.AtMillis))
	if e.Broker != "" {
		text += " of broker " + quoted(e.Broker)
	}
	if e.Addr != "" {
		text += " at " + quoted(e.Addr)
	}
	switch d := e.Details; {
	case e.Cause.Kind == route.CauseSilence:
		text += ", " + silentText(e.Cause.SilentMillis, e.Cause.TimeoutMillis)
	case d.ByAddr != "":
		text += ", by " + quoted(d.ByAddr)
	case e.Cause.Kind == route.CauseAdmin && e.Origin.Remote.IsValid():
		text += ", by " + e.Origin.Remote.String()
	}
	return text
}

// explainGate says whether routes are given.
func (s *steps) explainGate(gated bool, wait time.Duration) {
	switch {
	case gated && wait > 0:
		s.add("gate", stepFailed, facts{"waitMs": wait.Milliseconds()}, "no routes are given for %d s more: needWaitForService waits for brokers", int(wait.Seconds()+0.5))
	case gated:
		s.add("gate", stepFailed, nil, "not all brokers of before the restart have registered again: what is not known is not refused yet")
	default:
		s.add("gate", stepOK, nil, "routes are given")
	}
}

// lostTime is for how long after it a broker is lost that does not come back.
const lostTime = 15 * time.Minute

// departures are the types of events with which a broker goes.
var departures = []route.JournalType{route.JournalBrokerConnectionLost, route.JournalBrokerExpired, route.JournalBrokerUnregistered}

// lostBrokers returns of the events with which brokers have gone, oldest first, those of
// brokers that did not mean to and are not back: one for each name and ID, newest first.
func lostBrokers(v *route.View, gone []route.JournalEvent, nowMillis int64) (lost []*route.JournalEvent) {
	type who struct {
		name string
		id   int64
	}
	seen := map[who]bool{}
	for i := len(gone) - 1; i >= 0; i-- {
		e := &gone[i]
		if nowMillis-e.AtMillis > lostTime.Milliseconds() {
			continue
		}
		k := who{e.Broker, e.BrokerID}
		if seen[k] {
			continue
		}
		seen[k] = true
		if e.Type != route.JournalBrokerUnregistered && !hasMember(v, e.Broker, e.BrokerID) {
			lost = append(lost, e)
		}
	}
	return lost
}

func hasMember(v *route.View, name string, id int64) bool {
	b, ok := v.Broker([]byte(name))
	if !ok {
		return false
	}
	for m := range b.Members() {
		if m.ID == id {
			return true
		}
	}
	return false
}

// explainMember says what is known of a member of a broker set.
func explainMember(m *surveyedMember) (text string, data facts) {
	text = fmt.Sprintf("%s %d at %s is %s", m.role, m.ID, quoted(m.Addr), m.state)
	data = facts{"brokerId": number(m.ID), "addr": m.Addr, "role": m.role, "state": m.state, "ageMs": nil, "timeoutMs": nil}
	if l := m.live; l != nil {
		text += ", " + silentText(m.silence.Milliseconds(), l.TimeoutMillis)
		data["ageMs"], data["timeoutMs"] = m.silence.Milliseconds(), l.TimeoutMillis
	}
	return text, data
}

// whyNotActing says why a slave of a set without master is not shown as its master. perm
// is that of the queues.
func whyNotActing(supported, wanted bool, perm int32) string {
	switch {
	case !supported:
		return "supportActingMaster is off"
	case !wanted:
		return "the brokers do not want it (enableActingMaster)"
	case perm&permWrite != 0:
		return "its queues may be written to, and nobody may write to a slave"
	}
	return "it is left out"
}

// The permissions of queues.
// Java: PermName.
const (
	permInherit = 1
	permWrite   = 2
	permRead    = 4
)

func permText(perm int32) string {
	var words []string
	for _, p := range []struct {
		bit  int32
		word string
	}{{permRead, "read"}, {permWrite, "write"}, {permInherit, "inherit"}} {
		if perm&p.bit != 0 {
			words = append(words, p.word)
		}
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

// set returns the broker set of a name, nil if there is none.
func (sv *survey) set(name string) *surveyed {
	i, ok := slices.BinarySearchFunc(sv.sets, name, func(s *surveyed, name string) int { return strings.Compare(s.broker.Name, name) })
	if !ok {
		return nil
	}
	return sv.sets[i]
}
