package admin

import (
	"net/url"

	"gonamesrv/route"
)

// An eventRow is an event, and how many like it are not shown.
type eventRow struct {
	eventAnswer
	Others *likeEvents // nil: none
}

// Like events are of one type and one second: 300 brokers that come back at once are a few
// lines, not 600.
type likeEvents struct {
	More int
	Link string // to all of them
}

// mostAlike is how many like events have rows of their own.
const mostAlike = 3

// eventRows returns at most limit rows of events, which are given oldest first: the newest
// events of each type and second, newest first. The last row of them counts the others.
func (a *Admin) eventRows(events []route.JournalEvent, limit int) []eventRow {
	type likeness struct {
		t      route.JournalType
		second int64
	}
	rows, alike, at := make([]eventRow, 0, limit), map[likeness]int{}, map[likeness]int{}
	for i := len(events) - 1; i >= 0; i-- {
		e := &events[i]
		like := likeness{e.Type, e.AtMillis / 1000}
		switch {
		case alike[like] == mostAlike:
			others := rows[at[like]].Others
			if others == nil {
				others = &likeEvents{}
				rows[at[like]].Others = others
			}
			others.More++
			others.Link = link("/events", url.Values{"type": {e.Type.String()}, "since": {a.seqGeneration(e.Seq - 1)}})
		case len(rows) < limit:
			at[like] = len(rows)
			alike[like]++
			rows = append(rows, eventRow{eventAnswer: a.eventAnswer(e)})
		}
	}
	return rows
}
