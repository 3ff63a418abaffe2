package namesrv_test

import (
	"os/signal"
	"path/filepath"
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
