package namesrv_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestSnapshotDiskFull lets the disk be full in the middle of a snapshot. The file
// is as it was, and nothing is left behind; later it is written.
func TestSnapshotDiskFull(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "routes.snap")
	s, log := idleServer(t, keepRoutes(file))
	if err := registerSome(s, 2, 10, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteRoutes(); err != nil {
		t.Fatal(err)
	}
	before := readFile(t, file)
	if err := registerSome(s, 2, 20, 2); err != nil {
		t.Fatal(err)
	}
	func() {
		signal.Ignore(syscall.SIGXFSZ)
		defer signal.Reset(syscall.SIGXFSZ)
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		full := limit
		full.Cur = 4096 // the header fits
		s.BetweenPieces(func() {
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
				t.Error(err)
			}
		})
		err := s.WriteRoutes()
		s.BetweenPieces(nil)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Error(err)
		}
		if err == nil || !strings.Contains(err.Error(), "file too large") {
			t.Errorf("it says %v", err)
		}
	}()
	if readFile(t, file) != before {
		t.Error("the file has changed")
	}
	wantFiles(t, dir, "routes.snap", "routes.snap.lock")
	if !log.has("snapshot of the routes cannot be written, it stays as it was") {
		t.Errorf("the log is %s", log)
	}
	if err := s.WriteRoutes(); err != nil || readFile(t, file) == before || readFile(t, file+".bak") != before {
		t.Errorf("later it says %v", err)
	}
	if !log.has("snapshot of the routes is written again") {
		t.Errorf("the log is %s", log)
	}
}

// TestSnapshotReadOnlyFolder: nothing may be made in the folder, and the file may not be
// written. It stays, that is said once, and later it is written.
func TestSnapshotReadOnlyFolder(t *testing.T) {
	dir, err := os.MkdirTemp("", "readonly") // whose parents everybody may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(dir, 0o755); os.RemoveAll(dir) })
	file := filepath.Join(dir, "routes.snap")
	s, log := idleServer(t, keepRoutes(file))
	for i := range int64(2) {
		if err := registerSome(s, 2, 10, i); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := s.WriteRoutes(); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := readFile(t, file)
	for name, mode := range map[string]os.FileMode{dir: 0o555, file: 0o444} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	asNobody(t, func() {
		if _, err := os.ReadFile(file); err != nil {
			t.Skipf("somebody else may not read here: %v", err)
		}
		for range 2 {
			if err := s.WriteRoutes(); err == nil || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("writing says %v", err)
			}
			if err := s.StampRoutes(); err == nil || !strings.Contains(err.Error(), "permission denied") {
				t.Errorf("stamping says %v", err)
			}
		}
	})
	if w := s.Snapshot().Routes.Write; readFile(t, file) != before || w.WriteFailures != 2 || w.StampFailures != 2 {
		t.Errorf("the file has changed, or it shows %+v", w)
	}
	wantFiles(t, dir, "routes.snap", "routes.snap.lock")
	if n := strings.Count(log.String(), "snapshot of the routes cannot be written, it stays as it was"); n != 1 {
		t.Errorf("%d lines: %s", n, log)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.WriteRoutes(); err != nil || readFile(t, file) == before || !log.has("snapshot of the routes is written again") {
		t.Errorf("later it says %v, the log is %s", err, log)
	}
}

// asNobody calls f, whose file operations in its own goroutine are those of a user that
// owns nothing, if they were root's, who may do anything.
func asNobody(t *testing.T, f func()) {
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	runtime.LockOSThread() // the system has it by thread
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(nobody); err != nil {
		t.Skipf("not to be nobody: %v", err)
	}
	defer syscall.Setfsuid(0)
	f()
}
