package namesrv

import (
	"fmt"
	"sync"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
)

// A request is one command being served. It is borrowed by its handler: the
// memory is used again for the next one.
type request struct {
	conn engine.Conn
	row  *row
	cmd  codec.Command
	body codec.RegisterBrokerBody // REGISTER_BROKER only
	seq  uint64                   // number of a REGISTER_BROKER as they arrive, from 1; else 0

	tally *tally        // that counts it
	timed bool          // how long it takes is looked at
	began time.Duration // if so: when, engine time

	key        *accessKey // that it was let in by; nil if nobody had to look
	how        signed     // what came of its signature; signedNot if nobody has looked, or there is none
	unverified bool       // a worker is to verify its signature
	verified   *verified  // what stands for it, a registration whose signature is right; else nil

	memory reservation // until it is answered; of those that a pool serves
	change adminChange // what is logged of it, if the row wants that
	damped bool        // the answer is sent later, see damper.go
	late   *lateReply  // what Server.later has made of it; else nil
}

var requests = sync.Pool{New: func() any { return new(request) }}

// Serve answers one frame, or hands it to a pool. Event loop only.
// Java: NettyRemotingAbstract#processMessageReceived.
func (s *Server) Serve(c engine.Conn, _ time.Duration, frame, out []byte) []byte {
	r := requests.Get().(*request)
	defer requests.Put(r)
	if err := r.cmd.Decode(frame); err != nil {
		return s.drop(c, out, err)
	}
	if r.cmd.Flag.IsResponse() {
		s.dispatch.other.refuse(reasonStray) // we never ask over an accepted connection
		return out
	}
	r.conn, r.row, r.seq, r.late, r.damped = c, s.dispatch.of(r.cmd.Code), 0, nil, false
	r.key, r.how, r.unverified, r.verified = nil, signedNot, false, nil
	tag := connTag(c.Tag())
	if tag == 0 {
		tag = s.meet(c, &r.cmd)
	}
	r.tally, r.timed = s.tallies.all[tag.tally()], false
	if r.tally.isDue() {
		s.beginSample(r)
	}
	if s.mustGo(&r.cmd) {
		s.noteRefusedChange(r, errGoAway)
		return s.answer(r, out, codec.Reply{}, errGoAway)
	}
	if p := s.rules.inForce.Load(); r.row.right&^p.everybody != 0 {
		if err := s.access(p, r, len(frame)); err != nil {
			s.noteRefusedChange(r, err)
			return s.answer(r, out, codec.Reply{}, err)
		}
	}
	if r.row.who == asksForAddresses {
		s.noteHorizon(c)
	} else if r.row.who == isBroker && !tag.isBroker() {
		if r.unverified {
			noteProof(c, tag)
		} else {
			noteBroker(c, tag)
		}
	}
	if r.row.class == onLoop {
		reply, err := r.row.handle(s, r)
		return s.finish(r, out, reply, err)
	}
	if s.pools.submit(r.row.class, c, frame, s.taskOf(r)) {
		return out
	}
	s.noteRefusedChange(r, errOverload)
	out = s.answer(r, out, codec.Reply{}, errOverload)
	s.noteOverload(c, r.cmd.Code)
	return out
}

// Left implements engine.Leaver: what changes the tables or the configuration counts
// also when its sender has hung up before its turn came, as with Java, which serves
// all that it has read. Who asks questions, or shows that it lives, has gone.
func (s *Server) Left(c engine.Conn, frame []byte) {
	r := requests.Get().(*request)
	err := r.cmd.Decode(frame)
	w := s.dispatch.of(r.cmd.Code)
	changes := err == nil && !r.cmd.Flag.IsResponse() && w.class != onLoop && !w.question && !s.draining.Load()
	requests.Put(r)
	if changes {
		s.Serve(c, 0, frame, nil)
	}
}

// A carried is what the event loop knows of a request that waits, beside its frame.
type carried struct {
	seq        uint64
	key        *accessKey
	how        signed
	unverified bool
	verified   *verified
}

// taskOf returns the task that serves r later. A registration gets a number: its
// meaning depends on whether a later one was refused while it waited.
func (s *Server) taskOf(r *request) engine.Task {
	if r.row.serial {
		r.seq = s.arrivals.Add(1)
	} else if r.key == nil && r.how == signedNot && !r.unverified {
		return s.task
	}
	with := carried{r.seq, r.key, r.how, r.unverified, r.verified}
	return func(c engine.Conn, arrived time.Duration, frame, out []byte) []byte {
		return s.serveQueued(c, arrived, frame, out, with)
	}
}

// serveQueued answers a frame that waited in a pool. It has been decoded once
// already; decoding the header again is cheaper than keeping it.
func (s *Server) serveQueued(c engine.Conn, arrived time.Duration, frame, out []byte, with carried) []byte {
	r := requests.Get().(*request)
	defer requests.Put(r)
	if err := r.cmd.Decode(frame); err != nil {
		return s.drop(c, out, err)
	}
	r.conn, r.row, r.seq, r.late, r.damped = c, s.dispatch.of(r.cmd.Code), with.seq, nil, false
	r.key, r.how, r.unverified, r.verified = with.key, with.how, false, with.verified
	r.tally, r.timed, r.began = s.tallies.workers, true, arrived
	r.change = adminChange{}
	if r.row.question && s.isOld(arrived) {
		s.noteOld(r)
		return s.answer(r, out, codec.Reply{}, errTooOld)
	}
	if with.unverified {
		if err := s.accessQueued(r); err != nil {
			s.noteRefusedChange(r, err)
			return s.answer(r, out, codec.Reply{}, err)
		}
	}
	r.memory = reservation{budget: s.budget}
	defer r.memory.release()
	if err := s.mustNotServe(r); err != nil {
		s.noteRefusedChange(r, err)
		return s.answer(r, out, codec.Reply{}, err)
	}
	reply, err := r.row.handle(s, r)
	if err == nil {
		err = s.affordReply(r, &reply)
	}
	s.noteChange(r, err)
	return s.finish(r, out, reply, err)
}

// finish answers a request that its handler has returned from, unless it is to be
// answered later.
func (s *Server) finish(r *request, out []byte, reply codec.Reply, err error) []byte {
	if r.late != nil && (err == nil || !s.late.end(r.late)) {
		return out
	}
	if r.damped {
		return s.answerDamped(r, out, reply, err)
	}
	return s.answer(r, out, reply, err)
}

// drop closes a connection that has sent a frame with a broken header: such a frame
// cannot be answered.
func (s *Server) drop(c engine.Conn, out []byte, err error) []byte {
	s.dispatch.other.refuse(reasonMalformed)
	c.Close(fmt.Errorf("%w: %w", engine.ErrMalformed, err))
	return out
}

// answer appends the reply to a request, unless its sender wants none, and counts
// the request and why it was refused. All requests end here, those that are answered later too.
func (s *Server) answer(r *request, out []byte, reply codec.Reply, err error) []byte {
	if err != nil {
		r.row.refuse(reasonOf(err))
		s.noteMissed(r, err)
	}
	o := outcomeOneway
	if !r.cmd.Flag.IsOneway() {
		reply = s.replyTo(r, reply, err)
		out = s.appendReply(r, out, &reply)
		o = outcomeOf(reply.Code)
	}
	r.tally.came(r.row, o)
	if r.timed {
		s.endSample(r, o)
	}
	return out
}
