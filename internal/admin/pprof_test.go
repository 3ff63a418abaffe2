package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestProfiles: a profile can be taken over a real connection, is bounded, and only one
// is taken at a time; the end of the server does not wait for it.
func TestProfiles(t *testing.T) {
	r := run(t, func(c *namesrv.Config) { c.AdminAnonymousLocal = "debug" })
	for path, want := range map[string]string{"/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=2": "goroutine ", "/debug/pprof/cmdline": "test"} {
		if code, _, body := r.ask(path, way{}); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s is answered %d %s", path, code, body)
		}
	}
	if code, _, body := r.ask("/debug/pprof/profile?seconds=1", way{}); code != 200 || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("a profile is answered %d, %d bytes", code, len(body))
	}
	for _, seconds := range []string{"31", "0", "-1", "NaN", "Inf", "x", "1e3"} {
		for _, path := range []string{"/debug/pprof/profile", "/debug/pprof/trace", "/debug/pprof/heap"} {
			if code, _, body := r.ask(path+"?seconds="+seconds, way{}); code != 400 || !strings.Contains(body, "at most 30") {
				t.Errorf("%s for %s s is answered %d %s", path, seconds, code, body)
			}
		}
	}
	c := r.dial("GET /debug/pprof/profile?seconds=30 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	nstest.Eventually(t, "a profile is being taken", func() bool { return len(r.guard.profiling) == 1 })
	if code, header, body := r.ask("/debug/pprof/heap", way{}); code != 429 || header.Get("Retry-After") != "1" {
		t.Errorf("one more is answered %d %s", code, body)
	}
	r.end()
	r.wait() // or the test ends after 30 s, and so does a server at its end
	wantClosed(t, c)
	nstest.Eventually(t, "the profile has ended", func() bool { return len(r.guard.profiling) == 0 })
}

// TestSecondsTwice: the first value counts, as it does for the profile.
func TestSecondsTwice(t *testing.T) {
	a := newAdmin(t)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/debug/pprof/profile?seconds=31&seconds=1", nil))
	if w.Code != http.StatusBadRequest {
		t.Errorf("answered %d", w.Code)
	}
}

// TestMutexProfile: contentions of locks are counted while somebody asks for a profile of
// them, and at no other time.
func TestMutexProfile(t *testing.T) {
	a := newAdmin(t)
	fraction := func() int { return runtime.SetMutexProfileFraction(-1) }
	was := fraction()
	ctx, enough := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/debug/pprof/mutex?seconds=30", nil))
	}()
	nstest.Eventually(t, "they are counted", func() bool { return fraction() == mutexFraction })
	enough()
	<-ended
	if fraction() != was {
		t.Errorf("1 of %d is counted, 1 of %d before", fraction(), was)
	}
}
