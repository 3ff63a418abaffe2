package nsctl

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// A peer is what /v1/peers says of a name server that one compares itself with.
type peer struct {
	Addr    string   `json:"addr"`
	Up      bool     `json:"up"`
	Why     *string  `json:"why"`
	Version *string  `json:"version"`
	Checked *string  `json:"checked"`
	Brokers peerPart `json:"brokers"`
	Topics  peerPart `json:"topics"`
	Config  peerPart `json:"config"`
	KV      peerPart `json:"kv"`
}

type peerPart struct {
	Compared bool     `json:"compared"`
	Why      *string  `json:"why"`
	Differ   *int     `json:"differ"`
	Samples  []string `json:"samples"`
}

func (p *peerPart) text() string {
	switch {
	case p.Compared && p.Differ != nil && *p.Differ > 0:
		return fmt.Sprintf("%d differ", *p.Differ)
	case p.Compared:
		return "same"
	}
	return "–"
}

func (p *peerPart) differs() bool { return p.Differ != nil && *p.Differ > 0 }

// newPeers makes `nsctl peers`.
func (c *ctl) newPeers() *cobra.Command {
	return &cobra.Command{
		Use:   "peers",
		Short: "Say with whom each server compares itself, and what differs",
		Args:  cobra.NoArgs,
		RunE:  c.reads(func(ctx context.Context, _ []string) error { return c.peers(ctx) }),
	}
}

// peers prints them. The answer is no if one cannot be asked, or differs.
func (c *ctl) peers(ctx context.Context) error {
	answers, err := getAll[reading[struct {
		Items []peer `json:"items"`
	}]](ctx, c, "/v1/peers", nil)
	if err != nil {
		return err
	}
	g := &grid{columns: []column{
		{name: "peer"},
		{name: "server"},
		{name: "state"},
		{name: "brokers"},
		{name: "topics"},
		{name: "config"},
		{name: "kv"},
		{name: "version", wide: true},
		{name: "checked", wide: true},
		{name: "samples", wide: true},
	}}
	isSame := true
	for _, a := range answers {
		if a.err == nil && len(a.value.is.Items) == 0 {
			c.sayOf(a.server, "it has no peers: peerNamesrvAddr says whom it compares itself with")
		}
		for i := range a.value.is.Items {
			p := &a.value.is.Items[i]
			state := "up"
			if !p.Up {
				state = "down: " + dashed(deref(p.Why))
			}
			var samples []string
			for _, part := range []*peerPart{&p.Brokers, &p.Topics, &p.Config, &p.KV} {
				samples = append(samples, part.Samples...)
				if part.differs() {
					isSame = false
				}
			}
			isSame = isSame && p.Up
			g.add(p.Addr, a.server, state, p.Brokers.text(), p.Topics.text(), p.Config.text(), p.KV.text(), dashed(deref(p.Version)), dashed(deref(p.Checked)), strings.Join(samples, " "))
		}
	}
	if err := conclude(c, answers, tellings(answers), g); err != nil || isSame {
		return err
	}
	return no("")
}
