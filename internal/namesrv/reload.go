package namesrv

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// A ReloadStats shows what became of the configuration files that were read again.
type ReloadStats struct {
	Reloads   uint64 // how often one was read and in force afterwards, changed or not
	Failures  uint64 // how often one could not be used
	LastError string // why, the last time; "" when what is in the file is in force
	Restart   string // keys that have another value in the file than at the start, and wait for the next one
}

// A reloads counts them. Safe from any goroutine.
type reloads struct {
	mu    sync.Mutex
	stats ReloadStats // under mu
}

func (r *reloads) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Failures++
	r.stats.LastError = clip(err.Error())
}

func (r *reloads) succeeded(waiting string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Reloads++
	r.stats.LastError, r.stats.Restart = "", waiting
}

func (r *reloads) snapshot() ReloadStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stats
}

// ReloadConfig reads the configuration again, while the server runs. read returns
// what a start would have now. Keys that UPDATE_NAMESRV_CONFIG changes at once change
// at once, configBlackList or not: whoever writes the file is the operator. Keys that
// it changes for the next start are kept for it. Keys that it never changes stay, and
// are said to wait for a start. So does a key that means nothing here, without a
// word. The log says what has changed, whatever the level is.
//
// A configuration that is wrong in any way changes nothing, and the log says why; so
// does a value that would only be passed over at a start. An unknown key is said, as at
// a start.
//
// Safe from any goroutine. No request changes the configuration meanwhile.
func (s *Server) ReloadConfig(read func() (Config, []Note, error)) {
	s.changing.Lock()
	defer s.changing.Unlock()
	file, notes, err := read()
	for _, n := range notes {
		s.log.Log(context.Background(), n.Level, n.Msg, n.Attrs...)
		if n.Bad != nil && err == nil {
			err = n.Bad
		}
	}
	var next Config
	var changes []keyChange
	if err == nil {
		next, changes, err = s.config().with(&file)
	}
	if err == nil {
		err = cmp.Or(next.Validate(), s.engineOptions(&next).Validate())
	}
	if err != nil {
		s.reloads.failed(err)
		s.logAlways(slog.LevelError, "configuration not read again, what was in force stays", slog.String("err", err.Error()))
		return
	}
	s.live.Store(&next)
	for _, c := range changes {
		s.logAlways(slog.LevelInfo, msgKeyChanged, slog.String("key", c.key), slog.String("before", shown(c.key, c.before)),
			slog.String("after", shown(c.key, c.after)), slog.String("effect", c.effect))
	}
	for _, f := range s.onUpdate {
		f(next)
	}
	waiting := s.atStart.waiting(&file)
	s.reloads.succeeded(waiting)
	s.logAlways(slog.LevelInfo, "configuration read again", slog.Int("changed", len(changes)), slog.String("needRestart", waiting))
}

// What becomes of a key that is changed.
const (
	effectNow     = "at once"
	effectRestart = "after restart"
	effectNone    = "none" // it means nothing here
)

func (k *configKey) effect() string {
	switch {
	case k.unused:
		return effectNone
	case k.update == updateLive:
		return effectNow
	}
	return effectRestart
}

// A keyChange is a key that has another value in the file.
type keyChange struct{ key, before, after, effect string }

// with returns c with what may change of it as file has it, and all that differs.
func (c *Config) with(file *Config) (next Config, changes []keyChange, err error) {
	next = *c
	next.Unknown, next.JavaOptions, next.Sources = file.Unknown, file.JavaOptions, maps.Clone(file.Sources)
	for i := range configKeys {
		k := &configKeys[i]
		before, after := k.get(c), k.get(file)
		if before == after {
			continue
		}
		changes = append(changes, keyChange{k.name, before, after, k.effect()})
		if k.update == updateNever {
			next.noteSources(c.sourceOf(k.name), map[string]bool{k.name: true})
			continue
		}
		if err := k.set(&next, after); err != nil {
			return next, nil, fmt.Errorf("namesrv: %s: %w", k.name, err)
		}
	}
	return next, changes, nil
}

// waiting names the keys that have another value in file than in c, with which the
// server has started, and that need another start.
func (c *Config) waiting(file *Config) string {
	var keys []string
	for i := range configKeys {
		k := &configKeys[i]
		if k.effect() == effectRestart && k.get(c) != k.get(file) {
			keys = append(keys, k.name)
		}
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

// logAlways writes a line whatever the level is.
func (s *Server) logAlways(level slog.Level, msg string, attrs ...slog.Attr) {
	line := slog.NewRecord(time.Now(), level, msg, 0)
	line.AddAttrs(attrs...)
	_ = s.log.Handler().Handle(context.Background(), line) // who cannot write says so itself
}
