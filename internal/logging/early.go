package logging

import (
	"context"
	"log/slog"
	"sync"
)

// An Early keeps what is logged before the log is open: where lines go is
// itself part of a configuration that there is something to say of. The zero
// value is ready. Safe from any goroutine.
type Early struct {
	mu      sync.Mutex
	records []slog.Record
}

// Logger returns what to log with. With and WithGroup of it have no effect.
func (e *Early) Logger() *slog.Logger { return slog.New(earlyHandler{e}) }

// WriteTo writes what was kept, as far as it is enabled, and forgets it.
func (e *Early) WriteTo(log *slog.Logger) {
	e.mu.Lock()
	defer e.mu.Unlock()
	ctx := context.Background()
	for _, r := range e.records {
		if h := log.Handler(); h.Enabled(ctx, r.Level) {
			_ = h.Handle(ctx, r) // a queue never fails
		}
	}
	e.records = nil
}

type earlyHandler struct{ e *Early }

func (h earlyHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h earlyHandler) Handle(_ context.Context, r slog.Record) error {
	h.e.mu.Lock()
	defer h.e.mu.Unlock()
	h.e.records = append(h.e.records, r.Clone())
	return nil
}

func (h earlyHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h earlyHandler) WithGroup(string) slog.Handler      { return h }
