package namesrv_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

const threeServers = "10.0.0.1:9876;10.0.0.2:9876;[fd00::1]:9876"

// addressing starts a server with an address server that tells list.
func addressing(t *testing.T, list string, change ...func(*namesrv.Config)) *testServer {
	t.Helper()
	return start(t, func(c *namesrv.Config) {
		c.AddressServerPort, c.AddressServerList = 8080, list
		for _, f := range change {
			f(c)
		}
	}, func(s *namesrv.Server) { s.ServeAddressesAt("127.0.0.1:0") })
}

// rawHTTP sends text to the address server.
func rawHTTP(t *testing.T, s *testServer, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.AddressServer())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(nstest.Patience))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestAddressServer asks as the clients do and compares the bytes of the
// answers, but for the date.
func TestAddressServer(t *testing.T) {
	s := addressing(t, threeServers)
	const (
		found    = "200 OK\r\nContent-Length: 42\r\nContent-Type: text/plain\r\nDate: D\r\n"
		notFound = "404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nDate: D\r\nContent-Length: 10\r\n"
	)
	cases := []struct{ name, request, status, body string }{
		{"Java", "GET /rocketmq/nsaddr HTTP/1.1\r\nClient-Version: V5_3_3\r\nContent-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n" +
			"Accept-Charset: UTF-8\r\nMetaq-Client-RequestTS: 1700000000000\r\nHost: h:8080\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 " + found, threeServers},
		{"a unit", "GET /rocketmq/nsaddr-center?nofix=1 HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 " + found, threeServers},
		{"C++", "GET /rocketmq/nsaddr HTTP/1.0\r\nHost: h:8080\r\nAccept: */*\r\nConnection: close\r\n\r\n", "HTTP/1.0 " + found, threeServers},
		{"C++ without a header", "GET /rocketmq/nsaddr HTTP/1.0\r\n\r\n", "HTTP/1.0 " + found, threeServers},
		{"HEAD", "HEAD /rocketmq/nsaddr HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 " + found + "Connection: close\r\n", ""},
		{"another group", "GET /rocketmq/nsaddress HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 " + notFound, "not found\n"},
		{"an empty unit", "GET /rocketmq/nsaddr- HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 " + notFound, "not found\n"},
		{"below a unit", "GET /rocketmq/nsaddr-a/b HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 " + notFound, "not found\n"},
		{"the root", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 " + notFound, "not found\n"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			want := tc.status + "\r\n" + tc.body
			c := rawHTTP(t, s, tc.request)
			buf := make([]byte, 4096)
			n, err := c.Read(buf) // one segment, so one read
			if err != nil {
				t.Fatal(err)
			}
			got := regexp.MustCompile(`(?m)^Date: .*GMT`).ReplaceAllString(string(buf[:n]), "Date: D")
			if got != want {
				t.Errorf("answer is\n%q, want\n%q", got, want)
			}
			if strings.Contains(tc.status, "HTTP/1.0") || strings.Contains(tc.status, "close") {
				if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
					t.Errorf("then come %q and %v", rest, err)
				}
			}
		})
	}
	t.Run("POST", func(t *testing.T) {
		r, err := http.Post("http://"+s.AddressServer()+"/rocketmq/nsaddr", "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("answer is %v", r)
		}
	})
	t.Run("a long header", func(t *testing.T) {
		c := rawHTTP(t, s, "GET /rocketmq/nsaddr HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("x", 12<<10)+"\r\n\r\n")
		if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || r.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("answer is %v, %v", r, err)
		}
	})
	t.Run("no HTTP", func(t *testing.T) {
		c := rawHTTP(t, s, string(recorded(t, "route_request"))+"\r\n\r\n")
		if got, _ := io.ReadAll(c); bytes.Contains(got, []byte("200 OK")) {
			t.Errorf("answer is %q", got)
		}
	})
}

// TestAddressServerSubgroup serves another path.
func TestAddressServerSubgroup(t *testing.T) {
	s := addressing(t, "10.0.0.1:9876", func(c *namesrv.Config) { c.NamesrvDomainSubgroup = "ours" })
	for path, want := range map[string]int{"ours": 200, "ours-unit": 200, "nsaddr": 404} {
		c := rawHTTP(t, s, "GET /rocketmq/"+path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		if r, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || r.StatusCode != want {
			t.Errorf("%s: %v, %v; want status %d", path, r, err, want)
		}
	}
}

// TestAddressServerConnections opens more connections than there may be. Those
// beyond are closed; the server ends with the rest open.
func TestAddressServerConnections(t *testing.T) {
	s := addressing(t, "10.0.0.1:9876")
	const request = "GET /rocketmq/nsaddr HTTP/1.1\r\nHost: h\r\n\r\n"
	var open []net.Conn
	for {
		c, err := net.Dial("tcp", s.AddressServer())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(nstest.Patience))
		io.WriteString(c, request)
		if _, err := c.Read(make([]byte, 1024)); err != nil {
			break // io.EOF or a reset
		}
		if open = append(open, c); len(open) > 64 {
			t.Fatal("more than 64 connections are open")
		}
	}
	if len(open) != 64 {
		t.Errorf("%d connections are open, want 64", len(open))
	}
	open[0].Close()
	nstest.Eventually(t, "there is room for one more", func() bool {
		c, err := net.Dial("tcp", s.AddressServer())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(nstest.Patience))
		io.WriteString(c, request)
		_, err = c.Read(make([]byte, 1024))
		return err == nil
	})
}

// TestAddressServerPortTaken fails at start, and leaves no listener behind.
func TestAddressServerPortTaken(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	port := busy.Addr().(*net.TCPAddr).Port
	cfg := namesrv.DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	cfg.AddressServerPort, cfg.AddressServerList = port, "10.0.0.1:9876"
	listen := func() error {
		s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if cfg.AddressServerPort != port {
			s.ServeAddressesAt("127.0.0.1:0")
		}
		err = s.Run(t.Context())
		if cfg.AddressServerPort != port {
			if _, dialed := net.Dial("tcp", s.AddressServer()); dialed == nil {
				t.Error("the address server still listens")
			}
		}
		return err
	}
	want := fmt.Sprintf("namesrv: address server: listen on 127.0.0.1:%d: bind: address already in use; change addressServerPort", port)
	if err := listen(); err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	cfg.ListenPort, cfg.AddressServerPort = port, 8080
	if err := listen(); err == nil || !strings.HasPrefix(err.Error(), "namesrv: listen on ") || !strings.HasSuffix(err.Error(), "; change listenPort") {
		t.Errorf("error is %v", err)
	}
}

// TestAddressListFaults has lists that clients stumble over.
func TestAddressListFaults(t *testing.T) {
	cases := []struct{ list, fault string }{
		{"10.0.0.1:9876", ""},
		{threeServers, ""},
		{"namesrv.example.org:9876", ""}, // a warning
		{"", "empty item"},
		{"10.0.0.1:9876;", "empty item"},
		{";10.0.0.1:9876", "empty item"},
		{"10.0.0.1:9876; 10.0.0.2:9876", "blank"},
		{"10.0.0.1:9876\n10.0.0.2:9876", "blank"},
		{"[fd00::1]:9876;fd00::2:9876", ""},
		{"10.0.0.1:9876,10.0.0.2:9876", "not host:port"},
		{"10.0.0.1", "not host:port"},
		{"[10.0.0.1:9876", "not host:port"},
		{":9876", "not host:port"},
		{"10.0.0.1:0", "not host:port"},
		{"10.0.0.1:65536", "not host:port"},
		{"10.0.0.1:http", "not host:port"},
		{"0.0.0.0:9876", "nobody's address"},
		{"[::]:9876", "nobody's address"},
		{strings.Repeat("10.0.0.1:9876;", 74) + "10.0.0.1:9876", "must be at most 1024"},
	}
	for _, tc := range cases {
		cfg := namesrv.DefaultConfig()
		cfg.AddressServerPort, cfg.AddressServerList = 8080, tc.list
		err := cfg.Validate()
		if tc.fault == "" && err != nil || tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)) {
			t.Errorf("list %q: %v, want %q", tc.list, err, tc.fault)
		}
		cfg.AddressServerPort = 0
		if err := errors.Join(cfg.Validate()); err != nil {
			t.Errorf("list %q is not used, yet: %v", tc.list, err)
		}
	}
	cfg := namesrv.DefaultConfig()
	cfg.AddressServerPort, cfg.AddressServerList, cfg.NamesrvDomainSubgroup = 70_000, "10.0.0.1:9876", "a/b"
	for _, key := range []string{"addressServerPort is 70000", "rocketmq.namesrv.domain.subgroup is \"a/b\""} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("the fault of %s is not reported in: %v", key, err)
		}
	}
	var log bytes.Buffer
	cfg.AddressServerPort, cfg.AddressServerList, cfg.NamesrvDomainSubgroup = 8080, "10.0.0.1:9876;ns.example.org:9876", "nsaddr"
	if _, err := namesrv.New(cfg, slog.New(slog.NewTextHandler(&log, nil))); err != nil || strings.Count(log.String(), "level=WARN") != 1 || !strings.Contains(log.String(), "addr=ns.example.org:9876") {
		t.Errorf("error %v, log %q", err, &log)
	}
}
