package namesrv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
	"gonamesrv/route"
)

const (
	peerFirst   = 10 * time.Second // from the start to the first check
	peerConfirm = 35 * time.Second // longer than a broker takes from one registration to the next
	peerTimeout = 5 * time.Second  // for one question, and for connecting
	peersAtOnce = 2                // checks: each may hold an answer of frameMaxLength
	maxPeers    = 32

	// peerDecoded is how many bytes may be allocated for what an answer says.
	peerDecoded = 64 << 20
)

// A PeerStats shows what is known of another name server that this one is compared with
// (peerNamesrvAddr).
type PeerStats struct {
	Addr    string // as configured
	Up      bool   // the last check has reached it
	Why     string // it has not; also before the first check
	Since   time.Time
	Version string // of one like us; "" is another one, or is not known
	Checked time.Time
	Took    time.Duration // the last check

	Checks uint64
	Failed uint64 // of these: it was not reached

	Brokers PeerPart // names, clusters, IDs and addresses, by GET_BROKER_CLUSTER_INFO
	Topics  PeerPart // names, by GET_ALL_TOPIC_LIST_FROM_NAMESERVER
	Config  PeerPart // values of keys that both know, by GET_NAMESRV_CONFIG
	KV      PeerPart // the KV config, as far as peerNamespaces goes, by GET_KVLIST_BY_NAMESPACE
}

// parts are the parts of s with their names.
func (s *PeerStats) parts() [4]peerPartStats {
	return [...]peerPartStats{{"brokers", &s.Brokers}, {"topics", &s.Topics}, {"config", &s.Config}, {"kv", &s.KV}}
}

type peerPartStats struct {
	name string
	*PeerPart
}

// A PeerPart is how far a name server and another one agree. What differs counts when
// it has done so for longer than a broker takes from one registration to the next:
// until then one of the two may just have heard of it first.
type PeerPart struct {
	Compared bool   // in the last check; if not, the numbers below are not known
	Why      string // it was not
	Differ   int    // what differs and counts; of more than 256 things that differ, 256 are watched
	Now      int    // what differs in the last check, whether or not it counts
	Since    time.Time
	Samples  []string // up to 5, those that count first
}

// A peerPart is the memory of a PeerPart.
type peerPart struct {
	seen peerDiff // in the last check that could compare
	told bool     // the log says that it differs
}

// peers compares this name server with others. Each is asked by a goroutine of its own,
// over the protocol that everybody speaks, so a Java one will do. Nothing of it runs on
// an event loop, takes a lock of the table, or is waited for by anybody.
type peers struct {
	log   *slog.Logger
	list  []*peer
	every time.Duration
	first time.Duration        // peerFirst, except in tests
	again time.Duration        // peerConfirm, except in tests: to the next check where something does not count yet
	now   func() time.Duration // monotonic
	wall  func() time.Time
	ask   func(ctx context.Context, addr string, namespaces []string) (*peerAnswers, error)
	us    func() (*route.View, *Config, *kvState)
	turns chan struct{} // peersAtOnce
}

// A peer is one of them. Its parts belong to the goroutine that asks it.
type peer struct {
	addr                        string
	brokers, topics, config, kv peerPart

	mu    sync.Mutex
	stats PeerStats // under mu
	names peerDiff  // of topics, in the last check that could compare; under mu. It never changes
}

// peerFaults is the share of the peers in Validate.
func (c *Config) peerFaults() (faults []error) {
	if s := c.PeerCheck; s < 10*time.Second || s > 24*time.Hour {
		faults = append(faults, fmt.Errorf("namesrv: peerCheckSeconds is %d, must be from 10 to 86400", int64(s/time.Second)))
	}
	if c.PeerNamesrvAddr == "" {
		return faults
	}
	if err := checkAddressList(c.PeerNamesrvAddr); err != nil {
		faults = append(faults, fmt.Errorf("namesrv: peerNamesrvAddr: %w", err))
	}
	if n := strings.Count(c.PeerNamesrvAddr, ";") + 1; n > maxPeers {
		faults = append(faults, fmt.Errorf("namesrv: peerNamesrvAddr lists %d name servers, must be at most %d", n, maxPeers))
	}
	return faults
}

// newPeers returns the peers of a server, nil if there are none: then nobody is asked
// anything.
func newPeers(s *Server, cfg *Config) *peers {
	if cfg.PeerNamesrvAddr == "" {
		return nil
	}
	p := &peers{
		log: s.log, every: cfg.PeerCheck, first: peerFirst, again: peerConfirm,
		now:   func() time.Duration { return s.clock.Now() },
		wall:  func() time.Time { return s.wall() },
		us:    func() (*route.View, *Config, *kvState) { return s.tableNow().View(), s.config(), s.kv.now.Load() },
		turns: make(chan struct{}, peersAtOnce),
	}
	p.ask = func(ctx context.Context, addr string, namespaces []string) (*peerAnswers, error) {
		secure, err := s.tls.forClient()
		if err != nil {
			return nil, err
		}
		return askPeer(ctx, addr, namespaces, client.Options{TLS: secure, MaxReply: cfg.FrameMaxLength})
	}
	var known []string
	for addr := range strings.SplitSeq(cfg.PeerNamesrvAddr, ";") {
		if !slices.Contains(known, addr) {
			known = append(known, addr)
			p.list = append(p.list, &peer{addr: addr, stats: PeerStats{Addr: addr, Why: "not asked yet"}})
		}
	}
	return p
}

// run asks all peers until ctx is done.
func (p *peers) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, peer := range p.list {
		all.Go(func() { p.watch(ctx, peer) })
	}
	all.Wait()
}

// watch asks one peer again and again.
func (p *peers) watch(ctx context.Context, peer *peer) {
	timer := time.NewTimer(jittered(p.first))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return
		case p.turns <- struct{}{}:
		}
		p.check(ctx, peer)
		<-p.turns
		timer.Reset(p.pause(peer))
	}
}

// pause returns how long to wait for the next check: less where something differs that
// does not count yet.
func (p *peers) pause(peer *peer) time.Duration {
	if peer.hasNewDifference(p.now()) {
		return min(p.again+rand.N(p.again/10+1), jittered(p.every))
	}
	return jittered(p.every)
}

// jittered returns d, give or take a tenth: servers that start together need not ask
// together.
func jittered(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }

// check asks a peer once.
func (p *peers) check(ctx context.Context, peer *peer) {
	began := p.now()
	_, _, kv := p.us()
	answers, err := p.ask(ctx, peer.addr, peerNamespaces(kv))
	if ctx.Err() != nil {
		return // we are about to stop, and the peer may be well
	}
	view, cfg, kv := p.us()
	now := p.now()
	next := PeerStats{Addr: peer.addr, Up: err == nil, Checked: p.wall()}
	if err != nil {
		next.Why = clip(err.Error())
		const why = "the name server was not reached"
		for _, part := range next.parts() {
			part.Why = why
		}
	} else {
		next.Version = clip(answers.version())
		next.Brokers = peer.brokers.compare(now, next.Checked, answers.brokers, func(d *peerDiff, body []byte) error { return diffBrokers(d, view, body) })
		next.Topics = peer.topics.compare(now, next.Checked, answers.topics, func(d *peerDiff, body []byte) error { return diffTopics(d, view, body) })
		next.Config = peer.config.compare(now, next.Checked, answers.config, func(d *peerDiff, body []byte) error { return diffConfig(d, cfg, body) })
		next.KV = peer.kv.compare(now, next.Checked, answers.kv, func(d *peerDiff, _ []byte) error { return diffKV(d, kv, answers.namespaces) })
	}
	next.Took = p.now() - began

	peer.mu.Lock()
	old := peer.stats
	next.Checks, next.Failed, next.Since = old.Checks+1, old.Failed, old.Since
	if err != nil {
		next.Failed++
	}
	if old.Checks == 0 || old.Up != next.Up {
		next.Since = next.Checked
	}
	peer.stats, peer.names = next, peer.topics.seen
	peer.mu.Unlock()
	p.tell(peer, &old, &next)
}

// compare compares one answer with what we have.
func (part *peerPart) compare(now time.Duration, wall time.Time, a peerAnswer, diff func(*peerDiff, []byte) error) PeerPart {
	if a.err != nil {
		return PeerPart{Why: clip(a.err.Error())}
	}
	d := peerDiff{}
	if err := diff(&d, a.body); err != nil {
		return PeerPart{Why: clip(err.Error())}
	}
	d.finish(now, &part.seen)
	part.seen = d
	return d.show(now, wall)
}

// hasNewDifference reports whether something differs that does not count yet.
func (peer *peer) hasNewDifference(now time.Duration) bool {
	for _, part := range peer.parts() {
		for _, t := range part.seen.items {
			if now-t.since < peerConfirm {
				return true
			}
		}
	}
	return false
}

// parts are in the order of PeerStats.parts.
func (peer *peer) parts() [4]*peerPart {
	return [...]*peerPart{&peer.brokers, &peer.topics, &peer.config, &peer.kv}
}

// tell writes into the log what has become another: at most one line of each kind for
// each peer and check.
func (p *peers) tell(peer *peer, old, now *PeerStats) {
	switch {
	case !now.Up && (old.Up || old.Checks == 0):
		p.log.Warn("name server of peerNamesrvAddr not reached", "peer", now.Addr, "err", now.Why)
	case now.Up && !old.Up && old.Checks > 0:
		p.log.Info("name server of peerNamesrvAddr reached again", "peer", now.Addr)
	}
	parts := peer.parts()
	for i, is := range now.parts() {
		part := parts[i]
		switch {
		case is.Differ > 0 && !part.told:
			part.told = true
			p.log.Warn("name servers differ", "peer", now.Addr, "part", is.name, "differ", is.Differ, "since", is.Since, "samples", is.Samples)
		case is.Compared && is.Now == 0 && part.told:
			part.told = false
			p.log.Info("name servers agree again", "peer", now.Addr, "part", is.name)
		}
	}
}

// stats returns what is known of each peer, in the order of the configuration.
func (p *peers) stats() []PeerStats {
	if p == nil {
		return nil
	}
	all := make([]PeerStats, len(p.list))
	for i, peer := range p.list {
		peer.mu.Lock()
		all[i] = peer.stats
		peer.mu.Unlock()
	}
	return all
}

// topic returns what is known of a topic at each peer.
func (p *peers) topic(name string) []PeerTopic {
	if p == nil {
		return nil
	}
	all := make([]PeerTopic, len(p.list))
	for i, peer := range p.list {
		peer.mu.Lock()
		stats, names := peer.stats, peer.names
		peer.mu.Unlock()
		t := &all[i]
		t.Addr, t.Checked = peer.addr, stats.Checked
		there, known := names.find(clip(name))
		switch {
		case !stats.Up:
			t.Unknown = stats.Why
		case !stats.Topics.Compared:
			t.Unknown = stats.Topics.Why
		case known:
			t.Differs, t.Has = true, there
		case names.most != 0:
			t.Unknown = "too many topics differ to know them all"
		}
	}
	return all
}

// A peerAnswers is what a peer has answered, undecoded.
type peerAnswers struct {
	brokers, topics, config peerAnswer

	kv         peerAnswer // only its error: why not all namespaces are there
	namespaces []peerNamespace
}

// A peerAnswer is one body, or why there is none: the peer does not serve the request.
type peerAnswer struct {
	body []byte
	err  error
}

// askPeer asks a name server three questions over one connection, and then for its KV
// config. An error is one of the connection.
func askPeer(ctx context.Context, addr string, namespaces []string, o client.Options) (*peerAnswers, error) {
	connecting, cancel := context.WithTimeoutCause(ctx, peerTimeout, errPeerSlow)
	defer cancel()
	c, err := client.Dial(connecting, addr, o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	a := &peerAnswers{}
	for _, q := range [...]struct {
		code codec.RequestCode
		to   *peerAnswer
	}{
		{codec.ReqGetBrokerClusterInfo, &a.brokers},
		{codec.ReqGetAllTopicListFromNameserver, &a.topics},
		{codec.ReqGetNamesrvConfig, &a.config},
	} {
		if *q.to, err = askQuestion(ctx, c, q.code, nil); err != nil {
			return nil, err
		}
	}
	a.askKV(ctx, c, namespaces)
	return a, nil
}

// askQuestion asks one thing. An error is one of the connection.
func askQuestion(ctx context.Context, c *client.Conn, code codec.RequestCode, ext codec.ExtFields) (peerAnswer, error) {
	asking, cancel := context.WithTimeoutCause(ctx, peerTimeout, errPeerSlow)
	defer cancel()
	reply, err := c.Call(asking, code, ext, nil)
	var refused *client.ReplyError
	switch {
	case err == nil:
		return peerAnswer{body: reply.Body}, nil
	case errors.As(err, &refused):
		return peerAnswer{err: fmt.Errorf("refused: %w", err)}, nil
	}
	return peerAnswer{}, err
}

var errPeerSlow = fmt.Errorf("namesrv: no answer in %v", peerTimeout)
