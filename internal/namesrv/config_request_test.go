package namesrv_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// defaultConfigText is what GET_NAMESRV_CONFIG answers for the server of
// start.
var defaultConfigText = defaultKeysText + "version=" + namesrv.Version() + "\n" + laterKeysText

const defaultKeysText = `accessFile=
accessMode=enforce
accessPreset=standard
addressServerList=
addressServerPort=0
adminAllowedHosts=
adminAnonymousLocal=read
adminAnonymousRemote=metrics
adminBindAddress=127.0.0.1
adminMaxConnections=128
adminMaxWatchers=64
adminServerPort=19876
adminTlsEnable=false
adminTokenFile=
auditChain=false
auditLogMaxBackups=10
auditLogMaxMegabytes=100
auditLogPath=
auditRequired=false
auditSync=false
bindAddress=127.0.0.1
clientRequestThreadPoolNums=8
clientRequestThreadPoolQueueCapacity=50000
closeHoldMillis=500
clusterTest=false
configBlackList=configBlackList;configStorePath;kvConfigPath
configStorePath=
defaultThreadPoolNums=16
defaultThreadPoolQueueCapacity=10000
deleteTopicWithBrokerRegistration=false
drainTimeSeconds=5
enableAllTopicList=true
enableControllerInNamesrv=false
enableShutdownGracefully=false
enableTopicList=true
firstFrameTimeoutMillis=30000
frameMaxLength=16777216
frameTimeoutMillis=60000
handshakeTimeoutSeconds=10
historyBudget=33554432
horizonCacheBytes=0
horizonFile=
horizonMode=on
journalSize=16384
kvConfigPath=
listenPort=0
logFile=
logFileMaxBackups=10
logFileMaxMegabytes=100
logFormat=text
logLevel=info
maxBrokers=0
maxConnections=0
maxConnectionsPerIp=0
maxPendingInputSize=4194304
maxPendingOutputSize=67108864
maxRouteEntries=0
maxTopics=0
memoryBudget=0
metricsJavaNames=true
metricsMaxBrokers=500
missDamping=monitor
needWaitForService=false
notifyMinBrokerIdChanged=false
orderMessageEnable=false
peerCheckSeconds=60
peerNamesrvAddr=
productEnvName=center
productNamesrvAddr=
proxyProtocolTrusted=
readyMaxWaitSeconds=120
readyMinBrokers=0
requestRateMode=enforce
requestsPerSecondPerIp=0
returnOrderTopicConfigToBroker=true
rocketmq.namesrv.domain=jmenv.tbsite.net
rocketmq.namesrv.domain.subgroup=nsaddr
routeCacheBytes=0
routeReadsOnLoop=true
routeSnapshotPath=
scanNotActiveBrokerInterval=5000
selfProtection=monitor
selfProtectionMaxSeconds=300
serverAsyncSemaphoreValue=64
serverCallbackExecutorThreads=0
serverChannelMaxIdleTimeSeconds=120
serverNettyWorkerGroupEnable=true
serverOnewaySemaphoreValue=256
serverPooledByteBufAllocatorEnable=true
serverSelectorThreads=0
serverSocketBacklog=1024
serverSocketRcvBufSize=0
serverSocketSndBufSize=0
serverWorkerThreads=8
shutdownWaitTimeSeconds=30
slowReaderTimeoutMillis=60000
supportActingMaster=false
tls.client.authServer=false
tls.client.certPath=
tls.client.keyPassword=
tls.client.keyPath=
tls.client.trustCertPath=
tls.config.file=/etc/rocketmq/tls.properties
tls.enable=false
tls.server.authClient=false
tls.server.certPath=
tls.server.keyPassword=
tls.server.keyPath=
tls.server.mode=permissive
tls.server.need.client.auth=none
tls.server.trustCertPath=
tls.test.mode.enable=true
trustLoopback=true
unRegisterBrokerQueueCapacity=3000
useEpollNativeSelector=false
`

const laterKeysText = `waitSecondsForService=45
warmStart=on
warmStartIdentity=
warmStartLoadMillis=10000
warmStartMaxAgeSeconds=900
writeBufferHighWaterMark=0
writeBufferLowWaterMark=0
`

func updateConfig(text string) *codec.Command {
	r := nstest.Request(codec.ReqUpdateNamesrvConfig)
	r.Body = []byte(text)
	return r
}

func configText(c *nstest.Client) string {
	return string(c.Do(nstest.Request(codec.ReqGetNamesrvConfig)).Body)
}

// changes returns the lines of b that are not in a.
func changes(a, b string) string {
	var lines []string
	for line := range strings.Lines(b) {
		if !strings.Contains("\n"+a, "\n"+line) {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return strings.Join(lines, "|")
}

func TestGetConfig(t *testing.T) {
	c := start(t, nil).dial(t)
	wantReply(t, c, nstest.Request(codec.ReqGetNamesrvConfig), 0, "", "", defaultConfigText)
	cfg := namesrv.DefaultConfig()
	file := writeProperties(t, "connectTimeoutMillis=1\nunknown\\ key=\\u00fcml\u00fc\\nb\\\\c \nrocketmqHome=\n")
	if _, err := cfg.LoadProperties(file); err != nil {
		t.Fatal(err)
	}
	c = start(t, func(c *namesrv.Config) { c.Unknown, c.RocketMQHome = cfg.Unknown, "/opt/rocketmq" }).dial(t)
	if got, want := changes(defaultConfigText, configText(c)), "connectTimeoutMillis=1|rocketmqHome=/opt/rocketmq|unknown key=ümlÃ¼|b\\c "; got != want {
		t.Errorf("further lines are %q, want %q", got, want)
	}
}

// TestUpdateConfig sends texts that Java takes, in part or not at all, and
// compares the configuration afterwards.
func TestUpdateConfig(t *testing.T) {
	const blackListed = "Can not update config in black list."
	cases := []struct {
		name, text string
		code       codec.ResponseCode
		remark     string
		changed    string
	}{
		{"no body", "", 0, "", ""},
		{"only comments", "# nothing\n! here\n\n", 0, "", ""},
		{"several", "enableTopicList=false\nlistenPort : 1234\n  supportActingMaster TRUE", 0, "", "enableTopicList=false|listenPort=1234|supportActingMaster=true"},
		{"the last wins", "productEnvName=1\nproductEnvName=2", 0, "", "productEnvName=2"},
		{"unknown key", "nobodyKnows=1\nproductEnvName=x", codec.RespSystemError, `namesrv: "nobodyKnows" is no key`, ""},
		{"mistyped key", "listenPrt=1", codec.RespSystemError, `namesrv: "listenPrt" is no key, the nearest is listenPort`, ""},
		{"unknown in the file too", "fromFile= 2 \nproductEnvName=x", 0, "", "fromFile=2 |productEnvName=x"},
		{"our own key", "routeReadsOnLoop=false", 0, "", "routeReadsOnLoop=false"},
		{"text is trimmed", "productEnvName=\\  x\\u0001\\u00a0\t \\u0001", 0, "", "productEnvName=x\u0001\u00a0"},
		{"numbers too", "listenPort=1234 \t\nserverWorkerThreads=\\ +7", 0, "", "listenPort=1234|serverWorkerThreads=7"},
		{
			"no numbers", "listenPort=1234\nserverSocketBacklog=5x\nshutdownWaitTimeSeconds=\nmemoryBudget=1GiB", codec.RespSystemError,
			`namesrv: serverSocketBacklog is "5x", must be a whole number` + "\n" +
				`namesrv: shutdownWaitTimeSeconds is "", must be a whole number of seconds` + "\n" +
				`namesrv: memoryBudget is "1GiB", must be a whole number of bytes`, "",
		},
		{"int is 32 bits", "serverSocketBacklog=2147483647", 0, "", "serverSocketBacklog=2147483647"},
		{"int is not 33 bits", "serverWorkerThreads=2147483648", codec.RespSystemError, `namesrv: serverWorkerThreads is "2147483648", must be a whole number, from -2147483648 to 2147483647`, ""},
		{"long is 64 bits", "scanNotActiveBrokerInterval=2147483648", 0, "", "scanNotActiveBrokerInterval=2147483648"},
		{
			"long beyond our clock", "scanNotActiveBrokerInterval=9223372036854775807", codec.RespSystemError,
			`namesrv: scanNotActiveBrokerInterval is "9223372036854775807", must be a whole number of milliseconds, from -9223372036854 to 9223372036854`, "",
		},
		{"true in whatever case", "supportActingMaster=true \nclusterTest=tRuE\nenableTopicList= False", 0, "", "clusterTest=true|enableTopicList=false|supportActingMaster=true"},
		{"not quite true", "supportActingMaster=true\nenableAllTopicList=yes", codec.RespSystemError, `namesrv: enableAllTopicList is "yes", must be true or false`, ""},
		{"our version", "version=1\nlistenPort=1", codec.RespNoPermission, blackListed, ""},
		{"many faults", "\na=1\nb=\nc=\nd=\ne=\nf=\ng=\nh=\ni=\nj=\nk=\nl=", codec.RespSystemError, func() string {
			var faults []string
			for c := 'a'; c <= 'j'; c++ {
				faults = append(faults, fmt.Sprintf("namesrv: %q is no key", string(c)))
			}
			return strings.Join(faults, "\n") + "\nand 2 more"
		}(), ""},
		{"UTF-8 is taken for Latin-1", "productEnvName=é", 0, "", "productEnvName=Ã©"},
		{"invalid UTF-8", "productEnvName=\xff", 0, "", "productEnvName=ï¿½"},
		{"escapes", "productEnvName=\\u4E2D\\\n   more", 0, "", "productEnvName=中more"},
		{"null", "productEnvName", 0, "", "productEnvName="},
		{"case matters", "LISTENPORT=1", codec.RespSystemError, `namesrv: "LISTENPORT" is no key, the nearest is listenPort`, ""},
		{"empty key", "=x\nlistenPort=1", codec.RespSystemError, `namesrv: "" is no key`, ""},
		{"broken escape", "listenPort=1\nproductEnvName=\\u12", codec.RespSystemError, "string2Properties error", ""},
		{"black list itself", "listenPort=1\nconfigBlackList=", codec.RespNoPermission, blackListed, ""},
		{"where it is kept", "configStorePath=/x", codec.RespNoPermission, blackListed, ""},
		{"KV config", "kvConfigPath=/x", codec.RespNoPermission, blackListed, ""},
		{"home", "rocketmqHome=/x", codec.RespNoPermission, blackListed, ""},
		{"black-listed by the operator", "bindAddress=::1\nlistenPort=1", codec.RespNoPermission, blackListed, ""},
		{"entries are not trimmed", "clusterTest=true", 0, "", "clusterTest=true"},
		{"unknown but black-listed", "nobody=1", codec.RespNoPermission, blackListed, ""},
		{"would not start", "listenPort=70000\nproductEnvName=x", codec.RespSystemError, "namesrv: listenPort is 70000, must be at most 65535", ""},
		{"would not start either", "writeBufferLowWaterMark=9\nwriteBufferHighWaterMark=8", codec.RespSystemError, "namesrv: writeBufferLowWaterMark is 9, must be at most 8, writeBufferHighWaterMark", ""},
		{"too long", "#" + strings.Repeat("x", 1<<20), codec.RespSystemError, "configuration would have 1048577 bytes, more than 1048576", ""},
		{"too long with the rest", "productEnvName=" + strings.Repeat("x", 1<<20-100), codec.RespSystemError, fmt.Sprintf("configuration would have %d bytes, more than 1048576", 1<<20+len(defaultKeysText+laterKeysText)-108), ""},
		{"backslash at the end", "productEnvName=x\\", 0, "", "productEnvName=x"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			c := start(t, func(c *namesrv.Config) {
				c.ConfigBlackList = "nobody;bindAddress; clusterTest"
				c.Unknown = []codec.Field{{Name: "fromFile", Value: "1"}}
			}).dial(t)
			before := configText(c)
			wantReply(t, c, updateConfig(tc.text), tc.code, "", strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(tc.remark), "")
			if got := changes(before, configText(c)); got != tc.changed {
				t.Errorf("changed: %q, want %q", got, tc.changed)
			}
		})
	}
}

// TestUpdateConfigLive changes keys that the running server obeys at once.
func TestUpdateConfigLive(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := s.dial(t)
	list := nstest.Request(codec.ReqGetAllTopicListFromNameserver)
	wantCode(t, c.Do(list), codec.RespSuccess, "")
	wantCode(t, c.Do(updateConfig("enableAllTopicList=false\nserverChannelMaxIdleTimeSeconds=1")), codec.RespSuccess, "")
	wantCode(t, c.Do(list), codec.RespSystemError, "disable")
	fresh := s.dial(t)
	fresh.MustClose()                                         // silent for a second
	wantCode(t, c.Do(list), codec.RespSystemError, "disable") // a connection from before has its 120 seconds
}

// startStored starts a server that keeps its configuration in a file, as cmd
// does with -c.
func startStored(t *testing.T, file string) *testServer {
	t.Helper()
	return start(t, func(c *namesrv.Config) {
		if _, err := os.Stat(file); err == nil {
			if _, err := c.LoadProperties(file); err != nil {
				t.Fatal(err)
			}
		}
		c.ConfigStorePath = file
	})
}

// TestUpdateConfigFile follows the file through changes and restarts. What is
// read back is what was set, whatever it was.
func TestUpdateConfigFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	file := filepath.Join(dir, "namesrv.properties")
	var before string
	t.Run("first run", func(t *testing.T) {
		c := startStored(t, file).dial(t)
		wantReply(t, c, updateConfig(""), 0, "", "", "")
		if got := readFile(t, file); got != "none" {
			t.Errorf("no body, but the file is %s", got)
		}
		wantReply(t, c, updateConfig("supportActingMaster=false"), 0, "", "", "")
		want := strings.Replace(defaultKeysText+laterKeysText, "configStorePath=", "configStorePath="+file, 1)
		if got := readFile(t, file); got != want {
			t.Errorf("the file is\n%s", got)
		}
		wantReply(t, c, updateConfig("supportActingMaster=true"), 0, "", "", "")
		if got, backup := readFile(t, file), readFile(t, file+".bak"); got != strings.Replace(want, "supportActingMaster=false", "supportActingMaster=true", 1) || backup != want {
			t.Errorf("the file is\n%s\nits backup\n%s", got, backup)
		}
	})
	wantFiles(t, dir, "namesrv.properties", "namesrv.properties.bak", "namesrv.properties.lock")
	t.Run("second run", func(t *testing.T) {
		writeFile(t, file, "# a comment\nsupportActingMaster=true\nbindAddress=127.0.0.1\nlistenPort=0\nodd\\ \\:\\=\\#key=1\n")
		c := startStored(t, file).dial(t)
		if text := configText(c); !strings.Contains(text, "supportActingMaster=true\n") || !strings.Contains(text, "odd :=#key=1\n") {
			t.Errorf("the configuration is\n%s", text)
		}
		// A line break must not become another key at the next start.
		wantReply(t, c, updateConfig(`productEnvName=C:\\dir\u4E2D \u00E9\nkvConfigPath=/etc/passwd\r\t\f#!=:`+"\nodd\\ \\:\\=\\#key= \\ x\\\\ "), 0, "", "", "")
		before = configText(c)
		if !strings.Contains(before, "productEnvName=C:\\dir中 é\nkvConfigPath=/etc/passwd\r\t\f#!=:\n") || !strings.Contains(before, "odd :=#key= x\\ \n") {
			t.Errorf("the configuration is\n%s", before)
		}
	})
	t.Run("third run", func(t *testing.T) {
		if got := configText(startStored(t, file).dial(t)); got != before {
			t.Errorf("the configuration is\n%s\nwant\n%s", got, before)
		}
	})
}

// TestUpdateConfigKeepsBackup: a file that a full disk has emptied does not
// become the backup.
func TestUpdateConfigKeepsBackup(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namesrv.properties")
	writeFile(t, file, "\n")
	writeFile(t, file+".bak", "supportActingMaster=true\n")
	s := start(t, func(c *namesrv.Config) { c.ConfigStorePath = file })
	if err := s.UpdateConfig("enableTopicList=false"); err != nil {
		t.Fatal(err)
	}
	if got, backup := readFile(t, file), readFile(t, file+".bak"); !strings.Contains(got, "enableTopicList=false") || backup != "supportActingMaster=true\n" {
		t.Errorf("file %s, backup %s", got, backup)
	}
}

// TestUpdateConfigUnwritable refuses what cannot be kept, and changes nothing.
func TestUpdateConfigUnwritable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "namesrv.properties")
	writeFile(t, file, "bindAddress=127.0.0.1\nlistenPort=0\n")
	c := startStored(t, file).dial(t)
	if err := os.MkdirAll(filepath.Join(file+".bak", "occupied"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := configText(c)
	reply := c.Do(updateConfig("enableAllTopicList=false"))
	if codec.ResponseCode(reply.Code) != codec.RespSystemError || !bytes.HasPrefix(reply.Remark, []byte("namesrv: save "+file)) {
		t.Errorf("answered %v %q", codec.ResponseCode(reply.Code), reply.Remark)
	}
	if got := configText(c); got != before {
		t.Errorf("the configuration is\n%s", got)
	}
	wantCode(t, c.Do(nstest.Request(codec.ReqGetAllTopicListFromNameserver)), codec.RespSuccess, "")
	if got := readFile(t, file); got != "bindAddress=127.0.0.1\nlistenPort=0\n" {
		t.Errorf("the file is\n%s", got)
	}
	wantFiles(t, dir, "namesrv.properties", "namesrv.properties.bak", "namesrv.properties.lock")
}

// TestUpdateConfigConcurrent changes different keys at the same time. None is
// lost, in memory or in the file.
func TestUpdateConfigConcurrent(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namesrv.properties")
	s := start(t, func(c *namesrv.Config) { c.ConfigStorePath = file })
	var wg sync.WaitGroup
	keys := []string{"serverWorkerThreads", "serverSocketBacklog", "waitSecondsForService", "shutdownWaitTimeSeconds"}
	for _, key := range keys {
		wg.Go(func() {
			c := nstest.Dial(t, s.addr)
			for i := range 25 {
				wantReply(t, c, updateConfig(fmt.Sprintf("%s=%d", key, 100+i)), 0, "", "", "")
				if line := fmt.Sprintf("\n%s=%d\n", key, 100+i); !strings.Contains(configText(c), line) {
					t.Errorf("no line %q", line)
				}
			}
		})
	}
	wg.Wait()
	for _, key := range keys {
		if !strings.Contains(readFile(t, file), "\n"+key+"=124\n") {
			t.Errorf("%s is not 124 in\n%s", key, readFile(t, file))
		}
	}
}

// TestConfigLog names each change with its effect.
func TestConfigLog(t *testing.T) {
	s, log := startLogging(t, nil)
	wantCode(t, s.dial(t).Do(updateConfig("enableTopicList=false\nlistenPort=1\nuseEpollNativeSelector=true")), codec.RespSuccess, "")
	for _, want := range []string{
		` before.enableTopicList=true before.listenPort=0 before.useEpollNativeSelector=false after.enableTopicList.value=false after.enableTopicList.effect="at once" after.listenPort.value=1 after.listenPort.effect="after restart" after.useEpollNativeSelector.value=true after.useEpollNativeSelector.effect=none changed=true`,
	} {
		if !log.has(want) {
			t.Errorf("no line with %s in\n%s", want, log)
		}
	}
}

// TestConfigKeys sets every key to something else, by the properties file and
// by request, and finds it again.
func TestConfigKeys(t *testing.T) {
	var lines []string
	for _, line := range new(namesrv.Config).Properties() { // all zero
		name, value, _ := strings.Cut(line, "=")
		switch value {
		case "":
			value = "text"
		case "0":
			value = "17"
		case "false":
			value = "true"
		}
		if words := map[string]string{
			"tls.server.mode": "enforcing", "tls.server.need.client.auth": "require", "logLevel": "warn", "logFormat": "json",
			"requestRateMode": "monitor", "missDamping": "enforce", "selfProtection": "on", "warmStart": "shadow", "horizonMode": "monitor",
			"adminAnonymousLocal": "probes", "adminAnonymousRemote": "none",
			"accessPreset": "strict", "accessMode": "monitor",
		}[name]; words != "" {
			value = words
		}
		lines = append(lines, name+"="+value)
	}
	if len(lines) != 123 {
		t.Errorf("%d keys", len(lines))
	}
	var cfg namesrv.Config
	if _, err := cfg.LoadProperties(writeProperties(t, strings.Join(lines, "\n"))); err != nil {
		t.Fatal(err)
	}
	if got := cfg.Properties(); !reflect.DeepEqual(got, lines) {
		t.Errorf("read back:\n%q\nwant\n%q", got, lines)
	}
	if v := reflect.ValueOf(cfg.Unused); v.NumField() != 10 {
		t.Errorf("%d unused keys", v.NumField())
	}
	for i := range reflect.ValueOf(cfg).NumField() {
		f := reflect.TypeFor[namesrv.Config]().Field(i)
		if f.Name != "Unknown" && f.Name != "JavaOptions" && f.Name != "Sources" && f.Name != "SerializeType" && reflect.ValueOf(cfg).Field(i).IsZero() {
			t.Errorf("no key sets %s", f.Name)
		}
	}
	if cfg.ScanNotActiveBrokerInterval != 17*time.Millisecond || cfg.ServerChannelMaxIdle != 17*time.Second {
		t.Errorf("durations are %v and %v", cfg.ScanNotActiveBrokerInterval, cfg.ServerChannelMaxIdle)
	}
}
