package nsctl

import (
	"context"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
)

// A serverVersion is what a name server says of its version.
type serverVersion struct {
	Server string `json:"server"`
	Kind   string `json:"kind"` // gonamesrv or java
	Speaks string `json:"speaks"`
}

// newVersion makes `nsctl version`.
func (c *ctl) newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version each name server is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			answers, err := askAll(cmd.Context(), c, func(ctx context.Context, s *server) (serverVersion, error) {
				reply, err := s.call(ctx, codec.ReqGetNamesrvConfig, nil, nil)
				if err != nil {
					return serverVersion{}, err
				}
				name, _ := codec.VersionName(reply.Version)
				return serverVersion{Server: s.addr, Speaks: name}, nil
			})
			if err != nil {
				return err
			}
			g := &grid{columns: []column{{name: "server"}, {name: "speaks"}}}
			var all []serverVersion
			for _, a := range answers {
				if a.err == nil {
					all = append(all, a.value)
					g.add(a.server, a.value.Speaks)
				}
			}
			if err := c.print(all, g); err != nil {
				return err
			}
			return outcome(c, answers)
		},
	}
}
