package admin

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"gonamesrv/engine"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// patience is how long a test waits for what must come.
const patience = time.Minute

// dial connects and sends a text.
func (r *running) dial(text string) net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, text) // fails with a connection that is refused
	return c
}

// wantClosed reads until the end and returns what came before.
func wantClosed(t *testing.T, c net.Conn) string {
	t.Helper()
	text, err := io.ReadAll(c)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		t.Error("the connection is not closed")
	}
	return string(text)
}

const livez = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"

// TestPortTaken: a port that nobody has asked for may belong to another program. The
// server then serves without its admin listener and says so; a port or an address that
// somebody has asked for stops the start.
func TestPortTaken(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().String()
	for _, tt := range []struct {
		name    string
		port    int
		address string // adminBindAddress
		bind    string // what is bound really
		want    string // "": the server starts
	}{
		{"default", namesrv.DefaultAdminPort, "127.0.0.1", taken, ""},
		{"default port, other address", namesrv.DefaultAdminPort, "0.0.0.0", taken, ""},
		{"no loopback", namesrv.DefaultAdminPort, "127.0.0.1", "192.0.2.1:0", ""},
		{"configured port", 19877, "127.0.0.1", taken, "listen on " + taken + ": bind: address already in use; change adminServerPort"},
		{"configured address", namesrv.DefaultAdminPort, "192.0.2.1", "192.0.2.1:0", "listen on 192.0.2.1:0: bind: cannot assign requested address; change adminBindAddress"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log := &logText{}
			a := adminOf(t, func(c *namesrv.Config) { c.AdminServerPort, c.AdminBindAddress = tt.port, tt.address }, newLog(log))
			a.listenAt = func([]string) ([]net.Listener, error) { return engine.ListenAll("tcp", []string{tt.bind}) }
			if tt.want != "" {
				if err := startError(t, a); err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("the error is %v, want %s", err, tt.want)
				}
				return
			}
			r := runAdmin(t, a, log)
			nstest.Dial(t, r.server.Addr().String()).Do(nstest.Route("TopicTest"))
			// The line says what does not work now, what to change, and how to find who is in the way.
			words := []string{"level=WARN msg=\"admin server is off\"", "; change admin", "console", "/metrics", "/readyz", "nsctl", " key=adminBindAddress"}
			if tt.bind == taken {
				words[len(words)-1] = " key=adminServerPort whoHasIt=\"" + whoHasPort(runtime.GOOS, namesrv.DefaultAdminPort) + "\""
			}
			line := ""
			for l := range strings.Lines(log.String()) {
				if strings.Contains(l, "admin server is off") {
					line += l
				}
			}
			for _, word := range words {
				if !strings.Contains(line, word) || strings.Count(line, "\n") != 1 {
					t.Errorf("the log says %q, want %q in it", line, word)
				}
			}
			if got := r.Stats(); got != (Stats{}) {
				t.Errorf("the counters are %+v", got)
			}
		})
	}
	off := run(t, func(c *namesrv.Config) { c.AdminServerPort, c.AdminTokenFile = 0, "listener_test.go/file" })
	if off.http != nil || strings.Contains(off.log.String(), "admin server") {
		t.Error("port 0 is not off")
	}
	if !off.Alive() {
		t.Error("it is not alive without a listener")
	}
}

// TestAsteriskIsAnswered: OPTIONS * is answered as any other method that is none here, by us
// and not by net/http: with the headers of every answer, and for hosts that are here.
func TestAsteriskIsAnswered(t *testing.T) {
	r := run(t, nil)
	for _, tt := range []struct {
		ask  string
		want int
	}{
		{"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", http.StatusMethodNotAllowed},
		{"OPTIONS * HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n", http.StatusMisdirectedRequest},
		{"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", http.StatusNotFound},
	} {
		a, err := http.ReadResponse(bufio.NewReader(r.dial(tt.ask)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if a.StatusCode != tt.want || a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%q is answered %s %q, want %d", tt.ask, a.Status, a.Header.Get("Content-Type"), tt.want)
		}
		for name, want := range headers {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%q is answered with %s %q, want %q", tt.ask, name, got, want)
			}
		}
		if allow := a.Header.Get("Allow"); tt.want == http.StatusMethodNotAllowed && allow != "GET, HEAD" {
			t.Errorf("%q is allowed %q", tt.ask, allow)
		}
	}
}

// TestConnectionsAreBounded opens 128 connections, and one more, which is closed; a
// place that is left is free again.
func TestConnectionsAreBounded(t *testing.T) {
	r := run(t, nil)
	most := r.server.Config().AdminMaxConnections
	var open []net.Conn
	for i := range most {
		c := r.dial(livez)
		if a, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || a.StatusCode != 200 {
			t.Fatalf("connection %d: %v", i, err)
		}
		open = append(open, c)
	}
	if got := wantClosed(t, r.dial(livez)); got != "" {
		t.Errorf("one more is answered %s", got)
	}
	nstest.Eventually(t, "it is counted as one refused, and as none open", func() bool {
		got := r.Stats().HTTP
		return got.Refused == 1 && got.Open == most
	})
	open[0].Close()
	nstest.Eventually(t, "a place is free", func() bool { return r.Stats().HTTP.Open < most })
	if a, err := http.ReadResponse(bufio.NewReader(r.dial(livez)), nil); err != nil || a.StatusCode != 200 {
		t.Errorf("the next: %v", err)
	}
}

// TestSlowHeader: whoever sends slowly is closed, a header that is too long is refused,
// and nobody waits for the rest of a body.
func TestSlowHeader(t *testing.T) {
	r := run(t, nil)
	slow := r.dial("GET /livez HTTP/1.1\r\nHost: local")
	long := r.dial("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 16<<10) + "\r\n\r\n")
	if got := wantClosed(t, long); !strings.Contains(got, "431 ") {
		t.Errorf("a long header is answered %s", got)
	}
	body := r.dial("GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf")
	if got := wantClosed(t, body); !strings.Contains(got, "400 ") || !strings.Contains(got, "bad-parameter") {
		t.Errorf("half a body is answered %s", got)
	}
	wantClosed(t, slow) // after 5 s
}

// TestEnd: the listener is closed when nobody is served any more; a request under way
// does not keep the server.
func TestEnd(t *testing.T) {
	a := adminOf(t, nil, newLog(&logText{}))
	entered := make(chan struct{})
	a.mux.Handle("/test/endless", a.serve(row{needs: roleProbes, handle: func(_ *Admin, _ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}}))
	r := runAdmin(t, a, &logText{})
	c := r.dial("GET /test/endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-entered
	r.end()
	r.wait()
	wantClosed(t, c)
	if c, err := net.Dial("tcp", r.addr); err == nil {
		c.Close()
		t.Error("somebody listens after the end")
	}
}

// certificate writes a certificate and its key, and returns its serial number.
func writeCertificate(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{"localhost"}, NotAfter: time.Now().AddDate(0, 0, 3).Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert": {Type: "CERTIFICATE", Bytes: der}, "key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTLS speaks HTTPS, with the certificate of the name server, although that has no
// TLS itself; and with the next one when the files have changed.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	writeCertificate(t, dir, 1)
	r := run(t, func(c *namesrv.Config) {
		c.AdminTLSEnable = true
		c.TLS.ServerMode, c.TLS.TestMode, c.TLS.ConfigFile = "disabled", false, ""
		c.TLS.ServerCertPath, c.TLS.ServerKeyPath = filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	})
	serial := func() int64 {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		a, err := client.Get("https://" + r.addr + "/readyz?verbose")
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		text, _ := io.ReadAll(a.Body)
		if a.StatusCode != 200 || !strings.Contains(string(text), "[!]certificate ends in 3 days\n") {
			t.Errorf("answered %d %s", a.StatusCode, text)
		}
		return a.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("certificate %d", got)
	}
	if got := wantClosed(t, r.dial(livez)); !strings.Contains(got, "400 Bad Request") {
		t.Errorf("without TLS it is answered %s", got)
	}
	writeCertificate(t, dir, 2)
	nstest.Eventually(t, "the next certificate is shown", func() bool { r.server.Reload(); return serial() == 2 })
}

// TestStopDuringStart: an Admin that was never started stops.
func TestStopDuringStart(t *testing.T) {
	adminOf(t, nil, newLog(&logText{})).Stop(context.Background())
}
