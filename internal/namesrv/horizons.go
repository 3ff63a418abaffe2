package namesrv

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/route"
)

// The words of horizonMode.
const (
	horizonOff     = "off"
	horizonMonitor = "monitor"
	horizonOn      = "on"
)

// A horizonKeeper has the horizons in force, and makes them again when their file
// changes.
type horizonKeeper struct {
	path string // "": there are none
	log  *slog.Logger
	seen [sha256.Size]byte // of the text, or of the error; New's, then watch's
	swap func()            // called when others have come into force

	// inForce is nil while there is nothing to look at: one load tells readers.
	inForce atomic.Pointer[route.Horizons]

	*fileWatch // only where there is a file

	mu    sync.Mutex    // guards stats
	stats HorizonsStats // without Horizons
	wall  func() time.Time
}

// A HorizonsStats shows which horizons there are and what they do.
type HorizonsStats struct {
	File       string               // horizonFile; "" if there is none
	Generation uint64               // how often rules have come into force: 1 are those of the start
	Since      time.Time            // when the last time was, by the wall clock
	Failures   uint64               // how often the file had changed and could not be used
	LastError  string               // why, the last time; "" when what is in the file is in force
	Horizons   []route.HorizonStats // in their order
}

// newHorizonKeeper reads the file. One that cannot be used stops the start.
func newHorizonKeeper(path string, log *slog.Logger, wall func() time.Time) (*horizonKeeper, error) {
	k := &horizonKeeper{path: path, log: log, swap: func() {}, wall: wall, stats: HorizonsStats{File: path}}
	k.fileWatch = newFileWatch(func() []string { return []string{path} }, k.reload, log)
	if path == "" {
		return k, nil
	}
	text, err := readHorizonFile(path)
	if err == nil {
		err = k.use(text)
	}
	if err != nil {
		return nil, fmt.Errorf("namesrv: horizonFile %s: %w", path, err)
	}
	k.seen = sha256.Sum256(text)
	return k, nil
}

// use brings what is in the text of a file into force, or changes nothing.
func (k *horizonKeeper) use(text []byte) error {
	hs, warnings, err := parseHorizons(text, k.inForce.Load())
	if err != nil {
		return err
	}
	for _, w := range warnings {
		k.log.Warn("a rule of the horizon file may not be meant", "file", k.path, "what", clip(w))
	}
	k.inForce.Store(hs)
	k.swap()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stats.Generation++
	k.stats.Since, k.stats.LastError = k.wall(), ""
	k.log.Info("horizons are in force", "file", k.path, "horizons", hs.Len(), "generation", k.stats.Generation)
	return nil
}

// reload looks at the file, and uses it if it has changed. One that cannot be used leaves
// everything as it is.
func (k *horizonKeeper) reload() {
	text, err := readHorizonFile(k.path)
	now := sha256.Sum256(text)
	if err != nil {
		now = sha256.Sum256([]byte(err.Error()))
	}
	if now == k.seen {
		return
	}
	k.seen = now
	if err == nil {
		err = k.use(text)
	}
	if err == nil {
		return
	}
	k.log.Error("the horizon file has changed and cannot be used, what was in force stays", "file", k.path, "err", err)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stats.Failures++
	k.stats.LastError = err.Error()
}

// snapshot returns what Server.Snapshot shows.
func (k *horizonKeeper) snapshot() HorizonsStats {
	k.mu.Lock()
	defer k.mu.Unlock()
	st := k.stats
	st.Horizons = k.inForce.Load().Stats()
	return st
}

// A peerFacts is what is known of who is at the other end of a connection: the value of
// the connection. It never changes; another one takes its place. Only Serve replaces it,
// which is called from one goroutine at a time, so nothing is lost.
type peerFacts struct {
	broker  bool            // it has sent what only brokers send
	horizon *route.Horizon  // of a client; nil is the common one
	found   *route.Horizons // among which it was found; nil: nobody has looked yet
	policy  *accessPolicy   // by which it has its rights; nil: nobody has looked yet
	rights  rights
	id      *identity    // by policy, of one who has asked for more than its address gives; else nil
	proven  *atomic.Bool // a worker sets it when a large request has shown that this is a broker; nil: none waits for one
}

// copy returns a copy to be changed; of nothing, if nothing is known.
func (f *peerFacts) copy() *peerFacts {
	next := &peerFacts{}
	if f != nil {
		*next = *f
	}
	return next
}

// noteBroker takes note that a broker is at the other end. Brokers ask for routes over
// the same connection, and must be told what they have registered: they compare it.
func noteBroker(c engine.Conn, tag connTag) {
	c.SetTag(uint32(tag | tagBroker))
	f, _ := c.Value().(*peerFacts)
	if f != nil && f.broker {
		return
	}
	next := f.copy()
	next.broker, next.horizon, next.found = true, nil, nil
	c.SetValue(next)
}

// noteProof makes room for what a worker finds out: whether this is a broker. It says so
// of what one has found out before.
func noteProof(c engine.Conn, tag connTag) {
	f, _ := c.Value().(*peerFacts)
	if f != nil && f.proven != nil {
		if f.proven.Load() {
			noteBroker(c, tag)
		}
		return
	}
	next := f.copy()
	next.proven = new(atomic.Bool)
	c.SetValue(next)
}

// noteHorizon finds the horizon of a client, if it has not been found among those in force.
func (s *Server) noteHorizon(c engine.Conn) {
	hs := s.horizons.inForce.Load()
	if hs == nil {
		return
	}
	f, _ := c.Value().(*peerFacts)
	if f != nil && (f.broker || f.found == hs) {
		return
	}
	next := f.copy()
	next.horizon, next.found = hs.Of(clientOf(c)), hs
	c.SetValue(next)
}

// horizonOf returns the horizon by which a request is answered, nil for the common one.
// Serve has found it.
func (s *Server) horizonOf(r *request) *route.Horizon {
	if s.horizons.inForce.Load() == nil {
		return nil // as mostly: nothing else is looked at
	}
	f, _ := r.conn.Value().(*peerFacts)
	if f == nil || f.broker || f.proven != nil && f.proven.Load() {
		return nil
	}
	return f.horizon
}

// clientOf returns what is known of who is at the other end. A name in a certificate
// counts only if it was verified.
func clientOf(c engine.Conn) *route.Client {
	w := &route.Client{Addr: c.Peer().Addr(), Listener: c.Local(), ProxyTLVs: c.ProxyTLVs()}
	if claimed := c.Claimed(); claimed.IsValid() {
		w.Addr = claimed.Addr()
	}
	if state := c.TLS(); state != nil && len(state.VerifiedChains) > 0 && len(state.PeerCertificates) > 0 {
		leaf := state.PeerCertificates[0]
		w.Certificates = append(w.Certificates, leaf.DNSNames...)
		for _, uri := range leaf.URIs {
			w.Certificates = append(w.Certificates, uri.String())
		}
		if leaf.Subject.CommonName != "" {
			w.Certificates = append(w.Certificates, leaf.Subject.CommonName)
		}
	}
	return w
}

// routeAs is View.RouteAs as the mode says. It returns false if the common answer is to
// be given.
func (s *Server) routeAs(h *route.Horizon, mode string, topic []byte, form *route.RouteForm) (bool, []byte, error) {
	if mode == horizonOff {
		return false, nil, nil
	}
	body, err := s.table.View().RouteAs(h, topic, form)
	return mode == horizonOn, body, notTold(err, topic)
}

// listAs answers with a list that shows addresses of brokers: as a horizon shows it,
// or the common one.
func (s *Server) listAs(r *request, common func(*route.View) []byte, as func(*route.View, *route.Horizon) ([]byte, error)) (codec.Reply, error) {
	v := s.table.View()
	h, mode := s.horizonOf(r), s.config().HorizonMode
	if h == nil || mode == horizonOff {
		return codec.Reply{Body: common(v)}, nil
	}
	body, err := as(v, h)
	if mode == horizonMonitor {
		return codec.Reply{Body: common(v)}, nil
	}
	return codec.Reply{Body: body}, notTold(err, nil)
}

// notTold turns the error of a horizon into a refusal; nil stays nil.
func notTold(err error, topic []byte) error {
	var refused *route.HorizonRefusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Why != "":
		return &refusal{why: reasonHorizon, code: codec.RespSystemError, remark: refused.Error()}
	default:
		return &refusal{why: reasonNotFound, code: codec.RespTopicNotExist, remark: remarkNoRoute(topic)}
	}
}

// ExplainRoute says what a client is told of a topic, and why: which horizon it belongs to,
// and what becomes of each address. version is that of the client, zone its zone ("" for
// none). A client of the zero value is one of whom nothing is known. The error is
// route.ErrNoTopic.
//
// It answers also while needWaitForService keeps others waiting, and does not know
// whether a broker is at the other end, who is told what brokers say.
func (s *Server) ExplainRoute(topic string, w *route.Client, version int32, zone string) (route.Explanation, error) {
	cfg := s.config()
	var hs *route.Horizons
	if cfg.HorizonMode != horizonOff {
		hs = s.horizons.inForce.Load()
	}
	form := routeForm(cfg, version, &codec.GetRouteInfoRequestHeader{Topic: []byte(topic), ZoneMode: zone != "", ZoneName: []byte(zone)})
	s.addOrder(cfg, &form, []byte(topic))
	return s.table.View().Explain(hs, w, []byte(topic), &form)
}
