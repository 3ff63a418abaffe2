package nsctl

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// An explanation is what /v1/explain answers.
type explanation struct {
	Verdict string `json:"verdict"`
	Steps   []struct {
		Check  string `json:"check"`
		Result string `json:"result"`
		Text   string `json:"text"`
	} `json:"steps"`
}

// The verdicts, as they are shown.
var verdictTexts = map[string]string{
	"routed":    "is routed",
	"partly":    "is PARTLY routed",
	"readOnly":  "is READ-ONLY",
	"notRouted": "is NOT ROUTED",
	"gated":     "is NOT ROUTED YET",
}

// Signs of the results of steps: a word for the eye, as the checks of /readyz?verbose.
var resultSigns = map[string]string{"ok": "+", "info": "i", "warning": "!", "failed": "-"}

// newExplain makes `nsctl explain`.
func (c *ctl) newExplain() *cobra.Command {
	var from, version, zone string
	topic := &cobra.Command{
		Use:               "topic TOPIC",
		Short:             "Say whether a topic is routed, and why",
		ValidArgsFunction: c.complete(0, askTopics),
		Args:              cobra.ExactArgs(1),
		RunE: c.reads(func(ctx context.Context, args []string) error {
			query := url.Values{}
			if from != "" {
				query.Set("from", from)
			}
			if version != "" || zone != "" {
				query.Set("as", version+","+zone)
			}
			return c.explain(ctx, "topics", args[0], query)
		}),
	}
	fl := topic.Flags()
	fl.StringVar(&from, "from", "", "for a client of this IP address")
	fl.StringVar(&version, "as-client-version", "", "for a client of this version, as V4_9_7 or 4.9.7; the newest")
	fl.StringVar(&zone, "zone", "", "for a client in this zone")
	broker := &cobra.Command{
		Use:               "broker BROKER",
		Short:             "Say whether clients are told of a broker name, and why",
		ValidArgsFunction: c.complete(0, askBrokers),
		Args:              cobra.ExactArgs(1),
		RunE: c.reads(func(ctx context.Context, args []string) error {
			return c.explain(ctx, "brokers", args[0], nil)
		}),
	}
	return group("explain", "Say what clients are told, and why", topic, broker)
}

// explain asks all servers for one thing. The answer is no if one of them does not route it.
func (c *ctl) explain(ctx context.Context, what, name string, query url.Values) error {
	answers, err := getAll[reading[explanation]](ctx, c, "/v1/explain/"+what+"/"+pathPart(name), query)
	if err != nil {
		return err
	}
	isRouted := true
	g := &grid{columns: []column{{name: "server"}}}
	var text strings.Builder
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		e := &a.value.is
		if e.Verdict == "notRouted" || e.Verdict == "gated" {
			isRouted = false
		} else {
			g.add(a.server)
		}
		if text.Len() > 0 {
			text.WriteByte('\n')
		}
		text.WriteString(c.explainText(what, name, a.server, e))
	}
	if c.output == "table" || c.output == "wide" {
		_, _ = io.WriteString(c.stdout, text.String())
		err = outcome(c, answers)
	} else {
		err = conclude(c, answers, tellings(answers), g)
	}
	if err != nil || isRouted {
		return err
	}
	return no("")
}

// explainText returns what a server says, a line for each step. Steps that are well are
// left out where something is not, unless -o wide wants all.
func (c *ctl) explainText(what, name, server string, e *explanation) string {
	verdict, ok := verdictTexts[e.Verdict]
	if !ok {
		verdict = "is " + e.Verdict
	}
	if what == "topics" {
		switch e.Verdict {
		case "notRouted":
			server += " (17)" // TOPIC_NOT_EXIST
		case "gated":
			server += " (1)" // SYSTEM_ERROR
		}
	}
	g := &grid{columns: []column{{name: "check"}, {name: "result"}, {name: "text"}}}
	for _, s := range e.Steps {
		if s.Result == "ok" && c.output != "wide" && e.Verdict != "routed" {
			continue
		}
		sign, ok := resultSigns[s.Result]
		if !ok {
			sign = s.Result
		}
		g.add(s.Check, sign, s.Text)
	}
	g.bare = true
	return clean(fmt.Sprintf("%s %s on %s", name, verdict, server)) + "\n" + c.render(g)
}

// pathPart escapes a name so that it is one part of a path, also where a part of only
// dots would mean a folder.
func pathPart(name string) string {
	if name != "" && strings.Trim(name, ".") == "" {
		return strings.ReplaceAll(name, ".", "%2E")
	}
	return url.PathEscape(name)
}
