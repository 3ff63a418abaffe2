package nsctl

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// A protection is what /v1/status says of self-protection.
type protection struct {
	Mode       string         `json:"mode"`
	State      string         `json:"state"`
	Cause      *string        `json:"cause"`
	Suspects   int            `json:"suspects"`
	Held       map[string]any `json:"held"`
	WouldHold  map[string]any `json:"wouldHold"`
	ScopeCount int            `json:"scopeCount"`
	Scopes     []struct {
		Cluster  string  `json:"cluster"`
		Zone     *string `json:"zone"`
		State    string  `json:"state"`
		Live     int     `json:"live"`
		Overdue  int     `json:"overdue"`
		Suspects int     `json:"suspects"`
	} `json:"scopes"`
}

// A protectedStatus is as much of /v1/status as is needed. Protection is nil if the server
// is of a release that does not say.
type protectedStatus struct {
	Protection *reading[protection] `json:"protection"`
}

// newProtect makes `nsctl protect`.
func (c *ctl) newProtect() *cobra.Command {
	return group("protect", "Say what self-protection holds back, or overrule it",
		&cobra.Command{
			Use:   "status",
			Short: "Say what each server, cluster and zone is taken for, and how many brokers are held back",
			Args:  cobra.NoArgs,
			RunE:  c.reads(func(ctx context.Context, _ []string) error { return c.protectStatus(ctx) }),
		},
		&cobra.Command{
			Use:   "release",
			Short: "Let all brokers go that are held back now, and go on protecting",
			Long: "Let all brokers go that are held back now: it sets selfProtection to off, waits for the next scan to take them out,\n" +
				"and sets back what it was. Ctrl-C sets it back at once.",
			Args: cobra.NoArgs,
			RunE: c.writes(func(ctx context.Context, _ []string) error { return c.protectRelease(ctx) }),
		},
		c.newProtectSet("hold", "Hold back brokers from now on, without a limit of time",
			"Hold back brokers from now on as long as it takes: it sets selfProtection to on, and selfProtectionMaxSeconds to 0. Held are those that\n"+
				"the rules want held: of a cluster of which much is silent, not a broker that falls silent alone.",
			settings{"selfProtection": "on", "selfProtectionMaxSeconds": "0"}),
		c.newProtectSet("off", "Hold back nobody: brokers leave as with Java, those that are held now with the next scan",
			"Hold back nobody: it sets selfProtection to off. Brokers leave as with Java, those that are held now with the next scan.",
			settings{"selfProtection": "off"}),
	)
}

// newProtectSet makes a command that sets keys.
func (c *ctl) newProtectSet(name, short, long string, values settings) *cobra.Command {
	var back time.Duration
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long + "\nIt stays, also over a restart, unless --for is given.", Args: cobra.NoArgs,
		RunE: c.writes(func(ctx context.Context, _ []string) error {
			if back < 0 {
				return usage("--for is %v, must not be negative", back)
			}
			return c.setFor(ctx, values, back)
		}),
	}
	cmd.Flags().DurationVar(&back, "for", 0, "set it back after this time, and on Ctrl-C; nsctl waits so long")
	return cmd
}

// protections asks all servers.
func (c *ctl) protections(ctx context.Context) ([]answer[reading[protection]], error) {
	return eachAdmin(ctx, c, func(ctx context.Context, a *admin) (r reading[protection], err error) {
		var st protectedStatus
		if err := a.get(ctx, "/v1/status", nil, &st); err != nil {
			return r, err
		}
		if st.Protection == nil {
			return r, &unreachedError{fmt.Errorf("%w of a release that tells of protection", errNoAPI)}
		}
		return *st.Protection, nil
	})
}

// protectStatus prints them. The answer is no while anything is not normal.
func (c *ctl) protectStatus(ctx context.Context) error {
	answers, err := c.protections(ctx)
	if err != nil {
		return err
	}
	g := &grid{columns: []column{
		{name: "server"},
		{name: "mode"},
		{name: "cluster"},
		{name: "zone"},
		{name: "state"},
		{name: "live", right: true},
		{name: "overdue", right: true},
		{name: "held", right: true},
		{name: "held ever", right: true, wide: true},
		{name: "would hold", right: true, wide: true},
		{name: "why"},
	}}
	isNormal := true
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		p := &a.value.is
		g.add(a.server, p.Mode, "*", "–", p.State, "–", "–", p.Suspects, sum(p.Held), sum(p.WouldHold), deref(p.Cause))
		isNormal = isNormal && p.State == "normal"
		for _, s := range p.Scopes {
			zone := "–"
			if s.Zone != nil {
				zone = *s.Zone
			}
			g.add(a.server, p.Mode, s.Cluster, zone, s.State, s.Live, s.Overdue, s.Suspects, "–", "–", "")
			isNormal = isNormal && s.State == "normal"
		}
		if n := p.ScopeCount - len(p.Scopes); n > 0 {
			c.sayOf(a.server, "%d more clusters and zones are not shown", n)
		}
	}
	if err := conclude(c, answers, tellings(answers), g); err != nil || isNormal {
		return err
	}
	return no("")
}

// sum adds up counts, which may be texts where they are large.
func sum(counts map[string]any) (n int64) {
	for _, v := range counts {
		switch v := v.(type) {
		case float64:
			n += int64(v)
		case string:
			var more int64
			_, _ = fmt.Sscan(v, &more)
			n += more
		}
	}
	return n
}

// releaseTime is how long held brokers may take to go: several scans, at any interval that
// makes sense.
const releaseTime = 2 * time.Minute

// protectRelease lets go who is held.
func (c *ctl) protectRelease(ctx context.Context) error {
	answers, err := c.protections(ctx)
	if err != nil {
		return err
	}
	held := 0
	for _, a := range answers {
		held += a.value.is.Suspects
	}
	if err := outcome(c, answers); err != nil {
		return err // what is not seen is not changed
	}
	if held == 0 {
		fmt.Fprintln(c.stderr, "nsctl: no broker is held back: nothing was changed")
		return nil
	}
	stays := 0
	ask := fmt.Sprintf("let %d held brokers go (selfProtection=off until they have gone)", held)
	err = c.setWhile(ctx, settings{"selfProtection": "off"}, ask, func() {
		for late := time.Now().Add(releaseTime); time.Now().Before(late); {
			answers, err := c.protections(ctx)
			stays = 0
			for _, a := range answers {
				if a.err != nil {
					stays++
				}
				stays += a.value.is.Suspects
			}
			if err != nil || stays == 0 || !sleep(ctx, 500*time.Millisecond) {
				return
			}
		}
	})
	if err == nil && stays > 0 {
		return no("not all held brokers have gone: nsctl protect status")
	}
	return err
}
