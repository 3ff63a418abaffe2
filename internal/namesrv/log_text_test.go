package namesrv_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"gonamesrv/internal/namesrv"
)

// A logText is where a test reads what a server logs.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logText) has(text string) bool { return strings.Contains(l.String(), text) }

// startLogging is start with a log from the beginning.
func startLogging(t testing.TB, change func(*namesrv.Config), prepare ...func(*namesrv.Server)) (*testServer, *logText) {
	t.Helper()
	log := &logText{}
	return startWithLog(t, change, slog.New(slog.NewTextHandler(log, nil)), prepare...), log
}
