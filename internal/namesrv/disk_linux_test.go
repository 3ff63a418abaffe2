package namesrv_test

import (
	"bytes"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"gonamesrv/codec"
)

// TestKVConfigDiskFull lets the disk be full in the middle of a write: no file
// of the process may grow beyond a limit for a while. The request is refused,
// memory and file are as they were, and nothing is left behind.
func TestKVConfigDiskFull(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "kvConfig.json")
	const text = `{"configTable":{"ns":{"k":"v"}}}`
	writeFile(t, file, text)
	c := startKV(t, file).dial(t)
	put := putKV("namespace", "ns", "key", "big", "value", strings.Repeat("x", 100_000))
	func() {
		signal.Ignore(syscall.SIGXFSZ)
		defer signal.Reset(syscall.SIGXFSZ)
		var before syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
		full := before
		full.Cur = 50_000
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
				t.Error(err)
			}
		}()
		reply := c.Do(put)
		if codec.ResponseCode(reply.Code) != codec.RespSystemError || !bytes.Contains(reply.Remark, []byte("file too large")) {
			t.Errorf("answered %v %q", codec.ResponseCode(reply.Code), reply.Remark)
		}
	}()
	wantReply(t, c, listKV("namespace", "ns"), 0, "", "", `{"table":{"k":"v"}}`)
	if got := readFile(t, file); got != text {
		t.Errorf("the file is %.200s", got)
	}
	wantFiles(t, dir, "kvConfig.json", "kvConfig.json.bak", "kvConfig.json.lock")
	wantReply(t, c, put, 0, "", "", "")
	if got := len(readFile(t, file)); got < 100_000 {
		t.Errorf("the file has %d bytes", got)
	}
}
