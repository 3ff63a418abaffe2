package namesrv

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
	"gonamesrv/internal/nsdiff"
)

const (
	// peerNamespacesMost is how many namespaces of the KV config a peer is asked for.
	peerNamespacesMost = 64

	// peerKVBytes is how long its answers may be, together: twice what the KV config of
	// one of ours may have.
	peerKVBytes = 2 * maxKVConfig

	// peerKVTimeout is for all of them.
	peerKVTimeout = 4 * peerTimeout
)

// A peerNamespace is what a peer has answered of a namespace.
type peerNamespace struct {
	name  string
	there bool // it has it
	body  []byte
}

// peerNamespaces are the namespaces that a peer is asked for: those that RocketMQ knows,
// and ours. Nobody can be asked which there are: one that only the peer has is noticed
// there, or by nsctl diff.
func peerNamespaces(kv *kvState) []string {
	names := slices.Clone(nsdiff.KnownNamespaces)
	for i := range kv.table.Namespaces {
		name := kv.table.Namespaces[i].Name
		if len(names) == peerNamespacesMost {
			break
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// askKV asks for namespaces. Whoever does not answer was reached all the same.
func (a *peerAnswers) askKV(ctx context.Context, c *client.Conn, namespaces []string) {
	ctx, cancel := context.WithTimeoutCause(ctx, peerKVTimeout, errPeerSlow)
	defer cancel()
	left := peerKVBytes
	for _, name := range namespaces {
		ext := codec.ExtFields{{Name: []byte("namespace"), Value: []byte(name)}}
		answer, err := askQuestion(ctx, c, codec.ReqGetKVListByNamespace, ext)
		var refused *client.ReplyError
		switch {
		case err != nil:
			a.kv.err = err
			return
		case errors.As(answer.err, &refused) && refused.Code == codec.RespQueryNotFound:
		case answer.err != nil:
			a.kv.err = answer.err
			return
		default:
			if left -= len(answer.body); left < 0 {
				a.kv.err = fmt.Errorf("namesrv: the KV config has more than %d bytes", peerKVBytes)
				return
			}
		}
		a.namespaces = append(a.namespaces, peerNamespace{name, answer.err == nil, answer.body})
	}
}

// diffKV compares with the answers to GET_KVLIST_BY_NAMESPACE. A namespace that is not
// there is one without keys.
func diffKV(d *peerDiff, ours *kvState, theirs []peerNamespace) error {
	left := peerDecoded
	for _, n := range theirs {
		var there codec.KVTable
		if n.there {
			if err := there.DecodeWithin(n.body, func(n int) bool { left -= n; return left >= 0 }); err != nil {
				return err
			}
		}
		here, _ := ours.namespace(n.name)
		diffEntries(d, n.name, here, there.Entries)
	}
	return nil
}

// diffEntries compares two lists in ascending order of name.
func diffEntries(d *peerDiff, namespace string, here, there []codec.Field) {
	add := func(key, how string) { d.add([]byte(namespace+" "+key), how) }
	for len(here)+len(there) > 0 {
		switch {
		case len(there) == 0 || len(here) > 0 && here[0].Name < there[0].Name:
			add(here[0].Name, onlyHere)
			here = here[1:]
		case len(here) == 0 || there[0].Name < here[0].Name:
			add(there[0].Name, onlyThere)
			there = there[1:]
		default:
			if key, a, b := here[0].Name, here[0].Value, there[0].Value; a != b {
				add(key, ": "+shownHere(key, a)+" here, "+shownHere(key, b)+" there")
			}
			here, there = here[1:], there[1:]
		}
	}
}

// shownHere is a value of the KV config as it is shown.
func shownHere(key, value string) string {
	if value != "" && soundsSecret(key) {
		return hidden
	}
	return nsdiff.ShownValue(value)
}
