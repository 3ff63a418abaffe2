package nsdiff

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"gonamesrv/codec"
)

// A Topic is what one server says of a topic. The zero value means that it is not known
// what it says.
type Topic struct {
	Known  bool
	There  bool
	Routed bool    // Queues are known; if not, only that it is there
	Queues []Queue // in any order
}

// A Queue is what one broker set offers for a topic.
type Queue struct {
	Broker                   string
	Read, Write, Perm, Flags int32
	Mapping                  string // the static mapping as a text; empty where nobody knows
}

// RoutedBy returns a topic of which a server has answered this to GET_ROUTEINFO_BY_TOPIC.
// Members of broker sets are left out: Brokers compares them, and who stands in for a
// master is no difference.
func RoutedBy(r *codec.TopicRouteData) Topic {
	t := Topic{Known: true, There: true, Routed: true, Queues: make([]Queue, 0, len(r.QueueDatas))}
	for i := range r.QueueDatas {
		q := &r.QueueDatas[i]
		t.Queues = append(t.Queues, Queue{q.BrokerName, q.ReadQueueNums, q.WriteQueueNums, q.Perm, q.TopicSysFlag, mappingOf(r, q.BrokerName)})
	}
	return t
}

func mappingOf(r *codec.TopicRouteData, broker string) string {
	for i := range r.QueueMappingByBroker {
		if m := &r.QueueMappingByBroker[i]; m.BrokerName == broker {
			return fmt.Sprintf("%+v", m.Info)
		}
	}
	return "none"
}

// CompareTopic returns what servers say differently of one topic: whether it is there, and
// for each broker set whether it offers the topic, with how many queues, perm, flags and
// static mapping.
func CompareTopic(name string, said []Topic) (all []Difference) {
	note := func(what string, value func(t *Topic) Value) {
		values := make([]Value, len(said))
		for i := range said {
			values[i] = value(&said[i])
		}
		if differ(values) {
			all = append(all, Difference{Name: strings.Clone(name), What: what, Said: values})
		}
	}
	note("", func(t *Topic) Value { return Value{Known: t.Known, There: t.There} })
	var brokers []string
	for i := range said {
		for k := range said[i].Queues {
			brokers = append(brokers, said[i].Queues[k].Broker)
		}
	}
	slices.Sort(brokers)
	for _, broker := range slices.Compact(brokers) {
		of := func(field func(q *Queue) string) func(t *Topic) Value {
			return func(t *Topic) Value {
				if !t.Routed || !t.There {
					return Value{} // that it is not there at all is said already
				}
				for k := range t.Queues {
					if q := &t.Queues[k]; q.Broker == broker {
						return There(field(q))
					}
				}
				return Absent
			}
		}
		note(broker, of(func(*Queue) string { return "" }))
		// Each field for itself, of those that have it.
		fields := func(field func(q *Queue) string) func(t *Topic) Value {
			get := of(field)
			return func(t *Topic) Value {
				if v := get(t); v.There {
					return v
				}
				return Value{}
			}
		}
		note(broker+" queues", fields(func(q *Queue) string { return queuesText(q.Read, q.Write) }))
		note(broker+" perm", fields(func(q *Queue) string { return strconv.Itoa(int(q.Perm)) }))
		note(broker+" flags", fields(func(q *Queue) string { return strconv.Itoa(int(q.Flags)) }))
		note(broker+" mapping", fields(func(q *Queue) string { return q.Mapping }))
	}
	return all
}

// queuesText is one number where one may read from as many queues as one may write to.
func queuesText(read, write int32) string {
	if read == write {
		return strconv.Itoa(int(read))
	}
	return fmt.Sprintf("%d to read, %d to write", read, write)
}

// A Source yields the topics of one server in ascending order of name. Another order, or
// an error, ends the comparison: what has not come yet is not missing.
type Source func() (name string, t Topic, ok bool, err error)

// A SourceError says which server is at fault.
type SourceError struct {
	Server int
	Err    error
}

func (e *SourceError) Error() string { return e.Err.Error() }

func (e *SourceError) Unwrap() error { return e.Err }

// Merge calls each with every topic that a source has, in ascending order of name, and with
// what each server says of it; both are borrowed until each returns. A nil source is a
// server of which nothing is known. It fails with a *SourceError, or with what each returns.
func Merge(sources []Source, each func(name string, said []Topic) error) error {
	type head struct {
		name string
		t    Topic
		has  bool
	}
	heads := make([]head, len(sources))
	next := func(i int, first bool) error {
		h := &heads[i]
		name, t, ok, err := sources[i]()
		switch {
		case err != nil:
			return &SourceError{i, err}
		case ok && !first && name <= h.name:
			return &SourceError{i, fmt.Errorf("nsdiff: topic %q comes after %q", name, h.name)}
		}
		*h = head{name, t, ok}
		return nil
	}
	for i, s := range sources {
		if s != nil {
			if err := next(i, true); err != nil {
				return err
			}
		}
	}
	said := make([]Topic, len(sources))
	for {
		least, some := "", false
		for i := range heads {
			if h := &heads[i]; h.has && (!some || h.name < least) {
				least, some = h.name, true
			}
		}
		if !some {
			return nil
		}
		for i := range heads {
			said[i] = Topic{Known: sources[i] != nil}
			if h := &heads[i]; h.has && h.name == least {
				said[i] = h.t
			}
		}
		if err := each(least, said); err != nil {
			return err
		}
		for i := range heads {
			if heads[i].has && heads[i].name == least {
				if err := next(i, false); err != nil {
					return err
				}
			}
		}
	}
}

// Names are the names of the topics of one server, in ascending order, each once.
type Names struct {
	text  []byte
	spans []span
}

type span struct{ from, to uint32 }

// NamesOf reads an answer to GET_ALL_TOPIC_LIST_FROM_NAMESERVER. It keeps those that keep
// returns true for; nil keeps all. Names are borrowed by keep.
func NamesOf(body []byte, keep func(name []byte) bool) (*Names, error) {
	n := &Names{}
	if keep == nil { // there is a comma between two names, and no name is longer decoded
		n.text, n.spans = make([]byte, 0, len(body)), make([]span, 0, bytes.Count(body, []byte{','})+1)
	}
	err := codec.EachTopic(body, func(name []byte) bool {
		if keep == nil || keep(name) {
			n.text = append(n.text, name...)
			n.spans = append(n.spans, span{uint32(len(n.text) - len(name)), uint32(len(n.text))})
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(n.spans, func(a, b span) int { return cmp.Compare(n.at(a), n.at(b)) })
	n.spans = slices.CompactFunc(n.spans, func(a, b span) bool { return n.at(a) == n.at(b) })
	return n, nil
}

func (n *Names) at(s span) string {
	return unsafe.String(unsafe.SliceData(n.text[s.from:]), int(s.to-s.from))
}

// Len returns how many there are.
func (n *Names) Len() int { return len(n.spans) }

// Source yields the names, with nothing known but that they are there. The names live as
// long as n does.
func (n *Names) Source() Source {
	i := 0
	return func() (string, Topic, bool, error) {
		if i == len(n.spans) {
			return "", Topic{}, false, nil
		}
		i++
		return n.at(n.spans[i-1]), Topic{Known: true, There: true}, true, nil
	}
}
