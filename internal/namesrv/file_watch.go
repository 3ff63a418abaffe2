package namesrv

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// fileQuiet is how long after the first sign of a change files are read: a
	// certificate and its key rarely change in the same instant.
	fileQuiet = 200 * time.Millisecond

	// filePoll is how often they are read without any sign: not every file system
	// gives one.
	filePoll = 30 * time.Second
)

// A fileWatch looks at some files whenever one may have changed.
//
// Directories are watched, not files: a file may be replaced by renaming another
// over it, or, as Kubernetes does it, by a symbolic link in its path.
// Java: FileWatchService.
type fileWatch struct {
	paths  func() []string // asked each time
	reload func()          // called by watch only; finds out whether anything has changed
	signs  *fileSigns

	quiet, poll time.Duration
	soon        chan struct{} // holds what reloadSoon asks for
}

func newFileWatch(paths func() []string, reload func(), log *slog.Logger) *fileWatch {
	return &fileWatch{
		paths: paths, reload: reload, signs: &fileSigns{log: log},
		quiet: fileQuiet, poll: filePoll, soon: make(chan struct{}, 1),
	}
}

// WatchFile calls reload at once, whenever the file may have changed and for each value
// in soon, until ctx is done. Reload finds out whether anything has changed; it is called
// by one goroutine only, that of WatchFile. The channel soon may be nil.
func WatchFile(ctx context.Context, path string, soon chan struct{}, reload func(), log *slog.Logger) {
	w := newFileWatch(func() []string { return []string{path} }, reload, log)
	if soon != nil {
		w.soon = soon
	}
	w.watch(ctx)
}

// watch calls reload at once and whenever a file may have changed, until ctx is done.
func (w *fileWatch) watch(ctx context.Context) {
	defer w.signs.close()
	poll := time.NewTicker(w.poll)
	defer poll.Stop()
	for {
		w.signs.watch(w.paths())
		w.reload()
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		case <-w.soon:
		case <-w.signs.errors(): // an overflow: something was missed
		case <-w.signs.events():
			if !w.awaitQuiet(ctx) {
				return
			}
		}
	}
}

// awaitQuiet lets a change take its course. It returns false if ctx ends before.
func (w *fileWatch) awaitQuiet(ctx context.Context) bool {
	end := time.After(w.quiet)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-end:
			return true
		case <-w.signs.events():
		}
	}
}

// reloadSoon makes watch look at the files now. Safe from any goroutine.
func (w *fileWatch) reloadSoon() {
	select {
	case w.soon <- struct{}{}:
	default: // it is about to look
	}
}

// A fileSigns tells that something happens in the directories of some files.
type fileSigns struct {
	log     *slog.Logger
	watcher *fsnotify.Watcher // nil until there is something to watch, and if that is impossible
	failed  bool
	dirs    map[string]bool
}

// watch adds the directories of paths, and those that symbolic links lead to.
// Those that are gone have removed themselves.
func (s *fileSigns) watch(paths []string) {
	dirs := map[string]bool{}
	for _, p := range paths {
		dirs[filepath.Dir(p)] = true
		if target, err := filepath.EvalSymlinks(p); err == nil {
			dirs[filepath.Dir(target)] = true
		}
	}
	for dir := range dirs {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() || s.failed {
			delete(dirs, dir)
			continue
		}
		if s.watcher == nil {
			w, err := fsnotify.NewWatcher()
			if err != nil {
				s.failed = true
				s.log.Warn("files cannot be watched and are only looked at", "every", filePoll, "files", paths, "err", err)
				return
			}
			s.watcher = w
		}
		_ = s.watcher.Add(dir) // again, if it is another directory of the same name by now
	}
	for dir := range s.dirs {
		if !dirs[dir] {
			_ = s.watcher.Remove(dir)
		}
	}
	s.dirs = dirs
}

func (s *fileSigns) events() <-chan fsnotify.Event {
	if s.watcher == nil {
		return nil
	}
	return s.watcher.Events
}

func (s *fileSigns) errors() <-chan error {
	if s.watcher == nil {
		return nil
	}
	return s.watcher.Errors
}

func (s *fileSigns) close() {
	if s.watcher != nil {
		_ = s.watcher.Close()
	}
}
