package httpserver

import (
	"net/http"
	"time"
)

// unhurried lets a handler take its time and bounds each of its writes, which
// http.Server.WriteTimeout cannot do.
func unhurried(h http.Handler, write time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := &unhurriedWriter{ResponseWriter: w, control: http.NewResponseController(w), time: write}
		defer u.hurry() // net/http writes what is left
		h.ServeHTTP(u, r)
	})
}

// An unhurriedWriter gives each write its time.
type unhurriedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	time    time.Duration
}

// hurry begins the time of a write. It fails only for a writer that is none of ours.
func (u *unhurriedWriter) hurry() { _ = u.control.SetWriteDeadline(time.Now().Add(u.time)) }

func (u *unhurriedWriter) Write(b []byte) (int, error) {
	u.hurry()
	return u.ResponseWriter.Write(b)
}

// Flush implements http.Flusher.
func (u *unhurriedWriter) Flush() {
	u.hurry()
	_ = u.control.Flush()
}

// Unwrap is for http.ResponseController.
func (u *unhurriedWriter) Unwrap() http.ResponseWriter { return u.ResponseWriter }
