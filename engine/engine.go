package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"
)

// readBuffer is the size of each loop's read buffer and so the most bytes of
// small requests, some hundred, that one connection is served with before the
// next gets its turn. Measured with gnet v2.10.0: 4, 64 and 256 KiB are the same within
// noise.
const readBuffer = 16 << 10

// abandonAfter is how long a broken engine waits for its acceptor, which may
// be handing a connection to a loop that no longer exists.
const abandonAfter = time.Second

// An Engine owns listening sockets, the connections accepted from it and the
// event loops that serve them. Its life is New, Listen, Run; it is used once.
type Engine struct {
	o      Options // with defaults
	h      Handler
	ahead  Preparer // h, nil if it is none
	leaver Leaver   // the same
	bufs   buffers
	client *gnet.Client
	loops  []*loop
	lns    []net.Listener
	spares spares

	inboxLimits  inboxLimits  // constant
	outboxLimits outboxLimits // constant

	choosing sync.Mutex // held by chooseLoop

	peers peerCount

	buckets   buckets
	strangers strangers
	going     chan struct{} // one for each stranger that has to go and has not gone

	tickEvery time.Duration // Options.tick, unless a test ticks by itself

	running  atomic.Bool
	stopping atomic.Bool
	noMore   chan struct{} // closed when no more is to be accepted
	stop     chan struct{} // closed when stopping
	ended    chan struct{} // closed when Run returns: the loops have ended
	fatal    chan error    // holds the first unexpected end of a loop

	maxFiles       int   // 0 = no limit
	maxConnections int64 // 0 = no limit

	open       atomic.Int64 // accepted and not yet closed
	partial    atomic.Int64 // bytes of assembly buffers
	choked     atomic.Int64
	slowed     atomic.Int64
	drainDue   atomic.Int64 // connections that a drain may close now
	lastAccept atomic.Int64 // engine time after which the backlog is given up, set by a drain
	accepted   atomic.Uint64
	refused    atomic.Uint64

	refusedPerAddress atomic.Uint64
	tooFast           atomic.Uint64

	acceptErrors atomic.Uint64
	panics       atomic.Uint64
	closed       [numCloseKinds]atomic.Uint64

	tls       tlsSet
	tlsConfig *tls.Config // asks o.TLSConfig for each handshake

	// One for each line that peers can cause again and again.
	acceptLog, refusedLog, refusedPerAddressLog, takeOverLog sparingLog
	panicLog, loopPanicLog, bellLog, tooFastLog              sparingLog
	closedLogs                                               [numCloseKinds]sparingLog
}

// New returns an engine that gives the frames it receives to h. It opens
// nothing yet. The error lists every fault of o.
func New(h Handler, o Options) (*Engine, error) {
	if h == nil {
		return nil, errors.New("engine: handler is missing")
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	e := &Engine{
		o:      o.withDefaults(),
		h:      h,
		noMore: make(chan struct{}),
		stop:   make(chan struct{}),
		ended:  make(chan struct{}),
		fatal:  make(chan error, 1),
	}
	e.ahead, _ = h.(Preparer)
	e.leaver, _ = h.(Leaver)
	e.tickEvery = e.o.tick
	e.inboxLimits = inboxLimits{
		split: e.o.Split, maxFrame: e.o.MaxFrame, ahead: e.o.ChokedInput,
		first: e.o.FirstFrameTimeout, later: e.o.FrameTimeout, resolution: e.o.tick,
	}
	e.outboxLimits = outboxLimits{high: e.o.HighWater, low: e.o.LowWater, max: e.o.MaxUnsent, chokedTime: e.o.ChokedTime}
	e.tlsConfig = &tls.Config{GetConfigForClient: e.configForClient}
	e.peers.limit = e.o.MaxConnectionsPerAddress
	e.buckets.exempt = e.hasExempt
	if n := e.o.RequestsPerAddress; n > 0 {
		e.buckets.cost = time.Second / time.Duration(n)
	}
	e.bufs.keepLess(e.o.Budget)
	e.going = make(chan struct{}, maxEnrolling)
	e.strangers.now = e.now
	for i := range e.o.Loops {
		e.loops = append(e.loops, newLoop(e, i))
	}
	return e, nil
}

// Loops returns how many event loops there are.
func (e *Engine) Loops() int { return len(e.loops) }

// configForClient is asked by crypto/tls at the beginning of each handshake.
func (e *Engine) configForClient(*tls.ClientHelloInfo) (*tls.Config, error) {
	if e.o.TLSConfig != nil {
		if cfg := e.o.TLSConfig(); cfg != nil {
			return cfg, nil
		}
	}
	return nil, errors.New("no usable certificate")
}

// Run serves connections until ctx is done, then stops accepting, parts from
// its peers as Options.Drain says, closes every connection that is left (each
// Handler.Closed is called before Run returns) and returns nil. It calls Listen
// if nobody has.
//
// An event loop that ends by itself, which gnet v2.10.0 lets it do silently
// when epoll fails, has lost its connections: Run then closes the others and
// returns an error. Nothing can be served afterwards.
func (e *Engine) Run(ctx context.Context) error {
	if !e.running.CompareAndSwap(false, true) {
		return errors.New("engine: run twice")
	}
	defer close(e.ended)
	if e.lns == nil {
		if err := e.Listen(); err != nil {
			return err
		}
	}
	e.maxFiles = maxOpenFiles()
	e.maxConnections = int64(connectionLimit(e.o.MaxConnections, e.maxFiles, e.fdReserve()))
	if err := e.startLoops(); err != nil {
		e.closeListeners()
		return err
	}
	accepting, ticking, watching, probing := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() { defer close(watching); e.o.Clock.watch(e.stop, e.notePause) }()
	go func() { defer close(accepting); e.acceptAll() }()
	go func() { defer close(ticking); e.tickAll() }()
	go func() { defer close(probing); e.probeAll() }()
	e.o.Logger.Info("engine started", "addr", e.addrText(), "loops", len(e.loops),
		"maxConnections", e.maxConnections, "maxConnectionsPerAddress", e.o.MaxConnectionsPerAddress,
		"memoryBudget", e.o.Budget.Limit(), "maxFrame", e.o.MaxFrame)
	if e.o.Started != nil {
		e.o.Started()
	}

	var fatal error
	select {
	case <-ctx.Done():
	case fatal = <-e.fatal:
	}
	close(e.noMore)
	if fatal == nil {
		fatal = e.drain(accepting)
	}
	e.stopping.Store(true)
	close(e.stop)
	e.closeListeners()
	<-ticking
	<-probing
	<-watching
	if fatal == nil {
		<-accepting
	} else {
		select {
		case <-accepting:
		case <-time.After(abandonAfter):
		}
	}
	err := e.stopLoops()
	if fatal != nil {
		return fmt.Errorf("%w: %w", fatal, errOr(err, errors.New("no reason given")))
	}
	e.o.Logger.Info("engine stopped", "addr", e.addrText())
	return err
}

// startLoops starts gnet's loops and gives a sentinel to each. A gnet.Client
// is used, loops without a listener, because gnet's own acceptor ends the
// whole engine on the first EMFILE (probed with v2.10.0).
func (e *Engine) startLoops() error {
	client, err := gnet.NewClient(&events{e: e},
		gnet.WithNumEventLoop(len(e.loops)),
		gnet.WithReadBufferCap(readBuffer),
		gnet.WithLogger(&gnetLogger{log: e.o.Logger}),
		// Not "delay": the option is set already, and gnet would set it again
		// at a place where a failure leaks the descriptor.
		gnet.WithTCPNoDelay(gnet.TCPDelay),
	)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if err := client.Start(); err != nil {
		return fmt.Errorf("engine: start event loops: %w", err)
	}
	e.client = client
	for _, l := range e.loops {
		if err := e.addSentinel(l); err != nil {
			e.stopping.Store(true)
			return errors.Join(err, e.stopLoops())
		}
	}
	return nil
}

// addSentinel enrols a silent connection with the next of gnet's loops. gnet
// puts a connection where there are fewest, so each of l gets its own. The
// sentinel tells which loop is which, and since a loop that ends closes its
// connections, its death is the death of the loop.
func (e *Engine) addSentinel(l *loop) error {
	watched, held, err := sentinelPair()
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	l.bell = held
	if _, err := e.client.EnrollContext(watched, &sentinel{l}); err != nil {
		return fmt.Errorf("engine: start event loop %d: %w", l.index, err)
	}
	if l.el == nil {
		return fmt.Errorf("engine: event loop %d did not start", l.index)
	}
	for _, other := range e.loops[:l.index] {
		if other.el == l.el {
			return fmt.Errorf("engine: event loops %d and %d are one", other.index, l.index)
		}
	}
	return nil
}

// stopLoops ends the loops, which close their connections, and returns what
// an already dead one has died of.
func (e *Engine) stopLoops() error {
	e.tls.close()
	err := e.client.Stop()
	e.tls.readers.Wait()
	for _, l := range e.loops {
		if l.bell != nil {
			l.bell.Close()
		}
	}
	return err
}

// tickAll lets every loop look at the clock, again and again.
func (e *Engine) tickAll() {
	t := time.NewTicker(e.tickEvery)
	defer t.Stop()
	for {
		select {
		case <-e.stop:
			return
		case <-t.C:
		}
		for _, l := range e.loops {
			if l.tickWaiting.CompareAndSwap(false, true) {
				l.execute(l.tickTask)
			}
		}
		e.tls.review(e.o.Clock, e.o.Budget)
	}
}

// now is the time that the silence of peers is measured with.
func (e *Engine) now() time.Duration { return e.o.Clock.Now() }

// notePause says that the process, or the machine, has stood still.
func (e *Engine) notePause(length time.Duration) {
	e.o.Logger.Warn("the process stood still, nobody was silent meanwhile", "addr", e.addrText(),
		"took", length, "pauses", e.o.Clock.pauses.Load())
}

// loopEnded takes note that a loop is gone.
func (e *Engine) loopEnded(l *loop) {
	if e.stopping.Load() {
		return
	}
	e.o.Logger.Error("event loop ended", "loop", l.index)
	select {
	case e.fatal <- fmt.Errorf("engine: event loop %d ended unexpectedly", l.index):
	default:
	}
}

func errOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
