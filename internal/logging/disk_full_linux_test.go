package logging

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDiskFull: on a full disk nobody waits, nothing ends, standard error has all
// lines and is told once, and when there is room again the file says how much it
// has missed.
func TestDiskFull(t *testing.T) {
	p := &pipe{}
	file := filepath.Join(t.TempDir(), "namesrv.log")
	if err := os.Symlink("/dev/full", file); err != nil {
		t.Fatal(err)
	}
	l := open(t, p, Options{File: file})
	for range 100 {
		l.Logger().Info("lost")
	}
	eventually(t, "all have failed", func() bool { return l.file.Dropped() == 100 })
	if stderr, inFile := l.Dropped(); stderr != 0 || inFile != 100 {
		t.Errorf("%d and %d lines are lost", stderr, inFile)
	}
	eventually(t, "standard error has all", func() bool { return strings.Count(p.String(), "msg=lost") == 100 })
	eventually(t, "standard error is told why", func() bool { return strings.Contains(p.String(), syscall.ENOSPC.Error()) })
	if n := strings.Count(p.String(), "cannot be written"); n != 1 {
		t.Errorf("standard error is told %d times", n)
	}
	if err := errors.Join(os.Remove(file), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	l.Reopen()
	l.Logger().Info("found")
	l.Close(t.Context())
	if got := read(t, file); strings.Count(got, "\n") != 2 || !strings.Contains(got, `msg="log lines dropped" dropped=100`) || !strings.Contains(got, "msg=found") {
		t.Errorf("the file is\n%s", got)
	}
	if _, inFile := l.Dropped(); inFile != 100 {
		t.Errorf("%d lines are lost in the end", inFile)
	}
}
