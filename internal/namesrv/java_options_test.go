package namesrv

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gonamesrv/codec"
)

// TestJavaOptions sets everything that Java's name server reads from system
// properties, wherever it is in our configuration.
func TestJavaOptions(t *testing.T) {
	cfg := DefaultConfig()
	notes, err := cfg.LoadJavaOptions("-server -Xmx4g -XX:+UseG1GC -Duser.home=/srv/mq -Drocketmq.home.dir=/opt/rocketmq -Drocketmq.serialize.type=ROCKETMQ " +
		"-Dcom.rocketmq.remoting.frameMaxLength=33554432 -Dcom.rocketmq.remoting.socket.sndbuf.size=1 -Dcom.rocketmq.remoting.socket.rcvbuf.size=2 " +
		"-Dcom.rocketmq.remoting.socket.backlog=3 -Dcom.rocketmq.remoting.write.buffer.high.water.mark=5 -Dcom.rocketmq.remoting.write.buffer.low.water.mark=4 " +
		"-Drocketmq.namesrv.addr=a:1;b:2 -Drocketmq.namesrv.domain=example.org -Drocketmq.namesrv.domain.subgroup=sub\t\n" +
		"-Dtls.server.mode=enforcing -Dtls.enable=true -Dtls.server.need.client.auth=REQUIRE -Djava.io.tmpdir=/tmp -D -Dx -Dtls.server.mode=disabled")
	if err != nil || len(notes) != 0 {
		t.Errorf("notes %v, %v", notes, err)
	}
	want := DefaultConfig()
	want.KVConfigPath, want.ConfigStorePath = filepath.FromSlash("/srv/mq/namesrv/kvConfig.json"), filepath.FromSlash("/srv/mq/namesrv/namesrv.properties")
	want.RouteSnapshotPath = filepath.FromSlash("/srv/mq/namesrv/routes.snap")
	want.RocketMQHome, want.SerializeType, want.FrameMaxLength = "/opt/rocketmq", codec.SerializeRocketMQ, 32<<20
	want.ServerSocketSndBufSize, want.ServerSocketRcvBufSize, want.Unused.ServerSocketBacklog = 1, 2, 3
	want.WriteBufferHighWaterMark, want.WriteBufferLowWaterMark = 5, 4
	want.ProductNamesrvAddr, want.NamesrvDomain, want.NamesrvDomainSubgroup = "a:1;b:2", "example.org", "sub"
	want.TLS.ServerMode, want.TLS.ClientEnable, want.TLS.ServerNeedClientAuth = "disabled", true, "require"
	want.JavaOptions = []string{
		"kvConfigPath", "configStorePath", "routeSnapshotPath", "rocketmqHome", "frameMaxLength", "serverSocketSndBufSize", "serverSocketRcvBufSize",
		"serverSocketBacklog", "writeBufferHighWaterMark", "writeBufferLowWaterMark", "productNamesrvAddr", "rocketmq.namesrv.domain",
		"rocketmq.namesrv.domain.subgroup", "tls.server.mode", "tls.enable", "tls.server.need.client.auth",
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("the configuration is\n%+v, want\n%+v", cfg, want)
	}
	if _, err := cfg.LoadJavaOptions("-Duser.home= -Drocketmq.serialize.type="); err != nil || cfg.KVConfigPath != want.KVConfigPath || cfg.SerializeType != codec.SerializeJSON {
		t.Errorf("empty values give %+v, %v", cfg, err)
	}
}

// TestJavaOptionsThatDoNotParse: whatever an option is, a value that does not
// parse stops the start.
func TestJavaOptionsThatDoNotParse(t *testing.T) {
	options := "-Drocketmq.serialize.type=foo"
	count := 1
	for option, key := range javaOptionKeys {
		k, ok := knownKeys[key]
		if !ok {
			t.Fatalf("%s is %s, which is no key", option, key)
		}
		if kind, values := unparsable(k); kind != "text" {
			options += " -D" + option + "=" + values[0]
			count++
		}
	}
	cfg := DefaultConfig()
	_, err := cfg.LoadJavaOptions(options)
	for option := range strings.FieldsSeq(options) {
		name, value, _ := strings.Cut(option, "=")
		if !strings.Contains(fmt.Sprint(err), fmt.Sprintf("namesrv: %s is %q, must be ", name, value)) {
			t.Errorf("nothing is said of %s in\n%v", option, err)
		}
	}
	if !reflect.DeepEqual(cfg, DefaultConfig()) || count < 12 {
		t.Errorf("of %d options the configuration is\n%+v", count, cfg)
	}
}

// TestJavaOptionsIgnored names what looks like an option of RocketMQ, and nothing
// else.
func TestJavaOptionsIgnored(t *testing.T) {
	cfg := DefaultConfig()
	notes, err := cfg.LoadJavaOptions("-Drocketmq.remoting.version=1 -Dcom.rocketmq.remoting.client.worker.size=2 -Dtls.servermode=x -DlistenPort=3 -Drmq.logback.configurationFile=f -Dfile.encoding=UTF-8 -Drocketmq")
	const want = "[{WARN options for Java without meaning here [options -Drocketmq.remoting.version, -Dcom.rocketmq.remoting.client.worker.size, -Dtls.servermode, -DlistenPort, -Drmq.logback.configurationFile] <nil>}]"
	if got := fmt.Sprint(notes); err != nil || got != want || !reflect.DeepEqual(cfg, DefaultConfig()) {
		t.Errorf("notes %v, %v, want %s", got, err, want)
	}
}

// TestJavaOptionChanged: a request changes a key that came by an option, also for
// the next start.
func TestJavaOptionChanged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "namesrv.properties")
	options := "-Dcom.rocketmq.remoting.socket.rcvbuf.size=3 -Dcom.rocketmq.remoting.socket.sndbuf.size=1"
	load := func() Config {
		cfg := DefaultConfig()
		if _, err := cfg.LoadJavaOptions(options); err != nil {
			t.Fatal(err)
		}
		cfg.KVConfigPath, cfg.ConfigStorePath = "", file
		return cfg
	}
	s, err := New(load(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.UpdateConfig("serverSocketRcvBufSize=4"); err != nil {
		t.Fatal(err)
	}
	options = strings.ReplaceAll(options, "=1", "=2")
	cfg := load()
	if _, err := cfg.LoadProperties(file); err != nil {
		t.Fatal(err)
	}
	if cfg.ServerSocketRcvBufSize != 4 || cfg.ServerSocketSndBufSize != 2 {
		t.Errorf("at the next start they are %d and %d", cfg.ServerSocketRcvBufSize, cfg.ServerSocketSndBufSize)
	}
}
