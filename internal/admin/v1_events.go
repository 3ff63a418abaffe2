package admin

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gonamesrv/route"
)

// An eventAnswer is one event of the journal. Null is what it does not have.
type eventAnswer struct {
	Seq        number       `json:"seq"`
	Generation string       `json:"generation"` // seq as a generation
	Time       stamp        `json:"time"`
	Type       string       `json:"type"`
	Cause      causeAnswer  `json:"cause"`
	Cluster    *string      `json:"cluster"`
	Broker     *string      `json:"broker"`
	BrokerID   *number      `json:"brokerId"`
	Addr       *string      `json:"addr"`
	Conn       *number      `json:"conn"`
	Remote     *string      `json:"remote"`
	Code       *int32       `json:"code"` // of the request
	Identity   *string      `json:"identity"`
	Parent     *number      `json:"parent"`
	Topics     topicChanges `json:"topics"`
	Sample     []string     `json:"sample"` // up to 5 of the topics that are counted

	Topic   *string       `json:"topic"` // of one that is about one
	Brokers []string      `json:"brokers"`
	Reason  *string       `json:"reason"`
	By      *byAnswer     `json:"by"`
	Change  *changeAnswer `json:"change"`
	Count   *number       `json:"count"`
}

type causeAnswer struct {
	Kind      string `json:"kind"`
	SilentMs  *int64 `json:"silentMs,omitempty"`
	TimeoutMs *int64 `json:"timeoutMs,omitempty"`
}

type topicChanges struct {
	Added   int32 `json:"added"`
	Changed int32 `json:"changed"`
	Removed int32 `json:"removed"`
}

// A byAnswer is whose registration took the place of a broker.
type byAnswer struct {
	Cluster string `json:"cluster"`
	Addr    string `json:"addr"`
}

// A changeAnswer is what an operator asked for. Secrets are hidden.
type changeAnswer struct {
	Args   string  `json:"args"`
	Before *string `json:"before"`
	After  *string `json:"after"`
}

func (a *Admin) eventAnswer(e *route.JournalEvent) eventAnswer { return eventOf(a.boot, e) }

func eventOf(boot string, e *route.JournalEvent) eventAnswer {
	d := e.Details
	answer := eventAnswer{
		Seq: number(e.Seq), Generation: boot + "." + strconv.FormatUint(e.Seq, 10), Time: stamp(time.UnixMilli(e.AtMillis)), Type: e.Type.String(),
		Cause: causeAnswer{Kind: e.Cause.Kind.String()}, Cluster: optional(e.Cluster), Broker: optional(e.Broker), Addr: optional(e.Addr),
		Conn: optional(number(e.Origin.Conn)), Code: optional(int32(e.Origin.Code)), Identity: optional(e.Origin.Identity), Parent: optional(number(e.Parent)),
		Topics: topicChanges(e.Topics), Sample: append([]string{}, d.Sample...), Topic: optional(d.Topic),
		Brokers: append([]string{}, d.Brokers...), Reason: optional(d.Reason), Count: optional(number(d.Count)),
	}
	if e.Cause.Kind == route.CauseSilence {
		answer.Cause.SilentMs, answer.Cause.TimeoutMs = &e.Cause.SilentMillis, &e.Cause.TimeoutMillis
	}
	if e.Addr != "" {
		id := number(e.BrokerID)
		answer.BrokerID = &id
	}
	if e.Origin.Remote.IsValid() {
		remote := e.Origin.Remote.String()
		answer.Remote = &remote
	}
	if d.ByCluster != "" || d.ByAddr != "" {
		answer.By = &byAnswer{d.ByCluster, d.ByAddr}
	}
	if d.Args != "" || d.Before != "" || d.After != "" {
		answer.Change = &changeAnswer{d.Args, optional(d.Before), optional(d.After)}
	}
	return answer
}

func (a *Admin) eventAnswers(events []route.JournalEvent) []eventAnswer {
	answers := make([]eventAnswer, 0, len(events))
	for i := range events {
		answers = append(answers, a.eventAnswer(&events[i]))
	}
	return answers
}

// seqGeneration writes the number of an event as a generation.
func (a *Admin) seqGeneration(seq uint64) string {
	return a.boot + "." + strconv.FormatUint(seq, 10)
}

// events shows what has happened, oldest first: what comes after since, or the newest
// without it. Generation says up to where was looked: it is the since of the next request.
func (a *Admin) events(q *query) (any, error) {
	filter, limit := eventFilter(q), q.limit(largestPage)
	since, isAbsent := a.since(q)
	if err := q.fault(); err != nil {
		return nil, err
	}
	journal := a.server.Journal()
	newest := journal.Newest()
	if isAbsent {
		events := journal.Last(filter, limit)
		if n := len(events); n > 0 {
			newest = max(newest, events[n-1].Seq)
		}
		return listing[eventAnswer]{Generation: a.seqGeneration(newest), Items: a.eventAnswers(events)}, nil
	}
	events, next, err := journal.Read(since, filter, limit)
	var gone *route.GoneError
	if errors.As(err, &gone) {
		return nil, a.generationGone(gone.Oldest, "events after "+strconv.FormatUint(since, 10)+" are not kept any more")
	}
	if err != nil {
		return nil, err
	}
	page := listing[eventAnswer]{Generation: a.seqGeneration(next), Items: a.eventAnswers(events)}
	if next < journal.Newest() {
		page.Next = page.Generation
	}
	return page, nil
}

// eventFilter returns which events are asked for.
func eventFilter(q *query) *route.JournalFilter {
	f := &route.JournalFilter{Cluster: q.text("cluster"), Broker: q.text("broker"), Topic: q.text("topic")}
	if !q.values.Has("type") {
		return f
	}
	names := strings.Split(q.text("type"), ",")
	const most = 64 // there are not so many types
	if len(names) > most {
		q.refuse("type has %d names, must be %d at most", len(names), most)
		return f
	}
	for _, name := range names {
		types, err := route.ParseJournalType(name)
		if err != nil {
			q.refuse("type has %s, must be some of the types of events, as broker.expired, or as broker.*", quoted(name))
			return f
		}
		f.Types = append(f.Types, types...)
	}
	return f
}

// since returns the number of the event after which one wants to read. What another start
// of the server has numbered, and what has no number yet, is gone.
func (a *Admin) since(q *query) (seq uint64, isAbsent bool) {
	if !q.values.Has("since") {
		return 0, true
	}
	text := q.text("since")
	boot, digits, isWhole := strings.Cut(text, ".")
	if !isWhole {
		boot, digits = a.boot, text
	}
	seq, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || !isBoot(boot) {
		q.refuse("since is %s, must be a generation, or the number of an event", quoted(text))
		return 0, false
	}
	// The generation of a View is a moment ahead of the events that are shown.
	if boot != a.boot || !isWhole && seq > a.server.Journal().Newest() {
		q.fail(a.generationGone(a.server.Journal().Oldest(), "the server has started since"))
	}
	return seq, false
}

// isBoot reports whether a text is as bootOf writes it.
func isBoot(text string) bool {
	return text != "" && len(text) <= 13 && strings.Trim(text, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

var kindGenerationGone = kind{"generation-gone", "what is asked for is not kept any more", http.StatusGone}

func (a *Admin) generationGone(oldest uint64, detail string) *fault {
	return &fault{kind: kindGenerationGone, detail: detail, hint: "take all anew; since=0 begins with the oldest event", oldest: a.seqGeneration(oldest)}
}

// shownEvents is how many events are shown with what they are about.
const shownEvents = 10

// eventsOfBroker are the last events of a broker name.
func (a *Admin) eventsOfBroker(name string, limit int) []route.JournalEvent {
	return a.server.Journal().Last(&route.JournalFilter{Broker: name}, limit)
}
