package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what must come, on a machine that is busy
// with something else.
const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// loopback binds one address, or several.
func loopback(n int) func() ([]net.Listener, error) {
	return func() (lns []net.Listener, err error) {
		for range n {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return nil, err
			}
			lns = append(lns, ln)
		}
		return lns, nil
	}
}

func options() Options {
	return Options{
		Name:           "test server",
		Listen:         loopback(1),
		Handler:        http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }),
		MaxConns:       4,
		MaxHeaderBytes: 1 << 10,
		ReadTimeout:    patience,
		WriteTimeout:   patience,
		IdleTimeout:    patience,
		Logger:         slog.New(slog.DiscardHandler),
	}
}

// start serves with o until the test ends.
func start(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(context.Background()) })
	return s
}

func dial(t *testing.T, addr net.Addr, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, text) // fails with a connection that is refused
	return c
}

// status returns the status of the next answer, 0 if there is none.
func status(c net.Conn) int {
	r, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	io.Copy(io.Discard, r.Body)
	r.Body.Close()
	return r.StatusCode
}

func wantClosed(t *testing.T, c net.Conn) {
	t.Helper()
	_, err := io.Copy(io.Discard, c)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		t.Error("the connection is not closed")
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not true: %s", what)
		}
	}
}

// TestConnections opens one more than there may be, on two listeners: they share
// the limit. The last is closed, and counted; a place that is left is free again.
func TestConnections(t *testing.T) {
	o := options()
	o.Listen = loopback(2)
	s := start(t, o)
	var open []net.Conn
	for i := range o.MaxConns {
		c := dial(t, s.Addrs()[i%2], request)
		if got := status(c); got != http.StatusOK {
			t.Fatalf("connection %d is answered %d", i, got)
		}
		open = append(open, c)
	}
	wantClosed(t, dial(t, s.Addrs()[0], request))
	eventually(t, "it is counted", func() bool { return s.Stats() == Stats{Open: o.MaxConns, Accepted: 5, Refused: 1} })
	open[0].Close()
	eventually(t, "a place is free", func() bool { return s.Stats().Open == o.MaxConns-1 })
	if got := status(dial(t, s.Addrs()[1], request)); got != http.StatusOK {
		t.Errorf("the next is answered %d", got)
	}
}

// TestSlowPeers: whoever is slow, in any way, has the time that is configured for
// it, and loses the connection.
func TestSlowPeers(t *testing.T) {
	const short = 50 * time.Millisecond
	huge := bytes.Repeat([]byte("x"), 64<<20) // more than sockets hold
	for _, tt := range []struct {
		name   string
		change func(*Options)
		sent   string
	}{
		{"nothing is sent", func(o *Options) { o.ReadTimeout = short }, ""},
		{"half a header", func(o *Options) { o.ReadTimeout = short }, "GET / HTTP/1.1\r\nHost:"},
		{"half a body", func(o *Options) { o.ReadTimeout = short }, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf"},
		{"nothing more is asked", func(o *Options) { o.IdleTimeout = short }, request},
		{"the answer is not read", func(o *Options) {
			o.WriteTimeout = short
			o.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(huge) })
		}, request},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := options()
			tt.change(&o)
			s := start(t, o)
			c := dial(t, s.Addrs()[0], tt.sent)
			eventually(t, "it was there, and is gone", func() bool { return s.Stats() == Stats{Accepted: 1} })
			wantClosed(t, c)
		})
	}
}

// TestHeaderSize sends a header that fits, and one that does not.
func TestHeaderSize(t *testing.T) {
	s := start(t, options())
	for n, want := range map[int]int{512: http.StatusOK, 8 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		c := dial(t, s.Addrs()[0], "GET / HTTP/1.1\r\nHost: h\r\nX: "+strings.Repeat("x", n)+"\r\n\r\n")
		if got := status(c); got != want {
			t.Errorf("a header of %d bytes is answered %d, want %d", n, got, want)
		}
	}
}

// TestNoise: what net/http says of a peer, here that its handler panics, goes
// where it is limited, and nowhere else.
func TestNoise(t *testing.T) {
	var mu sync.Mutex
	var said []string
	o := options()
	o.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("mine") })
	o.OnNoise = func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
	}
	var log bytes.Buffer // read after Stop
	o.Logger = slog.New(slog.NewTextHandler(&log, nil))
	s := start(t, o)
	wantClosed(t, dial(t, s.Addrs()[0], request))
	s.Stop(t.Context())
	if len(said) != 1 || !strings.Contains(said[0], "mine") || strings.HasSuffix(said[0], "\n") {
		t.Errorf("said %q", said)
	}
	if strings.Contains(log.String(), "mine") {
		t.Errorf("the log is %s", &log)
	}
}

// TestStop: with Drain an answer under way is finished, without it is cut off.
// Nobody new is accepted, idle connections are closed.
func TestStop(t *testing.T) {
	for _, drain := range []time.Duration{patience, 0} {
		t.Run(drain.String(), func(t *testing.T) {
			entered, release := make(chan struct{}, 1), make(chan struct{})
			o := options()
			o.Drain = drain
			o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					entered <- struct{}{}
					<-release
				}
				io.WriteString(w, "hello")
			})
			s := start(t, o)
			idle := dial(t, s.Addrs()[0], request)
			if got := status(idle); got != http.StatusOK {
				t.Fatalf("answered %d", got)
			}
			slow := dial(t, s.Addrs()[0], "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
			<-entered
			stopped := make(chan struct{})
			go func() { defer close(stopped); s.Stop(context.Background()) }()
			wantClosed(t, idle)
			eventually(t, "nobody new is accepted", func() bool {
				c, err := net.Dial("tcp", s.Addrs()[0].String())
				if err == nil {
					c.Close()
				}
				return err != nil
			})
			want := http.StatusOK
			if drain == 0 {
				want = 0
				wantClosed(t, slow)
			}
			select {
			case <-stopped:
				t.Error("Stop returns while a handler runs")
			default:
			}
			close(release)
			if got := status(slow); got != want {
				t.Errorf("the answer under way is %d, want %d", got, want)
			}
			<-stopped
			if got := s.Stats().Open; got != 0 {
				t.Errorf("%d connections are open at the end", got)
			}
		})
	}
}

// TestStopIsBounded: a handler that hangs does not keep Stop, which has a time.
func TestStopIsBounded(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	o := options()
	o.Drain = patience
	o.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered); <-release })
	s := start(t, o)
	c := dial(t, s.Addrs()[0], request)
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Stop(ctx)
	wantClosed(t, c)
	close(release)
}

// TestBind: peers may connect before Start, and addresses can be given up.
func TestBind(t *testing.T) {
	o := options()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Bind(); err != nil {
		t.Fatal(err)
	}
	c := dial(t, s.Addrs()[0], request)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := status(c); got != http.StatusOK {
		t.Errorf("who came before Start is answered %d", got)
	}
	s.Stop(t.Context())

	s, _ = New(o)
	if err := s.Bind(); err != nil {
		t.Fatal(err)
	}
	s.Unbind()
	if c, err := net.Dial("tcp", s.Addrs()[0].String()); err == nil {
		c.Close()
		t.Error("still bound")
	}

	busy := errors.New("busy")
	o.Listen = func() ([]net.Listener, error) { return nil, busy }
	s, _ = New(o)
	if err := s.Start(t.Context()); !errors.Is(err, busy) || err.Error() != "test server: busy" {
		t.Errorf("error is %v", err)
	}
}

// TestOptions: each limit has to be said.
func TestOptions(t *testing.T) {
	if _, err := New(Options{}); err == nil ||
		err.Error() != "httpserver: options lack Name, Listen, Handler, MaxConns, MaxHeaderBytes, ReadTimeout, WriteTimeout, IdleTimeout, Logger" {
		t.Errorf("error is %v", err)
	}
}
