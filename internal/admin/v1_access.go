package admin

import "gonamesrv/internal/namesrv"

// An accessAnswer is who was refused what since the start, or would have been.
type accessAnswer struct {
	Generation string       `json:"generation"`
	Preset     string       `json:"preset"`
	Mode       string       `json:"mode"`
	Beyond     number       `json:"beyond"` // refusals that are not in the items
	Items      []accessItem `json:"items"`  // the most frequent first
}

type accessItem struct {
	Outcome string  `json:"outcome"` // refused or would-refuse
	Who     string  `json:"who"`
	From    *string `json:"from"` // null: several, or none that is known
	Code    int32   `json:"code"`
	Request string  `json:"request"`
	Right   string  `json:"right"`
	Reason  string  `json:"reason"`
	Count   number  `json:"count"`
	First   stamp   `json:"first"`
	Last    stamp   `json:"last"`
}

// access says what was refused to whom, and what would be if nobody monitored.
func (a *Admin) access(*query) (any, error) {
	st := a.server.Snapshot().Access
	all, beyond := a.server.AccessReport()
	answer := accessAnswer{Generation: a.generation(a.server.View()), Preset: st.Preset, Mode: st.Mode, Beyond: number(beyond), Items: []accessItem{}}
	for i := range all {
		answer.Items = append(answer.Items, accessItemOf(&all[i]))
	}
	return answer, nil
}

func accessItemOf(r *namesrv.AccessRefusal) accessItem {
	item := accessItem{
		Outcome: "refused", Who: r.Who, Code: int32(r.Code), Request: r.Request, Right: r.Right, Reason: r.Reason,
		Count: number(r.Count), First: stamp(r.First), Last: stamp(r.Last),
	}
	if r.Monitored {
		item.Outcome = "would-refuse"
	}
	if r.From.IsValid() {
		item.From = optional(r.From.String())
	}
	return item
}
