package nsctl

import (
	"context"
	"time"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"
)

// An accessReport is what /v1/access says.
type accessReport struct {
	Preset string          `json:"preset"`
	Mode   string          `json:"mode"`
	Beyond json.Number     `json:"beyond"`
	Items  []accessRefusal `json:"items"`
}

type accessRefusal struct {
	Outcome string      `json:"outcome"`
	Who     string      `json:"who"`
	From    *string     `json:"from"`
	Code    int         `json:"code"`
	Request string      `json:"request"`
	Right   string      `json:"right"`
	Reason  string      `json:"reason"`
	Count   json.Number `json:"count"`
	First   time.Time   `json:"first"`
	Last    time.Time   `json:"last"`
}

// newAccess makes `nsctl access`.
func (c *ctl) newAccess() *cobra.Command {
	return group("access", "Who may do what",
		&cobra.Command{
			Use:   "report",
			Short: "Say who was refused what since the start, and who would be if nobody monitored",
			Long: "Say who was refused what since the start of each server, and who would be if accessMode and brokerJoin did not monitor: by who\n" +
				"it is by the rules of the accessFile, network, request and reason, the most frequent first. The answer is no while something\n" +
				"would be refused. This needs a gonamesrv with its admin listener.",
			Args: cobra.NoArgs,
			RunE: c.reads(func(ctx context.Context, _ []string) error { return c.accessReport(ctx) }),
		},
	)
}

// accessReport prints who was refused what.
func (c *ctl) accessReport(ctx context.Context) error {
	answers, err := getAll[reading[accessReport]](ctx, c, "/v1/access", nil)
	if err != nil {
		return err
	}
	g := &grid{columns: []column{
		{name: "who"},
		{name: "from"},
		{name: "server"},
		{name: "mode", wide: true},
		{name: "outcome"},
		{name: "code", right: true},
		{name: "request"},
		{name: "right"},
		{name: "reason"},
		{name: "count", right: true},
		{name: "first", wide: true},
		{name: "last"},
	}}
	would := false
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		r := &a.value.is
		for i := range r.Items {
			it := &r.Items[i]
			would = would || it.Outcome == "would-refuse"
			g.add(it.Who, dashed(deref(it.From)), a.server, r.Mode, it.Outcome, it.Code, it.Request, it.Right, it.Reason, it.Count,
				it.First.UTC().Format(time.RFC3339), it.Last.UTC().Format(time.RFC3339))
		}
		if n := r.Beyond.String(); n != "" && n != "0" {
			c.sayOf(a.server, "%s more are not told apart: there are too many kinds", n)
		}
	}
	if err := conclude(c, answers, tellings(answers), g); err != nil || !would {
		return err
	}
	return no("")
}
