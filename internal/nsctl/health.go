package nsctl

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// A serverHealth says whether clients are served.
type serverHealth struct {
	Server  string `json:"server"`
	Healthy bool   `json:"healthy"`
	Why     string `json:"why,omitempty"` // it is not
}

// againAfter is the pause between two looks at a server that is not healthy yet.
const againAfter = 500 * time.Millisecond

// newHealth makes `nsctl health`.
func (c *ctl) newHealth() *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Say whether each name server serves clients: exit 0, else 1",
		Long: "Say whether each name server serves clients: exit 0 if all do, else 1.\n\n" +
			"A server is healthy if it answers a client that asks for a route, whether or not there is one, and if /readyz of a gonamesrv,\n" +
			"where it can be reached, says so too.",
		Example: "  nsctl health\n  nsctl -n 'ns1:9876;ns2:9876' health --wait 60s",
		Args:    cobra.NoArgs,
		RunE: c.reads(func(ctx context.Context, _ []string) error {
			end := c.now().Add(wait)
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) (serverHealth, error) {
				for {
					h := s.health(ctx)
					if h.Healthy || c.now().After(end) || wait == 0 {
						return h, nil
					}
					s.close()
					if !sleep(ctx, againAfter) {
						return h, nil
					}
				}
			})
			if err != nil {
				return err
			}
			g := &grid{columns: []column{{name: "server"}, {name: "health", paint: paintState}, {name: "why"}}}
			all := []serverHealth{}
			sick := false
			for _, a := range answers {
				word := "healthy"
				if !a.value.Healthy {
					word, sick = "unhealthy", true
				}
				all = append(all, a.value)
				g.add(a.server, word, a.value.Why)
			}
			if err := c.print(all, g); err != nil {
				return err
			}
			if sick {
				return &exitError{code: exitNo}
			}
			return nil
		}),
	}
	cmd.Flags().DurationVar(&wait, "wait", 0, "for at most so long, until all are healthy")
	return cmd
}

// health asks one server what its clients ask.
func (s *server) health(ctx context.Context) serverHealth {
	h := serverHealth{Server: s.addr}
	_, err := s.route(ctx, "TBW102") // Java's clients ask for it all the time
	if _, missing := err.(missingError); err != nil && !missing {
		h.Why = errorText(err)
		return h
	}
	h.Healthy = true
	config, err := s.config(ctx)
	if err != nil {
		return h // it may be told not to show it
	}
	if a := s.adminOf(s.addr, config); a != nil {
		if why := a.notReady(ctx); why != "" {
			h.Healthy, h.Why = false, why
		}
	}
	return h
}

// notReady returns what /readyz says against it, "" if nothing, or if nobody can ask it.
func (a *admin) notReady(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, besideWithin)
	defer cancel()
	reply, err := a.send(ctx, "/readyz", nil, "text/plain")
	if err != nil {
		return ""
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusServiceUnavailable {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(reply.Body, 4<<10))
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if line == "" {
		line = fmt.Sprintf("/readyz answers %s", reply.Status)
	}
	return clean(line)
}
