package admin

import "gonamesrv/route"

// A protectionAnswer is what self-protection does. Numbers of brokers and scopes are of the
// last scan.
type protectionAnswer struct {
	Mode       string      `json:"mode"`  // selfProtection
	State      string      `json:"state"` // of the server
	Cause      *string     `json:"cause"`
	Suspects   int         `json:"suspects"`   // brokers that are held back
	Held       heldCounts  `json:"held"`       // since the start, with selfProtection=on
	WouldHold  heldCounts  `json:"wouldHold"`  // with selfProtection=monitor
	Released   number      `json:"released"`   // that left after they had been held
	AtCeiling  number      `json:"atCeiling"`  // of these, held for as long as may be
	ScopeCount int         `json:"scopeCount"` // there may be more than are shown
	Scopes     []scopeItem `json:"scopes"`
}

type heldCounts struct {
	Partial    number `json:"partial"`
	Full       number `json:"full"`
	Isolated   number `json:"isolated"`
	Recovering number `json:"recovering"`
	Leaving    number `json:"leaving"`
	Operator   number `json:"operator"`
	MassClose  number `json:"massClose"`
}

type scopeItem struct {
	Cluster  string  `json:"cluster"`
	Zone     *string `json:"zone"` // null: the whole cluster
	State    string  `json:"state"`
	Live     int     `json:"live"`
	Overdue  int     `json:"overdue"`
	Suspects int     `json:"suspects"`
}

func protectionOf(s *route.ProtectionStats, mode string) protectionAnswer {
	answer := protectionAnswer{
		Mode: mode, State: s.State.String(), Cause: optional(s.Cause), Suspects: s.Suspects, Held: heldOf(&s.Held), WouldHold: heldOf(&s.WouldHold),
		Released: number(s.Released), AtCeiling: number(s.AtCeiling), ScopeCount: s.ScopeCount, Scopes: []scopeItem{},
	}
	for i := range s.Scopes {
		sc := &s.Scopes[i]
		item := scopeItem{Cluster: sc.Cluster, State: sc.State.String(), Live: sc.Live, Overdue: sc.Overdue, Suspects: sc.Suspects}
		if sc.IsZone {
			item.Zone = &sc.Zone
		}
		answer.Scopes = append(answer.Scopes, item)
	}
	return answer
}

func heldOf(c *route.HeldCounts) heldCounts {
	return heldCounts{
		number(c.Partial), number(c.Full), number(c.Isolated), number(c.Recovering), number(c.Leaving), number(c.Operator), number(c.MassClose),
	}
}
