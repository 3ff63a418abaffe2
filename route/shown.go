package route

import (
	"iter"

	"gonamesrv/codec"
)

// What tools show of the tables beyond what requests ask for.

// An Offer is what a broker set offers for a topic.
type Offer struct {
	Broker                                            *Broker
	ReadQueueNums, WriteQueueNums, Perm, TopicSysFlag int32
}

// Offers yields what each broker set of this View offers for a topic, in no useful
// order.
func (v *View) Offers(e *TopicEntry) iter.Seq[Offer] {
	return func(yield func(Offer) bool) {
		for q := range e.queues.all {
			b := v.brokers.byID.get(q.set)
			if !b.gone && !yield(Offer{b, q.readQueueNums, q.writeQueueNums, q.perm, q.topicSysFlag}) {
				return
			}
		}
	}
}

// IsStatic reports whether a broker has given a static mapping for the topic.
func (e *TopicEntry) IsStatic() bool { return e.mappings != nil }

// Clusters returns all clusters with the broker names that they list, both in ascending
// order: clusterAddrTable.
func (v *View) Clusters() []codec.ClusterNames {
	info := v.brokers.info()
	return info.ClusterAddrTable
}

// Keepers says which live entries keep the members of a View. Nearly always it is one
// each.
type Keepers map[*member][]keeper

// Keepers returns the live entries of all members. It costs what goes with the number
// of all brokers.
func (v *View) Keepers() Keepers { return v.keepers(noPacer) }

// Of yields the live entries that keep a member, the oldest first.
func (k Keepers) Of(m *Member) iter.Seq[*LiveInfo] {
	return func(yield func(*LiveInfo) bool) {
		for _, kept := range k[m.of] {
			if !yield(kept.info) {
				return
			}
		}
	}
}
