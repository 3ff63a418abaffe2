package nsctl

import (
	"context"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
)

// A serverVersion is what a name server says of its version.
type serverVersion struct {
	Server  string `json:"server"`
	Kind    string `json:"kind"`    // gonamesrv; java for any other one; unknown if it does not say
	Version string `json:"version"` // the release
	Speaks  string `json:"speaks"`  // the version of RocketMQ that it answers with
}

// newVersion makes `nsctl version`.
func (c *ctl) newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Say which version each name server is",
		Long:    "Say which version each name server is. nsctl's own is told by nsctl --version.",
		Example: "  nsctl -n 'ns1:9876;ns2:9876' version",
		Args:    cobra.NoArgs,
		RunE: c.reads(func(ctx context.Context, _ []string) error {
			answers, err := askAll(ctx, c, func(ctx context.Context, s *server) (serverVersion, error) {
				v := serverVersion{Server: s.addr, Kind: "java"}
				config, err := s.config(ctx)
				if _, unreached := err.(*unreachedError); unreached {
					return v, err
				}
				if err != nil {
					v.Kind = "unknown" // it does not tell everybody what it is
				}
				if s.speaks == 0 { // it has left that out
					v.Speaks, v.Version = "–", "–"
				} else {
					v.Speaks, _ = codec.VersionName(s.speaks)
					v.Version = versionName(s.speaks)
				}
				if release := config.release(); release != "" {
					v.Kind, v.Version = "gonamesrv", release
				}
				return v, nil
			})
			if err != nil {
				return err
			}
			g := &grid{columns: []column{{name: "server"}, {name: "kind"}, {name: "version"}, {name: "speaks"}}}
			all := []serverVersion{}
			for _, a := range answers {
				if a.err == nil {
					all = append(all, a.value)
					g.add(a.server, a.value.Kind, a.value.Version, a.value.Speaks)
				}
			}
			if len(all) > 0 {
				if err := c.print(all, g); err != nil {
					return err
				}
			}
			return outcome(c, answers)
		}),
	}
}
