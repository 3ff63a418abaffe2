package namesrv

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/natefinch/atomic"
)

// backupSuffix is what the name of a file's previous content ends with, as in
// Java.
const backupSuffix = ".bak"

// saveFile replaces the content of a file. Whoever reads it, also after a
// crash, finds what was there or the new text, whole. With backup, what was
// there goes to a file beside it first. Folders are created. When it fails the
// file is as it was. Java: MixAll#string2File.
//
// Differs from Java, which writes in place: a file that cannot be replaced,
// such as one that a container has mounted, cannot be written either.
func saveFile(path string, text []byte, backup bool) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link
	}
	old, err := os.ReadFile(path)
	switch {
	case err == nil && bytes.Equal(old, text):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("namesrv: save: %w", err)
		}
	case err != nil:
		return fmt.Errorf("namesrv: save: %w", err)
	case backup:
		if err := atomic.WriteFile(path+backupSuffix, bytes.NewReader(old)); err != nil {
			return fmt.Errorf("namesrv: save %s: %w", path+backupSuffix, err)
		}
	}
	if err := atomic.WriteFile(path, bytes.NewReader(text)); err != nil {
		return fmt.Errorf("namesrv: save %s: %w", path, err)
	}
	syncDir(filepath.Dir(path))
	return nil
}

// syncDir makes the new names in a folder last. Not every file system can; the
// file is in place all the same.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
