//go:build soak

package soak

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// actors are all that the server has to bear. An error that an actor returns is a fault
// of the server. Actors that misbehave return none for what the server does to them.
var actors = []actor{
	{"reader", readers, readRoutes},
	{"TLS reader", 2, readRoutesOverTLS},
	{"storm", 2, storm},
	{"churn", 2, churn},
	{"slow reader", 4, neverRead},
	{"garbage", 2, sendGarbage},
	{"half frame", 4, sendHalfFrame},
	{"announcement", 4, announce},
	{"broken TLS", 2, breakHandshake},
	{"connect", 2, connect},
}

// readRoutes asks for routes over one connection for a while.
func readRoutes(ctx context.Context, w *world) error {
	p, err := dial(w.addr)
	if err != nil {
		return err
	}
	return w.read(ctx, p)
}

func readRoutesOverTLS(ctx context.Context, w *world) error {
	raw, err := net.DialTimeout("tcp", w.addr, timeout)
	if err != nil {
		return err
	}
	raw.SetDeadline(time.Now().Add(timeout))
	c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) // the server's certificate is its own
	if err := c.Handshake(); err != nil {
		raw.Close()
		return err
	}
	return w.read(ctx, &peer{Conn: c})
}

func (w *world) read(ctx context.Context, p *peer) error {
	defer p.Close()
	for range 1 + w.rand.IntN(500) {
		if ctx.Err() != nil {
			return nil
		}
		b := w.brokers[w.rand.IntN(len(w.brokers))]
		if err := b.checkRoute(p, b.Topics[w.rand.IntN(len(b.Topics))]); err != nil {
			return err
		}
	}
	return nil
}

// guest is a broker that comes and goes.
func (w *world) guest(kind string, topics int) nstest.Broker {
	b := nstest.Broker{
		Cluster: "guests", Name: fmt.Sprintf("%s-%d", kind, w.number), Addr: fmt.Sprintf("10.1.0.%d:10911", w.number),
		Counter: int64(w.rand.IntN(1 << 30)),
	}
	for range topics {
		b.Topics = append(b.Topics, fmt.Sprintf("guest-%d", w.rand.IntN(5000)))
	}
	return b
}

// storm registers many topics again and again, other ones each time, and then unregisters.
func storm(ctx context.Context, w *world) error {
	p, err := dial(w.addr)
	if err != nil {
		return err
	}
	defer p.Close()
	for range 5 {
		b := w.guest("storm", 2000)
		if _, err := p.succeed(b.Register()); err != nil {
			return err
		}
	}
	b := w.guest("storm", 0)
	_, err = p.succeed(b.Unregister())
	return err
}

// churn registers a broker and closes its connection: soon after that a route request
// for its topics must get TOPIC_NOT_EXIST.
func churn(ctx context.Context, w *world) error {
	p, err := dial(w.addr)
	if err != nil {
		return err
	}
	b := w.guest("churn", 0)
	b.Topics = []string{b.Name, b.Name + "-too"} // a first registration of one topic is refused
	if _, err := p.succeed(b.Register()); err != nil {
		p.Close()
		return err
	}
	if w.rand.IntN(2) == 0 {
		p.reset()
	} else {
		p.Close()
	}
	q, err := dial(w.addr)
	if err != nil {
		return err
	}
	defer q.Close()
	for deadline := time.Now().Add(timeout); ; time.Sleep(time.Millisecond) {
		reply, err := q.ask(nstest.Route(b.Topics[0]))
		if err != nil {
			return err
		}
		if codec.ResponseCode(reply.Code) == codec.RespTopicNotExist {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("a broker whose connection is closed stays in its route")
		}
	}
}

// neverRead sends requests and reads no reply, until the server closes the connection or
// a while has passed.
func neverRead(ctx context.Context, w *world) error {
	p, err := dial(w.addr)
	if err != nil {
		return err
	}
	defer p.reset()
	var requests []byte
	for range 500 {
		requests = append(requests, p.frame(nstest.Route(w.brokers[0].Topics[0]))...)
	}
	p.SetDeadline(time.Now().Add(time.Duration(w.rand.IntN(2000)) * time.Millisecond))
	for {
		if _, err := p.Write(requests); err != nil {
			return nil
		}
	}
}

// sendGarbage sends random bytes.
func sendGarbage(_ context.Context, w *world) error {
	p, err := dial(w.addr)
	if err != nil {
		return err
	}
	defer p.Close()
	b := make([]byte, 4+w.rand.IntN(10_000))
	for i := range b {
		b[i] = byte(w.rand.Uint32())
	}
	if w.rand.IntN(2) == 0 {
		// A whole frame with garbage inside.
		binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	}
	p.SetDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = p.Write(b)
	_, _ = io.Copy(io.Discard, p)
	return nil
}

// sendHalfFrame sends the beginning of a registration and waits a little.
func sendHalfFrame(ctx context.Context, w *world) error {
	p, err := dial(w.addr)
	if err != nil {
		return err
	}
	defer p.reset()
	b := w.guest("half", 1000)
	frame := p.frame(b.Register())
	p.SetDeadline(time.Now().Add(timeout))
	_, _ = p.Write(frame[:1+w.rand.IntN(len(frame)-1)])
	w.wait(ctx, 300*time.Millisecond)
	return nil
}

// announce sends the length of the largest frame and a few bytes of the frame.
func announce(ctx context.Context, w *world) error {
	p, err := dial(w.addr)
	if err != nil {
		return err
	}
	defer p.Close()
	b := make([]byte, 4+w.rand.IntN(1<<16))
	binary.BigEndian.PutUint32(b, codec.MaxFrameLength-4)
	p.SetDeadline(time.Now().Add(timeout))
	_, _ = p.Write(b)
	w.wait(ctx, 300*time.Millisecond)
	return nil
}

// breakHandshake begins a TLS handshake and closes the connection in the middle of it.
func breakHandshake(ctx context.Context, w *world) error {
	p, err := dial(w.addr)
	if err != nil {
		return err
	}
	defer p.reset()
	left, right := net.Pipe()
	defer left.Close()
	defer right.Close()
	go func() { _ = tls.Client(right, &tls.Config{InsecureSkipVerify: true}).Handshake() }()
	hello := make([]byte, 4096)
	n, err := left.Read(hello)
	if err != nil {
		return err
	}
	p.SetDeadline(time.Now().Add(timeout))
	_, _ = p.Write(hello[:1+w.rand.IntN(n)])
	w.wait(ctx, 200*time.Millisecond)
	return nil
}

// connect opens some connections that say nothing.
func connect(ctx context.Context, w *world) error {
	for range 50 {
		p, err := dial(w.addr)
		if err != nil {
			return err
		}
		defer p.Close()
	}
	w.wait(ctx, 300*time.Millisecond)
	return nil
}

// wait waits for up to d.
func (w *world) wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(w.rand.Int64N(int64(d)))):
	}
}
