package nsctl

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// unpack returns the files of a bundle by their names, without the folder they are in.
func unpack(t *testing.T, text []byte) map[string][]byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(h.Name, "/")
		files[parts[len(parts)-1]] = body
		if h.Mode != 0o600 {
			t.Errorf("%s has the mode %o", h.Name, h.Mode)
		}
	}
}

// TestBundleHasNoSecrets plants a word wherever a secret may be, and looks for it in
// everything that the bundle has, profiles unpacked.
func TestBundleHasNoSecrets(t *testing.T) {
	t.Parallel()
	const canary = "KANARIENVOGEL"
	dir := t.TempDir()
	tokens, token := filepath.Join(dir, "tokens"), filepath.Join(dir, "token")
	for file, text := range map[string]string{tokens: "debug me " + canary + canary + "\n", token: canary + canary + "\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := newAPIServer(t, func(c *namesrv.Config) {
		c.AdminTokenFile, c.AdminAnonymousLocal = tokens, "none"
		c.TLS.ServerKeyPassword = canary
		c.Unknown = []codec.Field{{Name: "application.apiKey", Value: canary}, {Name: "application.password", Value: canary}}
	})
	s.register("c", "b", "10.0.0.1:1", 0, "T-"+canary, "%RETRY%"+canary)
	s.do(nstest.Request(codec.ReqPutKVConfig, "namespace", "ns", "key", "k", "value", canary))
	s.do(nstest.Request(codec.ReqPutKVConfig, "namespace", "ORDER_TOPIC_CONFIG", "key", "T-"+canary, "value", "b:4"))
	s.do(nstest.Request(codec.ReqDeleteKVConfig, "namespace", "ORDER_TOPIC_CONFIG", "key", "T-"+canary))
	s.do(nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "T-"+canary))
	update := nstest.Request(codec.ReqUpdateNamesrvConfig)
	update.Body = []byte("application.apiKey=" + canary + "2\nlogLevel=warn\n")
	s.do(update)
	update.Body = []byte("logLevel=" + canary + "\n")
	if reply := nstest.Dial(t, s.addr).Do(update); reply.Code == 0 {
		t.Fatal("a level that is none is taken")
	}
	nstest.Dial(t, s.addr).Do(nstest.Route("missed-" + canary))

	file := filepath.Join(dir, "bundle.tar.gz")
	code, out, errs := runAPI(t, "--admin", s.url, "--token-file", token, "bundle", "-o", file)
	if code != exitYes || out != file+"\n" || errs != "" {
		t.Fatalf("exit %d, %q, %q", code, out, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if st, _ := os.Stat(file); st.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", st.Mode())
	}
	files := unpack(t, text)
	for name, body := range files {
		if z, err := gzip.NewReader(bytes.NewReader(body)); err == nil {
			if body, err = io.ReadAll(z); err != nil {
				t.Error(err)
			}
		}
		if len(body) == 0 || bytes.Contains(bytes.ToUpper(body), []byte(canary)) {
			t.Errorf("%s has %d bytes and the canary: %s", name, len(body), around(body, canary))
		}
	}
	for _, name := range []string{
		"build.json", "livez.txt", "readyz.txt", "startupz.txt", "metrics-1.txt", "metrics-2.txt", "status.json", "clusters.json", "brokers.ndjson", "events.ndjson",
		"config.json", "peers.json", "clients.json", "digest.json", "goroutines.txt", "heap.pprof", "cpu.pprof", "index.txt",
	} {
		if files[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
	if !strings.Contains(string(files["events.ndjson"]), `"topic-`) || !strings.Contains(string(files["events.ndjson"]), "kv.put") {
		t.Errorf("events are %s", files["events.ndjson"])
	}
	if bytes.Equal(files["metrics-1.txt"], files["metrics-2.txt"]) {
		t.Error("nothing lies between the readings of the metrics")
	}

	code, _, errs = runAPI(t, "--admin", s.url, "--token-file", token, "bundle", "-o", file)
	if code != exitUsage || !strings.Contains(errs, "exists") {
		t.Errorf("a file that is there: exit %d, %s", code, errs)
	}
	code, out, errs = runAPI(t, "--admin", s.url, "--token-file", token, "bundle", "--names", "-o", "-")
	files = unpack(t, []byte(out))
	if code != exitYes || errs != "" || !strings.Contains(string(files["events.ndjson"]), "T-"+canary) || !strings.Contains(string(files["topics.ndjson"]), "%RETRY%"+canary) {
		t.Errorf("with names: exit %d, %s, topics %s", code, errs, files["topics.ndjson"])
	}
	for name, body := range files {
		for _, secret := range []string{canary + canary, `"value":"` + canary, "apiKey=", canary + "2", "value=" + canary} {
			if bytes.Contains(body, []byte(secret)) {
				t.Errorf("with names %s has %s: %s", name, secret, around(body, secret))
			}
		}
	}
}

// around returns some of a text on both sides of a word.
func around(text []byte, word string) []byte {
	i := bytes.Index(bytes.ToUpper(text), bytes.ToUpper([]byte(word)))
	if i < 0 {
		return nil
	}
	return text[max(0, i-100):min(len(text), i+100)]
}

// TestBundleIndex: what could not be had is in the index with its reason, and a server
// that was not reached too.
func TestBundleIndex(t *testing.T) {
	s := newAPIServer(t, func(c *namesrv.Config) { c.AdminAnonymousLocal = "read" })
	code, out, errs := runAPI(t, "--admin", s.url+";http://127.0.0.1:1", "bundle", "-o", "-")
	files := unpack(t, []byte(out))
	index := string(files["index.txt"])
	if code != exitSome || !strings.Contains(errs, "some parts are missing") || files["status.json"] == nil || files["cpu.pprof"] != nil ||
		strings.Count(index, "MISSING: it takes the role debug") != 3 || !strings.Contains(index, "127.0.0.1:1: FAILED: this needs a gonamesrv") {
		t.Errorf("exit %d, %s\n%s", code, errs, index)
	}
	t.Chdir(t.TempDir())
	code, out, errs = runAPI(t, "--admin", "http://127.0.0.1:1", "bundle")
	if left, _ := os.ReadDir("."); code != exitNobody || out != "" || len(left) != 0 {
		t.Errorf("exit %d, %s%s, %v", code, out, errs, left)
	}
}

// TestProfile writes a file for each server.
func TestProfile(t *testing.T) {
	t.Chdir(t.TempDir())
	s, other := newAPIServer(t, nil), newAPIServer(t, nil)
	for _, kind := range []string{"cpu", "heap", "mutex", "trace"} {
		code, out, errs := runAPI(t, "--admin", s.url, "profile", kind, "--seconds", "1", "-o", "-")
		if code != exitYes || len(out) == 0 || errs != "" {
			t.Errorf("%s: exit %d, %d bytes, %s", kind, code, len(out), errs)
		}
	}
	code, out, errs := runAPI(t, "--admin", s.url+";"+other.url, "profile", "heap")
	files := strings.Fields(out)
	if code != exitYes || len(files) != 2 || files[0] == files[1] || errs != "" {
		t.Fatalf("exit %d, %q, %s", code, out, errs)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if st, _ := os.Stat(name); err != nil || len(text) == 0 || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %d bytes", name, err, len(text))
		}
	}
}
