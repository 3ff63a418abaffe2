package admin

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gonamesrv/internal/namesrv"
)

const (
	// loopSilence is for how long an event loop may not run that runs once a second.
	loopSilence = 10 * time.Second

	// scanSilence is for how long there may be no look for silent brokers, or for six
	// times of their interval if that is longer.
	scanSilence = 30 * time.Second

	// lonely is for how long nobody wonders that no broker has come.
	lonely = 2 * time.Minute

	// certificateDays is how many days before its end a certificate is remarked.
	certificateDays = 14
)

// A status is what comes of a check.
type status uint8

const (
	statusOK status = iota
	statusWarning
	statusFailed
)

func (s status) String() string { return [...]string{"ok", "warning", "failed"}[s] }

// A check is one thing that probes ask for. It is a function of a Health, which takes
// no lock and waits for nothing: a server that hangs must have an answer.
type check struct {
	name string
	of   func(h *namesrv.Health) (s status, reason string)
}

// A probe is an endpoint: what must hold, and what is only remarked. A full server
// that is taken out of rotation fills the next one, so what is remarked never fails.
type probe struct {
	path   string
	title  string // of the answer, when it fails
	must   []string
	remark bool
}

var (
	liveProbe  = probe{"/livez", "not alive", []string{"loops", "housekeeping"}, false}
	readyProbe = probe{"/readyz", "not ready", []string{"loops", "listener", "draining", "gate", "brokers"}, true}
	startProbe = probe{"/startupz", "not started", []string{"kvConfig", "listener"}, false}

	probes = []probe{liveProbe, readyProbe, startProbe}
)

// remarks are the checks that never fail.
var remarks = []string{"budget", "files", "kvSave", "audit", "certificate", "anyBroker"}

var checks = []check{
	{"loops", func(h *namesrv.Health) (status, string) {
		if h.LoopSilence > loopSilence {
			return statusFailed, "an event loop has not run for " + seconds(h.LoopSilence)
		}
		return statusOK, ""
	}},
	{"housekeeping", func(h *namesrv.Health) (status, string) {
		if h.ScanSilence > max(scanSilence, 6*h.ScanInterval) {
			return statusFailed, "nobody has looked for silent brokers for " + seconds(h.ScanSilence)
		}
		return statusOK, ""
	}},
	{"kvConfig", func(*namesrv.Health) (status, string) {
		return statusOK, "" // it is loaded before there is anybody to ask
	}},
	{"listener", func(h *namesrv.Health) (status, string) {
		switch h.State {
		case namesrv.StateStarting:
			return statusFailed, "peers are not served yet"
		case namesrv.StateStopped:
			return statusFailed, "peers are not served any more"
		}
		return statusOK, ""
	}},
	{"draining", func(h *namesrv.Health) (status, string) {
		if h.State == namesrv.StateDraining || h.State == namesrv.StateStopped {
			return statusFailed, "draining"
		}
		return statusOK, ""
	}},
	{"gate", func(h *namesrv.Health) (status, string) {
		if h.Gate > 0 {
			return statusFailed, seconds(h.Gate) + " left"
		}
		return statusOK, ""
	}},
	{"brokers", func(h *namesrv.Health) (status, string) {
		left := h.MaxWait - h.Uptime
		switch {
		case h.Registered >= h.MinBrokers:
			return statusOK, ""
		case left > 0:
			return statusFailed, fmt.Sprintf("%d of %d have registered, waiting for %s more at most", h.Registered, h.MinBrokers, seconds(left))
		}
		return statusWarning, fmt.Sprintf("%d of %d have registered, nobody waits for them any more", h.Registered, h.MinBrokers)
	}},
	{"budget", full("of the memory budget is in use", 80, func(h *namesrv.Health) (n, of int64) { return h.BudgetUsed, h.BudgetLimit })},
	{"files", full("of the connections that may be are open", 85, func(h *namesrv.Health) (n, of int64) {
		return int64(h.Connections), int64(h.MaxConnections)
	})},
	{"kvSave", func(h *namesrv.Health) (status, string) {
		if h.KVSaveFailed {
			return statusWarning, "the last change of the KV config could not be written"
		}
		return statusOK, ""
	}},
	{"audit", func(h *namesrv.Health) (status, string) {
		if h.AuditBroken {
			return statusWarning, "the audit log cannot be written"
		}
		return statusOK, ""
	}},
	{"certificate", func(h *namesrv.Health) (status, string) {
		if left := time.Until(h.CertificateEnd); !h.CertificateEnd.IsZero() && left < certificateDays*24*time.Hour {
			if left < 0 {
				return statusWarning, "ended on " + h.CertificateEnd.UTC().Format(time.DateOnly)
			}
			return statusWarning, fmt.Sprintf("ends in %d days", int(left/(24*time.Hour)))
		}
		return statusOK, ""
	}},
	{"anyBroker", func(h *namesrv.Health) (status, string) {
		if h.Brokers == 0 && h.Uptime > lonely && h.State == namesrv.StateServing {
			return statusWarning, "no broker has registered"
		}
		return statusOK, ""
	}},
}

// full returns a check that remarks when more than so many percent are in use.
func full(text string, percent int64, of func(*namesrv.Health) (n, of int64)) func(*namesrv.Health) (status, string) {
	return func(h *namesrv.Health) (status, string) {
		n, most := of(h)
		if most > 0 && 100*n > percent*most {
			return statusWarning, fmt.Sprintf("%.0f %% %s", 100*float64(n)/float64(most), text)
		}
		return statusOK, ""
	}
}

// seconds returns a duration for people, never "0 s" of what there is.
func seconds(d time.Duration) string {
	return fmt.Sprintf("%d s", int64((d+time.Second-1)/time.Second))
}

// A health remembers since when each check says what it says.
type health struct {
	standing map[string]*atomic.Pointer[standing] // by check; the map never changes
}

// A standing is a status since some time. It never changes.
type standing struct {
	status status
	since  time.Time
}

func newHealth() *health {
	h := &health{standing: map[string]*atomic.Pointer[standing]{}}
	for _, c := range checks {
		h.standing[c.name] = &atomic.Pointer[standing]{}
	}
	return h
}

// since returns since when a check has a status, as far as anybody has asked.
func (h *health) since(check string, s status) time.Time {
	p := h.standing[check]
	old := p.Load()
	if old != nil && old.status == s {
		return old.since
	}
	now := &standing{s, time.Now()}
	p.CompareAndSwap(old, now) // or another has just found the same
	return now.since
}

// A finding is what came of a check.
type finding struct {
	Name   string `json:"name"`
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"`
	Since  string `json:"since"`

	status status
}

// find makes the checks of a probe, but for some. It reports whether none failed.
func (a *Admin) find(p probe, exclude []string) (found []finding, ok bool) {
	h := a.server.Health()
	ok = true
	for _, c := range checks {
		only := p.remark && slices.Contains(remarks, c.name)
		if !only && !slices.Contains(p.must, c.name) || slices.Contains(exclude, c.name) {
			continue
		}
		s, reason := c.of(&h)
		ok = ok && s != statusFailed
		found = append(found, finding{
			Name: c.name, Status: s.String(), Reason: reason, status: s,
			Since: a.health.since(c.name, s).UTC().Format("2006-01-02T15:04:05.000Z"),
		})
	}
	return found, ok
}

// Alive reports whether the server lives, as /livez does. Safe from any goroutine.
func (a *Admin) Alive() bool {
	_, ok := a.find(liveProbe, nil)
	return ok
}

// Status says in a few words what the server does now, and why it is not ready if it
// is not. Safe from any goroutine.
func (a *Admin) Status() string {
	found, ok := a.find(readyProbe, nil)
	if ok {
		h := a.server.Health()
		return fmt.Sprintf("ready, %d brokers, %d connections", h.Brokers, h.Connections)
	}
	return readyProbe.title + ": " + reasons(found)
}

// reasons returns why checks have failed.
func reasons(found []finding) string {
	var why []string
	for _, f := range found {
		switch {
		case f.status != statusFailed:
		case f.Name == f.Reason:
			why = append(why, f.Name)
		default:
			why = append(why, f.Name+": "+f.Reason)
		}
	}
	return strings.Join(why, "; ")
}

// healthRows are what machines ask to know whether the server lives, whether to send
// it work, and whether it has begun. Paths, texts and ?verbose are those of Kubernetes.
func healthRows() (all []row) {
	for _, p := range probes {
		all = append(all, row{path: p.path, needs: roleProbes, handle: func(a *Admin, w http.ResponseWriter, r *http.Request) {
			a.probe(p, w, r)
		}})
	}
	return all
}

// probe answers: 200, or 503 with what has failed.
func (a *Admin) probe(p probe, w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	exclude := query["exclude"]
	for _, name := range exclude {
		if a.health.standing[name] == nil {
			writeProblem(w, r, kindBadParameter, "exclude names no check")
			return
		}
	}
	found, ok := a.find(p, exclude)
	code, says := http.StatusOK, "ok"
	if !ok {
		code, says = http.StatusServiceUnavailable, "failed"
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		writeJSON(w, code, struct {
			Status string    `json:"status"`
			Checks []finding `json:"checks"`
		}{says, found})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	if query.Has("verbose") {
		_, _ = io.WriteString(w, verbose(p, found, ok))
		return
	}
	text := "ok"
	if !ok {
		text = p.title + ": " + reasons(found)
	}
	_, _ = io.WriteString(w, text+"\n")
}

// verbose returns a line for each check.
func verbose(p probe, found []finding, ok bool) string {
	var b strings.Builder
	for _, f := range found {
		switch f.status {
		case statusOK:
			fmt.Fprintf(&b, "[+]%s ok\n", f.Name)
		case statusWarning:
			fmt.Fprintf(&b, "[!]%s %s\n", f.Name, f.Reason)
		case statusFailed:
			fmt.Fprintf(&b, "[-]%s failed: %s\n", f.Name, f.Reason)
		}
	}
	if ok {
		fmt.Fprintf(&b, "%s check passed\n", strings.TrimPrefix(p.path, "/"))
	} else {
		fmt.Fprintf(&b, "%s check failed\n", strings.TrimPrefix(p.path, "/"))
	}
	return b.String()
}
