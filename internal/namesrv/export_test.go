package namesrv

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// What tests of the running server may reach into.

// BePatient gives what goes on between two processes, which are one in a test,
// time enough on a machine that is busy with something else.
func BePatient() {
	for _, d := range []*time.Duration{&notifyConnectTimeout, &notifyWriteTimeout, &productTimeout, &addressTimeout, &addressIdleTimeout} {
		*d = nstest.Patience
	}
}

func (s *Server) Table() *route.Table       { return s.table }
func (s *Server) EngineStats() engine.Stats { return s.Snapshot().Engine }
func (s *Server) Budget() *engine.Budget    { return s.budget }
func (s *Server) Overloaded() int64         { return s.refusedFor(reasonQueueFull) }
func (s *Server) NoMemory() int64           { return s.refusedFor(reasonNoMemory) }
func (s *Server) StrayResponses() int64     { return s.refusedFor(reasonStray) }

// SetClock gives the server, but not its engine, another clock. Before Run only.
func (s *Server) SetClock(now func() time.Duration) { s.clock, s.started = engine.ClockOf(now), now() }

// SetUptime says for how long the server has been there. Before Run only.
func (s *Server) SetUptime(uptime func() time.Duration) { s.uptime = uptime }

// ShiftClock lets the server, but not its engine, live so much later: whatever has
// waited has waited so much longer. Before Run only.
func (s *Server) ShiftClock(d time.Duration) {
	clock := s.clock
	s.SetClock(func() time.Duration { return clock.Now() + d })
}

// SlowLockOuts lets an address try a wrong signature more only after a while. Before Run only.
func (s *Server) SlowLockOuts(d time.Duration) { s.rules.lockOuts.every = d }

// SetAuditWait says how long an answer waits for its line, with auditSync. Before Run only.
func (s *Server) SetAuditWait(d time.Duration) { s.auditWait = d }

// BeforeAuditWrite calls f before lines of the audit log are written. Before Run only.
func (s *Server) BeforeAuditWrite(f func()) { s.audit.BeforeWrite(f) }

// SayCrowd looks at where the peers are.
func (s *Server) SayCrowd(ctx context.Context) bool { return s.sayCrowd(ctx) }

// FillNonces leaves no room to remember second signatures.
func (s *Server) FillNonces() { s.rules.nonces.sets[0].size = maxNonces }

// LockOut locks an address out. Before Run only.
func (s *Server) LockOut(addr string) {
	s.SlowLockOuts(time.Hour)
	for range wrongAtOnce {
		s.rules.lockOuts.failed(&peerPlace{addr: netip.MustParseAddr(addr)}, true, s.clock.Now())
	}
}

// IsOld reports whether a question that arrived then has waited too long.
func (s *Server) IsOld(arrived time.Duration) bool { return s.isOld(arrived) }

// SetSettled says for the clock whether brokers may be judged. Before Run only.
func (s *Server) SetSettled(settled func() bool) { s.settled = settled }

// AfterHold gives closed connections that wait to f, which is to call what it is given
// when they have waited. Before Run only.
func (s *Server) AfterHold(f func(time.Duration, func())) { s.afterHold = f }

// SetWall gives the server another wall clock. Before Run only.
func (s *Server) SetWall(now func() time.Time) { s.wall = now }

// ScanIn scans as after so much more time.
func (s *Server) ScanIn(d time.Duration) { s.scanOnce(s.nowMillis() + d.Milliseconds()) }

// WallMillis is how what has no date is dated.
func (s *Server) WallMillis() int64 { return s.wallMillis() }

// RefuseRegistrations makes the workers refuse registrations for want of room. Before
// Run only.
func (s *Server) RefuseRegistrations(refuse func(*codec.Command) bool) {
	s.dispatch.of(codec.ReqRegisterBroker).handle = func(s *Server, r *request) (codec.Reply, error) {
		if refuse(&r.cmd) {
			return codec.Reply{}, errOverload
		}
		return registerBroker(s, r)
	}
}

// RegistrationsMissed counts registrations that there was no room for.
func (s *Server) RegistrationsMissed() int64 {
	counts := &s.dispatch.of(codec.ReqRegisterBroker).counts
	return int64(counts.refused[reasonQueueFull].Load() + counts.refused[reasonNoMemory].Load())
}

func (s *Server) refusedFor(why reason) int64 { return int64(s.dispatch.refused(why)) }

// LogLinesEvery sets the time between two lines of a kind. Before Run only.
func (s *Server) LogLinesEvery(d time.Duration) { s.lines.every = d }

// OnLog calls f with each line that is logged. Before Run only.
func (s *Server) OnLog(f func(line string)) { s.log = slog.New(logTo{slog.DiscardHandler, f}) }

type logTo struct {
	slog.Handler
	f func(line string)
}

func (l logTo) Enabled(context.Context, slog.Level) bool { return true }

func (l logTo) Handle(_ context.Context, r slog.Record) error {
	l.f(r.Message)
	return nil
}

// LogKVConfig writes the KV config into the log now.
func (s *Server) LogKVConfig() { s.logKVConfig() }

// UpdateConfig is UPDATE_NAMESRV_CONFIG with the given text.
func (s *Server) UpdateConfig(text string) error {
	_, err := updateNamesrvConfig(s, &request{cmd: codec.Command{Body: []byte(text)}})
	return err
}

// InDefaultPool makes the default pool serve a code with f, as what an operator
// asks. Before Run only.
func (s *Server) InDefaultPool(code codec.RequestCode, f func() codec.Reply) {
	s.install(code, asAdmin, f)
}

// ForgetTargets makes the servers that are started from now on refuse nothing for how
// long others have waited.
func ForgetTargets() { livenessTarget, adminTarget = 0, 0 }

// AsDisk makes the default pool serve a code with f, as what is kept on disk.
// Before Run only.
func (s *Server) AsDisk(code codec.RequestCode, f func() codec.Reply) { s.install(code, asDisk, f) }

// AsChange makes the default pool serve a code with f, as what a broker says of
// itself. Before Run only.
func (s *Server) AsChange(code codec.RequestCode, f func() codec.Reply) { s.install(code, asChange, f) }

// InClientPool makes the client pool serve a code with f. Before Run only.
func (s *Server) InClientPool(code codec.RequestCode, f func() codec.Reply) {
	s.install(code, onClientPool, f)
}

// OnLoop makes the event loop serve a code with f. Before Run only.
func (s *Server) OnLoop(code codec.RequestCode, f func() codec.Reply) { s.install(code, onLoop, f) }

func (s *Server) install(code codec.RequestCode, c class, f func() codec.Reply) {
	s.installHandler(code, c, func(*Server, *request) (codec.Reply, error) { return f(), nil })
}

func (s *Server) installHandler(code codec.RequestCode, c class, h handler) {
	w := s.dispatch.of(code)
	if w == s.dispatch.other {
		w = &row{code: code}
		s.dispatch.add(w)
	}
	w.class, w.handle = c, h
}

// SetNoticeOpaque chooses the opaque of the next notice.
func (s *Server) SetNoticeOpaque(opaque int32) { s.notifier.opaque.Store(opaque - 1) }

// BlockNotices makes notices block until the server stops, each after a word
// to sending. Before Run only.
func (s *Server) BlockNotices(sending chan<- struct{}) {
	s.notifier.send = func(ctx context.Context, _ string, _ []byte) error {
		sending <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
}

func (s *Server) NoticesSent() int64   { return s.Snapshot().Notices.Sent }
func (s *Server) NoticesFailed() int64 { return s.Snapshot().Notices.Failed }

// Reconfigure changes what the server reads live.
func (s *Server) Reconfigure(change func(*Config)) {
	cfg := *s.config()
	change(&cfg)
	s.live.Store(&cfg)
}

// SetSerializeType changes how the server writes headers.
func (s *Server) SetSerializeType(st codec.SerializeType) {
	s.Reconfigure(func(c *Config) { c.SerializeType = st })
}

// ServeAddressesAt moves the address server. Before Listen only.
func (s *Server) ServeAddressesAt(addr string) { s.addresses.addrs = []string{addr} }

// AddressServer returns where the address server listens.
func (s *Server) AddressServer() string { return s.addresses.http.Addrs()[0].String() }

// SetProductTimeout changes how long the product environment may take.
func (s *Server) SetProductTimeout(d time.Duration) { s.product.timeout = d }

// FetchProductList makes the list of product name servers due.
func (s *Server) FetchProductList() {
	s.product.mu.Lock()
	defer s.product.mu.Unlock()
	s.product.next = time.Time{}
}

func (t *TLSConfig) ServerContext() (*tls.Config, error) { return t.serverContext() }
func (t *TLSConfig) ClientContext() (*tls.Config, error) { return t.clientContext() }

// OnBodyDecoded calls f each time the body of a registration has been decoded,
// before it is registered. Before Run only.
func (s *Server) OnBodyDecoded(f func()) { s.bodyDecoded = f }

// SetHorizonQuiet changes how long after the first sign of a change the horizon file is
// read. Before Run only.
func (s *Server) SetHorizonQuiet(d time.Duration) { s.horizons.quiet = d }

// SetTLSPoll changes how often TLS files are looked at. Before Run only.
func (s *Server) SetTLSPoll(d time.Duration) { s.tls.poll = d }

// PutKV sets a value of the KV config.
func (s *Server) PutKV(namespace, key, value string) error { return s.kv.put(namespace, key, &value) }

// GetKV returns a value of the KV config.
func (s *Server) GetKV(namespace, key string) (string, bool) { return s.kv.get(namespace, key) }

// ReleaseFiles is what the end of Run does, for a server that never ran.
func (s *Server) ReleaseFiles() { s.releaseFiles() }

// RepliesTooLong returns how many replies were too long for any client.
func (s *Server) RepliesTooLong() int64 { return s.refusedFor(reasonReplyTooLong) }

// RouteLimitsFor returns the limits of the tables, and the bytes of encoded
// routes, on a machine with so much memory.
func (c *Config) RouteLimitsFor(memory int64) (route.Limits, int64) {
	return c.routeLimitsFor(memory), c.routeCacheBytesFor(memory)
}

// A LateReply is what a handler that answers later keeps.
type LateReply = lateReply

const (
	MaxLateOfConn = maxLateOfConn
	MaxLate       = maxLate
)

// AnswerLater makes the event loop, or else the default pool, serve a code by
// passing on who waits for an answer. gone is that of later. Before Run only.
func (s *Server) AnswerLater(code codec.RequestCode, loop bool, gone func(), f func(*LateReply) error) {
	c := asAdmin
	if loop {
		c = onLoop
	}
	s.installHandler(code, c, func(s *Server, r *request) (codec.Reply, error) {
		p, err := s.later(r, gone)
		if err != nil {
			return codec.Reply{}, err
		}
		return codec.Reply{}, f(p)
	})
}

// LateConns returns of how many connections requests wait to be answered later.
func (s *Server) LateConns() int {
	s.late.mu.Lock()
	defer s.late.mu.Unlock()
	return len(s.late.byConn)
}

// FillLate makes as many requests wait as may in all, less n. Before Run only.
func (s *Server) FillLate(n int64) { s.late.size.Store(maxLate - n) }

// StartDraining is what the end of the context does, but for the end of the engine.
func (s *Server) StartDraining() { s.startDraining() }

// Reasons returns the names of all reasons to refuse a request.
func Reasons() []string { return reasonNames[:] }

// AnswerLaterWhen makes the default pool serve a code by promising an answer after
// wait. Before Run only.
func (s *Server) AnswerLaterWhen(code codec.RequestCode, gone, wait func()) {
	s.installHandler(code, asAdmin, func(s *Server, r *request) (codec.Reply, error) {
		wait()
		_, err := s.later(r, gone)
		return codec.Reply{}, err
	})
}

// SetBoot gives the keeper of the routes another run of the machine. Before Run only.
func (s *Server) SetBoot(boot func() (id string, d time.Duration)) { s.keeper.boot = boot }

// BetweenPieces calls f before each piece of a snapshot. Before Run only.
func (s *Server) BetweenPieces(f func()) { s.keeper.between = f }

// OnReadRoutes calls f before a snapshot is read. Before Run only.
func (s *Server) OnReadRoutes(f func()) { s.keeper.reading = f }

// WriteRoutes writes the snapshot now, for a server that does not run.
func (s *Server) WriteRoutes() error {
	s.keeper.write(hurried, becauseChanged)
	if why := s.keeper.stats().Write.Failing; why != "" {
		return errors.New(why)
	}
	return nil
}

// WriteRoutesSlowly writes the snapshot now as a server does that runs, if hasTime, or
// that ends. Each piece takes d. It returns how many there are, and how long after its
// beginning there is no other write. For a server that does not run; in a bubble.
func (s *Server) WriteRoutesSlowly(d time.Duration, hasTime bool) (pieces int, quiet time.Duration) {
	k, began, worked := s.keeper, time.Now(), time.Duration(0)
	k.now = func() time.Duration { return time.Since(began) + worked }
	k.between = func() {
		pieces++
		worked += d
	}
	k.write(func() bool { return hasTime }, becauseChanged)
	return pieces, k.plan.quiet
}

// StampRoutes says in the snapshot that it is right now, for a server that does not run.
func (s *Server) StampRoutes() error {
	s.keeper.stamp()
	if why := s.keeper.stats().Write.Failing; why != "" {
		return errors.New(why)
	}
	return nil
}

// WithoutLocks is a file system that knows no locks, for the file of the routes. Before
// LoadRoutes.
func (s *Server) WithoutLocks() {
	s.keeper.file.held, s.keeper.file.alone = flock.New(s.keeper.path+lockSuffix), false
}

// LoadRoutes reads the snapshot now, for a server that does not run.
func (s *Server) LoadRoutes() RouteLoadStats {
	_ = s.keeper.load(context.Background())
	return s.keeper.stats().Load
}

// ReleaseRoutes lets another process write the snapshot.
func (s *Server) ReleaseRoutes() { s.keeper.file.release() }

// RouteWriter returns what writes the routes into a file as the server does, with
// pauses as long as ctx is not done, and returns how long after its beginning the server
// would write them again at the earliest. One goroutine may call it, of a server that has
// no snapshot of its own.
func (s *Server) RouteWriter(file string) func(context.Context) (time.Duration, error) {
	cfg := *s.config()
	cfg.RouteSnapshotPath = file
	k := newRouteKeeper(s, &cfg)
	return func(ctx context.Context) (time.Duration, error) {
		began := k.now()
		k.write(func() bool { return ctx.Err() == nil }, becauseChanged)
		if why := k.stats().Write.Failing; why != "" {
			return 0, errors.New(why)
		}
		return k.plan.quiet - began, nil
	}
}

// JavaMessages are our messages in whose place logFormat=java writes Java's words.
func JavaMessages() []string { return slices.Collect(maps.Keys(javaPhrases)) }

// BrokerConn is a connection over which a broker has registered.
func (s *Server) BrokerConn() engine.Conn {
	s.brokerConns.mu.Lock()
	defer s.brokerConns.mu.Unlock()
	for _, c := range s.brokerConns.byID {
		return c.Conn
	}
	return nil
}

// How long a write of the snapshot works and sleeps in turn.
const (
	WritePiece     = writePiece
	WritePause     = writePause
	WriteLong      = writeLong
	WritePauseLate = writePauseLate
)

// SetContainer says what shows that the server runs in a container. Before Run only.
func (s *Server) SetContainer(sign string) {
	s.rules.world.container = sign
	text, err := s.rules.read()
	if err != nil {
		panic(err)
	}
	p, _, err := newAccessPolicy(s.config(), text, &s.rules.world)
	if err != nil {
		panic(err)
	}
	s.rules.use(p, nil)
}

// OperatorCodes are the codes whose requests the audit log has.
func (s *Server) OperatorCodes() (codes []codec.RequestCode) {
	for w := range s.dispatch.all {
		if w.logged != nil {
			codes = append(codes, w.code)
		}
	}
	return codes
}
