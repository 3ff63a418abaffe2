package admin

import (
	"cmp"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
	"unsafe"

	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

const (
	largestNamePage = 10_000
	// mostLooked is at how many names a request looks. What it has found until then is
	// a page, however short.
	mostLooked = 50_000
	// mostShown is after how many queues of brokers a page ends: some 6 MB.
	mostShown = 50_000

	// The list of names is reused for so long at most after it was made, and kept for so
	// long after it was used.
	namesReused = 10 * time.Second
	namesKept   = 60 * time.Second
)

type topicAnswer struct {
	Generation string        `json:"generation,omitempty"`
	Topic      string        `json:"topic"`
	System     bool          `json:"system"`
	Static     bool          `json:"static"`
	Changed    *string       `json:"changed"`
	Queues     []queueAnswer `json:"queues"`
}

type queueAnswer struct {
	Broker         string `json:"broker"`
	Cluster        string `json:"cluster"`
	ReadQueueNums  int32  `json:"readQueueNums"`
	WriteQueueNums int32  `json:"writeQueueNums"`
	Perm           int32  `json:"perm"`
	TopicSysFlag   int32  `json:"topicSysFlag"`
}

type topicName struct {
	Topic string `json:"topic"`
}

// topics lists topics by name.
func (a *Admin) topics(q *query) (any, error) {
	fields := q.words("fields", "name")
	most := largestPage
	if len(fields) > 0 {
		most = largestNamePage
	}
	limit := q.limit(most)
	prefix, contains, after := q.text("prefix"), q.text("contains"), q.text("after")
	cluster, broker, perm := q.text("cluster"), q.text("broker"), q.whole("perm", -1, 0, 7)
	if err := q.fault(); err != nil {
		return nil, err
	}
	names, generation := a.sortedNames()
	view := a.server.View() // newer than the names, or the same
	clusterNames := map[string]bool{}
	if cluster != "" {
		for _, c := range view.Clusters() {
			if c.Cluster == cluster {
				for _, name := range c.BrokerNames {
					clusterNames[name] = true
				}
			}
		}
	}
	offered := func(e *route.TopicEntry) bool {
		if cluster == "" && broker == "" && perm < 0 {
			return true
		}
		for o := range view.Offers(e) {
			if (cluster == "" || clusterNames[o.Broker.Name]) && (broker == "" || o.Broker.Name == broker) && (perm < 0 || int(o.Perm) == perm) {
				return true
			}
		}
		return false
	}

	page := listing[any]{Generation: generation, Items: []any{}}
	from := sort.SearchStrings(names, max(prefix, after))
	if from < len(names) && names[from] == after {
		from++
	}
	shown := 0
	for looked, name := range names[from:] {
		if !strings.HasPrefix(name, prefix) {
			break
		}
		if len(page.Items) == limit || looked == mostLooked || shown >= mostShown {
			page.Next = names[from+looked-1]
			break
		}
		if looked%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
		if !strings.Contains(name, contains) {
			continue
		}
		e, ok := view.Topic([]byte(name))
		switch {
		case !ok || !offered(e):
		case len(fields) > 0:
			page.Items = append(page.Items, topicName{name})
		default:
			t := a.topicOf(view, e)
			shown += len(t.Queues)
			page.Items = append(page.Items, t)
		}
	}
	return page, nil
}

// topic shows one topic.
func (a *Admin) topic(q *query) (any, error) {
	name := q.PathValue("t")
	v := a.server.View()
	e, ok := v.Topic([]byte(name))
	if !ok {
		return nil, a.topicGone(name)
	}
	answer := a.topicOf(v, e)
	answer.Generation = a.generation(v)
	return answer, nil
}

// topicGone says that nobody serves a topic, and what ended that somebody did.
func (a *Admin) topicGone(name string) *fault {
	f := topicNotFound(name)
	if end, ok := a.endOfTopic(name); ok {
		e := a.eventAnswer(&end)
		f.lastEvent = &e
	}
	return f
}

// endOfTopic returns the event that ended a topic that nobody serves: by the history, or,
// where that does not go back so far, the last event that names it.
func (a *Admin) endOfTopic(name string) (route.JournalEvent, bool) {
	if past, ok := a.server.History().Topic([]byte(name)); ok && past.Until.Seq > 0 {
		return past.Until, true
	}
	last := a.server.Journal().Last(&route.JournalFilter{Types: topicEnds, Topic: name}, 1)
	if len(last) == 0 || last[0].Topics.Removed == 0 {
		return route.JournalEvent{}, false
	}
	return last[0], true
}

// topicEnds are the types of events that can take topics away.
var topicEnds = []route.JournalType{route.JournalTopicDeleted, route.JournalTopicsChanged, route.JournalSetRemoved}

func (a *Admin) topicOf(v *route.View, e *route.TopicEntry) topicAnswer {
	answer := topicAnswer{Topic: e.Name(), System: namesrv.IsSystemTopic(e.Name()), Static: e.IsStatic(), Queues: []queueAnswer{}}
	if seq, ok := v.Changed(e); ok {
		changed := a.seqGeneration(seq)
		answer.Changed = &changed
	}
	if _, ok := v.Broker([]byte(e.Name())); ok {
		answer.System = true // each broker has a topic of its name
	}
	for o := range v.Offers(e) {
		if o.Broker.Cluster == e.Name() {
			answer.System = true
		}
		answer.Queues = append(answer.Queues, queueAnswer{o.Broker.Name, o.Broker.Cluster, o.ReadQueueNums, o.WriteQueueNums, o.Perm, o.TopicSysFlag})
	}
	slices.SortFunc(answer.Queues, func(a, b queueAnswer) int { return cmp.Compare(a.Broker, b.Broker) })
	return answer
}

// A nameCache holds the sorted names of all topics between the pages of a list.
type nameCache struct {
	mu         sync.Mutex // held while the list is made: who comes meanwhile waits for it
	list       []string
	generation string // of a View that has them; "" while there is no list

	took       time.Duration // to make it
	made, used time.Time     // when it was made, or found to be right
}

// sortedNames returns the names of all topics in ascending order, and the generation of
// a View that has them. Where topics come and go all the time the list may be 10 s old,
// but no older than a hundred times what it took: so it costs no more than a hundredth of
// a CPU, however often it is asked for.
func (a *Admin) sortedNames() ([]string, string) {
	c := &a.names
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.used = now; c.generation != "" && now.Sub(c.made) < min(namesReused, 100*c.took) {
		return c.list, c.generation
	}
	v := a.server.View()
	names := v.TopicNames()
	c.made = time.Now()
	if unsafe.SliceData(names) != unsafe.SliceData(c.list) {
		c.took = c.made.Sub(now)
	}
	c.list, c.generation = names, a.generation(v)
	return c.list, c.generation
}

// forget lets go of what nobody has used for a while.
func (c *nameCache) forget(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.used) > namesKept {
		c.list, c.generation, c.took = nil, "", 0
	}
}
