package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/audit"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A lockedText is what a server has logged.
type lockedText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestNoSecretIsShown gives a server every secret that it can have, and sends it secrets
// in every request and by HTTP. Nothing that it says, to whomever, has any of them: log,
// audit log, journal, answers to all codes, pages, metrics, profiles, errors. Only those
// who ask for a key of the KV config are told it, which is what it is for.
func TestNoSecretIsShown(t *testing.T) {
	dir := t.TempDir()
	access := filepath.Join(dir, "access.yaml")
	rules := "accounts: [{accessKey: ops, secretKey: " + canary + "-account, rights: [all]}]\nnetworks: [{name: evil, cidr: 203.0.113.66, deny: true}]\n"
	if err := os.WriteFile(access, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := namesrv.DefaultConfig()
	cfg.TrustLoopback, cfg.ProxyProtocolTrusted = true, "127.0.0.1"
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	cfg.KVConfigPath, cfg.ConfigStorePath = filepath.Join(dir, "kvConfig.json"), filepath.Join(dir, "namesrv.properties")
	cfg.ShutdownWaitTime, cfg.DrainTime = 0, 0
	cfg.AccessFile, cfg.AdminTokenFile = access, tokenFile(t)
	cfg.TLS.ServerKeyPassword, cfg.TLS.ClientKeyPassword = canary+"-server", canary+"-client"
	cfg.AuditLogPath, cfg.AuditChain = filepath.Join(dir, "audit.log"), true
	said := &lockedText{}
	log := slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s, err := namesrv.New(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	a := New(s, log)
	if _, err := a.guard.tokens.read(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(nstest.Patience):
		t.Fatal("the server does not start")
	}
	shown := map[string]string{} // what it says elsewhere
	send := func(c *nstest.Client, what string, r *codec.Command) {
		reply := c.Do(r)
		shown[what] = fmt.Sprintf("%s %s %v", reply.Remark, reply.Body, reply.Ext)
	}
	for peer, head := range map[string]string{"loopback": "", "evil": "PROXY TCP4 203.0.113.66 10.0.0.1 4711 9876\r\n"} {
		c := nstest.Dial(t, s.Addr().String())
		c.Write([]byte(head))
		for _, line := range []string{
			"tls.server.keyPassword=", "password=", "accessKey=", "listenPort=9876\ntls.client.keyPassword=", "enableTopicList=false\nsecretKey=", "configBlackList=\nmyToken=",
		} {
			r := nstest.Request(codec.ReqUpdateNamesrvConfig)
			r.Body = []byte(line + canary)
			send(c, peer+" 318 "+line, r)
		}
		send(c, peer+" 100", nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "dbPassword", "value", canary))
		send(c, peer+" 100", nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "dbPassword", "value", canary+"-2"))
		for code := range codec.RequestCode(1000) {
			switch code {
			case codec.ReqGetKVConfig, codec.ReqGetKVListByNamespace, codec.ReqPutKVConfig:
				continue
			}
			send(c, fmt.Sprint(peer, " ", code), nstest.Request(code, "AccessKey", "ops", "Signature", canary, "SecurityToken", canary, "value", canary, "key", "dbPassword", "namespace", "n"))
		}
	}
	peer := 0
	ask := func(path string, header ...string) {
		peer++ // nobody asks too often
		patience, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		r := httptest.NewRequestWithContext(patience, "GET", path, nil)
		r.Host = "localhost"
		r.RemoteAddr = fmt.Sprintf("10.0.%d.%d:1", peer/250, 1+peer%250)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		shown[fmt.Sprint("HTTP ", path, " ", len(header))] = fmt.Sprint(w.Header(), w.Body)
	}
	for _, row := range rows() {
		path := strings.NewReplacer("{$}", "", "{", "", "}", "", "...", "").Replace(row.path)
		if row.needs == roleDebug {
			path += "?seconds=0.1"
		}
		ask(path)
		ask(path, "Authorization", "Bearer "+tokenOf(roleDebug))
		ask(path, "Authorization", "Bearer "+canary+"-wrong-but-long-enough", "Accept", "text/html")
	}
	events, _, err := s.Journal().Read(0, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range events {
		shown[fmt.Sprint("event ", i)] = fmt.Sprintf("%+v %+v", e, e.Details)
	}
	snap, err := json.Marshal(s.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	shown["snapshot"] = string(snap)
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(cfg.AuditLogPath)
	if err != nil {
		t.Fatal(err)
	}
	shown["audit log"], shown["log"] = string(text), said.String()
	for what, text := range shown {
		if at := strings.Index(text, canary); at >= 0 {
			t.Errorf("%s: …%q", what, text[max(0, at-100):min(len(text), at+60)])
		}
	}
	if r, err := audit.Verify(cfg.AuditLogPath); err != nil || r.Lines < 30 || !strings.Contains(string(text), "dbPassword") || !strings.Contains(string(text), `"who":"token:debug-of-test"`) {
		t.Errorf("the audit log has %+v, %v:\n%s", r, err, text)
	}
	if !strings.Contains(shown["HTTP /v1/config 2"], "keyPassword") || len(shown) < 2000 {
		t.Errorf("%d things were said, the configuration is %s", len(shown), shown["HTTP /v1/config 2"])
	}
}

// TestAuditOfDebug: each request that takes the role debug has one line, served or not,
// and who it is. What others ask has none.
func TestAuditOfDebug(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	f := newFixture(t, func(c *namesrv.Config) { c.AuditLogPath, c.AdminTokenFile = path, tokenFile(t) })
	if _, err := f.guard.tokens.read(); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for i, tc := range []struct {
		path, token, want string
		code              int
	}{
		{"/debug/pprof/cmdline", tokenOf(roleDebug), `"who":"token:debug-of-test","how":"token","name":"GET /debug/pprof/cmdline","class":"debug","outcome":"served","reply":200}`, 200},
		{"/debug/pprof/cmdline", tokenOf(roleRead), `"who":"token:read-of-test","how":"token","name":"GET /debug/pprof/cmdline","class":"debug","outcome":"refused","reply":403}`, 403},
		{"/debug/pprof/cmdline", "no-such-token-0123456789", `"who":"anonymous","how":"address","name":"GET /debug/pprof/cmdline","class":"debug","outcome":"refused","reply":401}`, 401},
		{"/debug/pprof/x%0a%e2%80%a8%1b[2J", "", `"name":"GET /debug/pprof/x\n\u2028\u001b[2J","class":"debug","outcome":"refused","reply":401}`, 401},
		{"/debug/pprof/profile?seconds=99", tokenOf(roleDebug), `"name":"GET /debug/pprof/profile","class":"debug","outcome":"served","reply":400}`, 400},
		{"/v1/config", tokenOf(roleDebug), "", 200},
		{"/livez", "", "", 200},
	} {
		r := httptest.NewRequest("GET", tc.path, nil)
		r.Host = "localhost"
		r.RemoteAddr = fmt.Sprintf("203.0.113.%d:4711", i+1)
		if tc.token != "" {
			r.Header.Set("Authorization", "Bearer "+tc.token)
		}
		w := httptest.NewRecorder()
		f.Admin.ServeHTTP(w, r)
		if w.Code != tc.code {
			t.Errorf("%s is answered %d", tc.path, w.Code)
		}
		if tc.want != "" {
			lines++
		}
		var text []byte
		nstest.Eventually(t, "the line is there", func() bool {
			var err error
			if text, err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
			return bytes.Count(text, []byte(`"class":"debug"`)) >= lines
		})
		if n := bytes.Count(text, []byte(`"class":"debug"`)); n != lines || !strings.Contains(string(text), tc.want) {
			t.Errorf("%s: %d lines, want %d, of these\n%s\n%s", tc.path, n, lines, tc.want, text)
		}
	}
}
