package nsctl

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
	httpapi "gonamesrv/internal/admin"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// startServer starts a server of ours with nothing in it, without HTTP API.
func startServer(t *testing.T, change func(*namesrv.Config)) (addr string) {
	t.Helper()
	addr, err := tryServer(t, change)
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// startWithAPI starts a server of ours with its HTTP API.
func startWithAPI(t *testing.T, change func(*namesrv.Config)) (addr string) {
	t.Helper()
	for {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := free.Addr().(*net.TCPAddr).Port
		free.Close()
		addr, err := tryServer(t, func(c *namesrv.Config) {
			c.AdminServerPort = port
			if change != nil {
				change(c)
			}
		})
		if err == nil {
			return addr
		}
		if !strings.Contains(err.Error(), "in use") && !strings.Contains(err.Error(), "adminServerPort") { // else somebody was faster
			t.Fatal(err)
		}
	}
}

func tryServer(t *testing.T, change func(*namesrv.Config)) (string, error) {
	t.Helper()
	l, err := launch(t, t.TempDir(), change)
	if err != nil {
		return "", err
	}
	return l.addr, nil
}

// A launched is a name server of ours that runs, with what answers for its API.
type launched struct {
	*namesrv.Server
	addr string
	api  *httpapi.Admin
	stop func() // ends it; may be called twice
}

// launch starts a name server that keeps its files in dir. It listens for its API only if
// change has named a port. It ends with the test.
func launch(t testing.TB, dir string, change func(*namesrv.Config)) (*launched, error) {
	t.Helper()
	cfg := namesrv.DefaultConfig()
	cfg.TrustLoopback = true // in a container too, these tests change the configuration
	cfg.BindAddress, cfg.ListenPort, cfg.AdminServerPort = "127.0.0.1", 0, 0
	cfg.KVConfigPath, cfg.ConfigStorePath = filepath.Join(dir, "kvConfig.json"), filepath.Join(dir, "namesrv.properties")
	cfg.ShutdownWaitTime, cfg.DrainTime = 0, 0
	if change != nil {
		change(&cfg)
	}
	log := slog.New(slog.DiscardHandler)
	s, err := namesrv.New(cfg, log)
	if err != nil {
		return nil, err
	}
	l := &launched{Server: s, api: httpapi.New(s, log)}
	if cfg.AdminServerPort != 0 {
		s.Attach("admin", l.api)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	l.stop = sync.OnceFunc(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ends with %v", err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-ended:
		stop()
		return nil, err
	case <-time.After(nstest.Patience):
		stop()
		t.Fatal("the server does not start")
	}
	t.Cleanup(l.stop)
	l.addr = s.Addr().String()
	return l, nil
}

// mustLaunch is launch that cannot fail, with its API behind an address of its own.
func mustLaunch(t testing.TB, change func(*namesrv.Config)) (l *launched, web *httptest.Server) {
	t.Helper()
	l, err := launch(t, t.TempDir(), change)
	if err != nil {
		t.Fatal(err)
	}
	web = httptest.NewServer(l.api)
	t.Cleanup(func() { web.CloseClientConnections(); web.Close() })
	return l, web
}

// register registers a broker over a connection that stays open.
func register(t *testing.T, addr string, b nstest.Broker) {
	t.Helper()
	if reply := nstest.Dial(t, addr).Do(b.Register()); reply.Code != 0 {
		t.Fatalf("a registration is answered %d: %s", reply.Code, reply.Remark)
	}
}

var (
	brokerA = nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.1:10911", Counter: 7, Topics: []string{"broker-a", "ORDERS", "%RETRY%g", "größe"}, Fields: []string{"__ZONE_NAME", "zone-1"}}
	slaveA  = nstest.Broker{Cluster: "c1", Name: "broker-a", Addr: "10.0.0.2:10911", ID: 1, Counter: 7, Topics: brokerA.Topics, Fields: brokerA.Fields}
	brokerB = nstest.Broker{Cluster: "c2", Name: "broker-b", Addr: "10.0.0.3:10911", Counter: 1, Topics: []string{"broker-b", "ORDERS", "ONLY-B"}}
)

// startPair starts two servers. Only the first knows broker-b.
func startPair(t *testing.T) (first, second string) {
	t.Helper()
	first, second = startWide(t, nil), startWide(t, func(c *namesrv.Config) { c.OrderMessageEnable = true })
	for _, addr := range []string{first, second} {
		register(t, addr, brokerA)
		register(t, addr, slaveA)
	}
	register(t, first, brokerB)
	return first, second
}

// startWide starts a server on a port of five digits: the columns of a table are as wide as
// the addresses.
func startWide(t *testing.T, change func(*namesrv.Config)) (addr string) {
	t.Helper()
	for range 1000 {
		if addr = startServer(t, change); len(addr) == len(shownAddrs[0]) {
			return addr
		}
	}
	t.Fatal("this machine gives no port of five digits")
	return ""
}

// deadServer is an address where nobody listens.
const deadServer = "127.0.0.1:1"

// fakeServer answers as f says. No answer at all is what Java 4.9.7 gives to a request
// that it does not know.
func fakeServer(t *testing.T, version int, f func(r *codec.Command) *codec.Reply) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				c := nstest.NewClient(conn)
				for {
					frame, err := c.TryReadFrame(nstest.Patience)
					var r codec.Command
					if err != nil || r.Decode(frame) != nil {
						return
					}
					reply := f(&r)
					if reply == nil {
						continue
					}
					reply.Opaque = r.Opaque
					// A reply has the version of our server, whatever it is.
					text := codec.AppendReply(nil, codec.SerializeJSON, reply)
					text = bytes.Replace(text, []byte(`"version":`+strconv.Itoa(codec.Version)), []byte(`"version":`+strconv.Itoa(version)), 1)
					if c.TryWrite(text) != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}
