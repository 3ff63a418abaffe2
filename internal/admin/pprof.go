package admin

import (
	"fmt"
	"net/http"
	"net/http/pprof"
	"runtime"
	"strconv"
)

// mostProfile is how many seconds a profile may last.
const mostProfile = 30

// mutexFraction is how many contentions of locks are one in a profile of them.
const mutexFraction = 10

// pprofRows are the profiles of package net/http/pprof: what the program does, in
// detail, at the cost of its work. One at a time.
func pprofRows() []row {
	profile := func(path string, h http.HandlerFunc) row {
		return row{path: path, needs: roleDebug, handle: func(a *Admin, w http.ResponseWriter, r *http.Request) { a.profile(h, w, r) }}
	}
	return []row{
		profile("/debug/pprof/", pprof.Index),
		profile("/debug/pprof/cmdline", pprof.Cmdline),
		profile("/debug/pprof/profile", pprof.Profile),
		profile("/debug/pprof/symbol", pprof.Symbol),
		profile("/debug/pprof/trace", pprof.Trace),
	}
}

// profile lets one at a time through, and nobody for too long.
func (a *Admin) profile(h http.HandlerFunc, w http.ResponseWriter, r *http.Request) {
	if text := r.URL.Query().Get("seconds"); text != "" {
		// What does not parse would be 30 s for one profile and none for another.
		if n, err := strconv.ParseFloat(text, 64); err != nil || !(n > 0 && n <= mostProfile) {
			writeProblem(w, r, kindBadParameter, fmt.Sprintf("seconds must be a number, at most %d", mostProfile))
			return
		}
	}
	select {
	case a.guard.profiling <- struct{}{}:
		defer func() { <-a.guard.profiling }()
	default:
		a.guard.tooMany.Add(1)
		writeLater(w, r, kindTooMany, "another profile is being taken")
		return
	}
	if r.URL.Path == "/debug/pprof/mutex" {
		// Nobody else pays for it: locks are looked at only while somebody asks.
		defer runtime.SetMutexProfileFraction(runtime.SetMutexProfileFraction(mutexFraction))
	}
	h(w, r)
}
