package nsctl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
	"gonamesrv/internal/nsdiff"
)

// mostNamespaces is how many namespaces of the KV config are compared.
const mostNamespaces = 64

// lookAtKV compares the KV config, a namespace after the other. Values are asked for over
// the protocol, also of ours: their API hides what may be a secret.
func (d *comparison) lookAtKV(ctx context.Context, now *findings, first bool) {
	if first {
		d.findNamespaces(ctx)
	}
	said := make([][]*codec.KVTable, len(d.namespaces))
	for n := range said {
		said[n] = make([]*codec.KVTable, len(d.servers))
	}
	d.each(func(i int, s *compared) error {
		for n, namespace := range d.namespaces {
			t, err := d.askNamespace(ctx, s, namespace)
			if err != nil {
				for n := range said {
					said[n][i] = nil // it is left out, with all that it has said
				}
				return err
			}
			if t == nil { // it would refuse the others too
				break
			}
			said[n][i] = t
		}
		return nil
	})
	for n, namespace := range d.namespaces {
		now.kv.add(nsdiff.KV(namespace, said[n])...)
	}
}

// findNamespaces makes the list of the namespaces to compare: those that RocketMQ knows,
// those of --namespace, and all that servers with a read API have. Nobody can be asked for
// them over the protocol.
func (d *comparison) findNamespaces(ctx context.Context) {
	all := slices.Concat(nsdiff.KnownNamespaces, d.namespaces)
	slices.Sort(all)
	all = slices.Compact(all)
	more := make([][]string, len(d.servers))
	whys := make([]error, len(d.servers))
	d.each(func(i int, s *compared) error {
		if s.api != nil {
			more[i], whys[i] = namespacesOf(ctx, s.api)
		}
		return nil
	})
	d.everyNamespace = true
	var found []string
	for i, s := range d.servers {
		if s.err != nil {
			continue
		}
		if whys[i] != nil {
			d.note(s, "which namespaces its KV config has is not known: %v", whys[i])
		}
		d.everyNamespace = d.everyNamespace && s.api != nil && whys[i] == nil
		for _, name := range more[i] {
			if !slices.Contains(all, name) {
				found = append(found, name)
			}
		}
	}
	slices.Sort(found)
	found = slices.Compact(found)
	if room := mostNamespaces - len(all); len(found) > room {
		fmt.Fprintf(d.stderr, "nsctl: not all namespaces of the KV config are compared, only %d\n", mostNamespaces)
		found, d.incomplete, d.everyNamespace = found[:room], true, false
	}
	d.namespaces = append(all, found...)
}

// namespacesOf asks an API which namespaces have keys; of very many it returns some more
// than are compared.
func namespacesOf(ctx context.Context, a *admin) (names []string, err error) {
	query := url.Values{"limit": {"1000"}}
	err = eachKVPage(ctx, a, query, func(items []kvItem) bool {
		for _, item := range items {
			if !slices.Contains(names, item.Namespace) {
				names = append(names, item.Namespace)
			}
		}
		return len(names) <= mostNamespaces
	})
	return names, err
}

// askNamespace asks for a namespace. One that a server does not have is empty. A refusal is
// said, and nil.
func (d *comparison) askNamespace(ctx context.Context, s *compared, namespace string) (*codec.KVTable, error) {
	reply, err := s.call(ctx, codec.ReqGetKVListByNamespace, fields("namespace", namespace), nil)
	var refused *client.ReplyError
	switch {
	case errors.As(err, &refused) && refused.Code == codec.RespQueryNotFound:
		return &codec.KVTable{}, nil
	case errors.As(err, &refused):
		d.refused(s, "KV config", err)
		return nil, nil
	case err != nil:
		return nil, err
	}
	t, left := &codec.KVTable{}, decodedInfo
	if err := t.DecodeWithin(reply.Body, func(n int) bool { left -= n; return left >= 0 }); err != nil {
		d.notCompared(s, "KV config", err)
		return nil, nil
	}
	return t, nil
}

// comparedKV says how much of the KV config was compared.
func (d *comparison) comparedKV() string {
	switch {
	case d.everyNamespace:
		return "KV config"
	case len(d.namespaces) > 4:
		return fmt.Sprintf("%d namespaces of the KV config", len(d.namespaces))
	}
	return "KV config of " + strings.Join(d.namespaces, " and ")
}
