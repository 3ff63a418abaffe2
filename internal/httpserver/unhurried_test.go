package httpserver

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A pipeListener accepts the far ends of pipes, which live in the time of a bubble.
type pipeListener struct {
	conns chan net.Conn
	once  sync.Once
	ended chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.ended:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.ended) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

// inTime runs f in a bubble with an unhurried server: 5 s for a request, 10 s for a
// write. dial sends what f wants to send.
func inTime(t *testing.T, f func(t *testing.T, s *Server, dial func(text string) net.Conn)) {
	synctest.Test(t, func(t *testing.T) {
		ln := &pipeListener{conns: make(chan net.Conn), ended: make(chan struct{})}
		o := options()
		o.Unhurried, o.ReadTimeout, o.WriteTimeout, o.IdleTimeout = true, 5*time.Second, 10*time.Second, time.Minute
		o.Listen = func() ([]net.Listener, error) { return []net.Listener{ln}, nil }
		o.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/slow":
				for range 3 {
					io.WriteString(w, "part")
					http.NewResponseController(w).Flush()
					select {
					case <-time.After(time.Minute):
					case <-r.Context().Done():
						t.Errorf("the request ends: %v", context.Cause(r.Context()))
					}
				}
			case "/huge":
				w.Write(bytes.Repeat([]byte("x"), 1<<20))
			}
		})
		s, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		f(t, s, func(text string) net.Conn {
			near, far := net.Pipe()
			ln.conns <- far
			go io.WriteString(near, text)
			return near
		})
		s.Stop(context.Background())
	})
}

// TestUnhurried: an answer may take longer than any timeout, though its peer sends
// nothing meanwhile, and the connection serves again after it.
func TestUnhurried(t *testing.T) {
	inTime(t, func(t *testing.T, s *Server, dial func(string) net.Conn) {
		const slow = "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
		c := dial(slow)
		r := bufio.NewReader(c)
		for i := range 2 {
			if i > 0 {
				go io.WriteString(c, slow)
			}
			a, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(a.Body); string(text) != "partpartpart" || err != nil {
				t.Errorf("read %q, %v", text, err)
			}
		}
		c.Close()
	})
}

// TestUnhurriedSlowPeers: whoever is slow has its time and loses the connection all
// the same.
func TestUnhurriedSlowPeers(t *testing.T) {
	for _, tt := range []struct {
		name, sent string
		within     time.Duration
	}{
		{"nothing is sent", "", 5 * time.Second},
		{"half a header", "GET / HTTP/1.1\r\nHost:", 5 * time.Second},
		{"the answer is not read", "GET /huge HTTP/1.1\r\nHost: h\r\n\r\n", 10 * time.Second},
		{"nothing more is asked", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", time.Minute},
		{"half a body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf", 5 * time.Second},
		{"no end of chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", 5 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inTime(t, func(t *testing.T, s *Server, dial func(string) net.Conn) {
				began := time.Now()
				c := dial(tt.sent)
				if tt.name != "the answer is not read" {
					io.Copy(io.Discard, c)
				} else {
					time.Sleep(tt.within + time.Second)
				}
				synctest.Wait()
				if took := time.Since(began); s.Stats().Open != 0 || took > tt.within+time.Second {
					t.Errorf("after %v %d connections are open", took, s.Stats().Open)
				}
				c.Close()
			})
		})
	}
}
