package namesrv_test

import (
	"bufio"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestKVConfigOfTwoServers: the second that starts with the same file serves
// what was there, says why it changes nothing, and takes over when the first
// has ended, with what that has written. To the lock two servers are two
// processes.
func TestKVConfigOfTwoServers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kvConfig.json")
	const one = `{"configTable":{"ns":{"k":"v"}}}`
	const two = `{"configTable":{"ns":{"k":"v","l":"w"}}}`
	const three = `{"configTable":{"ns":{"k":"v","l":"w","m":"x"}}}`
	writeFile(t, file, one)
	link := filepath.Join(t.TempDir(), "link.json") // the same file all the same
	if err := os.Symlink(file, link); err != nil {
		t.Skip(err)
	}
	long := t // the second outlives the first
	var second *testServer
	var log *logText
	t.Run("both", func(t *testing.T) {
		first := startKV(t, file).dial(t)
		writeFile(t, file+".tmp-0123456789", "half") // the first is writing
		second, log = startLogging(long, func(c *namesrv.Config) { c.KVConfigPath = link })
		c := second.dial(t)
		refused := "another process writes " + link + ", nothing is changed here"
		if !log.has("KV config cannot be written, changes of it will be refused") || !log.has(`err="`+refused) {
			t.Errorf("the start does not say so: %s", log)
		}
		wantReply(t, c, putKV("namespace", "ns", "key", "k", "value", "lost"), codec.RespSystemError, "", refused, "")
		wantReply(t, c, deleteKV("namespace", "ns", "key", "k"), codec.RespSystemError, "", refused, "")
		wantReply(t, c, listKV("namespace", "ns"), 0, "", "", `{"table":{"k":"v"}}`)
		if got, backup, half := readFile(t, file), readFile(t, file+".bak"), readFile(t, file+".tmp-0123456789"); got != one || backup != "none" || half != "half" {
			t.Errorf("the second has touched the files: %s, backup %s, half-written %s", got, backup, half)
		}
		wantReply(t, first, putKV("namespace", "ns", "key", "l", "value", "w"), 0, "", "", "")
		wantReply(t, c, listKV("namespace", "ns"), 0, "", "", `{"table":{"k":"v"}}`) // of its start
	})
	c := second.dial(t)
	wantReply(t, c, putKV("namespace", "ns", "key", "m", "value", "x"), 0, "", "", "")
	if got, backup := readFile(t, file), readFile(t, file+".bak"); got != three || backup != two {
		t.Errorf("file %s, backup %s", got, backup)
	}
	wantReply(t, c, listKV("namespace", "ns"), 0, "", "", `{"table":{"k":"v","l":"w","m":"x"}}`)
	if !log.has("KV config is written by this process from now on") {
		t.Errorf("the take-over is not logged: %s", log)
	}
	wantFiles(t, filepath.Dir(file), "kvConfig.json", "kvConfig.json.bak", "kvConfig.json.lock")
}

// TestKVConfigTakenOverBroken: what the former process leaves may be unusable.
// Then nothing is changed, until it is usable.
func TestKVConfigTakenOverBroken(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kvConfig.json")
	long := t
	var second *testServer
	t.Run("both", func(t *testing.T) {
		startKV(t, file)
		second = startKV(long, file)
	})
	writeFile(t, file, "broken")
	c := second.dial(t)
	for range 2 {
		reply := c.Do(putKV("namespace", "ns", "key", "k", "value", "w"))
		if codec.ResponseCode(reply.Code) != codec.RespSystemError || !strings.HasPrefix(string(reply.Remark), "namesrv: KV config "+file) {
			t.Errorf("put is answered %v %q", codec.ResponseCode(reply.Code), reply.Remark)
		}
		if got := readFile(t, file); got != "broken" {
			t.Errorf("the file is %s", got)
		}
	}
	writeFile(t, file, `{"configTable":{"ns":{"k":"v"}}}`)
	wantReply(t, c, putKV("namespace", "ns", "key", "l", "value", "w"), 0, "", "", "")
	wantReply(t, c, listKV("namespace", "ns"), 0, "", "", `{"table":{"k":"v","l":"w"}}`)
}

// TestConfigOfTwoServers: of two servers with one configStorePath only the one
// that changed its configuration first writes it.
func TestConfigOfTwoServers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namesrv.properties")
	store := func(c *namesrv.Config) { c.ConfigStorePath = file }
	long := t
	var second *testServer
	t.Run("both", func(t *testing.T) {
		first := start(t, store)
		second = start(long, store)
		if err := first.UpdateConfig("supportActingMaster=true"); err != nil {
			t.Error(err)
		}
		before := readFile(t, file)
		if err := second.UpdateConfig("enableTopicList=false"); err == nil || !strings.Contains(err.Error(), "another process writes "+file) {
			t.Errorf("the second may write: %v", err)
		}
		if got := readFile(t, file); got != before {
			t.Errorf("the second has written %s", got)
		}
		if reply := second.dial(t).Do(nstest.Request(codec.ReqGetNamesrvConfig)); !strings.Contains(string(reply.Body), "enableTopicList=true") {
			t.Errorf("the second has changed: %s", reply.Body)
		}
	})
	if err := second.UpdateConfig("enableTopicList=false"); err != nil {
		t.Error(err)
	}
	if got := readFile(t, file); !strings.Contains(got, "enableTopicList=false") {
		t.Errorf("the file is %s", got)
	}
}

// TestSweepTemporary removes what a killed process has left, and nothing else.
func TestSweepTemporary(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "kvConfig.json")
	for _, name := range []string{".tmp-0123456789", ".tmp-9876543210", ".tmp-012345678", ".tmp-01234567890", ".tmp-012345678x", ".tmp-", ".tmp", "0123456789", ".old"} {
		writeFile(t, file+name, "")
	}
	writeFile(t, filepath.Join(dir, "other.json.tmp-0123456789"), "")
	if err := os.Mkdir(file+".tmp-0000000000", 0o755); err != nil {
		t.Fatal(err)
	}
	_, log := startLogging(t, func(c *namesrv.Config) { c.KVConfigPath = file })
	wantFiles(t, dir, "kvConfig.json.lock", "kvConfig.json.old", "kvConfig.json.tmp", "kvConfig.json.tmp-", "kvConfig.json.tmp-0000000000",
		"kvConfig.json.tmp-012345678", "kvConfig.json.tmp-01234567890", "kvConfig.json.tmp-012345678x", "kvConfig.json0123456789", "other.json.tmp-0123456789")
	if !log.has("half-written files of a killed process removed") || !log.has("files=2") {
		t.Errorf("the log does not say so: %s", log)
	}
}

// writeKVUntilKilled is the program of TestKVConfigKilled's children: it says
// the last number it finds in the KV config, then each that it has put.
func writeKVUntilKilled(file string) {
	cfg := namesrv.DefaultConfig()
	cfg.KVConfigPath = file
	s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	last := lastKV(s)
	fmt.Println(last)
	padding := strings.Repeat("x", 1<<20)
	for n := last + 1; ; n++ {
		if err := s.PutKV("ns", "last", fmt.Sprint(n, " ", padding)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(n)
	}
}

// lastKV returns the last number that was put.
func lastKV(s *namesrv.Server) (n int) {
	if value, ok := s.GetKV("ns", "last"); ok {
		fmt.Sscan(value, &n)
	}
	return n
}

// TestKVConfigKilled kills processes that write the KV config, at any time or
// when a half-written file is seen, until several died in the middle. What was confirmed is there afterwards, and no more than
// one half-written file is, which the next start removes.
func TestKVConfigKilled(t *testing.T) {
	if raceEnabled {
		t.Skip("who is killed tells of no race")
	}
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "kvConfig.json")
	const enough = 10
	last, killed, inTheMiddle := 0, 0, 0
	for ; inTheMiddle < enough; killed++ {
		if killed == 1000 {
			t.Fatalf("%d of %d were killed in the middle", inTheMiddle, killed)
		}
		child := exec.Command(exe)
		child.Env = append(os.Environ(), "NAMESRV_KV_CHILD="+file)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		next := func() (n int, ok bool) {
			if !lines.Scan() {
				return 0, false
			}
			if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
				t.Fatalf("the child says %q", lines.Text())
			}
			return n, true
		}
		found, ok := next()
		// What was under way when the former died may have been done.
		if !ok || found < last || found > last+1 {
			t.Fatalf("after %d kills %d is found, %d was confirmed", killed, found, last)
		}
		last = found
		if n, ok := next(); ok {
			last = n
		}
		half := func() []string {
			list, err := filepath.Glob(filepath.Join(dir, "*.tmp-*"))
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		if killed%4 == 0 {
			time.Sleep(rand.N(10 * time.Millisecond)) // wherever it is by then
		} else {
			for end := time.Now().Add(time.Minute); len(half()) == 0 && time.Now().Before(end); {
				time.Sleep(50 * time.Microsecond)
			}
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for n, ok := next(); ok; n, ok = next() {
			last = n
		}
		_ = child.Wait() // killed
		left := half()
		if len(left) > 1 {
			t.Fatalf("after %d kills %d half-written files are there", killed+1, len(left))
		}
		inTheMiddle += len(left)
	}
	cfg := namesrv.DefaultConfig()
	cfg.KVConfigPath = file
	s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.ReleaseFiles()
	if n := lastKV(s); n < last || n > last+1 {
		t.Errorf("%d is found, %d was confirmed", n, last)
	}
	wantFiles(t, dir, "kvConfig.json", "kvConfig.json.bak", "kvConfig.json.lock")
	t.Logf("%d killed, %d in the middle, %d written", killed, inTheMiddle, last)
}
