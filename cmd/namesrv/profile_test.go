package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pkg/profile"
)

// TestProfile serves with each profile and ends by a signal, which is ours to
// handle: the exit code is that of a good end, and the file is whole.
func TestProfile(t *testing.T) {
	for name, p := range profiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "new", "folder")
			var stdout, stderr output
			cmd := exec.Command(os.Args[0], "-c", properties(t, "bindAddress=127.0.0.1", "listenPort=0"), "--profile", name, "--profileDir", dir)
			cmd.Env = append(os.Environ(), "NAMESRV_TEST_CHILD=1")
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ask(t, &stdout)
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Error(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ends with %v, stderr\n%s", err, &stderr)
			}
			if !strings.Contains(stderr.String(), "engine stopped") {
				t.Errorf("it was ended before it had stopped, stderr\n%s", &stderr)
			}
			if err := wholeProfile(filepath.Join(dir, p.file)); err != nil {
				t.Error(err)
			}
		})
	}
}

// wholeProfile reads a profile, which is compressed, or a trace, to its end.
func wholeProfile(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if filepath.Ext(file) == ".out" {
		head := make([]byte, 5)
		if _, err := io.ReadFull(f, head); err != nil || string(head) != "go 1." {
			return fmt.Errorf("%s begins with %q, %w", file, head, err)
		}
		return nil
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	n, err := io.Copy(io.Discard, z)
	if err != nil || n == 0 {
		return fmt.Errorf("%s: %d bytes, %w", file, n, err)
	}
	return nil
}

// TestProfileFailsEarly wants no profile of a server that cannot be started
// with it, and no end of the process in the library.
func TestProfileFailsEarly(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "cpu.pprof"), 0o755); err != nil {
		t.Fatal(err)
	}
	if stop, err := startProfile("cpu", dir); err == nil {
		stop()
		t.Error("it writes a folder")
	}
	// What was not started does not keep the next one from starting.
	profile.Start(profile.MemProfileAllocs, profile.ProfilePath(dir), profile.NoShutdownHook, profile.Quiet).Stop()
}
