package admin

import "strconv"

// What the admin listener says of the server's health, and of itself.

var (
	ready       = gauge("ready", "1 unless the check of this name fails, as /livez, /readyz and /startupz make them. Those that only remark never fail: check_warning.", "check")
	warning     = gauge("check_warning", "1 if the check of this name has something to remark, or fails.", "check")
	adminAsked  = counter("admin_requests_total", "Requests over HTTP that were answered, by the path of who answered and the status. Paths that nobody answers are other.", "handler", "code")
	adminOpen   = gauge("admin_connections", "Connections to the admin listener.")
	adminClosed = counter("admin_connections_refused_total", "Connections to the admin listener that were closed on arrival, because there were adminMaxConnections.")
	watchers    = gauge("admin_watchers", "Who waits for changes at /v1/watch.")
	noWatchers  = counter("admin_watchers_refused_total", "Requests to watch that were refused, because there were adminMaxWatchers.")
	lateWatcher = counter("admin_watchers_behind_total", "Streams that were closed because they did not take what they were told.")
)

func (e emitter) admin(a *Admin) {
	h := a.server.Health()
	for _, c := range checks {
		s, _ := c.of(&h)
		e.add(ready, boolean(s != statusFailed), c.name)
		e.add(warning, boolean(s != statusOK), c.name)
	}
	for k, n := range a.asked.all() {
		e.add(adminAsked, float64(n), k.handler, strconv.Itoa(k.status))
	}
	s := a.Stats()
	e.add(adminOpen, float64(s.HTTP.Open))
	e.add(adminClosed, float64(s.HTTP.Refused))
	e.add(watchers, float64(s.Watchers))
	e.add(noWatchers, float64(s.WatchersRefused))
	e.add(lateWatcher, float64(s.WatchersBehind))
}
