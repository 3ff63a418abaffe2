package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gonamesrv/engine"
	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// A collector makes all metrics of a server at each scrape, of what Snapshot and View
// show. Nothing is kept between two.
type collector struct{ *Admin }

func newCollector(a *Admin) *collector { return &collector{a} }

// Describe and Collect are called by the registry.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range families {
		ch <- f.desc
	}
}

// Collect makes the metrics of one scrape.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	e := emitter(ch)
	snap, cfg := c.server.Snapshot(), c.server.Config()
	e.server(&snap)
	e.requests(&snap)
	meters := c.server.Meters()
	e.meters(&snap, &meters)
	e.queues(&snap)
	e.connections(&snap.Engine)
	e.memory(&snap)
	e.tls(&snap)
	e.tables(&snap.Table)
	view := c.server.View()
	e.digest(view)
	e.peers(snap.Peers)
	e.brokers(view, c.server.NowMillis(), cfg.MetricsMaxBrokers, cfg.SupportActingMaster)
	e.journal(&snap, view, c.server.Journal())
	e.admin(c.Admin)
	e.kvConfig(&snap)
	e.warmStart(&snap.Routes)
	e.protection(&snap.Protection)
	e.horizons(&snap.Horizons)
	e.access(&snap.Access)
	e.audit(&snap.Audit)
	e.misses(&snap.Misses)
	e.notices(&snap.Notices)
	if cfg.MetricsJavaNames {
		e.javaNames(&snap, &meters)
	}
}

var (
	buildInfo = gauge("build_info", "Always 1. Which build this is, and of which Java release it is a replacement.", "version", "revision", "goversion", "java")
	config    = gauge("config_info", "Always 1. The hash of all keys that all name servers of a cluster are expected to share: without addresses, paths, names of files and secrets.", "hash")
	uptime    = gauge("uptime_seconds", "Time since the start, less the time for which the process stood still.")
	pauses    = counter("pauses_total", "How often the process, or the machine, has stood still for two seconds or longer.")
	paused    = counter("paused_seconds_total", "For how long in all.")
)

// javaRelease is the release of Java's name server that this one is compared with.
const javaRelease = "5.5.0"

func (e emitter) server(s *namesrv.Snapshot) {
	version, revision, _ := strings.Cut(s.Version, "+")
	e.add(buildInfo, 1, version, revision, runtime.Version(), javaRelease)
	e.add(config, 1, configHash(s.Config))
	e.add(uptime, s.Uptime.Seconds())
	e.add(pauses, float64(s.Engine.Pauses))
	e.add(paused, s.Engine.Paused.Seconds())
}

// configHash returns the hash of the settings that all servers of a cluster can share.
func configHash(settings []namesrv.Setting) string {
	h := sha256.New()
	for _, s := range settings {
		if !namesrv.IsOwnKey(s.Key) {
			h.Write([]byte(s.Key + "=" + s.Value + "\n"))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

var (
	refusedRequests = counter("requests_refused_total", "Requests that were answered with an error or dropped, by the reason.", "request_code", "reason")
	lateRequests    = gauge("requests_waiting", "Requests that are answered later, on purpose, and wait now.")
	abandoned       = counter("requests_abandoned_total", "Requests whose connections ended while they waited for a late answer.")
)

// requestCodeOf returns Java's name of a request code, as values of labels are written.
func requestCodeOf(name string) string { return strings.ToLower(name) }

func (e emitter) requests(s *namesrv.Snapshot) {
	late, gone, strays := 0, uint64(0), uint64(0)
	for _, r := range s.Requests {
		for why, n := range r.Refused {
			e.add(refusedRequests, float64(n), requestCodeOf(r.Name), snake(why))
		}
		late += r.Late
		gone += r.Abandoned
		strays += r.Refused["strayResponse"]
	}
	e.add(stray, float64(strays))
	e.add(lateRequests, float64(late))
	e.add(abandoned, float64(gone))
}

var (
	queueLength   = gauge("queue_length", "Requests that wait for a worker.", "class")
	queueCapacity = gauge("queue_capacity", "Requests that may wait for a worker.", "class")
	queueRunning  = gauge("queue_running", "Requests that workers are serving.", "class")
	queueBytes    = gauge("queue_bytes", "Bytes that those hold that wait or are served.", "class")
	queueRejected = counter("queue_rejected_total", "Requests that found no room in a queue, those that were shed included.", "class")
	queueShed     = counter("queue_shed_total", "Of those, requests that were refused because the queue did not get shorter.", "class")
	workers       = gauge("workers", "Workers that serve the queues.", "pool")
	workerPanics  = counter("worker_panics_total", "Requests whose handling panicked in a worker.", "pool")
)

// queueClasses are the levels of the default pool.
var queueClasses = [...]string{"liveness", "change", "admin", "disk"}

func (e emitter) queues(s *namesrv.Snapshot) {
	queue := func(class string, l engine.LevelStats, limit engine.LevelInForce) {
		e.add(queueLength, float64(l.Depth), class)
		e.add(queueCapacity, float64(limit.Queue), class)
		e.add(queueRunning, float64(l.Running), class)
		e.add(queueBytes, float64(l.Bytes), class)
		e.add(queueRejected, float64(l.Rejected), class)
		e.add(queueShed, float64(l.Shed), class)
	}
	if len(s.ClientPool.Levels) > 0 && len(s.ClientPool.InForce.Levels) > 0 {
		queue("client", s.ClientPool.Levels[0], s.ClientPool.InForce.Levels[0])
	}
	for i, class := range queueClasses {
		if i < len(s.DefaultPool.Levels) && i < len(s.DefaultPool.InForce.Levels) {
			queue(class, s.DefaultPool.Levels[i], s.DefaultPool.InForce.Levels[i])
		}
	}
	for name, p := range map[string]*namesrv.PoolStats{"client": &s.ClientPool, "default": &s.DefaultPool} {
		e.add(workers, float64(p.InForce.Workers), name)
		e.add(workerPanics, float64(p.Panics), name)
	}
}

var (
	activeConnections = gauge("active_connections", "Connections that are open.", "transport")
	maxConnections    = gauge("max_connections", "Connections that may be open; 0 is no limit.")
	loopConnections   = gauge("loop_connections", "Connections of each event loop. Those that speak TLS are on none.", "loop")
	accepted          = counter("connections_accepted_total", "Connections that were accepted.")
	refused           = counter("connections_refused_total", "Connections that were closed on arrival, by the limit that was reached.", "limit")
	closed            = counter("connections_closed_total", "Connections that have ended, by what ended them.", "reason")
	choked            = gauge("choked_connections", "Connections that do not read their replies now.")
	acceptErrors      = counter("accept_errors_total", "Failures to accept a connection or to hand it over.")
	panics            = counter("panics_total", "Panics on event loops, each of which closed one connection.")
	stray             = counter("stray_responses_total", "Answers to what was never asked, which were dropped.")
	frames            = counter("frames_total", "Frames that were given to the server.")
	networkBytes      = counter("network_bytes_total", "Bytes that peers have sent, and that were given to them.", "direction")
	rateAddresses     = gauge("rate_limited_addresses", "Addresses whose connections wait because they have asked too often.")
	rateRequests      = counter("rate_limited_requests_total", "Requests that waited because their address has asked too often, or would have.")
)

func (e emitter) connections(s *engine.Stats) {
	e.add(activeConnections, float64(s.Open-s.TLSOpen), "plain")
	e.add(activeConnections, float64(s.TLSOpen), "tls")
	for i, n := range s.LoopOpen {
		e.add(loopConnections, float64(n), strconv.Itoa(i))
	}
	e.add(accepted, float64(s.Accepted))
	e.add(refused, float64(s.Refused), "total")
	e.add(refused, float64(s.RefusedPerAddress), "address")
	for _, by := range []struct {
		reason string
		n      uint64
	}{
		{"peer", s.ClosedByPeer},
		{"local", s.ClosedLocal},
		{"idle", s.ClosedIdle},
		{"malformed", s.ClosedMalformed},
		{"panic", s.ClosedPanic},
		{"slow_reader", s.ClosedSlowReader},
		{"write_error", s.ClosedWriteError},
		{"overloaded", s.ClosedOverloaded},
		{"shutdown", s.ClosedShutdown},
		{"preamble", s.ClosedPreamble},
		{"frame_timeout", s.ClosedFrameTimeout},
		{"flood", s.ClosedFlood},
		{"for_room", s.ClosedForRoom},
	} {
		e.add(closed, float64(by.n), by.reason)
	}
	e.add(choked, float64(s.Choked))
	e.add(acceptErrors, float64(s.AcceptErrors))
	e.add(panics, float64(s.Panics))
	e.add(frames, float64(s.Frames))
	e.add(networkBytes, float64(s.BytesIn), "in")
	e.add(networkBytes, float64(s.BytesOut), "out")
	e.add(rateAddresses, float64(s.Slowed))
	e.add(rateRequests, float64(s.TooFast))
}

var (
	budgetUsed  = gauge("memory_budget_used_bytes", "Bytes of the memory budget that peers hold: io is unfinished frames and unread replies, queue is requests that wait for a worker.", "part")
	budgetLimit = gauge("memory_budget_limit_bytes", "Bytes of the memory budget that each part may hold.", "part")
	cacheBytes  = gauge("route_cache_bytes", "Bytes of encoded routes that are kept.", "cache")
	cacheLimit  = gauge("route_cache_limit_bytes", "Bytes of encoded routes that may be kept; 0 is no limit.", "cache")
	cacheMisfit = counter("route_cache_misfits_total", "Routes that were encoded and found no room to be kept.", "cache")
)

func (e emitter) memory(s *namesrv.Snapshot) {
	e.add(budgetUsed, float64(s.Engine.HeldBytes), "io")
	e.add(budgetUsed, float64(s.QueuedBytes), "queue")
	half := float64(s.Limits.BudgetBytes) / 2
	e.add(budgetLimit, half, "io")
	e.add(budgetLimit, half, "queue")
	e.add(maxConnections, float64(s.Limits.MaxConnections))
	t := &s.Table
	e.add(cacheBytes, float64(t.CachedBytes), "common")
	e.add(cacheLimit, float64(t.CacheLimit), "common")
	e.add(cacheMisfit, float64(t.CacheMisfits), "common")
	e.add(cacheBytes, float64(t.HorizonCachedBytes), "horizons")
	e.add(cacheLimit, float64(t.HorizonCacheLimit), "horizons")
	e.add(cacheMisfit, float64(t.HorizonCacheMisfits), "horizons")
}

var (
	tlsHandshakes = counter("tls_handshakes_total", "TLS handshakes by what became of them: failed ones began, and the peer, or a certificate, would not do, or one end went away.", "result")
	tlsReloads    = counter("tls_reloads_total", "How often files of TLS had changed, and whether they could be used.", "result")
	certificate   = gauge("certificate_expiry_timestamp_seconds", "When the certificate in force ends: the one that is shown to peers (server), or to whom we connect (client).", "use")
)

func (e emitter) tls(s *namesrv.Snapshot) {
	e.add(tlsHandshakes, float64(s.Engine.TLSHandshakes), "success")
	e.add(tlsHandshakes, float64(s.Engine.TLSHandshakeFailures), "failed")
	e.add(tlsReloads, float64(s.TLS.Reloads), "success")
	e.add(tlsReloads, float64(s.TLS.ReloadFailures), "failed")
	for use, end := range map[string]time.Time{"server": s.TLS.ServerNotAfter, "client": s.TLS.ClientNotAfter} {
		if !end.IsZero() {
			e.add(certificate, float64(end.Unix()), use)
		}
	}
}

var (
	topicCount    = gauge("topics", "Topics with queues on at least one broker.")
	staticTopics  = gauge("static_topics", "Topics with static queue mappings.")
	entries       = gauge("table_entries", "Rows of the tables, as their limit counts them.")
	entryLimit    = gauge("table_entries_limit", "Rows that the tables may have.")
	limitRefusals = counter("table_refusals_total", "Changes that a limit of the tables has refused.", "limit")
)

func (e emitter) tables(s *route.Stats) {
	e.add(topicCount, float64(s.Topics))
	e.add(staticTopics, float64(s.Statics))
	e.add(entries, float64(s.Entries))
	e.add(entryLimit, float64(s.Limits.Entries))
	for _, r := range s.Refusals {
		e.add(limitRefusals, float64(r.Count), strings.ReplaceAll(r.Limit, " ", "_"))
	}
}

var (
	kvNamespaces = gauge("kv_namespaces", "Namespaces of the KV config.")
	kvBytes      = gauge("kv_bytes", "Bytes of the text of the KV config.")
	kvLimit      = gauge("kv_limit_bytes", "Bytes that the text of the KV config may have.")
)

func (e emitter) kvConfig(s *namesrv.Snapshot) {
	e.add(kvNamespaces, float64(s.KVConfig.Namespaces))
	e.add(kvBytes, float64(s.KVConfig.Bytes))
	e.add(kvLimit, float64(s.KVConfig.MaxBytes))
}
