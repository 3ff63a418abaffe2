package admin

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-json"

	"gonamesrv/route"
)

// What watchers are told of one thing.

type watchedTopic struct {
	Topic   string          `json:"topic"`
	Routed  bool            `json:"routed"` // false: no broker serves it, and the rest is empty
	Static  bool            `json:"static"`
	Queues  []queueAnswer   `json:"queues"`
	Brokers []watchedBroker `json:"brokers"` // those that serve it
}

type watchedBroker struct {
	Broker             string          `json:"broker"`
	Registered         bool            `json:"registered"` // false: it is gone, and the rest is empty
	Cluster            string          `json:"cluster"`
	Zone               *string         `json:"zone"`
	EnableActingMaster bool            `json:"enableActingMaster"`
	Members            []watchedMember `json:"members"`
}

type watchedMember struct {
	BrokerID number `json:"brokerId"`
	Addr     string `json:"addr"`
}

// itemOf returns an item. Each value here can be written as JSON.
func itemOf(kind string, v any) item {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return item{kind, body}
}

func topicItem(v *route.View, name string) item {
	t := watchedTopic{Topic: name, Queues: []queueAnswer{}, Brokers: []watchedBroker{}}
	if e, ok := v.Topic([]byte(name)); ok {
		t.Routed, t.Static = true, e.IsStatic()
		for o := range v.Offers(e) {
			t.Queues = append(t.Queues, queueAnswer{o.Broker.Name, o.Broker.Cluster, o.ReadQueueNums, o.WriteQueueNums, o.Perm, o.TopicSysFlag})
			t.Brokers = append(t.Brokers, watchedBrokerOf(o.Broker.Name, o.Broker))
		}
		slices.SortFunc(t.Queues, func(a, b queueAnswer) int { return cmp.Compare(a.Broker, b.Broker) })
		slices.SortFunc(t.Brokers, func(a, b watchedBroker) int { return cmp.Compare(a.Broker, b.Broker) })
	}
	return itemOf("topic", t)
}

// brokerItem tells of a broker set, of which b is nil if it is gone.
func brokerItem(name string, b *route.Broker) item {
	return itemOf("broker", watchedBrokerOf(name, b))
}

func watchedBrokerOf(name string, b *route.Broker) watchedBroker {
	w := watchedBroker{Broker: name, Members: []watchedMember{}}
	if b == nil {
		return w
	}
	w.Registered, w.Cluster, w.EnableActingMaster = true, b.Cluster, b.EnableActingMaster
	if b.HasZoneName {
		zone := strings.Clone(b.ZoneName)
		w.Zone = &zone
	}
	for m := range b.Members() {
		w.Members = append(w.Members, watchedMember{number(m.ID), m.Addr})
	}
	return w
}

// A stateCache holds the newest answer of /v1/status that watchers were told.
type stateCache struct {
	mu   sync.Mutex // held while it is made: who comes meanwhile waits for it
	made time.Time
	item item
}

// renew makes it anew.
func (c *stateCache) renew(a *Admin) item {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.make(a)
}

// now returns one of the last second.
func (c *stateCache) now(a *Admin) item {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.made) < time.Second {
		return c.item
	}
	return c.make(a)
}

func (c *stateCache) make(a *Admin) item {
	st, _ := a.status(nil) // it never fails
	c.item, c.made = itemOf("state", st), time.Now()
	return c.item
}
