package namesrv

import (
	"log/slog"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"
)

// newController is a server that is not listening yet, on a free port.
// Java: NamesrvController.
func newController(t *testing.T, change func(*Config)) (*Server, Config) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s, cfg
}

// A new server has the configuration of the name server it was given.
//
// Java: NamesrvControllerTest#getNamesrvConfig
func TestM01_getNamesrvConfig(t *testing.T) {
	s, cfg := newController(t, func(c *Config) {
		c.RocketMQHome, c.SupportActingMaster, c.EnableTopicList = "/opt/rocketmq", true, false
	})
	if got := *s.config(); !reflect.DeepEqual(got, cfg) {
		t.Errorf("the configuration is\n\t%+v, want\n\t%+v", got, cfg)
	}
}

// A new server has the configuration of its sockets it was given, and says where
// it will listen.
//
// Java: NamesrvControllerTest#getNettyServerConfig
func TestM02_getNettyServerConfig(t *testing.T) {
	s, cfg := newController(t, func(c *Config) {
		c.ListenPort, c.ServerSelectorThreads, c.ServerChannelMaxIdle, c.WriteBufferHighWaterMark = 1, 2, time.Hour, 12345
	})
	if got := *s.config(); !reflect.DeepEqual(got, cfg) {
		t.Errorf("the configuration is\n\t%+v, want\n\t%+v", got, cfg)
	}
	if got := s.config().Addresses(); len(got) != 1 || got[0] != "127.0.0.1:1" {
		t.Errorf("it will listen at %s", got)
	}
}

// A new server has a KV config, in which there is nothing: no order configuration
// and no namespace.
//
// Java: NamesrvControllerTest#getKvConfigManager
func TestM03_getKvConfigManager(t *testing.T) {
	s, _ := newController(t, func(c *Config) { c.KVConfigPath = filepath.Join(t.TempDir(), "kvConfig.json") })
	if got := s.kv.now.Load().table.Namespaces; len(got) > 0 {
		t.Errorf("the KV config of a new server is %v", got)
	}
	if got := s.kv.orderTable(); got != nil {
		t.Errorf("the order configuration of a new server is %s", got)
	}
}

// A new server has a table, in which nothing is registered.
//
// Java: NamesrvControllerTest#getRouteInfoManager
func TestM04_getRouteInfoManager(t *testing.T) {
	s, _ := newController(t, nil)
	v := s.table.View()
	if v.TopicCount() != 0 || v.BrokerCount() != 0 || v.LiveCount() != 0 {
		t.Errorf("a new server knows %d topics, %d broker names and %d live brokers", v.TopicCount(), v.BrokerCount(), v.LiveCount())
	}
	if err := s.table.CheckInvariants(); err != nil {
		t.Error(err)
	}
}

// A new server does not listen yet.
//
// Java: NamesrvControllerTest#getRemotingServer
func TestM05_getRemotingServer(t *testing.T) {
	s, _ := newController(t, nil)
	if got := s.Addr(); got != nil {
		t.Errorf("a new server listens at %v", got)
	}
	if s.pools != nil {
		t.Error("a new server has pools")
	}
}

// A server that has been told to listen has a socket of its own, which it says.
// (Java sets one from outside; ours can only make its own.)
//
// Java: NamesrvControllerTest#setRemotingServer
func TestM06_setRemotingServer(t *testing.T) {
	s, _ := newController(t, nil)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.engine.Close() })
	addr, ok := s.Addr().(*net.TCPAddr)
	if !ok || addr.Port == 0 || !addr.IP.IsLoopback() {
		t.Fatalf("it listens at %v", s.Addr())
	}
	conn, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatalf("nobody listens there: %v", err)
	}
	conn.Close()
}

// A new server can list its whole configuration, key by key.
//
// Java: NamesrvControllerTest#getConfiguration
func TestM07_getConfiguration(t *testing.T) {
	s, _ := newController(t, func(c *Config) { c.SupportActingMaster = true })
	lines := s.config().Properties()
	if len(lines) != len(configKeys) {
		t.Errorf("%d lines for %d keys", len(lines), len(configKeys))
	}
	for _, want := range []string{"supportActingMaster=true", "enableAllTopicList=true", "bindAddress=127.0.0.1", "scanNotActiveBrokerInterval=5000"} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %s in %q", want, lines)
		}
	}
}
