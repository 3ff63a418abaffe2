package namesrv

import (
	"slices"
	"sync"
	"sync/atomic"

	"gonamesrv/codec"
)

// How many requests may wait for a late answer. Each holds a few hundred bytes for
// as long as its peer stays connected.
const (
	maxLateOfConn = 64
	maxLate       = 8192
)

// errTooManyLate refuses a request that would have to wait beside too many others.
var errTooManyLate = &refusal{why: reasonTooManyLate, code: codec.RespSystemBusy, remark: remarkOverload}

// A lateReply answers a request after its handler has returned without an answer.
// It keeps those parts of the request that the answer needs, and no bytes of the
// frame. It ends once: by Send, when the connection ends, or when the server starts
// to drain.
type lateReply struct {
	s     *Server
	r     request // header without remark, fields and body
	gone  func()
	ended bool // under lateReplies.mu
}

// later promises that r will be answered after its handler has returned. A handler
// calls it once at most. If the handler then returns no error, nothing is sent until
// Send; if it returns an error, that is the answer and Send does nothing.
//
// gone is called once if the request ends without Send, because the connection has
// ended or because the server drains and has answered by itself. It may be nil. It
// may be called before later returns, on an event loop, and must not block.
//
// later fails when too many requests of the connection, or of all, wait already, and
// while the server drains. A request that waits does not keep its connection open: a
// peer that sends nothing else is idle as always. The line of an admin change is written
// when its handler returns.
func (s *Server) later(r *request, gone func()) (*lateReply, error) {
	p := &lateReply{s: s, gone: gone, r: request{
		conn: r.conn,
		row:  r.row,
		cmd: codec.Command{
			Code: r.cmd.Code, Language: r.cmd.Language, Version: r.cmd.Version,
			Opaque: r.cmd.Opaque, Flag: r.cmd.Flag, SerializeType: r.cmd.SerializeType,
		},
		tally: s.tallies.workers,
	}}
	if err := s.late.add(p); err != nil {
		return nil, err
	}
	r.late = p
	if !r.conn.Alive() { // Closed may have come before add
		s.late.abandon(r.conn.ID())
	}
	return p, nil
}

// Send answers the request, unless it is oneway, and reports whether nothing had
// ended p before. err is as a handler returns it. The body of the reply is the
// caller's again when Send returns. Safe from any goroutine.
func (p *lateReply) Send(reply codec.Reply, err error) bool {
	if !p.s.late.end(p) {
		return false
	}
	p.answer(reply, err)
	return true
}

// answer sends the reply of a p that has ended.
func (p *lateReply) answer(reply codec.Reply, err error) {
	p.r.memory = reservation{budget: p.s.budget}
	defer p.r.memory.release()
	if err == nil {
		err = p.s.affordReply(&p.r, &reply)
	}
	if out := p.s.answer(&p.r, nil, reply, err); len(out) > 0 {
		p.r.conn.Send(out)
	}
}

// lateReplies are the requests that wait to be answered later. The zero value is
// ready. Safe from any goroutine.
type lateReplies struct {
	size atomic.Int64 // of byConn; changed under mu

	mu      sync.Mutex
	drained bool                    // under mu
	byConn  map[uint64][]*lateReply // under mu; no list is empty
}

// add lets p wait, if there is room.
func (l *lateReplies) add(p *lateReply) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := p.r.conn.ID()
	switch {
	case l.drained:
		return partingError(&p.r.cmd)
	case l.size.Load() >= maxLate || len(l.byConn[id]) >= maxLateOfConn:
		return errTooManyLate
	}
	if l.byConn == nil {
		l.byConn = map[uint64][]*lateReply{}
	}
	l.byConn[id] = append(l.byConn[id], p)
	l.size.Add(1)
	p.r.row.counts.late.Add(1)
	return nil
}

// end makes p wait no more, and reports whether it did until now.
func (l *lateReplies) end(p *lateReply) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.ended {
		return false
	}
	id := p.r.conn.ID()
	rest := slices.DeleteFunc(l.byConn[id], func(q *lateReply) bool { return q == p })
	if len(rest) == 0 {
		delete(l.byConn, id)
	} else {
		l.byConn[id] = rest
	}
	l.endLocked(p)
	return true
}

// endLocked counts p out. The caller has taken it out of byConn.
func (l *lateReplies) endLocked(p *lateReply) {
	p.ended = true
	l.size.Add(-1)
	p.r.row.counts.late.Add(-1)
}

// abandon ends the waiting requests of a connection that has ended.
func (l *lateReplies) abandon(id uint64) {
	if l.size.Load() == 0 { // whoever is added from now on sees that the connection is dead
		return
	}
	l.mu.Lock()
	list := l.byConn[id]
	delete(l.byConn, id)
	for _, p := range list {
		l.endLocked(p)
	}
	l.mu.Unlock()
	for _, p := range list {
		p.r.row.counts.abandoned.Add(1)
		p.r.tally.came(p.r.row, outcomeAbandoned)
		p.tellGone()
	}
}

// drain answers all requests that wait. From then on none may wait.
func (l *lateReplies) drain() {
	l.mu.Lock()
	l.drained = true
	byConn := l.byConn
	l.byConn = nil
	for _, list := range byConn {
		for _, p := range list {
			l.endLocked(p)
		}
	}
	l.mu.Unlock()
	for _, list := range byConn {
		for _, p := range list {
			p.answer(codec.Reply{}, partingError(&p.r.cmd))
			p.tellGone()
		}
	}
}

func (p *lateReply) tellGone() {
	if p.gone != nil {
		p.gone()
	}
}

// partingError is the answer to a request that waits when the server is about to
// end. Peers that do not know GO_AWAY are told to come again.
func partingError(cmd *codec.Command) error {
	if cmd.Version > codec.V5_3_1 {
		return errGoAway
	}
	return errParting
}

// errParting is errGoAway for peers that do not know its code.
var errParting = &refusal{why: reasonGoAway, code: codec.RespSystemBusy, remark: remarkOverload}
