package namesrv

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/route"
)

// NOTIFY_MIN_BROKER_ID_CHANGE: the smallest ID of a broker name has changed.
//
// Sent to   the members of the set, at the addresses they registered, oneway
// Runs      on goroutines of its own, which exist while there is something to send
// Java      RouteInfoManager#notifyMinBrokerIdChanged
// Differs   sent outside the table's lock, to all receivers at the same time;
//           what the next change has overtaken is not sent

// Tests have more patience.
var (
	notifyConnectTimeout = 3 * time.Second // Java: NettyClientConfig.connectTimeoutMillis
	notifyWriteTimeout   = 300 * time.Millisecond
)

const (
	// notifySenders is how many receivers are connected to at the same time. An
	// unreachable one occupies a sender until the connect timeout, the others go
	// on. The engine leaves enough descriptors for them.
	notifySenders = 32
	// notifyNames is how many broker names may have notices waiting.
	notifyNames = 10_000
	// notifyAddrBytes bounds the addresses in a notice. Brokers choose them, and
	// a header has its limit.
	notifyAddrBytes = 4096
)

// A notice is what the members of one broker name are yet to be told.
type notice struct {
	brokerName string
	change     *route.MinBrokerIDChange
	receivers  []string // those nobody is sending to yet
}

// A notifier sends notices. Of each broker name it knows the latest only: who
// has not been told of a change when the next one comes is told of that one.
// Brokers ask once a second for their set's members too, so that a notice that
// is lost delays them by that much.
//
// Each notice goes over a connection of its own, which is closed behind it.
// Notices are rare, and a kept connection would have to be watched and closed
// at the right time; for a broker that has just restarted it would be dead.
type notifier struct {
	logLimited    func(level slog.Level, msg string, attrs func() []any)
	serializeType func() codec.SerializeType
	isCurrent     func(brokerName string, c *route.MinBrokerIDChange) bool
	send          func(ctx context.Context, addr string, frame []byte) error
	opaque        atomic.Int32

	ctx     context.Context // ends with Stop
	cancel  context.CancelFunc
	senders sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	running int                 // senders
	byName  map[string]*notice  // those in waiting
	waiting []*notice           // oldest first, none without receivers, at most notifyNames
	busy    map[string]struct{} // addresses being sent to, so that notices do not overtake each other

	counts noticeCounts
}

// A noticeCounts is what became of notices.
type noticeCounts struct {
	sent, failed int64 // by receiver
	overtaken    int64 // receivers that were told of a later change instead
	dropped      int64 // notices for which there was no room
	passedOver   int64 // notices that came too late, or that nobody could be told
}

func newNotifier(s *Server) *notifier {
	ctx, cancel := context.WithCancel(context.Background())
	return &notifier{
		logLimited:    s.logLimited,
		serializeType: func() codec.SerializeType { return s.config().SerializeType },
		isCurrent: func(brokerName string, c *route.MinBrokerIDChange) bool {
			b, ok := s.table.View().Broker([]byte(brokerName))
			return ok && b.First().ID == c.MinBrokerID && b.First().Addr == c.MinBrokerAddr
		},
		send: func(ctx context.Context, addr string, frame []byte) error {
			secure, err := s.tls.forClient()
			if err != nil {
				return err
			}
			return engine.SendOnce(ctx, addr, secure, frame, notifyConnectTimeout, notifyWriteTimeout)
		},
		ctx:    ctx,
		cancel: cancel,
		byName: map[string]*notice{},
		busy:   map[string]struct{}{},
	}
}

// post puts the change of one broker name in the queue and returns at once.
// The table tells of changes in their order, after its lock is free: one that the
// View has left behind meanwhile is passed over.
func (n *notifier) post(brokerName string, c *route.MinBrokerIDChange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	tooLong := len(c.HABrokerAddr)+len(c.OfflineBrokerAddr)+len(c.MinBrokerAddr) > notifyAddrBytes
	if tooLong || !n.isCurrent(brokerName, c) {
		n.counts.passedOver++
		return
	}
	receivers := c.Receivers()
	if len(receivers) == 0 {
		n.counts.passedOver++
		return
	}
	w := n.byName[brokerName]
	if w == nil {
		if len(n.waiting) == notifyNames {
			n.dropOldest()
		}
		w = &notice{brokerName: brokerName}
		n.byName[brokerName] = w
		n.waiting = append(n.waiting, w)
	}
	n.counts.overtaken += int64(len(w.receivers))
	w.change, w.receivers = c, receivers
	for range w.receivers {
		if n.running == notifySenders {
			return
		}
		n.running++
		n.senders.Go(n.sendAll)
	}
}

// dropOldest makes room for a notice. Under mu.
func (n *notifier) dropOldest() {
	delete(n.byName, n.waiting[0].brokerName)
	n.waiting = slices.Delete(n.waiting, 0, 1)
	n.counts.dropped++
	n.logLimited(slog.LevelWarn, "notices dropped, too many wait", func() []any { return []any{"dropped", n.counts.dropped} })
}

// sendAll sends what waits until nothing does.
func (n *notifier) sendAll() {
	for {
		name, addr, c := n.next()
		if c == nil {
			return
		}
		err := n.send(n.ctx, addr, n.frame(c))
		n.done(name, addr, err)
	}
}

// next takes the oldest notice for somebody who is not being sent to. It
// returns nil, and counts the sender out, when there is none: whoever is
// sending to a receiver looks here again afterwards.
func (n *notifier) next() (name, addr string, c *route.MinBrokerIDChange) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, w := range n.waiting {
		for j, addr := range w.receivers {
			if _, busy := n.busy[addr]; busy {
				continue
			}
			n.busy[addr] = struct{}{}
			w.receivers = slices.Delete(w.receivers, j, j+1)
			if len(w.receivers) == 0 {
				n.waiting = slices.Delete(n.waiting, i, i+1)
				delete(n.byName, w.brokerName)
			}
			return w.brokerName, addr, w.change
		}
	}
	n.running--
	return "", "", nil
}

func (n *notifier) done(name, addr string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.busy, addr)
	if err == nil {
		n.counts.sent++
		return
	}
	n.counts.failed++
	if !errors.Is(err, context.Canceled) {
		n.logLimited(slog.LevelWarn, "notice not delivered", func() []any {
			return []any{"broker", clip(name), "addr", clip(addr), "err", clip(err.Error()), "failed", n.counts.failed}
		})
	}
}

// frame encodes a notice. Java leaves brokerName out, and what is null. The
// fields are in the order in which Java's map gives them.
func (n *notifier) frame(c *route.MinBrokerIDChange) []byte {
	r := codec.Command{
		Code:    codec.ReqNotifyMinBrokerIDChange,
		Version: codec.Version,
		Opaque:  n.opaque.Add(1),
		Flag:    codec.FlagOneway,
	}
	add := func(name, value string) {
		if value != "" {
			r.Ext = append(r.Ext, codec.ExtField{Name: []byte(name), Value: []byte(value)})
		}
	}
	add("haBrokerAddr", c.HABrokerAddr)
	add("offlineBrokerAddr", c.OfflineBrokerAddr)
	add("minBrokerAddr", c.MinBrokerAddr)
	add("minBrokerId", strconv.FormatInt(c.MinBrokerID, 10))
	return codec.AppendRequest(nil, n.serializeType(), &r)
}

// Start implements component.Component: senders exist while there is something to
// send.
func (n *notifier) Start(context.Context) error { return nil }

// Stop drops what waits, gives up what is under way and returns when no sender is
// left.
func (n *notifier) Stop(context.Context) {
	n.mu.Lock()
	n.closed = true
	n.waiting = nil
	clear(n.byName)
	n.mu.Unlock()
	n.cancel()
	n.senders.Wait()
}
