package nsctl

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
)

// A rawReply is an answer as it has come.
type rawReply struct {
	Server   string            `json:"server"`
	Code     int32             `json:"code"`
	Name     string            `json:"name"`
	Remark   *string           `json:"remark"`
	Language string            `json:"language"`
	Version  int32             `json:"version"`
	Ext      map[string]string `json:"extFields"`
	Body     *string           `json:"body,omitempty"`
	Bytes    []byte            `json:"bodyBase64,omitempty"` // a body that is no text
}

// harmless are the requests that change nothing.
var harmless = []codec.RequestCode{
	codec.ReqGetKVConfig, codec.ReqGetRouteInfoByTopic, codec.ReqGetBrokerClusterInfo, codec.ReqGetAllTopicListFromNameserver,
	codec.ReqGetKVListByNamespace, codec.ReqGetTopicsByCluster, codec.ReqGetSystemTopicListFromNS, codec.ReqGetUnitTopicList,
	codec.ReqGetHasUnitSubTopicList, codec.ReqGetHasUnitSubUnunitTopicList, codec.ReqGetNamesrvConfig, codec.ReqGetBrokerMemberGroup,
}

// mostBody bounds the body of a request in bytes, the header included.
const mostBody = codec.MaxFrameLength - 64<<10

// newRaw makes `nsctl raw`.
func (c *ctl) newRaw() *cobra.Command {
	var ext []string
	var bodyFile, version string
	cmd := &cobra.Command{
		Use:   "raw CODE",
		Short: "Send any request and show the answer as it comes: exit 4 if it is no success",
		Long: "Send any request and show the answer as it comes: exit 4 if it is no success. CODE is a number or a name, as 105 or\n" +
			"GET_ROUTEINFO_BY_TOPIC. A request that may change something is confirmed on a terminal.",
		Example: "  nsctl raw 105 --ext topic=ORDERS\n  nsctl raw UPDATE_NAMESRV_CONFIG --body-file namesrv.properties",
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, code := range knownCodes() {
				names = append(names, code.String())
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			request := codec.Command{Version: codec.Version}
			var err error
			if request.Code, err = codeByName(args[0]); err != nil {
				return err
			}
			if version != "" {
				v, ok := versionByName(version)
				if !ok {
					return usage("--as-client-version is %q, must be a version of Java's client, as V4_9_4 or 4.9.4, or its number", version)
				}
				request.Version = v
			}
			for _, e := range ext {
				name, value, ok := strings.Cut(e, "=")
				if !ok {
					return usage("--ext is %q, must be NAME=VALUE", e)
				}
				request.Ext = append(request.Ext, fields(name, value)...)
			}
			if request.Body, err = c.readBody(bodyFile); err != nil {
				return err
			}
			if !slices.Contains(harmless, request.Code) {
				if c.every != 0 {
					return usage("--watch is for requests that only ask")
				}
				if err := c.confirm("send %v, which may change something?", request.Code); err != nil {
					return err
				}
			}
			return c.reads(func(ctx context.Context, _ []string) error { return c.sendRaw(ctx, &request) })(cmd, args)
		},
	}
	cmd.Flags().StringArrayVar(&ext, "ext", nil, "a field of the header, NAME=VALUE; as often as there are fields")
	cmd.Flags().StringVar(&bodyFile, "body-file", "", "file with the body; - is standard input")
	cmd.Flags().StringVar(&version, "as-client-version", "", "ask as a client of this version, as V4_9_3")
	return cmd
}

func (c *ctl) readBody(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	var from io.Reader = c.stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, usage("%v", err)
		}
		defer f.Close()
		from = f
	}
	body, err := io.ReadAll(io.LimitReader(from, mostBody+1))
	switch {
	case err != nil:
		return nil, usage("%v", err)
	case len(body) > mostBody:
		return nil, usage("the body has more than %d bytes", mostBody)
	}
	return body, nil
}

// knownCodes returns the requests that have names.
func knownCodes() (codes []codec.RequestCode) {
	for code := range codec.RequestCode(1000) {
		if _, err := strconv.Atoi(code.String()); err != nil {
			codes = append(codes, code)
		}
	}
	return codes
}

func codeByName(text string) (codec.RequestCode, error) {
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return codec.RequestCode(n), nil
	}
	for _, code := range knownCodes() {
		if strings.EqualFold(code.String(), text) {
			return code, nil
		}
	}
	return 0, usage("%q is neither a number nor the name of a request", text)
}

// sendRaw sends a request to all servers. A table has the header in one line, and then the
// body.
func (c *ctl) sendRaw(ctx context.Context, request *codec.Command) error {
	answers, err := askAll(ctx, c, func(ctx context.Context, s *server) (rawReply, error) {
		ask := *request
		reply, err := s.ask(ctx, &ask)
		if err != nil {
			return rawReply{}, err
		}
		r := rawReply{
			Server: s.addr, Code: int32(reply.Code), Name: codec.ResponseCode(reply.Code).String(),
			Language: reply.Language.String(), Version: reply.Version, Ext: map[string]string{},
		}
		if reply.Remark != nil {
			remark := string(reply.Remark)
			r.Remark = &remark
		}
		for _, f := range reply.Ext {
			r.Ext[string(f.Name)] = string(f.Value)
		}
		switch {
		case reply.Body != nil && utf8.Valid(reply.Body):
			body := string(reply.Body)
			r.Body = &body
		case reply.Body != nil:
			r.Bytes = reply.Body
		}
		return r, nil
	})
	if err != nil {
		return err
	}
	all := []rawReply{}
	refused := 0
	g := &grid{columns: []column{
		{name: "server"},
		{name: "code", right: true},
		{name: "name"},
		{name: "language", wide: true},
		{name: "version", wide: true},
		{name: "ext"},
		{name: "bytes", right: true},
		{name: "remark"},
	}}
	for _, a := range answers {
		if a.err != nil {
			continue
		}
		r := a.value
		all = append(all, r)
		if codec.ResponseCode(r.Code) != codec.RespSuccess {
			refused++
		}
		var ext []string
		for name, value := range r.Ext {
			ext = append(ext, name+"="+value)
		}
		slices.Sort(ext)
		size, remark := len(r.Bytes), ""
		if r.Body != nil {
			size = len(*r.Body)
		}
		if r.Remark != nil {
			remark = *r.Remark
		}
		version, _ := codec.VersionName(r.Version)
		g.add(a.server, r.Code, r.Name, r.Language, version, dashed(strings.Join(ext, " ")), size, dashed(remark))
	}
	if len(all) > 0 {
		if err := c.print(all, g); err != nil {
			return err
		}
	}
	if c.output == "table" || c.output == "wide" {
		for _, r := range all {
			if r.Body == nil && r.Bytes == nil {
				continue
			}
			fmt.Fprintln(c.stdout)
			if len(answers) > 1 {
				fmt.Fprintf(c.stdout, "# %s\n", clean(r.Server))
			}
			c.printBody(&r)
		}
	}
	if err := outcome(c, answers); err != nil {
		return err
	}
	switch {
	case refused == len(answers):
		return &exitError{code: exitRefused}
	case refused > 0:
		return &exitError{code: exitSome}
	}
	return nil
}

// printBody prints a body line by line, with what would do something to a terminal
// replaced. Bytes that are no text are not printed: JSON has them.
func (c *ctl) printBody(r *rawReply) {
	if r.Body == nil {
		if r.Bytes != nil {
			fmt.Fprintf(c.stdout, "%d bytes that are no text: -o json shows them\n", len(r.Bytes))
		}
		return
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(*r.Body, "\n"), "\n") {
		fmt.Fprintln(c.stdout, clean(line))
	}
}
