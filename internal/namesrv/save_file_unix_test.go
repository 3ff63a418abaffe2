//go:build unix

package namesrv_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"gonamesrv/internal/namesrv"
)

// TestSavedFileKeepsOwnerAndMode: files that are there stay whose they are, and
// so does the backup; new ones have the mode of the umask.
func TestSavedFileKeepsOwnerAndMode(t *testing.T) {
	before := syscall.Umask(0o027)
	defer syscall.Umask(before)
	uid, gid := os.Getuid(), os.Getgid()
	want := func(t *testing.T, file string, mode fs.FileMode) {
		t.Helper()
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		s := info.Sys().(*syscall.Stat_t)
		if info.Mode() != mode || int(s.Uid) != uid || int(s.Gid) != gid {
			t.Errorf("%s is %v of %d:%d, want %v of %d:%d", filepath.Base(file), info.Mode(), s.Uid, s.Gid, mode, uid, gid)
		}
	}
	dir := t.TempDir()
	kv, config := filepath.Join(dir, "kvConfig.json"), filepath.Join(dir, "namesrv.properties")
	s := start(t, func(c *namesrv.Config) { c.KVConfigPath, c.ConfigStorePath = kv, config })
	write := func(value string) {
		t.Helper()
		if err := s.PutKV("ns", "k", value); err != nil {
			t.Fatal(err)
		}
		if err := s.UpdateConfig("waitSecondsForService=" + value); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	for _, file := range []string{kv, config} {
		want(t, file, 0o640)
	}
	write("2")
	for _, file := range []string{kv, config} {
		want(t, file, 0o640)
		want(t, file+".bak", 0o640)
	}
	if uid == 0 {
		uid, gid = 4711, 4712 // only root may give files away
	}
	for i, file := range []string{kv, config} {
		if err := os.Chown(file, uid, gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, []fs.FileMode{0o664, 0o600}[i]); err != nil {
			t.Fatal(err)
		}
	}
	write("3")
	for i, file := range []string{kv, config} {
		want(t, file, []fs.FileMode{0o664, 0o600}[i])
		want(t, file+".bak", []fs.FileMode{0o664, 0o600}[i])
	}
}
