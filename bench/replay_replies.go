package bench

import (
	"sync"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
)

// replayPhase is the only phase of a replay.
const replayPhase = 1

// A waiter is a request that waits for its answer, when it was to be sent, and when it was.
type waiter struct {
	s         *send
	due, left time.Time
}

// waiters are those of one connection.
type waiters struct {
	p  *replay
	mu sync.Mutex
	of map[int32]waiter
}

func (w *waiters) put(opaque int32, one waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of[opaque] = one
}

// take returns the request with that number, nil if it does not wait.
func (w *waiters) take(opaque int32) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	one, ok := w.of[opaque]
	if !ok {
		return nil
	}
	delete(w.of, opaque)
	return &one
}

func (w *waiters) empty() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.of) == 0
}

// receive takes replies until the connection ends.
func (w *waiters) receive(conn *client.Conn) {
	var cmd codec.Command
	for {
		frame, err := conn.Receive()
		if err != nil {
			return
		}
		if cmd.Decode(frame) != nil || !cmd.Flag.IsResponse() {
			continue // servers ask brokers too
		}
		if one := w.take(cmd.Opaque); one != nil {
			w.p.answered(one, codec.ResponseCode(cmd.Code), len(frame))
		}
	}
}

// giveUp counts what is not answered.
func (w *waiters) giveUp() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for opaque, one := range w.of {
		w.p.failed(one.s.op, ErrorUnanswered)
		delete(w.of, opaque)
	}
}

// answered notes a reply. It is right if its code is the recorded one.
func (p *replay) answered(one *waiter, code codec.ResponseCode, size int) {
	now := time.Now()
	ns := int64(now.Sub(one.due))
	d := p.r.d
	d.mu.Lock()
	st := d.extraStats(replayPhase, one.s.op)
	st.bytes.Received += uint64(size)
	switch {
	case code == one.s.code || one.s.code < 0:
		st.record(ns)
		st.recordFromWrite(int64(now.Sub(one.left)))
	case code == codec.RespSystemBusy:
		st.fail(ErrorBusy)
	default:
		st.fail(ErrorDiffers)
	}
	d.mu.Unlock()
	p.count(ns)
}

func (p *replay) failed(op int, kind string) {
	d := p.r.d
	d.mu.Lock()
	defer d.mu.Unlock()
	d.extraStats(replayPhase, op).fail(kind)
}

// sent notes a request that is about to be written, so late.
func (p *replay) sent(s *send, size int, late time.Duration) {
	d := p.r.d
	d.mu.Lock()
	defer d.mu.Unlock()
	st := d.extraStats(replayPhase, s.op)
	st.sent++
	st.bytes.Sent += uint64(size)
	st.recordLateness(int64(late))
}

// over notes a request that was written and wants no answer.
func (p *replay) over(op int) {
	d := p.r.d
	d.mu.Lock()
	defer d.mu.Unlock()
	d.extraStats(replayPhase, op).answered++
}

// count counts a reply in its second.
func (p *replay) count(ns int64) {
	d := p.r.d
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int((d.now() - d.measured.Load()) / 1e9)
	if n != p.secNo {
		p.addSecond()
		p.secNo = n
	}
	p.sec.record(ns)
}

func (p *replay) endSecond() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addSecond()
}

// addSecond needs mu.
func (p *replay) addSecond() {
	if p.secNo >= 0 && p.sec.replies > 0 {
		p.r.d.series.add(p.secNo, "replay", p.sec)
	}
}
