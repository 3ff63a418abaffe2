package route

import (
	"net/netip"

	"gonamesrv/codec"
)

// A Saved is what a Table knew at one moment and what another process may go on
// with: all tables, but not the connections, nor the encoded routes. Its parts name
// each other by their indexes.
type Saved struct {
	AtMillis int64  // when that was, by the clock that the Table was told
	Edition  uint64 // of the View

	Sets     []SavedSet
	Lives    []SavedLive
	Offers   []SavedOffer // each once
	Topics   []SavedTopic // each name once
	Rows     []SavedRow   // those of Topics[0], then those of Topics[1], and so on
	Mappings []SavedMapping
}

// A SavedSet is a broker set: a row of brokerAddrTable, and of filterServerTable.
type SavedSet struct {
	Name    string
	Cluster string        // of the first registration of the name
	Members []SavedMember // in ascending order of ID; at least one
}

// A SavedMember is a member of a broker set.
type SavedMember struct {
	ID                 int64
	Addr               string
	EnableActingMaster bool
	ZoneName           string
	HasZoneName        bool
	FilterServers      []string // nil when there are none
	Lives              []uint32 // the live entries that keep it; at least one, the oldest first
}

// A SavedLive is a row of brokerLiveTable.
type SavedLive struct {
	Cluster, Addr   string
	HAServerAddr    string
	DataVersion     codec.DataVersion
	NullDataVersion bool
	Untrusted       bool  // topics of its data version may be missing, or there may be too many
	OldVersion      bool  // its last registration was that of a broker before 5.0
	Confirmed       bool  // it has said all that it knows to this process
	TimeoutMillis   int64 // how long it may be silent
	SilentMillis    int64 // how long it had been silent at AtMillis
	IntervalMillis  int64 // between two signs of life, as learnt; 0 is not known
	// Peer is where its last registration came from; the zero Addr is not known.
	Peer netip.Addr
}

// A SavedOffer is what a queue data says besides its broker name.
type SavedOffer struct {
	ReadQueueNums, WriteQueueNums, Perm, TopicSysFlag int32
}

// A SavedTopic is a topic with its Rows, at least one.
type SavedTopic struct {
	Name string
	Rows int
}

// A SavedRow is a queue data of a topic: a row of topicQueueTable. Those of one
// topic come in ascending order of Set.
type SavedRow struct {
	Set, Offer uint32
}

// A SavedMapping is a row of topicQueueMappingInfoTable, whose topic is a key of
// the table and may differ from the one in Info.
type SavedMapping struct {
	Topic      uint32
	BrokerName string
	Info       codec.TopicQueueMappingInfo
}
