package namesrv

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// backupSuffix is what the name of a file's previous content ends with, as in
// Java.
const backupSuffix = ".bak"

// temporaryInfix stands between the name of a file and the digits that end the
// name of its next content while that is written. A process that is killed
// meanwhile leaves it behind.
const temporaryInfix = ".tmp-"

// saveFile replaces the content of a file. Whoever reads it, also after a
// crash, finds what was there or the new text, whole. What was there goes to a
// file beside it first, unless isGood says that it is no loss: a good backup is
// not given up for a bad file. Folders are created. When it fails the file is
// as it was. Java: MixAll#string2File.
//
// The file keeps its owner, group and mode as far as the system lets us; the
// backup has them too. A new file has what the umask leaves of 0666.
//
// Differs from Java, which writes in place: a file that cannot be replaced,
// such as one that a container has mounted, cannot be written either.
func saveFile(path string, text []byte, isGood func(old []byte) bool) error {
	path = linkTarget(path)
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, text) {
		return nil
	}
	var info fs.FileInfo // nil if there is no file
	if err == nil {
		info, err = os.Stat(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		info = nil
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("namesrv: save: %w", err)
		}
	case err != nil:
		return fmt.Errorf("namesrv: save: %w", err)
	case isGood(old):
		if err := replaceFile(path, path+backupSuffix, old, info); err != nil {
			return fmt.Errorf("namesrv: save %s: %w", path+backupSuffix, err)
		}
	}
	if err := replaceFile(path, path, text, info); err != nil {
		return fmt.Errorf("namesrv: save %s: %w", path, err)
	}
	syncDir(filepath.Dir(path))
	return nil
}

// linkTarget returns what path leads to: a link stays a link.
func linkTarget(path string) string {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		return target
	}
	return path
}

// replaceFile makes text the content of to, by way of a temporary file of
// path. Mode, owner and group are those of like, if it is not nil.
func replaceFile(path, to string, text []byte, like fs.FileInfo) (err error) {
	perm := fs.FileMode(0o666)
	if like != nil {
		perm = 0o600 // nobody reads it before it is like the other
	}
	f, err := createTemporary(path, perm)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if like != nil {
		keepOwner(f, like)
		_ = f.Chmod(like.Mode().Perm()) // not every file system can
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), to)
}

// createTemporary creates a temporary file of path, which was not there before.
func createTemporary(path string, perm fs.FileMode) (*os.File, error) {
	for range 100 {
		name := fmt.Sprintf("%s%s%010d", path, temporaryInfix, rand.Uint32())
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, fmt.Errorf("%s%s*: all names are taken", path, temporaryInfix)
}

// sweepTemporary removes the temporary files of path and returns how many there
// were. Nobody else may be writing path: see [fileLock].
func sweepTemporary(path string) (n int) {
	dir, base := filepath.Split(linkTarget(path))
	if dir == "" {
		dir = "."
	}
	list, _ := os.ReadDir(dir)
	for _, f := range list {
		if isTemporary(base, f.Name()) && f.Type().IsRegular() && os.Remove(filepath.Join(dir, f.Name())) == nil {
			n++
		}
	}
	return n
}

// isTemporary reports whether name is the name of a temporary file of base.
func isTemporary(base, name string) bool {
	digits, ok := strings.CutPrefix(name, base+temporaryInfix)
	return ok && len(digits) == 10 && strings.Trim(digits, "0123456789") == ""
}

// isBlankFile reports whether a file holds nothing, as it may after a power loss or
// on a full disk.
func isBlankFile(text []byte) bool { return len(bytes.TrimSpace(text)) == 0 }

// syncDir makes the new names in a folder last. Not every file system can; the
// file is in place all the same.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
