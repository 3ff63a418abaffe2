package nsctl

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"gonamesrv/codec"
	"gonamesrv/internal/nsdiff"
)

// newSnapshot makes `nsctl snapshot`.
func (c *ctl) newSnapshot() *cobra.Command {
	save := &cobra.Command{
		Use:   "save FILE",
		Short: "Write all brokers and topics of the first name server into a file",
		Long:  "Write all clusters, brokers and topics of the first name server into a file: the lines of /v1/snapshot, packed by\ngzip. The file is replaced when all has come, or not at all. This needs a gonamesrv with its admin listener.",
		Args:  cobra.ExactArgs(1),
		RunE: c.writes(func(ctx context.Context, args []string) error {
			admins, err := c.admins()
			if err != nil {
				return err
			}
			counts, err := admins[0].saveSnapshot(ctx, args[0])
			if err == nil {
				fmt.Fprintf(c.stderr, "nsctl: %s has %d clusters, %d brokers and %d topics of %s\n", args[0], counts["cluster"], counts["broker"], counts["topic"], admins[0].name)
				return nil
			}
			return outcome(c, []answer[struct{}]{{server: admins[0].name, err: err}})
		}),
	}
	show := &cobra.Command{
		Use:               "show FILE [clusters|brokers|topics]",
		Short:             "Show what is in such a file",
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: either(files, words("clusters", "brokers", "topics")),
		RunE: c.reads(func(_ context.Context, args []string) error {
			what := ""
			if len(args) > 1 {
				what = args[1]
			}
			return c.showSnapshot(args[0], what)
		}),
	}
	var all bool
	diff := &cobra.Command{
		Use:   "diff FILE FILE|SERVER",
		Short: "Compare such a file with another one, or with what a name server says now",
		Long:  "Compare such a file with another one, or with what a name server says now (host:port; this needs a gonamesrv with its\nadmin listener). Brokers and topics are compared, the configuration is not in it.",
		Args:  cobra.ExactArgs(2),
		RunE:  c.reads(func(ctx context.Context, args []string) error { return c.diffSnapshots(ctx, args, all) }),
	}
	diff.Flags().BoolVar(&all, "all", false, "print all differences")
	return group("snapshot", "Keep what a name server knows in a file, show it, compare it", save, show, diff)
}

// saveSnapshot writes a snapshot into a file, which is replaced by a whole one only. It
// returns how many lines of each type there are.
func (a *admin) saveSnapshot(ctx context.Context, name string) (counts map[string]int, err error) {
	body, err := a.open(ctx, "/v1/snapshot", nil, "application/x-ndjson")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return nil, err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	packed := gzip.NewWriter(f)
	r := newSnapshotReader(struct {
		io.Reader
		io.Closer
	}{io.TeeReader(body, packed), body})
	for {
		if _, err = r.next(); err != nil {
			break
		}
	}
	if !errors.Is(err, io.EOF) || !r.ended {
		return nil, &unreachedError{causeOf(ctx, err)}
	}
	if err = packed.Close(); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	return r.counts, err
}

// openSnapshot opens a file, packed or not.
func openSnapshot(name string) (*snapshotReader, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usage("%v", err)
	}
	head := make([]byte, 2)
	n, _ := io.ReadFull(f, head)
	whole := io.MultiReader(bytes.NewReader(head[:n]), f)
	if !bytes.Equal(head, []byte{0x1f, 0x8b}) {
		return newSnapshotReader(struct {
			io.Reader
			io.Closer
		}{whole, f}), nil
	}
	plain, err := gzip.NewReader(whole)
	if err != nil {
		f.Close()
		return nil, no("%s: %v", name, err)
	}
	return newSnapshotReader(struct {
		io.Reader
		io.Closer
	}{plain, f}), nil
}

// showSnapshot prints what is in a file; what is "" for how much it is.
func (c *ctl) showSnapshot(name, what string) error {
	r, err := openSnapshot(name)
	if err != nil {
		return err
	}
	defer r.close()
	var head *snapshotLine
	var g *grid
	var shown []any
	switch what {
	case "":
		g = &grid{columns: []column{{name: "node"}, {name: "version"}, {name: "time"}, {name: "generation"}, {name: "clusters", right: true}, {name: "brokers", right: true}, {name: "topics", right: true}}}
	case "clusters":
		g = &grid{columns: []column{{name: "cluster"}, {name: "brokers"}}}
	case "brokers":
		g = &grid{columns: []column{{name: "broker"}, {name: "cluster"}, {name: "id", right: true}, {name: "addr"}, {name: "state"}, {name: "topics", right: true}}}
	case "topics":
		g = &grid{columns: []column{{name: "topic"}, {name: "broker"}, {name: "read", right: true}, {name: "write", right: true}, {name: "perm", right: true}, {name: "flags", right: true}}}
	default:
		return usage("%q is none of clusters, brokers and topics", what)
	}
	for {
		line, err := r.next()
		if errors.Is(err, io.EOF) && r.ended {
			break
		}
		if err != nil {
			return no("%s: %v", name, err)
		}
		if head == nil {
			head = line
		}
		if what == "" || line.Type+"s" != what {
			continue
		}
		shown = append(shown, line.shown())
		switch what {
		case "clusters":
			g.add(line.Cluster, strings.Join(texts(line.Brokers), " "))
		case "brokers":
			for _, m := range line.Members {
				g.add(line.Broker, strings.Join(texts(line.Clusters), " "), trimmed(m.BrokerID), m.Addr, m.State, line.Topics)
			}
		case "topics":
			for _, q := range line.Queues {
				g.add(line.Topic, q.Broker, q.ReadQueueNums, q.WriteQueueNums, q.Perm, q.TopicSysFlag)
			}
		}
	}
	if what == "" {
		g.add(head.Node, head.Version, head.Time, head.Generation, r.counts["cluster"], r.counts["broker"], r.counts["topic"])
		return c.print(map[string]any{
			"node": head.Node, "version": head.Version, "time": head.Time, "generation": head.Generation,
			"clusters": r.counts["cluster"], "brokers": r.counts["broker"], "topics": r.counts["topic"],
		}, g)
	}
	if shown == nil {
		shown = []any{}
	}
	return c.print(shown, g)
}

// diffSnapshots compares a file with another one or with a server.
func (c *ctl) diffSnapshots(ctx context.Context, names []string, all bool) error {
	d := &comparison{ctl: c, isFiles: true, byDigest: true, notes: map[string]bool{}}
	infos := make([]*codec.ClusterInfo, len(names))
	sources := make([]nsdiff.Source, len(names))
	for i, name := range names {
		r, err := c.snapshotOf(ctx, name, i > 0)
		var u *unreachedError
		if errors.As(err, &u) {
			return outcome(c, []answer[struct{}]{{server: name, err: err}})
		}
		if err != nil {
			return err
		}
		defer r.close()
		d.servers = append(d.servers, &compared{server: &server{ctl: c, addr: name}})
		infos[i] = &codec.ClusterInfo{}
		// Clusters and brokers come before topics.
		var first *snapshotLine
		for first == nil {
			line, err := r.next()
			if errors.Is(err, io.EOF) && r.ended {
				break
			}
			if err != nil {
				return no("%s: %v", name, err)
			}
			switch line.Type {
			case "broker":
				infos[i].BrokerAddrTable = append(infos[i].BrokerAddrTable, line.brokerData()...)
			case "topic":
				first = line
			}
		}
		sources[i] = func() (string, nsdiff.Topic, bool, error) {
			if line := first; line != nil {
				first = nil
				return line.Topic, line.compared(), true, nil
			}
			return r.topic()
		}
	}
	found := &findings{}
	found.brokers.add(nsdiff.Brokers(infos)...)
	err := nsdiff.Merge(sources, func(name string, said []nsdiff.Topic) error {
		found.topicCount++
		found.topics.add(nsdiff.CompareTopic(name, said)...)
		return context.Cause(ctx)
	})
	var at *nsdiff.SourceError
	if errors.As(err, &at) {
		return no("%s: %v", names[at.Server], err)
	}
	if err != nil {
		return err
	}
	return d.tell(found, all)
}

// snapshotOf opens a file, or asks a server if there is no such file and it may be one.
func (c *ctl) snapshotOf(ctx context.Context, name string, mayBeServer bool) (*snapshotReader, error) {
	_, err := os.Stat(name)
	if err == nil || !mayBeServer || !strings.Contains(name, ":") {
		return openSnapshot(name)
	}
	c.servers = name
	admins, err := c.admins()
	if err != nil {
		return nil, err
	}
	body, err := admins[0].open(ctx, "/v1/snapshot", nil, "application/x-ndjson")
	if err != nil {
		return nil, err
	}
	return newSnapshotReader(body), nil
}
