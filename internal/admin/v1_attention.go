package admin

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// mostAttention is how many entries the list has, the worst ones.
const mostAttention = 20

const (
	severityCritical = "critical"
	severityWarning  = "warning"
)

// An attentionEntry is what somebody should look at.
type attentionEntry struct {
	Severity string  `json:"severity"`
	Code     string  `json:"code"` // part of the API: what it is about, and what of it
	Text     string  `json:"text"`
	Since    *stamp  `json:"since"` // when it was first noticed
	Link     *string `json:"link"`

	last string // event
}

// notices remember since when each entry of the list is there.
type notices struct {
	mu    sync.Mutex
	since map[string]time.Time // by code and link
}

// attention lists what is wrong, the worst first. What comes first is decided by what is
// said, not by when: two servers in the same state say the same.
func (a *Admin) attention(snap *namesrv.Snapshot, sv *survey) []attentionEntry {
	entries := []attentionEntry{}
	add := func(severity, code, link, format string, args ...any) {
		entries = append(entries, attentionEntry{Severity: severity, Code: code, Text: fmt.Sprintf(format, args...), Link: optional(link)})
	}
	h := a.server.Health()
	attendChecks(add, &h)
	a.attendServer(add, snap)
	attendPeers(add, snap.Peers)
	for _, s := range sv.sets {
		attendBroker(add, s)
	}
	entries = append(entries, attendLost(sv, a.server.Journal().Last(&route.JournalFilter{Types: departures}, 0))...)
	if from, to, ok := a.readings.span(); ok {
		for i, q := range queuesOf(snap) {
			if n := to.rejected[i] - from.rejected[i]; n > 0 {
				add(severityWarning, "queue.rejected", "/v1/status", "%d requests of class %s were refused in the last %d seconds: its queue is full", n, q.Class, rateSpan)
			}
		}
		if n := to.logDropped - from.logDropped; n > 0 {
			add(severityWarning, "log.dropped", "/v1/status", "%d lines of the log were lost in the last %d seconds", n, rateSpan)
		}
	}
	slices.SortStableFunc(entries, func(a, b attentionEntry) int { return cmp.Compare(a.Severity, b.Severity) })
	return a.notices.date(entries[:min(len(entries), mostAttention)], sv.now)
}

type attend func(severity, code, link, format string, args ...any)

func (a *Admin) attendServer(add attend, snap *namesrv.Snapshot) {
	if p := &snap.Protection; p.State != route.ProtectionNormal {
		add(severityCritical, "protection.entered", "/v1/brokers?state=suspect", "self-protection is %s: %s", p.State, p.Cause)
	}
	for _, sc := range snap.Protection.Scopes {
		if sc.State != route.ProtectionNormal {
			add(severityCritical, "protection.entered", "/v1/brokers?state=suspect&cluster="+url.QueryEscape(sc.Cluster),
				"self-protection of cluster %s is %s: %d of %d brokers are silent", quoted(sc.Cluster), sc.State, sc.Overdue, sc.Live)
		}
	}
	a.readings.mu.Lock()
	files := a.readings.process
	a.readings.mu.Unlock()
	if files.openFiles != nil && files.fileLimit != nil && *files.openFiles*100 >= *files.fileLimit*85 {
		add(severityWarning, "files.limit", "/v1/status", "%d of %d files are open", *files.openFiles, *files.fileLimit)
	}
	if why := snap.Routes.Write.Failing; why != "" {
		add(severityWarning, "routeSnapshot.failed", "/v1/config", "the snapshot of the routes cannot be written: %s", why)
	}
	if why := snap.Reloads.LastError; why != "" {
		add(severityWarning, "config.failed", "/v1/config", "the configuration file was read again and cannot be used: %s", why)
	}
	if why := snap.Horizons.LastError; why != "" {
		add(severityWarning, "horizons.failed", "/v1/config", "the horizon file has changed and cannot be used: %s", why)
	}
}

// A remark is how a check is told of among what somebody should look at.
type remark struct{ code, link, text string }

// remarked are the checks that can be wrong of a server that answers. What probes fail
// for is critical. There is one rule for each thing, here and there.
var remarked = map[string]remark{
	"loops":        {"loops.silent", "/v1/status", "the server hangs"},
	"housekeeping": {"scan.silent", "/v1/status", "silent brokers are not removed"},
	"gate":         {"routes.gated", "/v1/config", "no routes are given yet, needWaitForService waits for brokers"},
	"brokers":      {"brokers.few", "/v1/brokers", "readyMinBrokers waits for brokers"},
	"anyBroker":    {"brokers.none", "/v1/brokers", "the tables are empty"},
	"budget":       {"memory.budget", "/v1/status", "memoryBudget is short"},
	"files":        {"connections.limit", "/v1/connections", "connections are short"},
	"audit":        {"audit.failed", "/v1/config", "the audit log is not written"},
	"kvSave":       {"kvConfig.failed", "/v1/kv", "the KV config is not saved"},
	"certificate":  {"certificate.expires", "/v1/config", "the certificate of the server"},
}

// attendChecks tells of the checks of /livez and /readyz.
func attendChecks(add attend, h *namesrv.Health) {
	for _, c := range checks {
		s, reason := c.of(h)
		r, known := remarked[c.name]
		switch {
		case !known || s == statusOK:
		case s == statusFailed || c.name == "anyBroker":
			add(severityCritical, r.code, r.link, "%s: %s", r.text, reason)
		default:
			add(severityWarning, r.code, r.link, "%s: %s", r.text, reason)
		}
	}
}

// attendPeers tells of the name servers that cannot be reached, and of those that differ.
func attendPeers(add attend, peers []namesrv.PeerStats) {
	var gone, other []string
	for i := range peers {
		p := &peers[i]
		if !p.Up && p.Checks > 0 {
			gone = append(gone, p.Addr)
		}
		if doesDiffer(p) {
			other = append(other, p.Addr)
		}
	}
	const most = 5
	some := func(all []string) string {
		if len(all) > most {
			return strings.Join(all[:most], ", ") + ", …"
		}
		return strings.Join(all, ", ")
	}
	if len(other) > 0 {
		add(severityWarning, "peers.differ", "/v1/peers", "%d of %d name servers do not know the same: %s", len(other), len(peers), some(other))
	}
	if len(gone) > 0 {
		add(severityWarning, "peers.unreachable", "/v1/peers", "%d of %d name servers cannot be reached: %s", len(gone), len(peers), some(gone))
	}
}

func attendBroker(add attend, s *surveyed) {
	link := "/v1/brokers/" + url.PathEscape(s.broker.Name)
	if s.masterless && s.members[0].role != "actingMaster" {
		add(severityCritical, "broker.masterless", link, "broker %s has no master", quoted(s.broker.Name))
	} else if s.masterless {
		add(severityWarning, "broker.masterless", link, "broker %s has no master, %s stands in", quoted(s.broker.Name), quoted(s.members[0].Addr))
	}
	for _, m := range s.members {
		switch m.state {
		case stateSuspect:
			add(severityWarning, "broker.suspect", link, "broker %s at %s is silent for %d s and held back", quoted(s.broker.Name), quoted(m.Addr), int(m.silence.Seconds()))
		case stateOverdue:
			add(severityWarning, "broker.overdue", link, "broker %s at %s is silent for more than half of its time", quoted(s.broker.Name), quoted(m.Addr))
		}
	}
}

// attendLost lists the brokers that have gone and are not back, by the last events with which
// brokers have gone: one entry for each name, critical if nobody is left of it.
func attendLost(sv *survey, gone []route.JournalEvent) (entries []attentionEntry) {
	at := map[string]int{} // by name
	for _, e := range lostBrokers(sv.view, gone, sv.now.UnixMilli()) {
		if i, twice := at[e.Broker]; twice || len(entries) == mostAttention {
			if twice {
				entries[i].Text = fmt.Sprintf("brokers of %s have gone and are not back, the last was %s", quoted(e.Broker), entries[i].last)
			}
			continue
		}
		severity := severityWarning
		if sv.set(e.Broker) == nil {
			severity = severityCritical
		}
		since, text := stamp(time.UnixMilli(e.AtMillis)), eventText(e)
		at[e.Broker] = len(entries)
		entries = append(entries, attentionEntry{
			Severity: severity, Code: "broker.lost", Text: "a broker has gone and is not back: " + text, Since: &since,
			Link: optional("/v1/explain/brokers/" + url.PathEscape(e.Broker)), last: text,
		})
	}
	return entries
}

// date says since when each entry is there, and forgets those that are not.
func (n *notices) date(entries []attentionEntry, now time.Time) []attentionEntry {
	n.mu.Lock()
	defer n.mu.Unlock()
	since := make(map[string]time.Time, len(entries))
	for i := range entries {
		e := &entries[i]
		if e.Since != nil {
			continue // it is known
		}
		key := e.Code
		if e.Link != nil {
			key += " " + *e.Link
		}
		at, known := n.since[key]
		if !known {
			at = now
		}
		since[key] = at
		s := stamp(at)
		e.Since = &s
	}
	n.since = since
	return entries
}
