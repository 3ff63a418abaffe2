package namesrv_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// wantReply compares the whole frame of a reply: ext is the value of
// extFields, "" where there are none; remark is as JSON shows it, "" for none.
func wantReply(t testing.TB, c *nstest.Client, r *codec.Command, code codec.ResponseCode, ext, remark, body string) {
	t.Helper()
	c.Write(c.Frame(r))
	if ext != "" {
		ext = `,"extFields":` + ext
	}
	if remark != "" {
		remark = `,"remark":"` + remark + `"`
	}
	want := fmt.Sprintf(`{"code":%d%s,"flag":1,"language":"JAVA","opaque":%d%s,"serializeTypeCurrentRPC":"JSON","version":479}%s`,
		code, ext, r.Opaque, remark, body)
	if got := string(c.ReadFrame()[8:]); got != want {
		t.Errorf("%v %.100s:\n got %.2000s\nwant %.2000s", r.Code, r.Ext, got, want)
	}
}

func putKV(fields ...string) *codec.Command {
	return nstest.Request(codec.ReqPutKVConfig, fields...)
}

func getKV(fields ...string) *codec.Command {
	return nstest.Request(codec.ReqGetKVConfig, fields...)
}

func deleteKV(fields ...string) *codec.Command {
	return nstest.Request(codec.ReqDeleteKVConfig, fields...)
}

func listKV(fields ...string) *codec.Command {
	return nstest.Request(codec.ReqGetKVListByNamespace, fields...)
}

// startKV starts a server with a KV config file.
func startKV(t testing.TB, file string) *testServer {
	return start(t, func(c *namesrv.Config) { c.KVConfigPath = file })
}

func readFile(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// wantFiles compares the names in a folder: what was only written for a while
// must be gone.
func wantFiles(t testing.TB, dir string, want ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range list {
		got = append(got, f.Name())
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("files in the folder are %q, want %q", got, want)
	}
}

// TestKVConfig compares every reply of the four requests with Java's.
func TestKVConfig(t *testing.T) {
	const ok, no, bad = codec.RespSuccess, codec.RespQueryNotFound, codec.RespSystemError
	s := startKV(t, filepath.Join(t.TempDir(), "kvConfig.json"))
	c := s.dial(t)
	ns := []string{"namespace", "ns"}
	key := append(ns, "key", "k/é\"")
	steps := []struct {
		name              string
		request           *codec.Command
		code              codec.ResponseCode
		ext, remark, body string
	}{
		{"get from nowhere", getKV(key...), no, "{}", `No config item, Namespace: ns Key: k/é\"`, ""},
		{"list nowhere", listKV(ns...), no, "", "No config item, Namespace: ns", ""},
		{"delete from nowhere", deleteKV(key...), ok, "", "", ""},
		{"still nowhere", listKV(ns...), no, "", "No config item, Namespace: ns", ""},
		{"put", putKV(append(key, "value", "v/\n<ü>")...), ok, "", "", ""},
		{"get", getKV(key...), ok, `{"value":"v/\n<ü>"}`, "", ""},
		{"put another", putKV("namespace", "ns", "key", "a", "value", "1"), ok, "", "", ""},
		{"list ascends", listKV(ns...), ok, "", "", `{"table":{"a":"1","k/é\"":"v/\n<ü>"}}`},
		{"replace", putKV("namespace", "ns", "key", "a", "value", "2"), ok, "", "", ""},
		{"replaced", getKV("namespace", "ns", "key", "a"), ok, `{"value":"2"}`, "", ""},
		{"put an empty value", putKV("namespace", "ns", "key", "a", "value", ""), ok, "", "", ""},
		{"an empty value is one", getKV("namespace", "ns", "key", "a"), ok, `{"value":""}`, "", ""},
		{"put null", putKV(key...), ok, "", "", ""},
		{"null is not found", getKV(key...), no, "{}", `No config item, Namespace: ns Key: k/é\"`, ""},
		{"null is not listed", listKV(ns...), ok, "", "", `{"table":{"a":""}}`},
		{"null in a new namespace", putKV("namespace", "null", "key", "a"), ok, "", "", ""},
		{"which is there", listKV("namespace", "null"), ok, "", "", `{"table":{}}`},
		{"delete", deleteKV("namespace", "ns", "key", "a"), ok, "", "", ""},
		{"delete again", deleteKV("namespace", "ns", "key", "a"), ok, "", "", ""},
		{"an emptied namespace stays", listKV(ns...), ok, "", "", `{"table":{}}`},
		{"names may be empty", putKV("namespace", "", "key", "", "value", "v"), ok, "", "", ""},
		{"and are found", getKV("namespace", "", "key", ""), ok, `{"value":"v"}`, "", ""},
		{"put without namespace", putKV("key", "k", "value", "v"), bad, "", "namespace or key is null", ""},
		{"put without key", putKV("namespace", "ns", "value", "v"), bad, "", "namespace or key is null", ""},
		{"get without anything", getKV(), no, "{}", "No config item, Namespace: null Key: null", ""},
		{"get without key", getKV(ns...), no, "{}", "No config item, Namespace: ns Key: null", ""},
		{"list without namespace", listKV(), no, "", "No config item, Namespace: null", ""},
		{"delete without anything", deleteKV(), ok, "", "", ""},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			wantReply(t, c, step.request, step.code, step.ext, step.remark, step.body)
		})
	}
}

// TestKVConfigFile follows the file and its backup through changes and a
// restart.
func TestKVConfigFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	file := filepath.Join(dir, "kvConfig.json")
	const one = `{"configTable":{"ORDER_TOPIC_CONFIG":{"T":"a:4;b:4"}}}`
	const two = `{"configTable":{"ORDER_TOPIC_CONFIG":{"T":"a:4;b:4"},"ns":{}}}`
	t.Run("first run", func(t *testing.T) {
		c := startKV(t, file).dial(t)
		wantReply(t, c, deleteKV("namespace", "ns", "key", "k"), 0, "", "", "")
		if got := readFile(t, file); got != "none" {
			t.Errorf("nothing changed, but the file is %s", got)
		}
		wantReply(t, c, putKV("namespace", "ORDER_TOPIC_CONFIG", "key", "T", "value", "a:4;b:4"), 0, "", "", "")
		if got, backup := readFile(t, file), readFile(t, file+".bak"); got != one || backup != "none" {
			t.Errorf("file %s, backup %s", got, backup)
		}
		wantReply(t, c, putKV("namespace", "ns", "key", "k"), 0, "", "", "")
		if got, backup := readFile(t, file), readFile(t, file+".bak"); got != two || backup != one {
			t.Errorf("file %s, backup %s", got, backup)
		}
		before, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		wantReply(t, c, putKV("namespace", "ORDER_TOPIC_CONFIG", "key", "T", "value", "a:4;b:4"), 0, "", "", "")
		wantReply(t, c, putKV("namespace", "ns", "key", "k"), 0, "", "", "")
		after, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) || readFile(t, file+".bak") != one {
			t.Error("a change that changes nothing was written")
		}
	})
	wantFiles(t, dir, "kvConfig.json", "kvConfig.json.bak", "kvConfig.json.lock")
	t.Run("second run", func(t *testing.T) {
		if err := os.Chmod(file, 0o640); err != nil {
			t.Fatal(err)
		}
		c := startKV(t, file).dial(t)
		wantReply(t, c, getKV("namespace", "ORDER_TOPIC_CONFIG", "key", "T"), 0, `{"value":"a:4;b:4"}`, "", "")
		wantReply(t, c, listKV("namespace", "ns"), 0, "", "", `{"table":{}}`)
		wantReply(t, c, deleteKV("namespace", "ORDER_TOPIC_CONFIG", "key", "T"), 0, "", "", "")
		if got, backup := readFile(t, file), readFile(t, file+".bak"); got != `{"configTable":{"ORDER_TOPIC_CONFIG":{},"ns":{}}}` || backup != two {
			t.Errorf("file %s, backup %s", got, backup)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("mode of the file is %v, %v", info.Mode(), err)
		}
	})
	t.Run("a link stays a link", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "kvConfig.json")
		if err := os.Symlink(file, link); err != nil {
			t.Skip(err)
		}
		c := startKV(t, link).dial(t)
		wantReply(t, c, putKV("namespace", "ns", "key", "linked", "value", "v"), 0, "", "", "")
		if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 || !strings.Contains(readFile(t, file), "linked") {
			t.Errorf("the link is %v, %v; the file %s", info.Mode(), err, readFile(t, file))
		}
	})
}

// TestKVConfigLoad starts servers with files as operators and crashes leave
// them.
func TestKVConfigLoad(t *testing.T) {
	const good = `{"configTable":{"ns":{"k":"v"}}}`
	cases := []struct {
		name, file, backup string // "none": not there
		want               string // the list of ns, or what starting fails with
	}{
		{"missing", "none", good, "none"},
		{"empty", "", good, `{"table":{"k":"v"}}`},
		{"blank", " \n", good, `{"table":{"k":"v"}}`},
		{"empty, no backup", "", "none", "none"},
		{"empty, and so is the backup", "", "\n", "none"},
		{"empty, broken backup", "", good[:20], "kvConfig.json.bak: codec: "},
		{"no table", "{}", good, "none"},
		{"null table", `{"configTable":null}`, good, "none"},
		{"empty table", `{"configTable":{}}`, good, "none"},
		{"good", good, "broken", `{"table":{"k":"v"}}`},
		{"edited by hand", "{ 'configTable' : {\n\"ns\" : { \"k\" : 4, \"n\": null, }, \"m\": null, } }\n", "none", `{"table":{"k":"4"}}`},
		{"cut short", good[:len(good)-3], good, `{"table":{"k":"v"}}`},
		{"zeros after a crash", "\x00\x00\x00", good, `{"table":{"k":"v"}}`},
		{"cut short, no backup", good[:20], "none", "kvConfig.json: codec: "},
		{"cut short, empty backup", good[:20], "", "kvConfig.json.bak: is empty"},
		{"cut short, and so is the backup", good[:20], good[:25], "kvConfig.json.bak: codec: "},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "kvConfig.json")
			for name, text := range map[string]string{file: tc.file, file + ".bak": tc.backup} {
				if text != "none" {
					writeFile(t, name, text)
				}
			}
			if strings.HasPrefix(tc.want, "kvConfig.json") {
				cfg := namesrv.DefaultConfig()
				cfg.KVConfigPath = file
				_, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("start-up gives %v, want %s", err, tc.want)
				}
				return
			}
			c := startKV(t, file).dial(t)
			if tc.want == "none" {
				wantReply(t, c, listKV("namespace", "ns"), codec.RespQueryNotFound, "", "No config item, Namespace: ns", "")
			} else {
				wantReply(t, c, listKV("namespace", "ns"), 0, "", "", tc.want)
			}
			if got := readFile(t, file); got != tc.file {
				t.Errorf("start-up has changed the file to %s", got)
			}
		})
	}
	for name, bad := range map[string]string{"broken": "broken", "empty": "", "blank": "\n\n", "zeros": "\x00\x00"} {
		t.Run("a bad file does not become the backup: "+name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "kvConfig.json")
			writeFile(t, file, bad)
			writeFile(t, file+".bak", good)
			c := startKV(t, file).dial(t)
			put := func(r *codec.Command, want, wantBackup string) {
				t.Helper()
				wantReply(t, c, r, 0, "", "", "")
				if got, backup := readFile(t, file), readFile(t, file+".bak"); got != want || backup != wantBackup {
					t.Errorf("file %s, backup %s", got, backup)
				}
			}
			const next = `{"configTable":{"ns":{"k":"v","l":"w"}}}`
			put(putKV("namespace", "ns", "key", "l", "value", "w"), next, good)
			put(deleteKV("namespace", "ns", "key", "l"), good, next)
			writeFile(t, file, bad) // while the server runs
			put(putKV("namespace", "ns", "key", "l", "value", "w"), next, next)
		})
	}
	t.Run("a folder in its place", func(t *testing.T) {
		cfg := namesrv.DefaultConfig()
		cfg.KVConfigPath = t.TempDir()
		if _, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "is a directory") {
			t.Errorf("start-up gives %v", err)
		}
	})
}

// TestKVConfigUnwritable lets writing fail in different places. The request
// is refused, and neither memory nor file has changed.
func TestKVConfigUnwritable(t *testing.T) {
	const text = `{"configTable":{"ns":{"k":"v"}}}`
	mkdir := func(t *testing.T, name string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(name, "occupied"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		spoil  func(t *testing.T, file string)
		repair string // what to remove
		want   string
	}{
		"the backup cannot be written": {func(t *testing.T, file string) { mkdir(t, file+".bak") }, ".bak", text},
		"the file cannot be replaced": {func(t *testing.T, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
			mkdir(t, file)
		}, "", "none"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "kvConfig.json")
			writeFile(t, file, text)
			c := startKV(t, file).dial(t)
			tc.spoil(t, file)
			for _, r := range []*codec.Command{
				putKV("namespace", "ns", "key", "k", "value", "w"),
				putKV("namespace", "other", "key", "k", "value", "w"),
				putKV("namespace", "ns", "key", "k"),
				deleteKV("namespace", "ns", "key", "k"),
			} {
				reply := c.Do(r)
				if codec.ResponseCode(reply.Code) != codec.RespSystemError || !bytes.HasPrefix(reply.Remark, []byte("namesrv: save")) {
					t.Errorf("%v %s is answered %v %q", r.Code, r.Ext, codec.ResponseCode(reply.Code), reply.Remark)
				}
			}
			wantReply(t, c, listKV("namespace", "ns"), 0, "", "", `{"table":{"k":"v"}}`)
			wantReply(t, c, listKV("namespace", "other"), codec.RespQueryNotFound, "", "No config item, Namespace: other", "")
			if err := os.RemoveAll(file + tc.repair); err != nil {
				t.Fatal(err)
			}
			if got := readFile(t, file); got != tc.want {
				t.Errorf("the file is %s", got)
			}
			wantReply(t, c, putKV("namespace", "ns", "key", "k", "value", "w"), 0, "", "", "")
			if got := readFile(t, file); got != `{"configTable":{"ns":{"k":"w"}}}` {
				t.Errorf("the file is %s", got)
			}
			if list, _ := filepath.Glob(file + ".tmp*"); len(list) > 0 {
				t.Errorf("left behind: %q", list)
			}
		})
	}
	t.Run("the folder is gone", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "dir")
		c := startKV(t, filepath.Join(dir, "kvConfig.json")).dial(t)
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		writeFile(t, dir, "a file")
		reply := c.Do(putKV("namespace", "ns", "key", "k", "value", "v"))
		if codec.ResponseCode(reply.Code) != codec.RespSystemError || !bytes.Contains(reply.Remark, []byte("not a directory")) {
			t.Errorf("put is answered %v %q", codec.ResponseCode(reply.Code), reply.Remark)
		}
		wantReply(t, c, listKV("namespace", "ns"), codec.RespQueryNotFound, "", "No config item, Namespace: ns", "")
	})
	t.Run("from the start on", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "kvConfig.json")
		writeFile(t, file, text)
		mkdir(t, file+".lock")
		s, log := startLogging(t, func(c *namesrv.Config) { c.KVConfigPath = file })
		c := s.dial(t)
		if !log.has("KV config cannot be written, changes of it will be refused") || !log.has("file="+file) {
			t.Errorf("the start does not say so: %s", log)
		}
		wantReply(t, c, listKV("namespace", "ns"), 0, "", "", `{"table":{"k":"v"}}`)
		reply := c.Do(putKV("namespace", "ns", "key", "k", "value", "w"))
		if codec.ResponseCode(reply.Code) != codec.RespSystemError || !bytes.HasPrefix(reply.Remark, []byte("namesrv: save: ")) {
			t.Errorf("put is answered %v %q", codec.ResponseCode(reply.Code), reply.Remark)
		}
		if err := os.RemoveAll(file + ".lock"); err != nil {
			t.Fatal(err)
		}
		wantReply(t, c, putKV("namespace", "ns", "key", "k", "value", "w"), 0, "", "", "")
	})
}

// TestKVConfigLimit fills the KV config until it takes no more.
func TestKVConfigLimit(t *testing.T) {
	c := start(t, nil).dial(t)
	big := strings.Repeat("v", 3<<20)
	wantReply(t, c, putKV("namespace", "ns", "key", "1", "value", big), 0, "", "", "")
	wantReply(t, c, putKV("namespace", "ns", "key", "2", "value", big), 0, "", "", "")
	wantReply(t, c, putKV("namespace", "ns", "key", "3", "value", big), codec.RespSystemError, "", "KV config would have 9437229 bytes, more than 8388608", "")
	wantReply(t, c, getKV("namespace", "ns", "key", "3"), codec.RespQueryNotFound, "{}", "No config item, Namespace: ns Key: 3", "")
	wantReply(t, c, deleteKV("namespace", "ns", "key", "1"), 0, "", "", "")
	wantReply(t, c, putKV("namespace", "ns", "key", "3", "value", big), 0, "", "", "")
}

// TestKVConfigBeyondLimit starts with a file that is larger than the KV config
// may be, as Java may have left it: there is a way back. What makes it smaller,
// or leaves its size, is done, though it is still too large; what makes it
// larger, by a byte, is not.
func TestKVConfigBeyondLimit(t *testing.T) {
	if raceEnabled {
		t.Skip("one request at a time")
	}
	file := filepath.Join(t.TempDir(), "kvConfig.json")
	a, b := strings.Repeat("a", 6<<20), strings.Repeat("b", 6<<20)
	writeFile(t, file, `{"configTable":{"ns":{"a":"`+a+`","b":"`+b+`","c":"4"}}}`)
	c := startKV(t, file).dial(t)
	const size = 2*6<<20 + 46
	tooLarge := func(n int) string { return fmt.Sprintf("KV config would have %d bytes, more than 8388608", n) }
	wantReply(t, c, putKV("namespace", "ns", "key", "c", "value", "44"), codec.RespSystemError, "", tooLarge(size+1), "")
	wantReply(t, c, getKV("namespace", "ns", "key", "c"), 0, `{"value":"4"}`, "", "")
	wantReply(t, c, putKV("namespace", "ns", "key", "c", "value", "8"), 0, "", "", "")
	wantReply(t, c, getKV("namespace", "ns", "key", "c"), 0, `{"value":"8"}`, "", "")
	wantReply(t, c, deleteKV("namespace", "ns", "key", "c"), 0, "", "", "")
	wantReply(t, c, putKV("namespace", "ns", "key", "c", "value", "8"), codec.RespSystemError, "", tooLarge(size), "")
	wantReply(t, c, putKV("namespace", "ns", "key", "a", "value", a[1:]), 0, "", "", "")
	wantReply(t, c, deleteKV("namespace", "ns", "key", "b"), 0, "", "", "")
	wantReply(t, c, putKV("namespace", "ns", "key", "c", "value", "8"), 0, "", "", "") // and all is well
	if got, want := readFile(t, file), `{"configTable":{"ns":{"a":"`+a[1:]+`","c":"8"}}}`; got != want {
		t.Errorf("the file has %d bytes, want %d", len(got), len(want))
	}
}

// TestKVConfigConcurrent lets many connections change and read. Each finds
// what it wrote, and the file holds the end of all.
func TestKVConfigConcurrent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kvConfig.json")
	want := codec.KVConfigTable{}
	for i := range 4 {
		want.Namespaces = append(want.Namespaces, codec.KVNamespace{Name: fmt.Sprint("ns", i), Entries: []codec.Field{{Name: "last", Value: "24"}}})
	}
	t.Run("run", func(t *testing.T) {
		s := startKV(t, file)
		var wg sync.WaitGroup
		for i := range 4 {
			ns := fmt.Sprint("ns", i)
			wg.Go(func() {
				c := nstest.Dial(t, s.addr)
				for j := range 25 {
					value := fmt.Sprint(j)
					wantReply(t, c, putKV("namespace", ns, "key", "last", "value", value), 0, "", "", "")
					wantReply(t, c, putKV("namespace", ns, "key", "passing", "value", value), 0, "", "", "")
					wantReply(t, c, getKV("namespace", ns, "key", "last"), 0, `{"value":"`+value+`"}`, "", "")
					wantReply(t, c, deleteKV("namespace", ns, "key", "passing"), 0, "", "", "")
					wantReply(t, c, listKV("namespace", ns), 0, "", "", `{"table":{"last":"`+value+`"}}`)
				}
			})
		}
		wg.Go(func() { // whoever reads the file meanwhile finds it whole
			for range 200 {
				var table codec.KVConfigTable
				text, err := os.ReadFile(file)
				if err == nil {
					err = table.Decode(text)
				}
				if err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("the file is %q: %v", text, err)
				}
			}
		})
		wg.Wait()
	})
	if got := readFile(t, file); got != string(want.AppendJSON(nil)) {
		t.Errorf("the file is %s", got)
	}
}

// TestLogKVConfig bounds what a stranger can put into the log.
func TestLogKVConfig(t *testing.T) {
	table := codec.KVConfigTable{Namespaces: []codec.KVNamespace{{Name: "ns"}}}
	for i := range 1500 {
		table.Namespaces[0].Entries = append(table.Namespaces[0].Entries, codec.Field{Name: fmt.Sprintf("k%04d", i), Value: strings.Repeat("é", 2000)})
	}
	cfg := namesrv.DefaultConfig()
	cfg.KVConfigPath = filepath.Join(t.TempDir(), "kvConfig.json")
	writeFile(t, cfg.KVConfigPath, string(table.AppendJSON(nil)))
	var out bytes.Buffer
	s, err := namesrv.New(cfg, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	out.Reset()
	s.LogKVConfig()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1002 || !strings.Contains(lines[0], "namespaces=1") || !strings.Contains(lines[1], "namespace=ns key=k0000 value=\"é") ||
		!strings.Contains(lines[1001], "suppressed=500") {
		t.Errorf("%d lines: %.200s … %.200s", len(lines), lines[0], lines[len(lines)-1])
	}
	if n := len(lines[1]); n > 400 {
		t.Errorf("a line of %d bytes", n)
	}
}
