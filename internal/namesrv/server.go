package namesrv

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/route"
)

var errBrokerExpired = errors.New("namesrv: broker expired")

// A Server is one name server. Java: NamesrvController.
type Server struct {
	live        atomic.Pointer[Config] // never changed once stored
	changing    sync.Mutex             // held by one change of live from its beginning to its end, file included
	blackList   map[string]bool        // keys that UPDATE_NAMESRV_CONFIG must not change
	kv          *kvConfig
	log         *slog.Logger
	table       *route.Table
	budget      *engine.Budget // what peers may make us hold
	pools       *pools
	engine      *engine.Engine
	kinds       map[codec.RequestCode]requestKind
	task        engine.Task // serveQueued
	brokerConns brokerConns
	notifier    *notifier
	addresses   *addressServer // nil when it is off
	product     *productEnv    // nil unless in cluster-test mode
	tls         *tlsContexts
	draining    atomic.Bool // the server was told to end
	counters    counters
	events      *eventLog
	lines       lineLimit
	overloads   rate.Sometimes // bounds the lines about full queues
	now         func() time.Time
	started     time.Time
}

// counters count what a peer did that is worth knowing.
type counters struct {
	strayResponses atomic.Int64 // frames that answer what was never asked
	refused        atomic.Int64 // requests answered with an error, or dropped because oneway
	overloaded     atomic.Int64 // of those: refused because a pool was full
	noMemory       atomic.Int64 // of those: refused because the budget had no room for what their bodies say
	sentAway       atomic.Int64 // of those: told to go away
}

// New returns a server that is not listening yet. It fails when cfg does not
// validate, or when the KV config cannot be read.
func New(cfg Config, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Server{log: log, kinds: requestKinds, events: newEventLog(), overloads: rate.Sometimes{Interval: time.Second}, now: time.Now, started: time.Now()}
	kv, err := loadKVConfig(cfg.KVConfigPath, log)
	if err != nil {
		return nil, err
	}
	s.kv = kv
	s.blackList = map[string]bool{}
	for name := range strings.SplitSeq(cfg.ConfigBlackList, ";") {
		s.blackList[name] = true
	}
	s.live.Store(&cfg)
	if !cfg.RouteReadsOnLoop {
		s.kinds = maps.Clone(requestKinds)
		s.kinds[codec.ReqGetRouteInfoByTopic] = requestKind{onClientPool, getRouteInfoByTopic}
	}
	if s.tls, err = newTLSContexts(cfg.TLS, log); err != nil {
		return nil, err
	}
	s.task = s.serveQueued
	if cfg.ClusterTest {
		s.product = newProductEnv(&cfg, s.tls.forClient)
	}
	s.budget = engine.NewBudget(cfg.memoryBudget())
	s.table = route.New(route.Options{OnEvent: s.onEvent})
	s.notifier = newNotifier(s)
	if cfg.AddressServerPort != 0 {
		s.addresses = newAddressServer(&cfg, log)
	}
	e, err := engine.New(s, s.engineOptions(&cfg))
	if err != nil {
		return nil, err
	}
	s.engine = e
	return s, nil
}

// engineOptions is the engine's part of a configuration.
func (s *Server) engineOptions(cfg *Config) engine.Options {
	mode, _ := cfg.TLS.mode()
	trusted, _ := parseTrusted(cfg.ProxyProtocolTrusted) // validated
	return engine.Options{
		Addrs:       cfg.Addresses(),
		Loops:       cfg.ServerSelectorThreads,
		Split:       codec.SplitFrame,
		MaxFrame:    frameLimit(s.budget.Limit()),
		IdleTimeout: func() time.Duration { return s.config().ServerChannelMaxIdle },
		HighWater:   cfg.WriteBufferHighWaterMark,
		LowWater:    cfg.WriteBufferLowWaterMark,
		SendBuffer:  cfg.ServerSocketSndBufSize,
		RecvBuffer:  cfg.ServerSocketRcvBufSize,
		Drain:       s.drain,

		TLSMode:          mode,
		TLSConfig:        s.tls.server.Load,
		ProxyTrusted:     trusted,
		HandshakeTimeout: cfg.HandshakeTimeout,

		Budget:                   s.budget,
		MaxConnections:           cfg.MaxConnections,
		MaxConnectionsPerAddress: cfg.MaxConnectionsPerIP,
		FirstFrameTimeout:        cfg.FirstFrameTimeout,
		FrameTimeout:             cfg.FrameTimeout,
		ChokedTime:               cfg.SlowReaderTimeout,
		ChokedInput:              cfg.MaxPendingInput,
		MaxUnsent:                cfg.MaxPendingOutput,

		Logger: s.log,
	}
}

// Listen binds the addresses. From then on peers may connect; they are served
// once Run is called.
func (s *Server) Listen() error {
	if err := s.addresses.bind(); err != nil {
		return err
	}
	if err := s.engine.Listen(); err != nil {
		s.addresses.close()
		return err
	}
	return nil
}

// Addr returns the first address that Listen has bound.
func (s *Server) Addr() net.Addr { return s.engine.Addr() }

// Addrs returns all addresses that Listen has bound.
func (s *Server) Addrs() []net.Addr { return s.engine.Addrs() }

// Run serves until ctx is done, then sends the peers away, for as long as the
// configuration says at most, and returns nil when every connection is closed
// and every goroutine has ended, or the requests in the pools have not within
// poolsTime. Any other end is an error.
func (s *Server) Run(ctx context.Context) error {
	if s.Addr() == nil {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	s.pools = newPools(s.config(), s.budget, s.log)
	scanning, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.scan(scanning) })
	wg.Go(func() { s.logKVConfigs(scanning) })
	wg.Go(func() { s.tls.watch(scanning) })
	wg.Go(s.addresses.serve)
	serving, release := s.servingUntil(ctx)
	err := s.engine.Run(serving)
	release()
	stop()
	s.addresses.close()
	s.product.close() // its askers are in the pool
	wg.Wait()
	if !s.pools.close(poolsTime) {
		s.log.Warn("requests abandoned, they do not end")
	}
	s.notifier.close()
	return err
}

// onEvent is told what a change did, once it is published and the table's lock
// is free: by a worker, or by the scan.
func (s *Server) onEvent(e route.Event) {
	s.logEvent(e)
	if e.Kind == route.MinBrokerIDChanged && s.config().NotifyMinBrokerIDChanged {
		s.notifier.post(e.BrokerName, e.MinID)
	}
}

// config returns the configuration as it is now; it is read, never changed.
func (s *Server) config() *Config { return s.live.Load() }

func (s *Server) nowMillis() int64 { return s.now().UnixMilli() }
