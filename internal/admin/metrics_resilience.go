package admin

import (
	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// What keeps routes over restarts and cut networks, and what treats clients apart.

var (
	warmBrokers  = gauge("warm_start_brokers", "Brokers that were restored from the snapshot of the routes, by what has become of them.", "state")
	warmCoverage = gauge("warm_start_coverage_ratio", "The part of the restored brokers that is confirmed; 1 if none was restored.")
	warmUnheard  = gauge("warm_start_unheard_topics", "Restored rows of topics that no broker has listed since.")
	warmDropped  = counter("warm_start_dropped_topics_total", "Restored rows of topics that were dropped, because two whole tables do not list them.")
	warmResult   = gauge("warm_start_info", "Always 1. What the server began with.", "result")
	writes       = counter("route_snapshot_writes_total", "Writes of the snapshot of the routes, and of its stamp, which says that it is still right.", "what", "result")
	snapshotAge  = gauge("route_snapshot_age_seconds", "Time since the snapshot of the routes was last known to be right; 0 before the first write, or where there is none.")
	snapshotSize = gauge("route_snapshot_bytes", "Size of the snapshot of the routes.")
	snapshotTime = gauge("route_snapshot_write_seconds", "How long the last write of the snapshot took.")
	shadow       = gauge("warm_start_shadow", "With warmStart=shadow: what the snapshot would have been good for.", "what", "verdict")
)

func (e emitter) warmStart(s *namesrv.RouteSnapshotStats) {
	w := &s.Warmth
	e.add(warmBrokers, float64(w.Restored), "restored")
	e.add(warmBrokers, float64(w.Heard), "heard")
	e.add(warmBrokers, float64(w.Confirmed), "confirmed")
	e.add(warmBrokers, float64(w.Gone), "gone")
	e.add(warmCoverage, w.Coverage())
	e.add(warmUnheard, float64(w.Unheard))
	e.add(warmDropped, float64(w.Dropped))
	if s.Load.Result != "" {
		e.add(warmResult, 1, s.Load.Result)
	}
	e.add(writes, float64(s.Write.Writes), "snapshot", "success")
	e.add(writes, float64(s.Write.WriteFailures), "snapshot", "failed")
	e.add(writes, float64(s.Write.Stamps), "stamp", "success")
	e.add(writes, float64(s.Write.StampFailures), "stamp", "failed")
	e.add(snapshotAge, s.Write.Age.Seconds())
	e.add(snapshotSize, float64(s.Write.Bytes))
	e.add(snapshotTime, s.Write.Duration.Seconds())
	for what, n := range map[string]namesrv.ShadowCount{"brokers": s.Shadow.Brokers, "topics": s.Shadow.Rows} {
		e.add(shadow, float64(n.Right), what, "right")
		e.add(shadow, float64(n.Stale), what, "stale")
		e.add(shadow, float64(n.Missing), what, "missing")
	}
}

var (
	protectionState = gauge("protection_state", "1 for the state in which self-protection is, of the whole server.", "state")
	scopeState      = gauge("protection_scopes", "Clusters and zones that self-protection watches, by their state: those that are not normal, or have not been so lately.", "state")
	suspects        = gauge("brokers_suspect", "Brokers that are due to leave, and held back.")
	overdue         = gauge("brokers_overdue", "Brokers that are silent for longer than they may be.")
	held            = counter("expiry_held_total", "Brokers that self-protection has held back, by cause.", "cause")
	wouldHold       = counter("expiry_would_hold_total", "Brokers that it would have held back, with selfProtection=monitor.", "cause")
	released        = counter("expiry_released_total", "Brokers that have left after they had been held back. At the ceiling: because that is for as long as they may be.", "at_ceiling")
	heldByHand      = gauge("clusters_held_by_hand", "Clusters whose brokers an operator holds.")
)

// protectionStates are the states in which a server, or a scope, may be.
var protectionStates = []route.ProtectionState{
	route.ProtectionNormal, route.ProtectionPartial, route.ProtectionFull, route.ProtectionIsolated, route.ProtectionRecovering,
}

func (e emitter) protection(s *route.ProtectionStats) {
	scopes := map[route.ProtectionState]int{}
	for i := range s.Scopes {
		scopes[s.Scopes[i].State]++
	}
	for _, state := range protectionStates {
		e.add(protectionState, boolean(s.State == state), state.String())
		e.add(scopeState, float64(scopes[state]), state.String())
	}
	e.add(suspects, float64(s.Suspects))
	e.add(overdue, float64(s.Overdue))
	e.heldBy(held, &s.Held)
	e.heldBy(wouldHold, &s.WouldHold)
	e.add(released, float64(s.Released-min(s.AtCeiling, s.Released)), "false")
	e.add(released, float64(s.AtCeiling), "true")
	e.add(heldByHand, float64(s.HeldByHand))
}

func (e emitter) heldBy(f *family, n *route.HeldCounts) {
	e.add(f, float64(n.Partial), "partial")
	e.add(f, float64(n.Full), "full")
	e.add(f, float64(n.Isolated), "isolated")
	e.add(f, float64(n.Recovering), "recovering")
	e.add(f, float64(n.Leaving), "leaving")
	e.add(f, float64(n.Operator), "operator")
	e.add(f, float64(n.MassClose), "mass_close")
}

var (
	horizonGeneration = gauge("horizon_generation", "How often rules of horizons have come into force; 0 if there is no horizonFile.")
	horizonFailures   = counter("horizon_reload_failures_total", "How often the horizonFile had changed and could not be used.")
	horizonRequests   = counter("horizon_requests_total", "Requests of the clients of a horizon, for what shows addresses: answered, refused, or refused because no broker was left.", "horizon", "result")
	horizonAddresses  = counter("horizon_addresses_total", "Addresses that a horizon has looked at while answers were made: rewritten, without a result, or with the result of another one of the same answer.", "horizon", "outcome")
)

var (
	accessInfo       = gauge("access_info", "Always 1. By which preset and in which mode requests are refused.", "preset", "mode")
	accessGeneration = gauge("access_generation", "How often access rules have come into force; 1 are those of the start.")
	accessFailures   = counter("access_reload_failures_total", "How often the accessFile had changed and could not be used.")
	accessRefused    = counter("access_refused_total", "Requests that were refused because their sender lacks a right, by the right and by where the sender is: loopback, site or public.", "right", "group")
	accessWould      = counter("access_would_refuse_total", "Requests that would have been refused, had accessMode or brokerJoin not been monitor.", "right", "group")
	accessSignatures = counter("access_signatures_total", "Signatures of requests that were looked at, because the right lacked without, by what came of it.", "outcome")
	accessNonces     = gauge("access_nonces", "Second signatures (nsSign) that are remembered, so that nobody can send them twice.")
	accessLockedOut  = gauge("access_locked_out", "Addresses whose signatures are not looked at now, because too many were wrong.")
)

func (e emitter) access(s *namesrv.AccessStats) {
	e.add(accessInfo, 1, s.Preset, s.Mode)
	e.add(accessGeneration, float64(s.Generation))
	e.add(accessFailures, float64(s.Failures))
	e.add(accessLockedOut, float64(s.LockedOut))
	e.add(accessNonces, float64(s.Nonces))
	outcomes := map[string]uint64{}
	for _, c := range s.Signatures {
		outcomes[c.Outcome] = c.Count
	}
	for _, outcome := range namesrv.SignatureOutcomes() {
		e.add(accessSignatures, float64(outcomes[outcome]), outcome)
	}
	for f, counts := range map[*family][]namesrv.AccessCount{accessRefused: s.Refused, accessWould: s.WouldRefuse} {
		by := map[[2]string]uint64{}
		for _, c := range counts {
			by[[2]string{c.Right, c.Group}] = c.Count
		}
		for _, right := range namesrv.AccessRights() {
			for _, group := range namesrv.AccessGroups() {
				e.add(f, float64(by[[2]string{right, group}]), right, group)
			}
		}
	}
}

// maxHorizons bounds the values of the label horizon: operators write them, and may
// write thousands.
const maxHorizons = 32

func (e emitter) horizons(s *namesrv.HorizonsStats) {
	e.add(horizonGeneration, float64(s.Generation))
	e.add(horizonFailures, float64(s.Failures))
	seen := map[string]bool{}
	for i := range s.Horizons {
		h := &s.Horizons[i]
		name := labelOf(h.Name)
		if i >= maxHorizons || seen[name] {
			continue
		}
		seen[name] = true
		e.add(horizonRequests, float64(h.Requests-min(h.Requests, h.Refused)), name, "answered")
		e.add(horizonRequests, float64(h.Refused-min(h.Refused, h.NothingLeft)), name, "refused")
		e.add(horizonRequests, float64(h.NothingLeft), name, "nothing_left")
		hits := uint64(0)
		for _, r := range h.Rules {
			hits += r.Hits
		}
		e.add(horizonAddresses, float64(hits), name, "rewritten")
		e.add(horizonAddresses, float64(h.Missing), name, "missing")
		e.add(horizonAddresses, float64(h.SameAddress), name, "same_address")
	}
}

var (
	missAskers  = gauge("miss_askers", "Connections that have asked for topics that are not there.")
	missWaiting = gauge("misses_waiting", "Answers to them that wait now.")
	missDamped  = counter("misses_damped_total", "Answers that were delayed, that found no room to be, or that would have been, with missDamping=monitor.", "result")
)

func (e emitter) misses(s *namesrv.MissStats) {
	e.add(missAskers, float64(s.Askers))
	e.add(missWaiting, float64(s.Waiting))
	e.add(missDamped, float64(s.Delayed), "delayed")
	e.add(missDamped, float64(s.NotDelayed), "no_room")
	e.add(missDamped, float64(s.Monitored), "monitored")
}

var (
	noticesWaiting = gauge("notices_waiting", "Broker names whose change of the smallest ID somebody is still to be told of.")
	noticeResults  = counter("notices_total", "Notices of a change of the smallest broker ID.", "result")
)

func (e emitter) notices(s *namesrv.NoticeStats) {
	e.add(noticesWaiting, float64(s.Waiting))
	e.add(noticeResults, float64(s.Sent), "sent")
	e.add(noticeResults, float64(s.Failed), "failed")
	e.add(noticeResults, float64(s.Overtaken), "overtaken")
	e.add(noticeResults, float64(s.Dropped), "dropped")
	e.add(noticeResults, float64(s.PassedOver), "passed_over")
}
