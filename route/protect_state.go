package route

import (
	"errors"
	"slices"
)

// A ProtectionMode says what self-protection does.
type ProtectionMode uint8

// The modes.
const (
	ProtectionOff     ProtectionMode = iota // brokers leave as with Java
	ProtectionMonitor                       // the same, but what would have been held is counted
	ProtectionOn
)

// A ProtectionState is how well a scope, or the server, hears brokers.
type ProtectionState uint8

// The states. Those of a scope are the first three.
const (
	ProtectionNormal     ProtectionState = iota
	ProtectionPartial                    // much is silent
	ProtectionFull                       // everything is
	ProtectionIsolated                   // of the server: every broker is silent, or every peer
	ProtectionRecovering                 // of the server: it has been isolated, or has stood still
)

var protectionStates = [...]string{"normal", "partial", "full", "isolated", "recovering"}

func (s ProtectionState) String() string { return protectionStates[s] }

// MarshalText implements encoding.TextMarshaler.
func (s ProtectionState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *ProtectionState) UnmarshalText(text []byte) error {
	i := slices.Index(protectionStates[:], string(text))
	if i < 0 {
		return errors.New("route: unknown state of protection")
	}
	*s = ProtectionState(i)
	return nil
}

// A ProtectionCause says why a broker is held.
type ProtectionCause uint8

// The causes.
const (
	notHeld         ProtectionCause = iota
	CausePartial                    // of its scope
	CauseFull                       // of its scope
	CauseIsolated                   // of the server
	CauseRecovering                 // of the server
	CauseLeaving                    // it was held, and has another timeout to be heard in
	CauseOperator                   // Hold
	CauseMassClose                  // its connection closed with many others
	protectionCauses
)

var causeNames = [...]string{"none", "partial", "full", "isolated", "recovering", "leaving", "operator", "mass close"}

func (c ProtectionCause) String() string { return causeNames[c] }

// A HeldCounts counts brokers that were held, by cause. Each is counted once per
// silence and cause, or per closed connection.
type HeldCounts struct {
	Partial, Full, Isolated, Recovering, Leaving, Operator, MassClose uint64
}

func heldCounts(n *[protectionCauses]uint64) HeldCounts {
	return HeldCounts{
		Partial: n[CausePartial], Full: n[CauseFull], Isolated: n[CauseIsolated], Recovering: n[CauseRecovering],
		Leaving: n[CauseLeaving], Operator: n[CauseOperator], MassClose: n[CauseMassClose],
	}
}

// A ProtectionEvent says what has become of a scope.
type ProtectionEvent struct {
	Kind    ProtectionEventKind
	Cluster string // empty: of the server
	Zone    string // empty: of the cluster, or of brokers that name none
	State   ProtectionState
	Cause   string // of what is meant by State, for people
	Live    int
	Overdue int // of these
	Brokers int // ProtectionReleased: that left since the last event; others: suspects
}

// A ProtectionEventKind is the kind of a ProtectionEvent.
type ProtectionEventKind uint8

// What can happen. Of each kind there is one event a minute and scope at most; of
// ProtectionLeft one for each ProtectionEntered.
const (
	ProtectionEntered   ProtectionEventKind = iota // a state other than Normal
	ProtectionLeft                                 // it is Normal again
	ProtectionCeiling                              // the first one was held for as long as may be
	ProtectionReleased                             // brokers leave that were held
	ProtectionMassClose                            // the connections of many brokers closed together
	protectionEventKinds
)
