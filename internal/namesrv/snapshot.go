package namesrv

import (
	"time"

	"gonamesrv/engine"
	"gonamesrv/internal/httpserver"
	"gonamesrv/route"
)

// A State is where a server is in its life.
type State string

// The states, in their order.
const (
	StateStarting State = "starting" // from New on; peers may connect, and wait
	StateServing  State = "serving"
	StateDraining State = "draining" // told to end; peers are sent away
	StateStopped  State = "stopped"  // Run has returned
)

// A Snapshot holds everything that a server shows of itself. Log lines, metrics and
// tools take their numbers from here. Nothing is counted in a second place.
//
// Each number is exact. The numbers are read one after the other, so they are not of
// one instant, unless a type says so. Counts of events start at zero with the server
// and never decrease. A duration that is written as a number is in nanoseconds.
// Texts of peers are clipped, secrets are hidden.
//
// Encoded as JSON the fields have their Go names, in this order.
type Snapshot struct {
	Version string
	State   State
	// RoutesGiven says that route requests are answered with routes: the server has
	// begun to serve, has not stopped, and needWaitForService keeps nobody waiting.
	RoutesGiven bool
	Started     time.Time     // New, by the wall clock
	Uptime      time.Duration // since then, less the time for which the process stood still
	Addresses   []string      // that are bound; none while starting

	Engine      engine.Stats
	Limits      engine.InForce // zero while starting
	QueuedBytes int64          // of frames that wait for workers; they share Limits.BudgetBytes with Engine.HeldBytes, half and half
	ClientPool  PoolStats      // zero while starting, as are all pools
	DefaultPool PoolStats      // its levels are liveness, change, admin and disk

	Registrations uint64         // REGISTER_BROKER requests offered to the default pool
	Requests      []RequestStats // in ascending order of their codes, all that have none last
	Registered    RegistrationStats
	Clients       []ClientCount // by language and version, 32 kinds at most and the rest; brokers are clients too

	Table    route.Stats
	Events   []EventCount       // of brokers, one for each kind, always in the same order: all that the log may tell of them; Journal.Types has what the journal keeps, so other things too, and fewer refusals
	Routes   RouteSnapshotStats // over a restart
	Horizons HorizonsStats
	Access   AccessStats
	Audit    AuditStats
	KVConfig KVConfigStats
	Notices  NoticeStats
	Misses   MissStats
	// Protection shows which brokers are held back although they are due to leave, and
	// why; Config says whether they are (selfProtection).
	Protection route.ProtectionStats

	Journal JournalStats

	AddressServer httpserver.Stats // zero where it is off
	TLS           TLSStats

	Peers   []PeerStats // the name servers of peerNamesrvAddr, in its order
	Log     LogStats
	Reloads ReloadStats // of the configuration file

	// Config is the configuration in force now, in ascending order of the keys,
	// unknown keys included. GET_NAMESRV_CONFIG shows the same values; here long
	// ones are clipped, and those of keys that sound like secrets are hidden. Limits,
	// Table.Limits and the pools show what a zero stands for.
	Config []Setting
}

// A PoolStats shows an executor: its load and its limits.
type PoolStats struct {
	engine.ExecutorStats
	InForce engine.ExecutorInForce
}

// A JournalStats shows what is remembered of what happened, and of how it was before.
type JournalStats struct {
	route.JournalStats
	History route.HistoryStats
}

// A KVConfigStats is how full the KV config is, and how it is kept.
type KVConfigStats struct {
	Namespaces int
	Entries    int // keys in all namespaces
	Bytes      int // of its text; of one moment with Namespaces
	MaxBytes   int

	Saves       uint64 // changes written to disk
	SavesFailed uint64 // changes that could not be written, and were refused
	SaveFailed  bool   // the last change could not be written, so it did not happen
}

// A NoticeStats shows how many NOTIFY_MIN_BROKER_ID_CHANGE wait, and what became of
// the others. All numbers are of one moment.
type NoticeStats struct {
	Waiting int // broker names whose notice waits, at most 10,000
	Senders int // goroutines that send, at most 32

	Sent       int64 // by receiver
	Failed     int64 // by receiver
	Overtaken  int64 // receivers that were told of a later change instead
	Dropped    int64 // notices for which there was no room
	PassedOver int64 // notices that came too late, or that nobody could be told
}

// A Setting is one key of the configuration.
type Setting struct{ Key, Value string }

// Snapshot returns what the server looks like now. It takes no lock that a request
// waits for on the event loop; the locks that it takes, those of the notices, of
// misses, of the history and of the TLS connections, are held for a few dozen instructions; that of
// the protection is held for longer only while the scan divides brokers that are due.
// It costs what the
// configuration costs to be written, less than 0.1 ms, however large the
// tables are: BenchmarkSnapshot. Safe from any goroutine, before, while and after
// the server runs.
func (s *Server) Snapshot() Snapshot {
	cfg, table := s.config(), s.tableNow()
	snap := Snapshot{
		Version:       Version(),
		State:         s.state(),
		Started:       s.startedAt,
		Uptime:        s.uptime(),
		Engine:        s.engine.Stats(),
		QueuedBytes:   s.budget.Queued(),
		Registrations: s.arrivals.Load(),
		Requests:      s.dispatch.snapshot(s.tallies),
		Clients:       s.clients.snapshot(),
		Table:         table.Stats(),
		Events:        s.happened.stats(),
		Routes:        s.keeper.stats(),
		Horizons:      s.horizons.snapshot(),
		Access:        s.rules.snapshot(s.clock.Now()),
		Audit:         s.auditStats(),
		KVConfig:      s.kv.stats(),
		Notices:       s.notifier.stats(),
		Misses:        s.damper.stats(),
		Protection:    s.protection.Stats(),
		Peers:         s.peers.stats(),
		Log:           s.logStats(),
		Reloads:       s.reloads.snapshot(),
		Journal:       JournalStats{s.journal.Stats(), table.History().Stats()},
		TLS:           s.tls.stats(),
		Config:        cfg.settings(),
	}
	snap.Registered = s.registrationStats(&snap.Table)
	snap.Routes.Warmth = table.Warmth()
	snap.RoutesGiven = (snap.State == StateServing || snap.State == StateDraining) && !s.mustWait(cfg)
	if s.hasServed() {
		for _, addr := range s.Addrs() {
			snap.Addresses = append(snap.Addresses, addr.String())
		}
		snap.Limits = s.engine.InForce()
		snap.ClientPool = PoolStats{s.pools.client.Stats(), s.pools.client.InForce()}
		snap.DefaultPool = PoolStats{s.pools.regular.Stats(), s.pools.regular.InForce()}
	}
	if s.addresses != nil {
		snap.AddressServer = s.addresses.http.Stats()
	}
	return snap
}

// NowMillis returns the time by which route.LiveInfo says when a broker was last heard
// of: milliseconds since the process started, less those for which it stood still. Safe
// from any goroutine, at any time.
func (s *Server) NowMillis() int64 { return s.nowMillis() }

// View returns what readers see now. Safe from any goroutine, at any time.
func (s *Server) View() *route.View { return s.tableNow().View() }

// state returns where the server is in its life.
func (s *Server) state() State {
	switch {
	case s.ended.Load():
		return StateStopped
	case s.draining.Load():
		return StateDraining
	case s.hasServed():
		return StateServing
	default:
		return StateStarting
	}
}

// hasServed reports whether peers are served, or have been. The pools are there then.
func (s *Server) hasServed() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// mustWait reports whether routes are not given yet, because brokers may not have
// registered again after a start. In cluster-test mode nobody waits, nor does
// anybody when the server goes on with the routes of the process before.
// Java: ClientRequestProcessor, needWaitForService.
func (s *Server) mustWait(cfg *Config) bool {
	return s.inWaitTime(cfg) && !s.keeper.isOpen()
}

// inWaitTime reports whether the time has not passed yet that needWaitForService
// gives brokers to register again.
func (s *Server) inWaitTime(cfg *Config) bool {
	return cfg.NeedWaitForService && s.product == nil && s.uptime() < time.Duration(cfg.WaitSecondsForService)*time.Second
}

// tableNow returns the table, also to those who come before the server has one to
// stay with.
func (s *Server) tableNow() *route.Table {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	return s.table
}

func (k *kvConfig) stats() KVConfigStats {
	now := k.now.Load()
	return KVConfigStats{
		Namespaces: len(now.table.Namespaces), Entries: now.entries, Bytes: now.size, MaxBytes: k.most,
		Saves: k.saves.Load(), SavesFailed: k.savesFailed.Load(), SaveFailed: k.saveFailed.Load(),
	}
}

func (n *notifier) stats() NoticeStats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return NoticeStats{
		Waiting:    len(n.waiting),
		Senders:    n.running,
		Sent:       n.counts.sent,
		Failed:     n.counts.failed,
		Overtaken:  n.counts.overtaken,
		Dropped:    n.counts.dropped,
		PassedOver: n.counts.passedOver,
	}
}

// settings returns every key with its value as it is shown.
func (c *Config) settings() []Setting {
	all := c.all()
	settings := make([]Setting, len(all))
	for i, f := range all {
		settings[i] = Setting{clip(f.Name), shown(f.Name, f.Value)}
	}
	return settings
}
