package namesrv

import (
	"sync/atomic"

	"gonamesrv/route"
)

// eventNames are what people and their tools call the events of brokers.
var eventNames = [...]string{
	route.BrokerRegistered:      "registered",
	route.RegistrationRefused:   "refused",
	route.BrokerUnregistered:    "unregistered",
	route.BrokerDisplaced:       "displaced",
	route.BrokerConnLost:        "connection_lost",
	route.BrokerExpired:         "expired",
	route.BrokerSetRemoved:      "set_removed",
	route.MinBrokerIDChanged:    "min_id_changed",
	route.BrokerNameShared:      "name_shared",
	route.TopicsDropped:         "topics_dropped",
	route.RestoredTopicsDropped: "restored_topics_dropped",
}

// An EventCount is how often something has happened to brokers.
type EventCount struct {
	Event string
	Count uint64
}

// An eventCounts counts the events of a Table, by kind. Safe from any goroutine.
type eventCounts [len(eventNames)]atomic.Uint64

func (c *eventCounts) stats() []EventCount {
	all := make([]EventCount, len(c))
	for kind := range c {
		all[kind] = EventCount{eventNames[kind], c[kind].Load()}
	}
	return all
}
