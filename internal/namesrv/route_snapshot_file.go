package namesrv

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"gonamesrv/route"
)

// What becomes of the file of the routes. It is replaced by a whole new file, once
// that is on disk, and stays beside it as the backup. So whoever comes after a
// crash, wherever that was, finds the old file or the new one.

const (
	// refusedSuffix is what the name of a snapshot ends with that nobody may go on
	// with. It is kept for people.
	refusedSuffix = ".refused"

	// maxSnapshotFile is how many bytes of a file are read: more than the largest
	// tables have.
	maxSnapshotFile = 1 << 30

	// A writer sleeps for writePause as soon as it has worked for writePiece: requests
	// are worth more. Whoever comes meanwhile waits for a tenth of a millisecond at
	// most, which is about what a request takes. After writeLong it sleeps for
	// writePauseLate: a file of millions of names would be minutes old before it is whole.
	writePiece     = 100 * time.Microsecond
	writePause     = 10 * time.Millisecond
	writeLong      = 5 * time.Second
	writePauseLate = 4 * time.Millisecond
)

// A routeStamp is what is said of the moment at which a snapshot is right.
type routeStamp struct {
	wall   time.Time
	bootID string
	boot   time.Duration
}

// stamp returns s with the given number.
func (s routeStamp) stamp(number uint64) route.SnapshotStamp {
	return route.SnapshotStamp{Number: number, WallMillis: s.wall.UnixMilli(), BootID: s.bootID, BoottimeNanos: int64(s.boot)}
}

// largestStepBack is how far the clock may have gone back between two processes:
// it is set now and then.
const largestStepBack = 5 * time.Second

// ageOf returns how long ago it was that a snapshot was last known to be right; ok
// is false if nobody can say. In the same run of the machine its own clock says so,
// which nobody sets. Else the wall clock has to, which may have been wrong then or
// is now: so what seems to come from the future has an unknown age.
func ageOf(s *route.SnapshotStamp, now routeStamp) (age time.Duration, ok bool) {
	if s.BootID != "" && s.BootID == now.bootID {
		age = now.boot - time.Duration(s.BoottimeNanos)
	} else {
		age = now.wall.Sub(time.UnixMilli(s.WallMillis))
	}
	if age < -largestStepBack {
		return age, false
	}
	return max(age, 0), true
}

// replaceSnapshot makes what write writes the content of path, and what was there
// that of the backup. If it fails, path is as it was. Only who has the fileLock may
// call it.
func replaceSnapshot(path string, write func(io.Writer) error) (err error) {
	f, err := createTemporary(path, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := backUp(path); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	syncDir(filepath.Dir(path))
	return nil
}

// backUp makes path the backup, and leaves it where it is. A file system that knows
// no second name for a file loses the first one until the new file is in place;
// meanwhile there is the backup.
func backUp(path string) error {
	backup := path + backupSuffix
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil // it keeps the backup that there may be
	}
	if err := os.Remove(backup); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(path, backup) == nil {
		return nil
	}
	return os.Rename(path, backup)
}

// stampFile writes a stamp into the file at path. However much of it is written,
// the file stays whole: the other stamp is not touched.
func stampFile(path string, s route.SnapshotStamp) error {
	b, offset, err := s.At()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(b, offset); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// readHead reads the header of the file at path.
func readHead(path string) (*route.SnapshotHeader, error) {
	f, err := openSnapshot(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, route.SnapshotHeadSize)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return route.ReadSnapshotHeader(b[:n])
}

// openSnapshot opens a file, but nothing that could keep the reader waiting.
func openSnapshot(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if info.Size() > maxSnapshotFile {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%d bytes, more than %d", info.Size(), maxSnapshotFile)}
	}
	return os.Open(path)
}

// readSnapshot reads the whole file at path.
func readSnapshot(path string) (*route.SnapshotHeader, *route.Saved, error) {
	f, err := openSnapshot(path)
	if err != nil {
		return nil, nil, err
	}
	f.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	return route.ReadSnapshot(text, 0)
}
