package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// peer listens, and serves the one connection it gets with f.
func peer(t *testing.T, f func(net.Conn)) (addr string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		f(c)
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

// nobody returns an address that refuses connections, and goes on to: its port
// is that of a connection, so that nobody else is given it to listen on.
func nobody(t *testing.T) string {
	t.Helper()
	c, err := net.Dial("tcp", peer(t, func(c net.Conn) { c.Read(make([]byte, 1)) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

func TestSendOnce(t *testing.T) {
	const budget = patience
	t.Run("all bytes and then the end", func(t *testing.T) {
		got := make(chan []byte, 1)
		addr := peer(t, func(c net.Conn) {
			b, _ := io.ReadAll(c)
			got <- b
		})
		if err := SendOnce(t.Context(), addr, nil, []byte("notice"), budget, budget); err != nil {
			t.Fatal(err)
		}
		if b := <-got; string(b) != "notice" {
			t.Errorf("the peer has read %q", b)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		if err := SendOnce(t.Context(), nobody(t), nil, []byte("x"), budget, budget); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("no address", func(t *testing.T) {
		if err := SendOnce(t.Context(), "nonsense", nil, []byte("x"), budget, budget); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a peer that does not read", func(t *testing.T) {
		release := make(chan struct{})
		addr := peer(t, func(net.Conn) { <-release })
		defer close(release)
		err := SendOnce(t.Context(), addr, nil, make([]byte, 64<<20), budget, 20*time.Millisecond)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("given up before it begins", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := SendOnce(ctx, nobody(t), nil, []byte("x"), budget, budget); err == nil || errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("error is %v", err)
		}
	})
}

// TestDialTLS sends and asks over TLS, of a peer who hangs up and of one who
// does not, and of one who does not speak it.
func TestDialTLS(t *testing.T) {
	const budget = patience
	trusting := &tls.Config{InsecureSkipVerify: true}
	got := make(chan string, 2)
	addr := peer(t, func(c net.Conn) {
		b, err := io.ReadAll(tls.Server(c, serverTLS()))
		got <- fmt.Sprintf("%s, %v", b, err)
	})
	if err := SendOnce(t.Context(), addr, trusting, []byte("notice"), budget, budget); err != nil {
		t.Error(err)
	}
	if s := <-got; s != "notice, <nil>" {
		t.Errorf("the peer has read %s", s)
	}
	release := make(chan struct{})
	addr = peer(t, func(c net.Conn) { tls.Server(c, serverTLS()).Handshake(); <-release })
	// All the time there is passes, and that is no error; more on a machine on
	// which it is too little to write anything.
	write := 50 * time.Millisecond
	err := SendOnce(t.Context(), addr, trusting, []byte("notice"), budget, write)
	for ; err != nil && write < patience/2; write *= 2 {
		again := peer(t, func(c net.Conn) { tls.Server(c, serverTLS()).Handshake(); <-release })
		err = SendOnce(t.Context(), again, trusting, []byte("notice"), budget, write)
	}
	if err != nil {
		t.Error(err)
	}
	close(release)
	if err := SendOnce(t.Context(), peer(t, func(c net.Conn) { c.Write([]byte("plain")) }), trusting, []byte("x"), budget, budget); err == nil {
		t.Error("a peer without TLS has got something")
	}
	if err := SendOnce(t.Context(), peer(t, func(c net.Conn) { io.Copy(io.Discard, c) }), trusting, []byte("x"), 50*time.Millisecond, budget); err == nil {
		t.Error("a peer who never shakes hands has got something")
	}
	addr = peer(t, func(c net.Conn) {
		s := tls.Server(c, serverTLS())
		q, _ := readFrame(s)
		s.Write(frameOf(append(q, "!"...)))
	})
	answer, err := Ask(t.Context(), addr, trusting, textFrame("why"), splitInt32)
	if string(answer) != string(textFrame("why!")) {
		t.Errorf("answer %q, %v", answer, err)
	}
}

func TestAsk(t *testing.T) {
	answer := append(binary.BigEndian.AppendUint32(nil, 40_000), bytes.Repeat([]byte("a"), 40_000)...)
	ask := func(t *testing.T, f func(net.Conn)) ([]byte, error) {
		return Ask(t.Context(), peer(t, f), nil, []byte("\x00\x00\x00\x01q"), splitInt32)
	}
	t.Run("an answer in pieces, and more behind it", func(t *testing.T) {
		got, err := ask(t, func(c net.Conn) {
			io.ReadFull(c, make([]byte, 5))
			for b := append(bytes.Clone(answer), "more"...); len(b) > 0; {
				n := min(len(b), 9_999)
				c.Write(b[:n])
				b = b[n:]
			}
		})
		if err != nil || !bytes.Equal(got, answer) {
			t.Errorf("answer of %d bytes, error %v", len(got), err)
		}
	})
	t.Run("half an answer", func(t *testing.T) {
		_, err := ask(t, func(c net.Conn) { io.ReadFull(c, make([]byte, 5)); c.Write(answer[:50]) })
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("no frame", func(t *testing.T) {
		_, err := ask(t, func(c net.Conn) { io.ReadFull(c, make([]byte, 5)); c.Write([]byte("\xff\xff\xff\xff")) })
		if !errors.Is(err, ErrMalformed) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("no answer", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		addr := peer(t, func(c net.Conn) {
			io.ReadFull(c, make([]byte, 5))
			cancel()          // while the asker waits
			c.Read([]byte{0}) // until it has closed
		})
		if _, err := Ask(ctx, addr, nil, []byte("\x00\x00\x00\x01q"), splitInt32); !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		if _, err := Ask(t.Context(), nobody(t), nil, nil, splitInt32); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("error is %v", err)
		}
	})
}

// TestDialLastColon dials addresses of IPv6 as brokers register them, with
// brackets and without.
func TestDialLastColon(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	for _, addr := range []string{"::1:" + port, "[::1]:" + port, "0:0:0:0:0:0:0:1:" + port} {
		done := make(chan string, 1)
		go func() {
			c, err := ln.Accept()
			if err != nil {
				done <- err.Error()
				return
			}
			defer c.Close()
			b, _ := io.ReadAll(c)
			done <- string(b)
		}()
		if err := SendOnce(t.Context(), addr, nil, []byte("notice"), time.Minute, time.Minute); err != nil {
			t.Fatalf("%s: %v", addr, err)
		}
		if got := <-done; got != "notice" {
			t.Errorf("the peer at %s has read %q", addr, got)
		}
	}
	for _, addr := range []string{"", ":", "::1", "no address", "[::1", "[::1]", "a:b:c"} {
		if err := SendOnce(t.Context(), addr, nil, []byte("x"), time.Minute, time.Minute); err == nil {
			t.Errorf("somebody is at %q", addr)
		}
	}
}
