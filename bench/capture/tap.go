package capture

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"gonamesrv/codec"
)

// Options say what a Tap does.
type Options struct {
	Target string // host:port of the server
	Bodies bool   // record them too
	Writer *Writer
	Log    *slog.Logger // nil says nothing
}

const (
	// mostConns bounds the connections that a tap forwards at a time. One more is
	// closed at once.
	mostConns  = 20_000
	connectFor = 10 * time.Second
	flushEvery = time.Second
	copySize   = 32 << 10
)

// A Tap forwards connections to a server and records what goes by.
type Tap struct {
	o     Options
	begun time.Time
	key   [32]byte // of all hashes
	conns atomic.Int64
	last  atomic.Int64 // number of the newest connection
}

// NewTap makes a tap whose records count from begun.
func NewTap(o Options, begun time.Time) *Tap {
	t := &Tap{o: o, begun: begun}
	if o.Log == nil {
		t.o.Log = slog.New(slog.DiscardHandler)
	}
	_, _ = rand.Read(t.key[:]) // it never fails
	return t
}

// Micros is the time of a record that is made now.
func (t *Tap) Micros() int64 { return time.Since(t.begun).Microseconds() }

// Serve takes connections until ctx ends; then it closes them all.
func (t *Tap) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { t.flush(ctx) })
	for {
		in, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			var temporary net.Error
			if errors.As(err, &temporary) && temporary.Timeout() {
				continue
			}
			return err
		}
		if t.conns.Add(1) > mostConns {
			t.conns.Add(-1)
			in.Close()
			continue
		}
		wg.Go(func() {
			defer t.conns.Add(-1)
			t.forward(ctx, in)
		})
	}
}

func (t *Tap) flush(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	said := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		t.o.Writer.Flush()
		if t.o.Writer.Full() && !said {
			said = true
			t.o.Log.Warn("the capture is full: connections are forwarded on, and not recorded")
		}
	}
}

// forward is one connection.
func (t *Tap) forward(ctx context.Context, in net.Conn) {
	defer in.Close()
	n := int(t.last.Add(1))
	dialer := net.Dialer{Timeout: connectFor}
	out, err := dialer.DialContext(ctx, "tcp", t.o.Target)
	if err != nil {
		t.o.Log.Warn("the server cannot be reached", "error", err.Error())
		return
	}
	defer out.Close()
	stop := context.AfterFunc(ctx, func() { in.Close(); out.Close() })
	defer stop()
	t.o.Writer.Write(&Record{Micros: t.Micros(), Conn: n, Event: Opened})
	var wg sync.WaitGroup
	wg.Go(func() { t.copy(out, in, n, Request) })
	wg.Go(func() { t.copy(in, out, n, Reply) })
	wg.Wait()
	t.o.Writer.Write(&Record{Micros: t.Micros(), Conn: n, Event: Closed})
}

// copy forwards one direction, and ends it as it ended. What it forwards has left
// before it is looked at.
func (t *Tap) copy(to, from net.Conn, conn int, event string) {
	c := t.cutter(conn, event)
	buf := make([]byte, copySize)
	cuts := true
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				reset(from, to)
				return
			}
			if cuts {
				if cuts = c.feed(buf[:n]); !cuts {
					t.o.Writer.Write(&Record{Micros: t.Micros(), Conn: conn, Event: Uncut})
				}
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if half, ok := to.(*net.TCPConn); ok {
				_ = half.CloseWrite() // gone already when this fails
			}
			return
		case err != nil:
			reset(from, to)
			return
		}
	}
}

// reset ends both sides at once, as the one did that is gone.
func reset(conns ...net.Conn) {
	for _, c := range conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		c.Close()
	}
}

// cutter records the frames of one direction.
func (t *Tap) cutter(conn int, event string) *cutter {
	c := &cutter{bodies: t.o.Bodies}
	var body hash.Hash
	if event == Request {
		body = hmac.New(sha256.New, t.key[:])
		c.hash = func(b []byte) { body.Write(b) }
	}
	c.emit = func(cmd *codec.Command, size int, kept []byte) {
		r := Record{Micros: t.Micros(), Conn: conn, Event: event, Size: size, Code: -1}
		if cmd != nil {
			r.Code, r.Opaque, r.Oneway = int(cmd.Code), cmd.Opaque, cmd.Flag.IsOneway()
			r.Binary = cmd.SerializeType == codec.SerializeRocketMQ
			t.note(&r, cmd, event)
		}
		if len(kept) > 0 {
			r.Body = kept
		}
		if body != nil {
			if r.Code == int(codec.ReqRegisterBroker) {
				r.BodyHash = short(body.Sum(nil))
			}
			body.Reset()
		}
		t.o.Writer.Write(&r)
	}
	return c
}

// hashed are the names in headers that say which topic or broker is meant.
var hashed = []string{"topic", "brokerName", "brokerAddr", "clusterName"}

// note takes what a replay needs from a header, names as their hashes.
func (t *Tap) note(r *Record, cmd *codec.Command, event string) {
	if event != Request {
		return
	}
	for _, name := range hashed {
		if v, ok := cmd.Ext.Get(name); ok {
			if r.Names == nil {
				r.Names = map[string]string{}
			}
			r.Names[name] = t.hash(name, v)
		}
	}
	if v, _ := cmd.Ext.Get("compressed"); string(v) == "true" {
		r.Compressed = true
	}
}

// hash hides a name. Equal names of one kind have equal hashes.
func (t *Tap) hash(kind string, name []byte) string {
	h := hmac.New(sha256.New, t.key[:])
	h.Write([]byte(kind))
	h.Write([]byte{0})
	h.Write(name)
	return short(h.Sum(nil))
}

// short is enough of a hash that a million names are different.
func short(sum []byte) string { return hex.EncodeToString(sum[:10]) }
