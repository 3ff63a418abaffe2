package namesrv

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/internal/audit"
	"gonamesrv/internal/meter"
	"gonamesrv/route"
)

var errBrokerExpired = errors.New("namesrv: broker expired")

// A Server is one name server. Java: NamesrvController.
type Server struct {
	live        atomic.Pointer[Config] // never changed once stored
	atStart     Config                 // never changed
	changing    sync.Mutex             // held by one change of live from its beginning to its end, file included
	configFile  fileLock               // of ConfigStorePath, from the first change on; under changing
	blackList   map[string]bool        // keys that UPDATE_NAMESRV_CONFIG must not change
	kv          *kvConfig
	log         *slog.Logger
	table       *route.Table   // Start of the keeper may replace it, before anybody is served
	replacing   sync.Mutex     // held meanwhile, and by those who read it before they are served
	journal     *route.Journal // of table, and of the server itself
	self        selfWatch      // of watchSelf
	keeper      *routeKeeper   // nil when it is off
	budget      *engine.Budget // what peers may make us hold
	pools       *pools         // made before ready is closed
	engine      *engine.Engine
	dispatch    *dispatchTable
	tallies     *tallies
	scanTime    meter.Histogram
	bodyBytes   meter.Histogram // of registrations
	clients     clientKinds
	late        lateReplies
	damper      *damper
	task        engine.Task   // serveQueued, for all but registrations
	arrivals    atomic.Uint64 // registrations that have come
	brokerConns brokerConns
	protection  *route.Protection
	afterHold   func(time.Duration, func()) // time.AfterFunc; tests have their own
	notifier    *notifier
	listing     sync.Mutex     // held while a list of topics is made
	addresses   *addressServer // nil when it is off
	product     *productEnv    // nil unless in cluster-test mode
	tls         *tlsContexts
	horizons    *horizonKeeper
	rules       *accessKeeper
	peers       *peers        // nil when there are none
	ran         atomic.Bool   // Run was called
	ready       chan struct{} // closed when peers are served
	draining    atomic.Bool   // the server was told to end
	ended       atomic.Bool   // Run has returned
	events      *eventLog
	happened    eventCounts
	lines       lineLimit
	changeLog   adminLog
	audit       *audit.Log // nil when it is off
	auditLimit  *auditLimit
	auditWait   time.Duration // how long the answer to an operator waits for its line, with auditSync
	auditFile   fileLock      // of audit
	reloads     reloads
	logDropped  func() (stderr, file uint64) // set before Run; nil: nobody knows
	scanned     atomic.Int64                 // when there was a scan, or could have been, by clock; 0 while there is none
	onUpdate    []func(Config)               // set before Run
	attached    []attachedComponent          // the same
	clock       *engine.Clock                // how long something lasts, above all the silence of brokers
	settled     func() bool                  // clock.Settled; tests have their own
	started     time.Duration                // by clock
	uptime      func() time.Duration         // since started, by clock; tests have their own
	startedAt   time.Time                    // by wall
	wall        func() time.Time             // what people and brokers call the time; it may jump
	bodyDecoded func()                       // tests change the tables between a decoding and its registration; nil otherwise
}

// New returns a server that is not listening yet. It fails when cfg does not
// validate, or when the KV config cannot be read.
func New(cfg Config, log *slog.Logger) (_ *Server, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{ready: make(chan struct{}), log: log, dispatch: newDispatchTable(&cfg), events: newEventLog(), clock: engine.NewClock(), wall: time.Now}
	s.uptime = func() time.Duration { return s.clock.Now() - s.started }
	s.settled, s.started, s.startedAt = s.clock.Settled, s.clock.Now(), s.wall()
	kv, err := loadKVConfig(cfg.KVConfigPath, kvConfigLimit(cfg.memoryBudget()), func() time.Duration { return s.clock.Now() }, log)
	if err != nil {
		return nil, err
	}
	s.kv = kv
	s.configFile = fileLock{path: cfg.ConfigStorePath, log: log}
	defer func() {
		if err != nil {
			s.releaseFiles()
			s.closeAudit()
		}
	}()
	log.Info("files in use", "kvConfigPath", cfg.KVConfigPath, "configStorePath", cfg.ConfigStorePath)
	s.blackList = map[string]bool{}
	for name := range strings.SplitSeq(cfg.ConfigBlackList, ";") {
		s.blackList[name] = true
	}
	s.blackList[versionKey] = true
	warnUnwritable(&cfg, log)
	s.atStart = cfg
	s.live.Store(&cfg)
	if s.tls, err = newTLSContexts(cfg.TLS, cfg.AdminTLSEnable && cfg.AdminServerPort != 0, log); err != nil {
		return nil, err
	}
	if s.horizons, err = newHorizonKeeper(cfg.HorizonFile, log, func() time.Time { return s.wall() }); err != nil {
		return nil, err
	}
	if err := s.openAudit(&s.atStart); err != nil {
		return nil, err
	}
	if s.rules, err = newAccessKeeper(&s.atStart, log, func() time.Time { return s.wall() }, s.auditRules); err != nil {
		return nil, err
	}
	if cfg.ClusterTest && cfg.HorizonFile != "" {
		log.Warn("horizons are not used in cluster-test mode", "horizonFile", cfg.HorizonFile)
	}
	s.rules.nonces.since = s.wallMillis()
	s.tls.reloaded = s.journalReload
	if trust := s.tls.trust.Load(); trust != nil {
		s.rules.trusts(trust)
	}
	s.tls.trusts = s.rules.trusts
	s.horizons.swap = func() { s.tableNow().SweepHorizons() }
	s.task = func(c engine.Conn, arrived time.Duration, frame, out []byte) []byte {
		return s.serveQueued(c, arrived, frame, out, carried{})
	}
	if cfg.ClusterTest {
		s.product = newProductEnv(&cfg, s.tls.forClient)
	}
	s.budget = engine.NewBudget(cfg.memoryBudget())
	s.journal = route.NewJournalWithin(cfg.JournalSize, memoryLimit()/historyShare)
	s.table = route.New(s.routeOptions())
	s.keeper = newRouteKeeper(s, &cfg)
	s.protection = route.NewProtection()
	s.afterHold = func(d time.Duration, f func()) { time.AfterFunc(d, f) }
	s.notifier = newNotifier(s)
	s.damper = newDamper(s.budget)
	s.peers = newPeers(s, &cfg)
	if cfg.AddressServerPort != 0 {
		if s.addresses, err = newAddressServer(&cfg, s); err != nil {
			return nil, err
		}
	}
	e, err := engine.New(s, s.engineOptions(&cfg))
	if err != nil {
		return nil, err
	}
	s.engine = e
	s.tallies = newTallies(e.Loops())
	return s, nil
}

// routeOptions is the table's part of the configuration.
func (s *Server) routeOptions() route.Options {
	cfg := s.config()
	return route.Options{
		OnEvent: s.onEvent, Limits: cfg.routeLimits(), CacheBytes: cfg.routeCacheBytes(), HorizonCacheBytes: cfg.horizonCacheBytes(),
		MostSilentMillis: cfg.WarmStartMaxAge.Milliseconds(), Journal: s.journal, HistoryBytes: cfg.historyBytes(memoryLimit()),
		Nanotime: func() int64 { return int64(s.clock.Now()) + 1 },
	}
}

// engineOptions is the engine's part of a configuration.
func (s *Server) engineOptions(cfg *Config) engine.Options {
	trusted, _ := parseTrusted(cfg.ProxyProtocolTrusted) // validated
	return engine.Options{
		Addrs:       cfg.Addresses(),
		Loops:       cfg.ServerSelectorThreads,
		Split:       codec.NewSplitFunc(frameLimit(cfg.FrameMaxLength, s.budget.Limit())),
		MaxFrame:    frameLimit(cfg.FrameMaxLength, s.budget.Limit()),
		IdleTimeout: func() time.Duration { return s.config().ServerChannelMaxIdle },
		HighWater:   cfg.WriteBufferHighWaterMark,
		LowWater:    cfg.WriteBufferLowWaterMark,
		SendBuffer:  cfg.ServerSocketSndBufSize,
		RecvBuffer:  cfg.ServerSocketRcvBufSize,
		Drain:       s.drain,
		Started: sync.OnceFunc(func() {
			s.table.Serving(s.nowMillis())
			close(s.ready)
		}),

		TLSMode:          cfg.TLS.mode(),
		TLSConfig:        s.tls.server.Load,
		ProxyTrusted:     trusted,
		HandshakeTimeout: cfg.HandshakeTimeout,

		Budget:                   s.budget,
		MaxConnections:           cfg.MaxConnections,
		OtherFiles:               cfg.adminFiles(),
		MaxConnectionsPerAddress: cfg.MaxConnectionsPerIP,
		RequestsPerAddress:       cfg.RequestsPerIP,
		RequestsMonitor:          cfg.RequestRateMode == modeMonitor,
		FirstFrameTimeout:        cfg.FirstFrameTimeout,
		FrameTimeout:             cfg.FrameTimeout,
		ChokedTime:               cfg.SlowReaderTimeout,
		ChokedInput:              cfg.MaxPendingInput,
		MaxUnsent:                cfg.MaxPendingOutput,

		Clock:  s.clock,
		Logger: s.log,
	}
}

// Listen binds the addresses. From then on peers may connect; they are served
// once Run is called.
func (s *Server) Listen() (err error) {
	defer func() {
		if err != nil {
			s.releaseFiles()
			s.closeAudit()
		}
	}()
	if s.addresses != nil {
		if err := s.addresses.bind(); err != nil {
			return err
		}
	}
	if err := s.engine.Listen(); err != nil {
		s.unlisten()
		return listenError(cmp.Or(errors.Unwrap(err), err), "listenPort")
	}
	return nil
}

// listenError says which key to change when an address cannot be bound. No key
// helps where there are too few file descriptors.
func listenError(err error, portKey string) error {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return fmt.Errorf("namesrv: %w", err)
	}
	key := "bindAddress"
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EACCES) {
		key = portKey
	}
	return fmt.Errorf("namesrv: %w; change %s", err, key)
}

// Ready returns a channel that is closed when peers are served: Run has all that
// it needs.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr returns the first address that Listen has bound.
func (s *Server) Addr() net.Addr { return s.engine.Addr() }

// Addrs returns all addresses that Listen has bound.
func (s *Server) Addrs() []net.Addr { return s.engine.Addrs() }

// unlisten gives up what Listen has bound, if nobody is to be served.
func (s *Server) unlisten() {
	s.engine.Close()
	if s.addresses != nil {
		s.addresses.http.Unbind()
	}
}

// releaseFiles lets other processes write the files that this one wrote.
func (s *Server) releaseFiles() {
	s.kv.close()
	s.changing.Lock()
	defer s.changing.Unlock()
	s.configFile.release()
}

// onEvent is told what a change did, once it is published and the table's lock
// is free: by a worker, or by the scan, not always its own. Events come one after
// the other, in the order of the changes.
func (s *Server) onEvent(e route.Event) {
	s.happened[e.Kind].Add(1)
	s.logEvent(e)
	s.keeper.noteEvent(e)
	if e.Kind == route.MinBrokerIDChanged && s.config().NotifyMinBrokerIDChanged {
		s.notifier.post(e.BrokerName, e.MinID)
	}
}

// OnUpdate makes each change of the configuration by a request call f with what
// it is then, one after the other. Before Run only.
func (s *Server) OnUpdate(f func(Config)) { s.onUpdate = append(s.onUpdate, f) }

// Reload reads again what can be read again while serving, if it has changed:
// certificates, the horizon file, the access file. It returns at once. Before Run it has no effect, and need not:
// everything was just read.
func (s *Server) Reload() {
	s.log.Info("reload asked for")
	s.tls.reloadSoon()
	s.horizons.reloadSoon()
	s.rules.reloadSoon()
}

// config returns the configuration as it is now; it is read, never changed.
func (s *Server) config() *Config { return s.live.Load() }

// nowMillis is the time that the route table is told: milliseconds since the
// process started, less those for which it stood still.
func (s *Server) nowMillis() int64 { return s.clock.Now().Milliseconds() }

// wallMillis dates what its sender has not dated, in milliseconds since the Unix
// epoch. Nothing that lasts is measured with it.
func (s *Server) wallMillis() int64 { return s.wall().UnixMilli() }
