package namesrv

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// clipLength is how many bytes of a peer's text a log line may hold.
const clipLength = 256

// clip returns a peer's text as it is logged: whole up to clipLength bytes, else
// its beginning and its length.
func clip(text string) string {
	if len(text) <= clipLength {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:clipLength], ""), len(text))
}

// lineInterval is the time between two lines of one kind that peers can cause
// again and again.
const lineInterval = time.Second

// A lineLimit lets one line of each kind through per lineInterval and counts
// those that it holds back. The zero value is ready. Safe from any goroutine.
type lineLimit struct {
	mu     sync.Mutex
	byKind map[string]*lineKind // under mu; kinds are messages of ours, so there are few
	every  time.Duration        // for tests; 0 is lineInterval
}

// A lineKind is one kind of line.
type lineKind struct {
	last  time.Time // when the last one got through
	held  int       // since then
	total uint64    // held back since the start
}

// allow reports whether a line of this kind may be written now, and how many
// were held back since the last one.
func (l *lineLimit) allow(now time.Time, kind string) (held int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.byKind[kind]
	if k == nil {
		if l.byKind == nil {
			l.byKind = map[string]*lineKind{}
		}
		k = &lineKind{}
		l.byKind[kind] = k
	}
	if !k.last.IsZero() && now.Sub(k.last) < cmp.Or(l.every, lineInterval) {
		k.held++
		k.total++
		return 0, false
	}
	held, k.held, k.last = k.held, 0, now
	return held, true
}

// logLimited writes a line that a peer can cause again and again: one per
// lineInterval for each msg, which is a constant. The next line says how many
// were held back. attrs is called only when the line is written; it clips the texts
// of peers.
func (s *Server) logLimited(level slog.Level, msg string, attrs func() []any) {
	if !s.log.Enabled(context.Background(), level) {
		return
	}
	held, ok := s.lines.allow(time.Now(), msg)
	if !ok {
		return
	}
	said := attrs()
	if held > 0 {
		said = append(said, "suppressed", held)
	}
	s.log.Log(context.Background(), level, msg, said...)
}

// LogLimited is logLimited for the other rooms that answer strangers.
func (s *Server) LogLimited(level slog.Level, msg string, attrs func() []any) {
	s.logLimited(level, msg, attrs)
}

// Clip cuts a text of a stranger for the log, as the lines of this package have it.
func Clip(text string) string { return clip(text) }
