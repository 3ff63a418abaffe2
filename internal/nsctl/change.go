package nsctl

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A change is something that is done on all servers.
type change struct {
	missing string // what is said of servers that look finds nothing on
	ask     string // what is done, as the question names it: "delete topic T"
	name    string // the column of the names

	// look returns what there is. It is called before and after. A missingError means that
	// there is nothing to change on that server.
	look func(ctx context.Context, s *server) ([]state, error)
	// apply does it.
	apply func(ctx context.Context, s *server, before []state) error
	// done returns nil if what there is afterwards is what was wanted. nil wants nothing.
	done func(before, after []state) error
	// late says that Java does it a moment after it has said so: look is called again until
	// it is done, for at most the time of --timeout.
	late bool
	// gone says that look fails with a missingError where it has worked.
	gone bool
	// after is told once something has been changed.
	after string

	dryRun bool
}

// A state is the value of one thing. It has none if it is not there.
type state struct {
	name, value string
	there       bool
	effect      string // when a change of it takes effect
}

// A changed is one thing before and after, as JSON and YAML show it.
type changed struct {
	Name   string  `json:"name"`
	Before *string `json:"before"`
	After  *string `json:"after"` // as read back; null after a dry run, too
	Effect string  `json:"effect,omitempty"`
}

// changeAll looks at all servers, asks whether to go on, changes those that have answered,
// and shows what there is before and afterwards.
func changeAll(ctx context.Context, c *ctl, ch *change) error {
	looked, err := askAll(ctx, c, ch.look)
	if err != nil {
		return err
	}
	ready := 0
	for _, a := range looked {
		if a.err == nil {
			ready++
		}
	}
	if ready == 0 {
		return ended(c, looked, ch.missing)
	}
	answers := make([]answer[[]changed], 0, len(looked))
	if ch.dryRun {
		for _, a := range looked {
			answers = append(answers, answer[[]changed]{a.server, pair(a.value, nil), a.err})
		}
		if err := ch.print(c, answers); err != nil {
			return err
		}
		return ended(c, answers, ch.missing)
	}
	if err := ch.confirm(c, looked, ready); err != nil {
		return err
	}
	before := map[string]answer[[]state]{}
	for _, a := range looked {
		before[a.server] = a
	}
	answers, err = askAll(ctx, c, func(ctx context.Context, s *server) ([]changed, error) {
		b := before[s.addr]
		if b.err != nil {
			return nil, b.err
		}
		if err := ch.apply(ctx, s, b.value); err != nil {
			return nil, err
		}
		after, err := ch.readBack(ctx, s, b.value)
		if err != nil && after == nil {
			return nil, err
		}
		return pair(b.value, after), err
	})
	if err != nil {
		return err
	}
	if err := ch.print(c, answers); err != nil {
		return err
	}
	if ch.after != "" {
		fmt.Fprintln(c.stderr, ch.after)
	}
	return ended(c, answers, ch.missing)
}

// confirm asks, and shows what there is now.
func (ch *change) confirm(c *ctl, looked []answer[[]state], ready int) error {
	if c.yes || !c.answers {
		return nil
	}
	var b strings.Builder
	for _, a := range looked {
		if a.err != nil {
			fmt.Fprintf(&b, "%s is left out: %s\n", clean(a.server), errorText(a.err))
			continue
		}
		for i, s := range a.value {
			if i == 10 {
				fmt.Fprintf(&b, "%s: and %d more\n", clean(a.server), len(a.value)-i)
				break
			}
			value := s.value
			if !s.there {
				value = "–"
			}
			fmt.Fprintf(&b, "%s: %s: %s\n", clean(a.server), clean(s.name), clean(value))
		}
	}
	on := "this name server"
	if ready > 1 {
		on = fmt.Sprintf("%d name servers", ready)
	}
	return c.confirm("%s%s on %s?", b.String(), clean(ch.ask), on)
}

// readBack looks whether what was wanted is so.
func (ch *change) readBack(ctx context.Context, s *server, before []state) ([]state, error) {
	end := time.Now().Add(s.timeout)
	for {
		after, err := ch.look(ctx, s)
		if _, none := err.(missingError); none && ch.gone {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if ch.done == nil {
			return after, nil
		}
		if err = ch.done(before, after); err == nil {
			return after, nil
		}
		if !ch.late || time.Now().After(end) {
			return after, err
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return after, err
		}
	}
}

// pair puts together what was and what is.
func pair(before, after []state) []changed {
	all := []changed{}
	for _, s := range before {
		all = append(all, changed{Name: s.name, Before: s.text(), Effect: s.effect})
	}
	for _, s := range after {
		i := slices.IndexFunc(all, func(c changed) bool { return c.Name == s.name })
		if i < 0 {
			i = len(all)
			all = append(all, changed{Name: s.name, Effect: s.effect})
		}
		all[i].After = s.text()
	}
	return all
}

func (s *state) text() *string {
	if !s.there {
		return nil
	}
	return &s.value
}

// print shows what has become of it, name by name.
func (ch *change) print(c *ctl, answers []answer[[]changed]) error {
	type row struct {
		name   string
		cells  []any
		effect string
	}
	var rows []row
	type ofServer struct {
		Server  string    `json:"server"`
		Changes []changed `json:"changes"`
	}
	all := []ofServer{}
	effects := false
	for _, a := range answers {
		if a.value == nil {
			continue
		}
		all = append(all, ofServer{a.server, a.value})
		for _, v := range a.value {
			cells := []any{v.Name, a.server, textOf(v.Before)}
			if !ch.dryRun {
				cells = append(cells, textOf(v.After))
			}
			rows = append(rows, row{v.Name, cells, v.Effect})
			effects = effects || v.Effect != ""
		}
	}
	if len(all) == 0 {
		return nil
	}
	g := &grid{columns: []column{{name: cmp.Or(ch.name, "name")}, {name: "server"}, {name: "before"}}}
	if ch.dryRun {
		g.columns[2].name = "now"
	} else {
		g.columns = append(g.columns, column{name: "after"})
	}
	if effects {
		g.columns = append(g.columns, column{name: "effect"})
	}
	slices.SortStableFunc(rows, func(a, b row) int { return strings.Compare(a.name, b.name) })
	for _, r := range rows {
		if effects {
			r.cells = append(r.cells, cmp.Or(r.effect, "–"))
		}
		g.add(r.cells...)
	}
	return c.print(all, g)
}
