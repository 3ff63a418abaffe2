package route

// An Event says what a change did, for logs and counters.
type Event struct {
	Kind EventKind
	// Edition is that of the View that was published with what the event says: no
	// earlier one shows it. Where that took several steps, which happens to
	// TopicsDropped, and to MinBrokerIDChanged of a name that many members leave at
	// once, it is that of the last step. Of RegistrationRefused, which changes
	// nothing, it is that of the View at that time.
	Edition    uint64
	Cluster    string
	BrokerName string
	BrokerID   int64
	Addr       string
	Topics     int                // BrokerSetRemoved, TopicsDropped, RestoredTopicsDropped: how many topics it was taken from
	Kept       int                // TopicsDropped, RestoredTopicsDropped: how many topics it still serves
	ByCluster  string             // BrokerDisplaced, BrokerNameShared: of whose registration made it so
	ByAddr     string             // the same
	MinID      *MinBrokerIDChange // MinBrokerIDChanged only

	HAServerAddr string // BrokerRegistered: that of the broker, empty when it gave none

	// Of a member that leaves: when its broker was last heard of, by the clock of the
	// callers, and how long it may be silent.
	LastUpdateMillis, TimeoutMillis int64

	// RegistrationRefused: why. Of ErrSingleTopic it has the topic, of a state version
	// the two, and in ByAddr who has the newer one.
	Refused                      error
	Topic                        string
	StateVersion, ByStateVersion int64
}

// An EventKind is the kind of an Event.
type EventKind uint8

// What can happen.
const (
	BrokerRegistered      EventKind = iota // a member that was not known before
	RegistrationRefused                    // for its single topic or its state version
	BrokerUnregistered                     // by its own request
	BrokerDisplaced                        // its ID or its address was taken over by another registration
	BrokerConnLost                         // the connection of its last registration was closed
	BrokerExpired                          // silent for longer than its timeout
	BrokerSetRemoved                       // the last member of a broker name has gone
	MinBrokerIDChanged                     // the smallest ID of a broker name has changed
	BrokerNameShared                       // a cluster registers a broker name that another cluster has
	TopicsDropped                          // topics that a registration does not list, with DeleteMissingTopics
	RestoredTopicsDropped                  // topics that were restored, and that two whole tables do not list
)

// A MinBrokerIDChange is what the members of a broker set may be told when the
// smallest broker ID among them changes.
// Java: RouteInfoManager#notifyMinBrokerIdChanged.
type MinBrokerIDChange struct {
	MinBrokerID       int64
	MinBrokerAddr     string
	HABrokerAddr      string // of the new smallest ID; empty when a member left
	OfflineBrokerAddr string // of the member that left; empty on registration
	// Receivers returns the addresses of those who may be told. There may be
	// thousands, so that they are listed when somebody asks.
	Receivers func() []string
}

// receivers lists the addresses of all members but one, which may be nil.
func receivers(members memberTree, but *Member) func() []string {
	return func() (addrs []string) {
		for m := range members.all {
			if m != but {
				addrs = append(addrs, m.Addr)
			}
		}
		return addrs
	}
}

// emit remembers an event until the change is published. Under mu.
func (t *Table) emit(e Event) {
	if t.onEvent != nil {
		t.events = append(t.events, e)
	}
}
