package nsctl

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gonamesrv/internal/nsdiff"
)

const (
	// usualConfirm is longer than a broker takes from one registration to the next, which is
	// 30 s: it may have missed one server once.
	usualConfirm = 35 * time.Second
	usualRate    = 2000
	shownOfPart  = 20 // differences of each part in a table
)

// newDiff makes `nsctl diff`.
func (c *ctl) newDiff() *cobra.Command {
	o := diffOptions{}
	var topics string
	var all bool
	cmd := &cobra.Command{
		Use:   "diff [A B [C…]]",
		Short: "Compare name servers: brokers, topics, configuration, KV config",
		Long: `Compare name servers, ours and Java's: those that are named, or those of -n.

Ours with a read API are compared in full, by checksums of their topics. Of others the
names of topics are compared; --deep asks for the routes of all of them, --topics of some.
Of the KV config the namespaces that RocketMQ knows are compared (ORDER_TOPIC_CONFIG,
PROJECT_CONFIG), those of --namespace, and all that servers with a read API have.

What does not stand until --confirm is over is no difference: brokers tell name servers of
a change one after the other.

It ends with 0 if they say the same, 1 if not, 5 if there is no difference as far as could
be asked.`,
		RunE: c.reads(func(ctx context.Context, args []string) error {
			if topics != "" {
				only, err := regexp.Compile(topics)
				if err != nil {
					return usage("--topics: %v", err)
				}
				o.topics = only
			}
			if len(o.namespaces) > mostNamespaces-len(nsdiff.KnownNamespaces) {
				return usage("--namespace is given %d times, must be at most %d", len(o.namespaces), mostNamespaces-len(nsdiff.KnownNamespaces))
			}
			if o.rate < 1 || o.lasting < 0 {
				return usage("--rate must be at least 1, and --confirm not less than 0")
			}
			d, err := c.newComparison(args, o)
			if err != nil {
				return err
			}
			found, err := d.run(ctx)
			if err != nil {
				return err
			}
			return d.tell(found, all)
		}),
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.BoolVar(&o.deep, "deep", false, "ask servers without a read API for the routes of all topics")
	fl.IntVar(&o.rate, "rate", usualRate, "routes to ask of each server, a second")
	fl.StringVar(&topics, "topics", "", "compare only topics that match this, with their routes")
	fl.StringArrayVar(&o.namespaces, "namespace", nil, "compare this namespace of the KV config too; may be given again")
	fl.DurationVar(&o.lasting, "confirm", usualConfirm, "for how long something must differ to count; 0 looks once")
	fl.BoolVar(&all, "all", false, "print all differences")
	return cmd
}

// tell prints what was found, and returns how the program ends.
func (d *comparison) tell(found *findings, all bool) error {
	parts := found.parts()
	answers := make([]answer[struct{}], len(d.servers))
	shown := diffAnswer{Same: true, Servers: []diffServer{}, Parts: []diffPart{}}
	alive := 0
	for i, s := range d.servers {
		answers[i].server, answers[i].err = s.addr, s.err
		row := diffServer{Server: s.addr, Via: s.via()}
		if d.isFiles {
			row.Via = "file"
		}
		if s.err == nil {
			alive++
		} else {
			row.Error = s.err.Error()
		}
		shown.Servers = append(shown.Servers, row)
	}
	if alive < 2 { // there was nothing to compare
		for i := range answers {
			if answers[i].err == nil && alive == 1 {
				fmt.Fprintf(d.stderr, "nsctl: only %s was reached: nothing is compared\n", answers[i].server)
			}
		}
		return outcome(d.ctl, answers)
	}
	g := &grid{columns: []column{{name: "part"}, {name: "name"}, {name: "what"}}}
	for _, s := range d.servers {
		g.columns = append(g.columns, column{name: s.addr, asIs: true})
	}
	if d.output == "name" {
		g.columns = g.columns[1:2]
	}
	for _, part := range parts {
		p := diffPart{Part: part.name, Differ: len(part.list) + part.more, Kept: len(part.list), Differences: []diffItem{}}
		if p.Differ > 0 {
			shown.Same = false
		}
		for i := range part.list {
			p.Differences = append(p.Differences, d.item(&part.list[i]))
		}
		shown.Parts = append(shown.Parts, p)
		for i := range part.list {
			if d.output == "name" {
				g.add(part.list[i].Name)
				continue
			}
			if i == shownOfPart && !all {
				g.add(append([]any{part.name, fmt.Sprintf("… and %d more: --all", p.Differ-i)}, d.blanks()...)...)
				break
			}
			g.add(d.cells(part.name, &part.list[i])...)
		}
		if all && part.more > 0 && d.output != "name" {
			g.add(append([]any{part.name, fmt.Sprintf("… and %d more, too many to keep", part.more)}, d.blanks()...)...)
		}
	}
	shown.Complete = !d.incomplete && alive == len(d.servers)
	if d.output == "json" || d.output == "yaml" || d.output == "name" || !shown.Same {
		if err := d.print(shown, g); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(d.stdout, "the same: %s\n", strings.Join(d.compared(found), ", "))
	}
	err := outcome(d.ctl, answers)
	switch {
	case !shown.Same:
		return &exitError{code: exitNo} // what is certain, whoever else could not be asked
	case err == nil && d.incomplete:
		return &exitError{code: exitSome}
	}
	return err
}

// compared says how much was compared.
func (d *comparison) compared(found *findings) (texts []string) {
	texts = append(texts, "brokers")
	switch {
	case found.topicCount > 0 && d.deep:
		texts = append(texts, fmt.Sprintf("%d topics", found.topicCount))
	case d.byDigest:
		texts = append(texts, "topics")
	default:
		texts = append(texts, fmt.Sprintf("names of %d topics", found.topicCount))
	}
	if d.isFiles {
		return texts
	}
	return append(texts, "configuration", d.comparedKV())
}

func (d *comparison) blanks() []any {
	blanks := make([]any, 1+len(d.servers))
	for i := range blanks {
		blanks[i] = ""
	}
	return blanks
}

// isPresence reports whether a difference is only in who has something.
func isPresence(f *nsdiff.Difference) bool {
	for _, v := range f.Said {
		if v.Text != "" {
			return false
		}
	}
	return true
}

// cells returns a row of the table.
func (d *comparison) cells(part string, f *nsdiff.Difference) []any {
	cells := []any{part, f.Name, f.What}
	presence := isPresence(f)
	for _, v := range f.Said {
		switch {
		case !v.Known:
			cells = append(cells, "?")
		case !v.There:
			cells = append(cells, "✗")
		case presence:
			cells = append(cells, "✓")
		default:
			cells = append(cells, v.Text)
		}
	}
	return cells
}

// A diffAnswer is what -o json prints.
type diffAnswer struct {
	Same     bool         `json:"same"`     // no difference was found
	Complete bool         `json:"complete"` // all that was to be asked was answered
	Servers  []diffServer `json:"servers"`
	Parts    []diffPart   `json:"parts"`
}

type diffServer struct {
	Server string `json:"server"`
	Via    string `json:"via"` // api, protocol or file
	Error  string `json:"error,omitempty"`
}

type diffPart struct {
	Part        string     `json:"part"` // brokers, topics, config or kv
	Differ      int        `json:"differ"`
	Kept        int        `json:"kept"` // of these, in differences
	Differences []diffItem `json:"differences"`
}

type diffItem struct {
	Name string         `json:"name"`
	What string         `json:"what,omitempty"`
	Said map[string]any `json:"said"` // by server: a text, or whether it has it; none where it is not known
}

func (d *comparison) item(f *nsdiff.Difference) diffItem {
	it := diffItem{Name: f.Name, What: f.What, Said: map[string]any{}}
	presence := isPresence(f)
	for i, v := range f.Said {
		addr := d.servers[i].addr
		switch {
		case !v.Known:
		case presence:
			it.Said[addr] = v.There
		case !v.There:
			it.Said[addr] = nil
		default:
			it.Said[addr] = v.Text
		}
	}
	return it
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if !sleep(ctx, d) {
		return context.Cause(ctx)
	}
	return nil
}
