package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// The socket buffers, in bytes, of a client that does not read. They are small,
	// so that unread replies stay with the server and not in the kernel.
	slowReadBuffer, slowWriteBuffer = 4096, 16 << 10
	// slowEnough bounds the bytes that one such client asks for. A server that keeps
	// all of them in memory should grow visibly, but should not run out of memory.
	slowEnough = 32 << 20
	// heldUp is how long a write must block before we say that the server has
	// stopped to read.
	heldUp = time.Second
)

func planSlowReader(r *run) error {
	r.addReaders()
	op := r.addOp("asked and not read", true)
	r.parts = []part{{name: "undisturbed"}, {name: "slow readers", do: func(ctx context.Context) error {
		return r.slowReaders(ctx, op)
	}}}
	return nil
}

// slowReaders lets clients ask without reading while others are served.
func (r *run) slowReaders(ctx context.Context, op int) error {
	c, err := dialCaller(ctx, &r.d.dialer)
	if err != nil {
		return err
	}
	t := r.fleet.topics[0]
	_, err = c.ask(t.request.appendTo, t, r.d.now(), 0)
	size := c.size
	c.close()
	if err != nil {
		return fmt.Errorf("ask for the size of a reply: %w", err)
	}
	ending, cancel := context.WithTimeout(ctx, time.Duration(r.p.Duration))
	defer cancel()
	from := r.d.now()
	var stopped, last atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, r.p.SlowReaders)
	for range r.p.SlowReaders {
		wg.Go(func() {
			held, sent, err := r.slowReader(ending, t, slowEnough/max(1, size))
			if err != nil {
				errs <- err
				return
			}
			r.d.noteSent(2, op, uint64(sent), uint64(sent*len(t.request.frame)))
			if held {
				stopped.Add(1)
				last.Store(r.d.now())
			}
			<-ending.Done() // its connection is closed with the phase, not before
		})
	}
	wg.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return err
	}
	n := int(stopped.Load())
	r.observe(fmt.Sprintf("%d of %d slow readers held up or closed", n, r.p.SlowReaders), "slow readers", max(0, last.Load()-from), n == r.p.SlowReaders)
	return ctx.Err()
}

// slowReader asks n times and never reads. It reports whether the server held
// it up or closed the connection, and how often it asked.
func (r *run) slowReader(ctx context.Context, t *topic, n int) (held bool, sent int, err error) {
	conn, err := r.d.dial(ctx)
	if err != nil {
		return false, 0, fmt.Errorf("connect: %w", err)
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	tcp, _ := tcpOf(conn)
	_, _ = tcp.SetReadBuffer(slowReadBuffer), tcp.SetWriteBuffer(slowWriteBuffer) // larger ones only take longer to fill
	opaque := int32(firstNumber)
	var out []byte
	const batch = 16
	for sent < n && ctx.Err() == nil {
		out = out[:0]
		for range batch {
			out = t.request.appendTo(out, opaque)
			opaque++
		}
		conn.SetWriteDeadline(time.Now().Add(heldUp))
		if _, err := conn.Write(out); err != nil {
			return errors.Is(err, os.ErrDeadlineExceeded) || ctx.Err() == nil, sent, nil
		}
		sent += batch
	}
	return false, sent, nil
}
