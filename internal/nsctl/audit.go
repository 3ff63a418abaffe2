package nsctl

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gonamesrv/internal/audit"
)

// newAudit makes `nsctl audit`.
func (c *ctl) newAudit() *cobra.Command {
	return group("audit", "The audit log of name servers",
		&cobra.Command{
			Use:   "verify FILE...",
			Short: "Say whether files of an audit log are as they were written, or which line is the first that is not",
			Long: "Say whether files of an audit log (auditLogPath) are as they were written, or which line is the first that is not. The oldest\n" +
				"comes first; those that end in .gz are compressed. No server is asked. As namesrv audit verify.",
			Args:              cobra.MinimumNArgs(1),
			ValidArgsFunction: files,
			RunE:              c.reads(func(_ context.Context, args []string) error { return c.verifyAudit(args) }),
		},
	)
}

// verifyAudit reads files of an audit log. The answer is no if they are not as they were
// written.
func (c *ctl) verifyAudit(names []string) error {
	r, err := audit.Verify(names...)
	type verified struct {
		Lines   int      `json:"lines"`
		Chained int      `json:"chained"`
		Lost    uint64   `json:"lost"`
		Last    string   `json:"last"`
		Notes   []string `json:"notes"`
		Fault   *string  `json:"fault"`
	}
	v := verified{r.Lines, r.Chained, r.Lost, r.Last, append([]string{}, r.Notes...), nil}
	if err != nil {
		text := err.Error()
		v.Fault = &text
	}
	switch c.output {
	case "json", "yaml":
		if err := c.print(v, &grid{}); err != nil {
			return &exitError{exitNo, err.Error()}
		}
	default:
		for line := range strings.Lines(r.Text(err)) {
			if _, err := fmt.Fprintln(c.stdout, clean(strings.TrimSuffix(line, "\n"))); err != nil {
				return &exitError{exitNo, err.Error()}
			}
		}
	}
	if err != nil {
		return no("%s", clean(err.Error()))
	}
	return nil
}
