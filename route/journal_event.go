package route

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"gonamesrv/codec"
)

// A JournalEvent is one thing that happened to the tables, or to the server. It
// never changes, and whoever reads it must not change what it points to. Its texts
// are owned, and cut at 255 bytes.
//
// Of the events of a Table these make its brokers, clusters and numbers of topics,
// when they are replayed in their order from an empty one on: broker.registered adds
// the broker to its name and lists the name in its cluster; broker.unregistered,
// .connectionLost, .expired and .displaced take that back; the cluster of the first
// broker of a name lists it until set.removed, which ends all that the name had;
// topics.changed, topic.registered and topic.deleted say by how many topics more or
// fewer a name has. TestJournalReplays is that replay.
type JournalEvent struct {
	Seq      uint64 // 1 is the first of the process; no number is left out
	AtMillis int64  // by the wall clock, as told by who made the change; since the Unix epoch
	Type     JournalType
	Cause    Cause

	Cluster  string
	Broker   string // broker name; empty where there is none, or where Details lists several
	BrokerID int64
	Addr     string

	Origin Origin // whose request it was
	// Parent is the number of the event that this one follows from, 0 if there is none.
	Parent uint64
	Topics TopicCounts
	// Details is what few events have. Of an event that was read it is not nil.
	Details *EventDetails
}

// EventDetails is what few events have to say.
type EventDetails struct {
	Reason    string // in one word, or one sentence
	ByCluster string // broker.displaced: whose registration took its place
	ByAddr    string

	// Topic is that of topic.deleted and topic.registered. Brokers are the names that do
	// not serve it any more, or now serve it, or serve it otherwise: at most 32. Where
	// there are more, further events follow, with the first one as their parent.
	Topic   string
	Brokers []string
	Sample  []string // up to 5 names of the topics that Topics counts

	Args          string // of an operator's request
	Before, After string // of what it is about; secrets are hidden
	Count         int64  // of what was summed up, and of what was left out before
}

// maxEventBrokers is how many broker names one event lists.
const maxEventBrokers = 32

// maxSample is how many topics an event names.
const maxSample = 5

// TopicCounts is how many topics a broker name has more, fewer, and otherwise. Those
// of topic.deleted and topic.registered count broker names of one topic.
type TopicCounts struct{ Added, Changed, Removed int32 }

// An Origin says who has asked for a change.
type Origin struct {
	Conn     uint64            // 0 is none
	Remote   netip.AddrPort    // who sent the request; not valid where there is none
	Code     codec.RequestCode // 0 is none
	Identity string            // who was let in; empty: nobody asked
}

// A Moment is one time on two clocks.
type Moment struct {
	NowMillis  int64 // as the Table is told
	WallMillis int64 // as people call it: since the Unix epoch. It may jump
}

// A Cause says why.
type Cause struct {
	Kind CauseKind
	// Of CauseSilence: for how long nothing was heard, and for how long nothing may be.
	// Of a broker that was restored, and not heard of since, the first counts from when it
	// was last heard of by the process before.
	SilentMillis, TimeoutMillis int64
}

// A CauseKind is what brought an event about.
type CauseKind uint8

// The causes.
const (
	CauseSelf       CauseKind = iota // the server itself
	CauseRegister                    // REGISTER_BROKER
	CauseUnregister                  // UNREGISTER_BROKER
	CauseClose                       // its peer, or the network, has closed a connection
	CauseSilence                     // a broker was silent for too long
	CauseAdmin                       // an operator's request
	CauseParent                      // the event that is Parent
)

func (k CauseKind) String() string {
	return [...]string{"self", "register", "unregister", "close", "silence", "admin", "parent"}[k]
}

// A JournalType is the type of a JournalEvent.
type JournalType uint8

// The types. What a Table tells comes first.
const (
	JournalBrokerRegistered     JournalType = iota // under a cluster; once for each
	JournalBrokerRefused                           // a registration changed nothing; Reason says why
	JournalBrokerDisplaced                         // another registration took its ID, or its own another ID
	JournalBrokerUnregistered                      // by its own request
	JournalBrokerConnectionLost                    // the connection of its last registration was closed by its peer
	JournalBrokerExpired                           // silent for longer than its timeout
	JournalSetRemoved                              // the last broker of a name has gone; Topics.Removed are all it had
	JournalSetMinID                                // the smallest ID of a name has changed, and members may be told
	JournalSetMasterless                           // a name has lost its master
	JournalSetActing                               // a slave stands in for it; Topics.Changed are not writable any more
	JournalTopicsChanged                           // by a registration; one event for all of them
	JournalTopicDeleted
	JournalTopicRegistered
	JournalPermWiped
	JournalPermRestored

	JournalKVPut
	JournalKVDeleted
	JournalConfigChanged
	JournalAdminRefused // a request of an operator; bounded, see Journal.Note

	JournalServerStarted
	JournalServerReady
	JournalServerNotReady
	JournalServerDraining
	JournalServerPaused
	JournalBudgetShed // summed up
	JournalTLSReloaded
	JournalProtectionEntered
	JournalProtectionLeft
	JournalProtectionCeiling
	JournalProtectionReleased
	JournalProtectionMassClose
	JournalWarmLoaded

	journalTypes
)

var journalTypeNames = [journalTypes]string{
	JournalBrokerRegistered:     "broker.registered",
	JournalBrokerRefused:        "broker.refused",
	JournalBrokerDisplaced:      "broker.displaced",
	JournalBrokerUnregistered:   "broker.unregistered",
	JournalBrokerConnectionLost: "broker.connectionLost",
	JournalBrokerExpired:        "broker.expired",
	JournalSetRemoved:           "set.removed",
	JournalSetMinID:             "set.minId",
	JournalSetMasterless:        "set.masterless",
	JournalSetActing:            "set.acting",
	JournalTopicsChanged:        "topics.changed",
	JournalTopicDeleted:         "topic.deleted",
	JournalTopicRegistered:      "topic.registered",
	JournalPermWiped:            "perm.wiped",
	JournalPermRestored:         "perm.restored",
	JournalKVPut:                "kv.put",
	JournalKVDeleted:            "kv.deleted",
	JournalConfigChanged:        "config.changed",
	JournalAdminRefused:         "admin.refused",
	JournalServerStarted:        "server.started",
	JournalServerReady:          "server.ready",
	JournalServerNotReady:       "server.notReady",
	JournalServerDraining:       "server.draining",
	JournalServerPaused:         "server.paused",
	JournalBudgetShed:           "budget.shed",
	JournalTLSReloaded:          "tls.reloaded",
	JournalProtectionEntered:    "protection.entered",
	JournalProtectionLeft:       "protection.left",
	JournalProtectionCeiling:    "protection.ceiling",
	JournalProtectionReleased:   "protection.released",
	JournalProtectionMassClose:  "protection.massClose",
	JournalWarmLoaded:           "warm.loaded",
}

func (t JournalType) String() string { return journalTypeNames[t] }

// isRefusal reports whether anybody can cause such an event again and again without
// changing anything.
func (t JournalType) isRefusal() bool { return t == JournalBrokerRefused || t == JournalAdminRefused }

// ParseJournalType returns the types of a name: "broker.expired" is one, "broker.*" are
// all that begin with it.
func ParseJournalType(name string) ([]JournalType, error) {
	prefix, all := strings.CutSuffix(name, "*")
	var types []JournalType
	for t := range journalTypes {
		if n := t.String(); n == name || all && strings.HasSuffix(prefix, ".") && strings.HasPrefix(n, prefix) {
			types = append(types, t)
		}
	}
	if len(types) == 0 {
		return nil, fmt.Errorf("route: no type of event is %q", cut(name))
	}
	return types, nil
}

// A JournalFilter says which events are wanted: those that fit each of its fields that
// is not empty. nil wants all.
type JournalFilter struct {
	Types   []JournalType
	Cluster string
	Broker  string // broker name
	// Topic wants the events that name the topic. That a broker has left with all its
	// topics, or a registration has changed many, names few of them.
	Topic string
}

func (f *JournalFilter) fits(e *JournalEvent) bool {
	if f == nil {
		return true
	}
	d, topic := e.Details, f.Topic
	if len(topic) > maxEventText {
		topic = cut(topic) // as it is kept
	}
	return (len(f.Types) == 0 || slices.Contains(f.Types, e.Type)) &&
		(f.Cluster == "" || e.Cluster == f.Cluster) &&
		(f.Broker == "" || e.Broker == f.Broker || d != nil && slices.Contains(d.Brokers, f.Broker)) &&
		(topic == "" || d != nil && (d.Topic == topic || slices.Contains(d.Sample, topic)))
}

// maxEventText is how long a text of an event may be, in bytes.
const maxEventText = 255

// cut returns the beginning of a text.
func cut(text string) string {
	if len(text) <= maxEventText {
		return text
	}
	n := maxEventText
	for n > maxEventText-utf8.UTFMax && !utf8.RuneStart(text[n]) {
		n--
	}
	return strings.Clone(text[:n]) // else it keeps all of it
}

// cutAll cuts the texts of e.
func (e *JournalEvent) cutAll() {
	e.Cluster, e.Broker, e.Addr, e.Origin.Identity = cut(e.Cluster), cut(e.Broker), cut(e.Addr), cut(e.Origin.Identity)
	if d := e.Details; d != nil {
		d.Reason, d.ByCluster, d.ByAddr, d.Topic = cut(d.Reason), cut(d.ByCluster), cut(d.ByAddr), cut(d.Topic)
		d.Args, d.Before, d.After = cut(d.Args), cut(d.Before), cut(d.After)
		for i := range d.Sample {
			d.Sample[i] = cut(d.Sample[i])
		}
	}
}

// held returns how many bytes e points to.
func (e *JournalEvent) held() int64 {
	n := len(e.Cluster) + len(e.Broker) + len(e.Addr) + len(e.Origin.Identity)
	if d := e.Details; d != nil {
		n += int(unsafe.Sizeof(*d)) + len(d.Reason) + len(d.ByCluster) + len(d.ByAddr) + len(d.Topic) + len(d.Args) + len(d.Before) + len(d.After)
		for _, list := range [][]string{d.Brokers, d.Sample} {
			for _, text := range list {
				n += int(unsafe.Sizeof(text)) + len(text)
			}
		}
	}
	return int64(n)
}
