package namesrv

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
)

// Who may do what. Java asks nobody.
//
// A peer has the rights that its address gives by the preset, and those of each network
// and certificate of the accessFile that it matches. Each request code needs one right.
// It is looked for on the event loop, before anything else is done for the request.

// An accessKeeper has the policy in force, makes it again when the accessFile changes,
// and counts whom it refuses.
type accessKeeper struct {
	cfg   *Config // at the start; no request changes a key of ours
	log   *slog.Logger
	world accessWorld
	seen  [sha256.Size]byte // sumOf what was looked at last; New's, then watch's

	inForce atomic.Pointer[accessPolicy] // never nil

	refused, would accessCounts // really; by a policy that monitors
	signed         signedCounts
	lockOuts       lockOuts
	nonces         nonces
	report         accessReport

	*fileWatch // only where there is a file

	mu    sync.Mutex   // guards what follows, and who stores inForce
	trust *clientTrust // of the certificates of peers
	stats AccessStats  // without what is counted elsewhere
	wall  func() time.Time
	told  func(shown []any) // what has come into force
}

// An accessCounts counts refusals by the right that is missing and the group of the peer.
type accessCounts [numRights][numGroups]atomic.Uint64

// An AccessStats shows who may do what, and who was refused.
type AccessStats struct {
	Preset        string // accessPreset, or that of the file
	Mode          string // enforce or monitor
	File          string // accessFile; "" if there is none
	Container     string // what shows that the server runs in a container; "" nothing
	TrustLoopback bool   // loopback is not one of the site
	Networks      int    // rules of the file
	Certificates  int
	Accounts      int
	Generation    uint64    // how often rules have come into force: 1 are those of the start
	Since         time.Time // when the last time was, by the wall clock
	Failures      uint64    // how often the file had changed and could not be used
	LastError     string    // why, the last time; "" when what is in the file is in force

	Refused     []AccessCount // requests that were refused, without zeros
	WouldRefuse []AccessCount // requests that were served, because accessMode or brokerJoin monitors

	Signatures []SignatureCount // that were looked at, without zeros
	LockedOut  int              // addresses whose signatures are not looked at now
	Nonces     int              // second signatures that are remembered, so that nobody sends them twice
}

// An AccessCount is how many requests lacked a right, of peers of one group.
type AccessCount struct {
	Right string // route-read, broker-control, admin-read, admin-write or config
	Group string // loopback, site or public
	Count uint64
}

// AccessRights returns the names of all rights.
func AccessRights() []string { return slices.Clone(rightNames) }

// AccessGroups returns the names of the groups of peers.
func AccessGroups() []string { return slices.Clone(groupNames[:]) }

func (c *accessCounts) snapshot() (all []AccessCount) {
	for r := range c {
		for g := range c[r] {
			if n := c[r][g].Load(); n > 0 {
				all = append(all, AccessCount{rightNames[r], groupNames[g], n})
			}
		}
	}
	return all
}

// newAccessKeeper reads the file. One that cannot be used stops the start.
func newAccessKeeper(cfg *Config, log *slog.Logger, wall func() time.Time, told func(shown []any)) (*accessKeeper, error) {
	k := &accessKeeper{cfg: cfg, log: log, wall: wall, told: told, world: systemWorld(), trust: &clientTrust{}, stats: AccessStats{File: cfg.AccessFile}}
	k.fileWatch = newFileWatch(k.files, k.reload, log)
	text, err := k.read()
	var warnings []string
	var p *accessPolicy
	if err == nil {
		p, warnings, k.seen, err = k.policyOf(text)
	}
	if err != nil {
		return nil, fmt.Errorf("namesrv: accessFile %s: %w", cfg.AccessFile, err)
	}
	k.use(p, warnings)
	return k, nil
}

func systemWorld() accessWorld {
	return accessWorld{
		container: containerSign(os.DirFS("/"), os.Getenv),
		source:    systemSource,
		mode: func(path string) (uint32, error) {
			info, err := os.Stat(path)
			if err != nil {
				return 0, err
			}
			return uint32(info.Mode().Perm()), nil
		},
	}
}

// read returns the text of the file, nil if there is none.
func (k *accessKeeper) read() ([]byte, error) {
	if k.cfg.AccessFile == "" {
		return nil, nil
	}
	text, err := k.world.source.readFile(k.cfg.AccessFile, maxAccessFile)
	if text == nil && err == nil {
		text = []byte{}
	}
	return text, err
}

// files are those that are watched.
func (k *accessKeeper) files() []string {
	return append([]string{k.cfg.AccessFile}, k.inForce.Load().file.secretFiles...)
}

// sumOf stands for all that there is to be read now: the text, or the error, and the
// secrets that the policy in force has taken from files.
func (k *accessKeeper) sumOf(text []byte, err error) (sum [sha256.Size]byte) {
	h := sha256.New()
	addToSum(h, text, err)
	for _, path := range k.inForce.Load().file.secretFiles {
		secret, err := k.world.source.readFile(path, maxSecret)
		addToSum(h, secret, err)
	}
	h.Sum(sum[:0])
	return sum
}

func addToSum(h hash.Hash, text []byte, err error) {
	fmt.Fprintf(h, "%d %v ", len(text), err)
	h.Write(text)
}

// policyOf makes a policy of the text of the file. sum is what sumOf will be while that
// policy is in force and nothing has changed. It is of what was really read: a secret that
// changes while the file is read would else never be taken.
func (k *accessKeeper) policyOf(text []byte) (p *accessPolicy, warnings []string, sum [sha256.Size]byte, err error) {
	h := sha256.New()
	addToSum(h, text, nil)
	w := k.world
	w.source.readFile = func(path string, most int64) ([]byte, error) {
		secret, err := k.world.source.readFile(path, most)
		addToSum(h, secret, err)
		return secret, err
	}
	p, warnings, err = newAccessPolicy(k.cfg, text, &w)
	h.Sum(sum[:0])
	return p, warnings, sum, err
}

// use brings a policy into force.
func (k *accessKeeper) use(p *accessPolicy, warnings []string) {
	for _, w := range append(warnings, p.certificateWarnings(k.cfg)...) {
		k.log.Warn("an access rule may not be meant", "file", k.cfg.AccessFile, "what", clip(w))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stats.Generation++
	p.generation, p.trust = k.stats.Generation, k.trust
	k.inForce.Store(p)
	k.stats.Since, k.stats.LastError = k.wall(), ""
	k.log.Info("access rules are in force", k.shown(p)...)
	k.told(k.shown(p))
}

// trusts says whose certificates count from now on. Open connections are asked again who
// they are: one whose certificate is trusted no more has lost what that gave.
func (k *accessKeeper) trusts(trust *clientTrust) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.trust = trust
	next := *k.inForce.Load()
	next.trust = trust
	k.inForce.Store(&next)
}

// shown is who is given what, for the log.
func (k *accessKeeper) shown(p *accessPolicy) []any {
	attrs := []any{"preset", p.preset, "mode", modeOf(p.monitor)}
	for _, g := range []peerGroup{groupLoopback, groupSite, groupPublic} {
		what := p.groups[g].String()
		if g == groupLoopback && !p.trustLoopback {
			what = "as site, because of " + k.world.container + "; trustLoopback=true changes that"
		}
		attrs = append(attrs, g.String(), what)
	}
	if k.cfg.AccessFile != "" {
		attrs = append(attrs, "file", k.cfg.AccessFile, "networks", len(p.file.networks), "certificates", len(p.file.certificates), "accounts", len(p.file.accounts))
	}
	return append(attrs, "generation", p.generation)
}

func modeOf(monitor bool) string {
	if monitor {
		return modeMonitor
	}
	return modeEnforce
}

// reload looks at the file, and uses it if it has changed. One that cannot be used leaves
// everything as it is.
func (k *accessKeeper) reload() {
	text, err := k.read()
	now := k.sumOf(text, err)
	if now == k.seen {
		return
	}
	k.seen = now
	var warnings []string
	var p *accessPolicy
	if err == nil {
		var used [sha256.Size]byte
		if p, warnings, used, err = k.policyOf(text); err == nil {
			k.use(p, warnings)
			k.seen = used // with the secrets that it names now
			return
		}
	}
	k.log.Error("the access file has changed and cannot be used, what was in force stays", "file", k.cfg.AccessFile, "err", err)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stats.Failures++
	k.stats.LastError = err.Error()
}

// snapshot returns what Server.Snapshot shows.
func (k *accessKeeper) snapshot(now time.Duration) AccessStats {
	p := k.inForce.Load()
	k.mu.Lock()
	st := k.stats
	k.mu.Unlock()
	st.Preset, st.Mode, st.Container, st.TrustLoopback = p.preset, modeOf(p.monitor), k.world.container, p.trustLoopback
	st.Networks, st.Certificates, st.Accounts = len(p.file.networks), len(p.file.certificates), len(p.file.accounts)
	st.Refused, st.WouldRefuse = k.refused.snapshot(), k.would.snapshot()
	st.Signatures, st.LockedOut, st.Nonces = k.signed.snapshot(), k.lockOuts.lockedOut(now), k.nonces.size()
	return st
}

// access returns why the sender of r may not ask for what it asks for, nil if it may, or if
// a worker is to find out: r.unverified. The connection keeps what was found out, until
// other rules come into force. size is that of the frame. Event loop only.
func (s *Server) access(p *accessPolicy, r *request, size int) error {
	f, _ := r.conn.Value().(*peerFacts)
	if f == nil || f.policy != p {
		f = s.noteRights(r.conn, p, f)
	}
	if f.rights&r.row.right != 0 {
		if r.row.right&changing != 0 && len(p.keys) > 0 {
			s.useUp(p, r, size)
		}
		return nil
	}
	id := whoOf(r.conn, f)
	if len(p.keys) > 0 {
		return s.accessSigned(p, r, id, size)
	}
	return s.refuseAccess(p, r, id, nil, signedNot)
}

// noteRights takes note of what a policy gives to a peer. f is what is known of it so far.
func (s *Server) noteRights(c engine.Conn, p *accessPolicy, f *peerFacts) *peerFacts {
	peer := accessPeerOf(c)
	id := p.identify(&peer)
	next := f.copy()
	next.policy, next.rights, next.id = p, id.rights, nil
	if !id.mayJoin {
		next.rights &^= rightBrokerControl // so that all of its requests are looked at
	}
	c.SetValue(next)
	return next
}

// whoOf returns who the peer of a connection is by f.policy. What has been found out for
// one request is kept for the others, so that they cost the same however many rules there
// are; who may do all that it asks for keeps nothing. Event loop only.
func whoOf(c engine.Conn, f *peerFacts) *identity {
	if f.id != nil {
		return f.id
	}
	peer := accessPeerOf(c)
	id := f.policy.identify(&peer)
	if len(f.policy.keys) == 0 { // else accounts look for the networks from which they count
		id.networks = slices.Clone(id.networks[:min(len(id.networks), maxShownNetworks)])
	}
	next := *f
	next.id = &id
	c.SetValue(&next)
	return next.id
}

// refuseAccess refuses a request, or takes note of it if the policy monitors. id is who
// sends it, and stays as it is; key is the account that has signed it, nil if that is
// none, and how is what came of its signature.
func (s *Server) refuseAccess(p *accessPolicy, r *request, id *identity, key *accessKey, how signed) error {
	ref := refusal{why: signedReasons[how]}
	if key != nil {
		with := *id
		p.signedBy(&with, key)
		id = &with
	}
	monitor := p.monitor
	switch {
	case id.denied:
		ref.why = reasonDenied
	case id.rights&r.row.right != 0: // so it is brokerJoin
		if r.cmd.Code == codec.ReqUnregisterBroker {
			return nil // it may leave, if it was there
		}
		if ref.why == reasonNoRight {
			ref.why = reasonMayNotJoin
		}
		monitor = monitor || !p.file.join.enforce
	}
	return s.refuseOf(p, r, id, &ref, monitor)
}

// refuseOf counts and logs a refusal. It returns nil if that is all that is to be done.
func (s *Server) refuseOf(p *accessPolicy, r *request, id *identity, ref *refusal, monitor bool) error {
	counts, msg := &s.rules.refused, "request refused, no permission"
	if monitor {
		counts, msg = &s.rules.would, "request would be refused, no permission"
	}
	counts[r.row.right.index()][id.group].Add(1)
	s.rules.report.add(r, id, ref.why, monitor, s.wall())
	if monitor || r.row.logged == nil { // of the others there is a line with more in it
		s.logLimited(slog.LevelWarn, msg, func() []any {
			return []any{
				"request", r.row.name(), "right", r.row.right.String(), "reason", ref.why.String(), "who", id.who(), "preset", p.preset,
				"remote", r.conn.RemoteAddr(), "conn", r.conn.ID(),
			}
		})
	}
	s.auditRefusal(r, id, ref.why, monitor)
	if monitor {
		return nil
	}
	ref.code, ref.remark = codec.RespNoPermission, remarkNoPermission(r.row.right, ref.why, id.addr, p.preset)
	if ref.why == reasonStaleSignature {
		ref.remark += remarkClock(s.wallMillis(), s.rules.nonces.earliest())
	}
	return ref
}

// mayUnregister returns why the sender of r may not say goodbye for a broker, nil if it
// may: it is where the broker registered, or may change everything anyway. It is no
// protection among peers that share an address, as behind a NAT. What is refused changes
// little: a broker that ends closes its connection, which removes it too.
func (s *Server) mayUnregister(r *request, h *codec.UnregisterBrokerRequestHeader) error {
	l, ok := s.table.View().Live(h.ClusterName, h.BrokerAddr)
	if !ok || l.Conn == r.conn.ID() {
		return nil
	}
	p := s.rules.inForce.Load()
	peer := accessPeerOf(r.conn)
	id := p.identify(&peer)
	if id.rights&rightAdminWrite != 0 || id.group == groupLoopback || s.isWhere(r.conn, &peer, l.Conn, l.Peer) {
		return nil
	}
	if s.isSignedFor(p, r, &id, rightAdminWrite) {
		return nil
	}
	return s.refuseOf(p, r, &id, &refusal{why: reasonNotTheBroker}, p.monitor)
}

// isWhere reports whether a peer is where a broker registered last: over a connection
// that may be open no more, from an address as TCP has it.
func (s *Server) isWhere(c engine.Conn, peer *accessPeer, conn uint64, at netip.Addr) bool {
	if of := s.brokerConns.get(conn); of != nil {
		other := accessPeerOf(of)
		return sameHost(peer.addr, other.addr)
	}
	return !c.Proxied() && sameHost(peer.addr, plainAddr(at))
}

// nat64 are the addresses that stand for all of IPv4.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// sameHost reports whether two addresses are of one host: of IPv6 hosts have several, in
// one /64. But all hosts of a link share that of the link-local addresses.
func sameHost(a, b netip.Addr) bool {
	if !a.IsValid() || !b.IsValid() {
		return false
	}
	if a.Is6() && b.Is6() && !a.IsLinkLocalUnicast() && !nat64.Contains(a) {
		x, y := a.As16(), b.As16()
		return slices.Equal(x[:8], y[:8])
	}
	return a == b
}

// notePublicBroker says that a broker registers from an address of the Internet. The
// preset standard lets it, because to refuse it would be an outage where that is meant.
func (s *Server) notePublicBroker(r *request) {
	p := s.rules.inForce.Load()
	if p.preset != presetStandard {
		return
	}
	peer := accessPeerOf(r.conn)
	if peer.group(p.trustLoopback) != groupPublic {
		return
	}
	if id := p.identify(&peer); id.byRules&rightBrokerControl == 0 && r.key == nil {
		s.logLimited(slog.LevelWarn, "a broker registers from a public address, and no rule of the accessFile names it", func() []any {
			return []any{"remote", r.conn.RemoteAddr(), "conn", r.conn.ID(), "accessPreset", p.preset}
		})
	}
}
