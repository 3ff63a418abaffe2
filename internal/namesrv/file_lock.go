package namesrv

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"

	"gonamesrv/codec"
)

// lockSuffix is the end of a lock file's name. What is locked is not the file that
// is written, which is replaced each time, but an empty one beside it. It stays
// when the lock is free.
const lockSuffix = ".lock"

// A fileLock is the right to write a file, which one process has at a time.
// The system frees it when the process ends, however it ends. Only who has it may
// call [saveFile], which would replace what another process has written.
type fileLock struct {
	path string
	log  *slog.Logger
	held *flock.Flock // nil if not held

	// alone says, while it is held, that nobody else can have it: not so where the
	// file system knows no locks.
	alone bool
}

// take takes the lock unless it is held already. It creates folders, and removes
// what a killed process left half-written. On a file system without locks it says
// so in the log and succeeds.
func (l *fileLock) take() error {
	if l.held != nil {
		return nil
	}
	path := linkTarget(l.path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("namesrv: save: %w", err)
	}
	lock := flock.New(path+lockSuffix, flock.SetPermissions(0o644))
	ok, err := lock.TryLock()
	l.alone = err == nil && ok
	switch {
	case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOLCK):
		l.log.Warn("file cannot be locked, nobody notices if another process writes it too", "file", l.path, "err", err)
	case err != nil:
		return fmt.Errorf("namesrv: save: %w", err)
	case !ok:
		return &refusal{why: reasonFileInUse, code: codec.RespSystemError, remark: remarkFileInUse(l.path)}
	default:
		if n := sweepTemporary(path); n > 0 {
			l.log.Info("half-written files of a killed process removed", "file", l.path, "files", n)
		}
	}
	l.held = lock
	return nil
}

// release gives the lock back.
func (l *fileLock) release() {
	if l.held != nil {
		_ = l.held.Close()
		l.held = nil
	}
}
