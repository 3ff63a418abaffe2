package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// TestMain lets the test binary be the program, for the tests of signals.
func TestMain(m *testing.M) {
	if os.Getenv("NAMESRV_TEST_CHILD") != "" {
		main()
	}
	os.Exit(m.Run())
}

// An output is written by one goroutine and read by another.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func noEnv(string) string { return "" }

func properties(t *testing.T, lines ...string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "namesrv.properties")
	// Not the files and the port of who runs the test; a line may say another port.
	lines = append([]string{"adminServerPort=0", "trustLoopback=true"}, append(lines, "kvConfigPath="+filepath.Join(dir, "kvConfig.json"))...)
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestCommandLine(t *testing.T) {
	malformed := properties(t, `a=\u12`)
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	taken := properties(t, "bindAddress=127.0.0.1", "listenPort="+strings.TrimPrefix(busy.Addr().String(), "127.0.0.1:"))
	cases := []struct {
		name           string
		args           []string
		env            map[string]string
		code           int
		stdout, stderr string
	}{
		{"help", []string{"-h"}, nil, 0, usage, ""},
		{"long help", []string{"--help"}, nil, 0, usage, ""},
		{"unknown flag", []string{"-z"}, nil, 1, usage, "namesrv: Unrecognized option: -z\n"},
		{"unknown long flag", []string{"--zed"}, nil, 1, usage, "namesrv: Unrecognized option: --zed\n"},
		{"no file after -c", []string{"-c"}, nil, 1, usage, "namesrv: Missing argument for option: c\n"},
		{"no profile after --profile", []string{"--profile"}, nil, 1, usage, "namesrv: Missing argument for option: profile\n"},
		{"stray word", []string{"start", "-p"}, nil, 1, usage, "namesrv: unrecognized argument: \"start\"\n"},
		{"stray word like a flag", []string{"version", "-p"}, nil, 1, usage, "namesrv: unrecognized argument: \"version\", did you mean --version?\n"},
		{"stray word behind flags", []string{"-n", "localhost:9876", "-p", "x"}, nil, 1, usage, "namesrv: unrecognized argument: \"x\"\n"},
		{"version", []string{"--version"}, nil, 0, "namesrv " + namesrv.Version() + "\n", ""},
		{"unknown profile", []string{"--profile", "heap"}, nil, 255, "", "namesrv: --profile is \"heap\", it must be block, cpu, mem, mutex, trace\n"},
		{"no folder for the profile", []string{"--profile", "cpu", "--profileDir", "main.go"}, nil, 255, "", "namesrv: --profile: mkdir main.go: not a directory\n"},
		{"missing file", []string{"-c", "no/such/file"}, nil, 255, "", "namesrv: configuration: open no/such/file: no such file or directory\n"},
		{"bad serialize type", nil, map[string]string{"ROCKETMQ_SERIALIZE_TYPE": "foo"}, 255, "", "namesrv: ROCKETMQ_SERIALIZE_TYPE is \"foo\", must be JSON or ROCKETMQ\n"},
		{"bad option for Java", nil, map[string]string{"JAVA_OPT": "-Drocketmq.serialize.type=json"}, 255, "", "namesrv: -Drocketmq.serialize.type is \"json\", must be JSON or ROCKETMQ\n"},
		{"bad words", []string{"-c", properties(t, "listenPort=98x")}, nil, 255, "", "namesrv: listenPort is \"98x\", must be a whole number ("},
		{"bad value", []string{"-c", properties(t, "listenPort=70000")}, nil, 255, "", "namesrv: listenPort is 70000, must be at most 65535\n"},
		{"port taken", []string{"-c", taken}, nil, 255, "", "\nnamesrv: listen on " + busy.Addr().String() + ": bind: address already in use; change listenPort\n"},
		{"unknown level", []string{"-c", properties(t, "logLevel=loud")}, nil, 255, "", "\nnamesrv: logLevel is \"loud\", must be debug, info, warn or error ("},
		{"unknown format", []string{"-c", properties(t, "logFormat=xml")}, nil, 255, "", "\nnamesrv: logFormat is \"xml\", must be text, json or java ("},
		{"unwritable log", []string{"-c", properties(t, "logFile=main.go/namesrv.log")}, nil, 255, "", "namesrv: logFile cannot be written: mkdir main.go: not a directory\n"},
		{"malformed text", []string{"-c", malformed}, nil, 255, "", "namesrv: configuration: " + malformed + ": malformed \\uxxxx encoding\n"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr output
			code := run(t.Context(), append([]string{}, tc.args...), func(k string) string { return tc.env[k] }, &stdout, &stderr)
			if code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			got := regexp.MustCompile("(?m)^load config properties file OK, .*\n").ReplaceAllString(stdout.String(), "")
			if got != tc.stdout {
				t.Errorf("stdout %q, want %q", got, tc.stdout)
			}
			if !strings.Contains(stderr.String(), tc.stderr) || tc.stderr == "" && stderr.String() != "" {
				t.Errorf("stderr %q, want %q", stderr.String(), tc.stderr)
			}
		})
	}
}

func TestPrintConfig(t *testing.T) {
	var stdout, stderr output
	file := properties(t, "listenPort=1234")
	env := func(k string) string { return map[string]string{"ROCKETMQ_HOME": "/opt/rocketmq"}[k] }
	if code := run(t.Context(), []string{"-c", file, "-p", "-n", "ignored:9876"}, env, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d, stderr %s", code, &stderr)
	}
	for _, line := range []string{"load config properties file OK, " + file, "listenPort=1234", "rocketmqHome=/opt/rocketmq", "bindAddress=0.0.0.0", "defaultThreadPoolNums=16"} {
		if !strings.Contains(stdout.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, &stdout)
		}
	}
}

// TestPrintConfigOrder compares all keys with Java's declarations.
func TestPrintConfigOrder(t *testing.T) {
	var stdout, stderr output
	if code := run(t.Context(), []string{"-p"}, noEnv, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d, stderr %s", code, &stderr)
	}
	home := homeDir(noEnv)
	want := `rocketmqHome=
kvConfigPath=` + filepath.Join(home, "namesrv", "kvConfig.json") + `
configStorePath=` + filepath.Join(home, "namesrv", "namesrv.properties") + `
productEnvName=center
clusterTest=false
orderMessageEnable=false
returnOrderTopicConfigToBroker=true
clientRequestThreadPoolNums=8
defaultThreadPoolNums=16
clientRequestThreadPoolQueueCapacity=50000
defaultThreadPoolQueueCapacity=10000
scanNotActiveBrokerInterval=5000
unRegisterBrokerQueueCapacity=3000
supportActingMaster=false
enableAllTopicList=true
enableTopicList=true
notifyMinBrokerIdChanged=false
enableControllerInNamesrv=false
needWaitForService=false
waitSecondsForService=45
deleteTopicWithBrokerRegistration=false
configBlackList=configBlackList;configStorePath;kvConfigPath
bindAddress=0.0.0.0
listenPort=9876
serverWorkerThreads=8
serverCallbackExecutorThreads=0
serverSelectorThreads=0
serverOnewaySemaphoreValue=256
serverAsyncSemaphoreValue=64
serverChannelMaxIdleTimeSeconds=120
serverSocketSndBufSize=0
serverSocketRcvBufSize=0
writeBufferHighWaterMark=0
writeBufferLowWaterMark=0
serverSocketBacklog=1024
serverNettyWorkerGroupEnable=true
serverPooledByteBufAllocatorEnable=true
enableShutdownGracefully=false
shutdownWaitTimeSeconds=30
useEpollNativeSelector=false
drainTimeSeconds=5
routeReadsOnLoop=true
frameMaxLength=16777216
maxConnections=0
maxConnectionsPerIp=0
requestsPerSecondPerIp=0
requestRateMode=enforce
missDamping=monitor
memoryBudget=0
firstFrameTimeoutMillis=30000
frameTimeoutMillis=60000
slowReaderTimeoutMillis=60000
maxPendingInputSize=4194304
maxPendingOutputSize=67108864
maxTopics=0
maxBrokers=0
maxRouteEntries=0
routeCacheBytes=0
selfProtection=monitor
selfProtectionMaxSeconds=300
closeHoldMillis=500
horizonFile=
horizonMode=on
horizonCacheBytes=0
addressServerPort=0
addressServerList=
rocketmq.namesrv.domain.subgroup=nsaddr
rocketmq.namesrv.domain=jmenv.tbsite.net
productNamesrvAddr=
proxyProtocolTrusted=
handshakeTimeoutSeconds=10
metricsJavaNames=true
metricsMaxBrokers=500
logFile=
logLevel=info
logFormat=text
logFileMaxMegabytes=100
logFileMaxBackups=10
warmStart=on
routeSnapshotPath=` + filepath.Join(home, "namesrv", "routes.snap") + `
warmStartIdentity=
warmStartMaxAgeSeconds=900
warmStartLoadMillis=10000
peerNamesrvAddr=
peerCheckSeconds=60
adminServerPort=19876
adminBindAddress=127.0.0.1
adminAnonymousLocal=read
adminAnonymousRemote=metrics
adminTokenFile=
adminAllowedHosts=
adminTlsEnable=false
adminMaxConnections=128
adminMaxWatchers=64
readyMinBrokers=0
readyMaxWaitSeconds=120
accessPreset=standard
accessMode=enforce
accessFile=
trustLoopback=false
auditLogPath=
auditLogMaxMegabytes=100
auditLogMaxBackups=10
auditChain=false
auditSync=false
auditRequired=false
journalSize=16384
historyBudget=33554432
tls.server.mode=permissive
tls.enable=false
tls.config.file=/etc/rocketmq/tls.properties
tls.test.mode.enable=true
tls.server.need.client.auth=none
tls.server.keyPath=
tls.server.keyPassword=
tls.server.certPath=
tls.server.authClient=false
tls.server.trustCertPath=
tls.client.keyPath=
tls.client.keyPassword=
tls.client.certPath=
tls.client.authServer=false
tls.client.trustCertPath=
`
	if stdout.String() != want {
		t.Errorf("-p prints\n%s\nwant\n%s", &stdout, want)
	}
}

// TestBrokenKVConfig starts with a broken KV config, which fails; -p fails not,
// and says where the configuration is kept.
func TestBrokenKVConfig(t *testing.T) {
	file := properties(t, "bindAddress=127.0.0.1", "listenPort=0", "useEpollNativeSelector=true")
	kv := filepath.Join(filepath.Dir(file), "kvConfig.json")
	if err := os.WriteFile(kv, []byte(`{"configTable":`), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr output
	if code := run(t.Context(), []string{"-c", file}, noEnv, &stdout, &stderr); code != 255 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"namesrv: KV config " + kv + ": codec: ", "there is no backup " + kv + ".bak\n", `msg="keys of Java in the configuration without meaning here" file=`, "keys=useEpollNativeSelector"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("no %q in stderr:\n%s", want, &stderr)
		}
	}
	stdout.buf.Reset()
	run(t.Context(), []string{"-c", file, "-p"}, noEnv, &stdout, &stderr)
	if !strings.Contains(stdout.String(), "\nconfigStorePath="+file+"\n") {
		t.Errorf("-c FILE does not keep its configuration in FILE:\n%s", &stdout)
	}
}

var booted = regexp.MustCompile(`The Name Server boot success\. serializeType=JSON, address 127\.0\.0\.1:(\d+)\n`)

// TestServe runs the program, asks it something and ends it.
func TestServe(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	var stdout, stderr output
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"-c", properties(t, "bindAddress=127.0.0.1", "listenPort=0")}, noEnv, &stdout, &stderr)
	}()
	ask(t, &stdout)
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d, stderr %s", code, &stderr)
	}
}

// TestBootAddress: what the boot line shows can be dialled.
func TestBootAddress(t *testing.T) {
	bound := func(addrs ...string) (list []net.Addr) {
		for _, a := range addrs {
			list = append(list, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a)))
		}
		return list
	}
	for _, tc := range []struct {
		bind  string
		bound []net.Addr
		want  string
	}{
		{"0.0.0.0", bound("0.0.0.0:9876"), "0.0.0.0:9876"},
		{"localhost", bound("127.0.0.1:9876"), "localhost:9876"},
		{"::1", bound("[::1]:9876"), "[::1]:9876"},
		{" [::1] ", bound("[::1]:9876"), "[::1]:9876"},
		{"::", bound("[::]:9876"), "[::]:9876"},
		{"10.0.0.1;::1", bound("10.0.0.1:9876", "[::1]:9876"), "10.0.0.1:9876;[::1]:9876"},
	} {
		cfg := namesrv.DefaultConfig()
		cfg.BindAddress = tc.bind
		if got := address(cfg, tc.bound); got != tc.want {
			t.Errorf("bindAddress %q is shown as %s, want %s", tc.bind, got, tc.want)
		}
	}
}

// bootedAt waits until the server says that it has booted, and returns its port.
func bootedAt(t *testing.T, stdout *output) (port string) {
	t.Helper()
	nstest.Eventually(t, "the server has booted", func() bool {
		m := booted.FindStringSubmatch(stdout.String())
		if m != nil {
			port = m[1]
		}
		return m != nil
	})
	return port
}

// ask waits until the server says that it has booted, and sends it a request.
func ask(t *testing.T, stdout *output) {
	t.Helper()
	c := nstest.Dial(t, "127.0.0.1:"+bootedAt(t, stdout)) // until the test ends
	if got := codec.ResponseCode(c.Do(nstest.Route("T")).Code); got != codec.RespTopicNotExist {
		t.Errorf("the route of an unknown topic is %v", got)
	}
}

// TestSignals ends the program with each signal that a stop script sends.
func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			var stdout, stderr output
			child := exec.Command(os.Args[0], "-c", properties(t, "bindAddress=127.0.0.1", "listenPort=0"))
			child.Env = append(os.Environ(), "NAMESRV_TEST_CHILD=1")
			child.Stdout, child.Stderr = &stdout, &stderr
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			defer child.Process.Kill()
			ask(t, &stdout)
			if err := child.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := child.Wait(); err != nil {
				t.Errorf("the program ends with %v, stderr %s", err, &stderr)
			}
		})
	}
}

// TestSecondSignal ends the program while it waits for its peers to leave.
func TestSecondSignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			var stdout, stderr output
			child := exec.Command(os.Args[0], "-c", properties(t, "bindAddress=127.0.0.1", "listenPort=0",
				"enableShutdownGracefully=true", "shutdownWaitTimeSeconds=3600"))
			child.Env = append(os.Environ(), "NAMESRV_TEST_CHILD=1")
			child.Stdout, child.Stderr = &stdout, &stderr
			if err := child.Start(); err != nil {
				t.Fatal(err)
			}
			defer child.Process.Kill()
			ask(t, &stdout)
			for _, s := range []syscall.Signal{syscall.SIGTERM, sig} {
				if err := child.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
				nstest.Eventually(t, "the program drains", func() bool { return strings.Contains(stderr.String(), "engine drains") })
			}
			child.Wait()
			if got, want := child.ProcessState.ExitCode(), 128+int(sig); got != want {
				t.Errorf("exit code %d, want %d; stderr %s", got, want, &stderr)
			}
		})
	}
}

// TestKilled kills the program while it is asked for routes, and starts it again: it
// answers all of them as before, though no broker has come back.
func TestKilled(t *testing.T) {
	file := properties(t, "bindAddress=127.0.0.1", "listenPort=0")
	start := func() (child *exec.Cmd, addr string, log *output) {
		t.Helper()
		var stdout, stderr output
		child = exec.Command(os.Args[0], "-c", file)
		child.Env = append(os.Environ(), "NAMESRV_TEST_CHILD=1")
		child.Stdout, child.Stderr = &stdout, &stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { child.Process.Kill(); child.Wait() })
		return child, "127.0.0.1:" + bootedAt(t, &stdout), &stderr
	}
	child, addr, _ := start()
	topics := []string{"T", "U", "V"}
	c := nstest.Dial(t, addr)
	for i := range 3 {
		b := nstest.Broker{Cluster: "C", Name: fmt.Sprint("b", i), Addr: fmt.Sprintf("10.0.0.%d:10911", i), Counter: 1, Topics: topics}
		if got := c.Do(b.Register()); codec.ResponseCode(got.Code) != codec.RespSuccess {
			t.Fatalf("answered %v %s", got.Code, got.Remark)
		}
	}
	ask := func(addr string) (bodies []string) {
		c := nstest.Dial(t, addr)
		for _, topic := range topics {
			got := c.Do(nstest.Route(topic))
			bodies = append(bodies, fmt.Sprint(got.Code, string(got.Body)))
		}
		return bodies
	}
	before := ask(addr)
	nstest.Eventually(t, "all brokers are in the file", func() bool {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(file), "routes.snap"))
		if err != nil {
			return false
		}
		_, saved, err := route.ReadSnapshot(text, 0)
		if err != nil {
			t.Fatal(err)
		}
		return len(saved.Lives) == 3
	})
	var reads atomic.Int64
	var readers sync.WaitGroup
	for range 4 {
		c := nstest.Dial(t, addr)
		frame := bytes.Clone(c.Frame(nstest.Route("T")))
		readers.Go(func() {
			for c.TryWrite(frame) == nil {
				if _, err := c.TryReadFrame(nstest.Patience); err != nil {
					return // it was killed
				}
				reads.Add(1)
			}
		})
	}
	nstest.Eventually(t, "it is asked", func() bool { return reads.Load() > 1000 })
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	readers.Wait()
	_, addr, log := start()
	for i, got := range ask(addr) {
		if got != before[i] {
			t.Errorf("the route of %s is\n%s, before\n%s", topics[i], got, before[i])
		}
	}
	nstest.Eventually(t, "the log says so", func() bool {
		return strings.Contains(log.String(), `msg="starts with the routes of its snapshot"`)
	})
}

// TestFirstLine: the first line of the log has the version, whatever is to be said
// of the configuration, and a later one names what it is.
func TestFirstLine(t *testing.T) {
	var stdout, stderr output
	env := map[string]string{"JAVA_OPT": "-Drocketmq.nobody=1", "JAVA_OPT_EXT": "-Dtls.server.mode=enforced"}
	code := run(t.Context(), []string{"-c", properties(t, "listenPrt=1", "listenPort=98x")}, func(k string) string { return env[k] }, &stdout, &stderr)
	if code != exitFailed || stdout.String() != "" {
		t.Errorf("exit code %d, stdout %s", code, &stdout)
	}
	lines := strings.Split(stderr.String(), "\n")
	wants := []string{
		`level=INFO msg="name server starts" version=` + namesrv.Version(),
		`level=WARN msg="options for Java without meaning here" options=-Drocketmq.nobody`,
		`level=WARN msg="unknown key in the configuration"`,
		`namesrv: -Dtls.server.mode is "enforced", must be disabled, permissive or enforcing`,
		`namesrv: listenPort is "98x", must be a whole number`,
		"",
	}
	if len(lines) != len(wants) {
		t.Fatalf("stderr is\n%s", &stderr)
	}
	for i, want := range wants {
		if !strings.Contains(lines[i], want) {
			t.Errorf("line %d is %s, want %s", i+1, lines[i], want)
		}
	}
}

// TestHomeOfJavaOptions: user.home moves the files as it does in Java.
func TestHomeOfJavaOptions(t *testing.T) {
	cfg, _, err := configure(flags{}, func(k string) string {
		return map[string]string{"JAVA_OPT": "-Duser.home=/srv/a", "JAVA_OPT_EXT": "-Duser.home=/srv/b -Drocketmq.home.dir=/c", "ROCKETMQ_HOME": "/d"}[k]
	}, &output{})
	if err != nil || cfg.KVConfigPath != "/srv/b/namesrv/kvConfig.json" || cfg.ConfigStorePath != "/srv/b/namesrv/namesrv.properties" || cfg.RocketMQHome != "/c" {
		t.Errorf("the files are %s and %s, RocketMQ is in %s, %v", cfg.KVConfigPath, cfg.ConfigStorePath, cfg.RocketMQHome, err)
	}
}

// TestMakeBuild builds programs that need no library of the system, whether there
// is a C compiler or not.
func TestMakeBuild(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("no make")
	}
	lines, err := exec.Command("make", "-n", "-C", "../..", "build").CombinedOutput()
	if text := string(lines); err != nil || !strings.Contains(text, "CGO_ENABLED=0 ") || !strings.Contains(text, " -trimpath ") {
		t.Errorf("make build does\n%s%v", lines, err)
	}
}
