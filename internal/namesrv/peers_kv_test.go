package namesrv

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// kvOf returns a KV config with one namespace, of keys and their values.
func kvOf(namespace string, keysAndValues ...string) codec.KVConfigTable {
	var entries []codec.Field
	for i := 0; i < len(keysAndValues); i += 2 {
		entries = append(entries, codec.Field{Name: keysAndValues[i], Value: keysAndValues[i+1]})
	}
	return codec.KVConfigTable{Namespaces: []codec.KVNamespace{{Name: namespace, Entries: entries}}}
}

// tellKV answers for namespaces as a server does that has theirs.
func (w *peerWorld) tellKV(namespaces []string) (answers []peerNamespace) {
	theirs := newKVState(w.theirsKV, 0)
	for _, name := range namespaces {
		entries, ok := theirs.namespace(name)
		n := peerNamespace{name: name, there: ok}
		if ok {
			n.body = (&codec.KVTable{Entries: entries}).AppendJSON(nil)
		}
		answers = append(answers, n)
	}
	return answers
}

// TestPeerNamespaces: those that RocketMQ knows come first, ours follow, and there is a
// bound.
func TestPeerNamespaces(t *testing.T) {
	known := []string{"ORDER_TOPIC_CONFIG", "PROJECT_CONFIG"}
	if got := peerNamespaces(newKVState(codec.KVConfigTable{}, 0)); !slices.Equal(got, known) {
		t.Errorf("without a KV config: %q", got)
	}
	var many codec.KVConfigTable
	for i := range 100 {
		many.Namespaces = append(many.Namespaces, codec.KVNamespace{Name: fmt.Sprintf("n%03d", i)})
	}
	many.Namespaces = append(many.Namespaces, codec.KVNamespace{Name: "ORDER_TOPIC_CONFIG"}, codec.KVNamespace{Name: "z"})
	slices.SortFunc(many.Namespaces, func(a, b codec.KVNamespace) int { return strings.Compare(a.Name, b.Name) })
	got := peerNamespaces(newKVState(many, 0))
	if len(got) != peerNamespacesMost || !slices.Equal(got[:3], append(known, "n000")) || got[len(got)-1] != "n061" {
		t.Errorf("with 101 namespaces: %q", got)
	}
}

// TestPeersOfManyKeys: of many keys that differ few are watched, and all are counted.
func TestPeersOfManyKeys(t *testing.T) {
	w := newPeerWorld(t)
	var all []string
	for i := range 5_000 {
		all = append(all, fmt.Sprintf("TOPIC-%05d", i), "broker-a:8")
	}
	w.theirsKV = kvOf("ORDER_TOPIC_CONFIG", all...)
	w.check(0)
	s := w.check(peerConfirm)
	if s.KV.Now != 5_000 || s.KV.Differ != watchedDifferences || len(s.KV.Samples) != peerSamples || w.lines("name servers differ") != 1 {
		t.Errorf("%+v\n%s", s.KV, &w.log)
	}
}

// TestPeersKVOverTheNetwork runs a server whose peer has a KV config that it has not, also
// in a namespace of its own; and one whose peer does not tell.
func TestPeersKVOverTheNetwork(t *testing.T) {
	t.Setenv("container", "test") // so that the loopback is not trusted, whatever this machine is
	order := []string{"namespace", "ORDER_TOPIC_CONFIG", "key", "T", "value", "a:8"}
	other, _ := runServer(t, func(*Config) {}, nil)
	nstest.Dial(t, other.Addr().String()).Do(nstest.Request(codec.ReqPutKVConfig, order...))
	s, _ := runServer(t, func(c *Config) { c.PeerNamesrvAddr = other.Addr().String() }, soonChecked)
	conn := nstest.Dial(t, s.Addr().String())
	conn.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", "mine", "key", "k", "value", "v"))
	want := []string{"ORDER_TOPIC_CONFIG T: only there", "mine k: only here"}
	waitForPeer(t, s, func(p PeerStats) bool {
		return p.KV.Now == 2 && slices.Equal(slices.Sorted(slices.Values(p.KV.Samples)), want)
	})
	conn.Do(nstest.Request(codec.ReqPutKVConfig, order...))
	conn.Do(nstest.Request(codec.ReqDeleteKVConfig, "namespace", "mine", "key", "k"))
	waitForPeer(t, s, func(p PeerStats) bool { return p.KV.Compared && p.KV.Now == 0 })

	strict, _ := runServer(t, func(c *Config) { c.AccessPreset = presetStrict }, nil)
	s, _ = runServer(t, func(c *Config) { c.PeerNamesrvAddr = strict.Addr().String() }, soonChecked)
	got := waitForPeer(t, s, func(p PeerStats) bool { return p.Up })
	if got.KV.Compared || got.KV.Now > 0 || !strings.HasPrefix(got.KV.Why, "refused: ") || !strings.Contains(got.KV.Why, "NO_PERMISSION") {
		t.Errorf("who does not tell: %+v", got.KV)
	}
}

// TestPeerThatDoesNotTellKV: one that closes the connection at that question was reached
// all the same, and its other answers are compared.
func TestPeerThatDoesNotTellKV(t *testing.T) {
	body := `{"table":{"T":"` + strings.Repeat("x", 9<<20) + `"}}`
	for want, kv := range map[string]func() *codec.Reply{
		"EOF":                          func() *codec.Reply { return nil },
		"refused: client: SYSTEM_BUSY": func() *codec.Reply { return &codec.Reply{Code: codec.RespSystemBusy} },
		"more than 16777216 bytes":     func() *codec.Reply { return &codec.Reply{Body: []byte(body)} },
	} {
		addr := fakePeer(t, func(code codec.RequestCode) *codec.Reply {
			switch code {
			case codec.ReqGetBrokerClusterInfo:
				return &codec.Reply{Body: []byte(`{"brokerAddrTable":{},"clusterAddrTable":{}}`)}
			case codec.ReqGetAllTopicListFromNameserver:
				return &codec.Reply{Body: []byte(`{"topicList":["T"]}`)}
			case codec.ReqGetNamesrvConfig:
				return &codec.Reply{Body: []byte("enableTopicList=true\n")}
			}
			return kv()
		})
		s, _ := runServer(t, func(c *Config) { c.PeerNamesrvAddr = addr }, func(s *Server) {
			s.peers.first = time.Millisecond
			s.peers.every = time.Second // a busy machine may not answer the first check in time
		})
		p := waitForPeer(t, s, func(p PeerStats) bool { return p.Up && strings.Contains(p.KV.Why, want) })
		if !p.Brokers.Compared || p.Topics.Now != 1 || !p.Config.Compared || p.KV.Compared {
			t.Errorf("want %q: %+v", want, p)
		}
	}
}

// fakePeer answers as f says; nil closes the connection.
func fakePeer(t *testing.T, f func(code codec.RequestCode) *codec.Reply) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				c := nstest.NewClient(conn)
				for {
					frame, err := c.TryReadFrame(nstest.Patience)
					var r codec.Command
					if err != nil || r.Decode(frame) != nil {
						return
					}
					reply := f(r.Code)
					if reply == nil {
						return
					}
					reply.Opaque = r.Opaque
					if c.TryWrite(codec.AppendReply(nil, codec.SerializeJSON, reply)) != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
