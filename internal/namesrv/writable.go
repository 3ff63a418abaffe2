package namesrv

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
)

// warnUnwritable says at the start which files cannot be written, so that nobody
// learns it from the first change, which is refused then.
func warnUnwritable(cfg *Config, log *slog.Logger) {
	for _, f := range []struct{ key, path string }{
		{"kvConfigPath", cfg.KVConfigPath},
		{"configStorePath", cfg.ConfigStorePath},
	} {
		if err := unwritable(f.path); err != nil {
			log.Warn("file cannot be written, changes will be refused", "key", f.key, "path", f.path, "err", err)
		}
	}
}

// unwritable returns why saveFile would fail, as far as that can be told without
// it: it makes a file beside the one that it replaces, and folders on the way.
// "" is never written.
func unwritable(path string) error {
	if path == "" {
		return nil
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return &fs.PathError{Op: "write", Path: path, Err: syscall.EISDIR}
	}
	dir := filepath.Dir(path)
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return &fs.PathError{Op: "write", Path: dir, Err: syscall.ENOTDIR}
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir) // the other folders will be made
	}
	probe, err := os.CreateTemp(dir, ".namesrv-probe-*")
	if err != nil {
		return err
	}
	probe.Close()
	return os.Remove(probe.Name())
}
