package namesrv

import (
	"fmt"
	"sync"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
)

// A handler serves one kind of request. The reply's body is copied before the
// request ends, so it may be shared or borrowed.
type handler func(s *Server, r *request) (codec.Reply, error)

// A requestKind is one row of the dispatch table.
type requestKind struct {
	class  class
	handle handler
}

// requestKinds is every request that is served. Java: NamesrvController#registerProcessor,
// DefaultRequestProcessor#processRequest.
var requestKinds = map[codec.RequestCode]requestKind{
	codec.ReqPutKVConfig:                   {asDisk, putKVConfig},
	codec.ReqGetKVConfig:                   {asAdmin, getKVConfig},
	codec.ReqDeleteKVConfig:                {asDisk, deleteKVConfig},
	codec.ReqRegisterBroker:                {asChange, registerBroker},
	codec.ReqUnregisterBroker:              {asChange, unregisterBroker},
	codec.ReqGetRouteInfoByTopic:           {onLoop, getRouteInfoByTopic},
	codec.ReqGetBrokerClusterInfo:          {asAdmin, getBrokerClusterInfo},
	codec.ReqWipeWritePermOfBroker:         {asAdmin, wipeWritePermOfBroker},
	codec.ReqGetAllTopicListFromNameserver: {asAdmin, getAllTopicListFromNameserver},
	codec.ReqDeleteTopicInNamesrv:          {asAdmin, deleteTopicInNamesrv},
	codec.ReqRegisterTopicInNamesrv:        {asChange, registerTopicInNamesrv},
	codec.ReqGetKVListByNamespace:          {asAdmin, getKVListByNamespace},
	codec.ReqGetTopicsByCluster:            {asAdmin, getTopicsByCluster},
	codec.ReqGetSystemTopicListFromNS:      {asAdmin, getSystemTopicListFromNs},
	codec.ReqGetUnitTopicList:              {asAdmin, getUnitTopicList},
	codec.ReqGetHasUnitSubTopicList:        {asAdmin, getHasUnitSubTopicList},
	codec.ReqGetHasUnitSubUnunitTopicList:  {asAdmin, getHasUnitSubUnunitTopicList},
	codec.ReqUpdateNamesrvConfig:           {asDisk, updateNamesrvConfig},
	codec.ReqGetNamesrvConfig:              {asAdmin, getNamesrvConfig},
	codec.ReqQueryDataVersion:              {onLoop, queryDataVersion},
	codec.ReqAddWritePermOfBroker:          {asAdmin, addWritePermOfBroker},
	codec.ReqGetBrokerMemberGroup:          {asLiveness, getBrokerMemberGroup},
	codec.ReqBrokerHeartbeat:               {onLoop, brokerHeartbeat},
}

// A request is one command being served. It is borrowed by its handler: the
// memory is used again for the next one.
type request struct {
	conn engine.Conn
	cmd  codec.Command
	body codec.RegisterBrokerBody // REGISTER_BROKER only
	seq  uint64                   // number of a REGISTER_BROKER as they arrive, from 1; else 0

	memory reservation // until it is answered; of those that a pool serves
	change adminChange // what is logged of the requests of changeArgs
}

var requests = sync.Pool{New: func() any { return new(request) }}

// Serve answers one frame, or hands it to a pool. Event loop only.
// Java: NettyRemotingAbstract#processMessageReceived.
func (s *Server) Serve(c engine.Conn, _ time.Duration, frame, out []byte) []byte {
	r := requests.Get().(*request)
	defer requests.Put(r)
	if err := r.cmd.Decode(frame); err != nil {
		c.Close(malformed(err))
		return out
	}
	if r.cmd.Flag.IsResponse() {
		s.counters.strayResponses.Add(1) // we never ask over an accepted connection
		return out
	}
	r.conn, r.seq = c, 0
	if s.mustGo(&r.cmd) {
		s.counters.sentAway.Add(1)
		s.noteRefusedChange(r, errGoAway)
		return s.answer(r, out, codec.Reply{}, errGoAway)
	}
	kind, ok := s.kindOf(r.cmd.Code)
	switch {
	case !ok:
		return s.answer(r, out, codec.Reply{}, &refusal{
			code:   codec.RespRequestCodeNotSupported,
			remark: remarkNotSupported(int32(r.cmd.Code)),
		})
	case kind.class == onLoop:
		reply, err := kind.handle(s, r)
		return s.answer(r, out, reply, err)
	case s.pools.submit(kind.class, c, frame, s.taskOf(r)):
		return out
	}
	s.counters.overloaded.Add(1)
	s.noteOverload(c, r.cmd.Code)
	s.noteRefusedChange(r, errOverload)
	return s.answer(r, out, codec.Reply{}, errOverload)
}

// kindOf returns the row of a request. In cluster-test mode there is only one.
func (s *Server) kindOf(code codec.RequestCode) (requestKind, bool) {
	if s.product != nil {
		return requestKind{asChange, clusterTestRoute}, true
	}
	kind, ok := s.kinds[code]
	return kind, ok
}

// taskOf returns the task that serves r later. A registration gets a number, because
// what it means depends on whether a later one has been refused while it waited.
func (s *Server) taskOf(r *request) engine.Task {
	if r.cmd.Code != codec.ReqRegisterBroker || s.product != nil {
		return s.task
	}
	seq := s.arrivals.Add(1)
	r.seq = seq
	return func(c engine.Conn, _ time.Duration, frame, out []byte) []byte {
		return s.serveQueued(c, frame, out, seq)
	}
}

// serveQueued answers a frame that waited in a pool. It has been decoded once
// already; decoding the header again is cheaper than keeping it.
func (s *Server) serveQueued(c engine.Conn, frame, out []byte, seq uint64) []byte {
	r := requests.Get().(*request)
	defer requests.Put(r)
	if err := r.cmd.Decode(frame); err != nil {
		c.Close(malformed(err))
		return out
	}
	r.conn, r.seq = c, seq
	r.change = adminChange{}
	r.memory = reservation{budget: s.budget}
	defer r.memory.release()
	kind, _ := s.kindOf(r.cmd.Code)
	reply, err := kind.handle(s, r)
	if err == nil {
		err = s.affordReply(r, &reply)
	}
	s.noteChange(r, err)
	return s.answer(r, out, reply, err)
}

// malformed is why a connection is closed whose frame has a broken header:
// such a frame cannot be answered.
func malformed(err error) error { return fmt.Errorf("%w: %w", engine.ErrMalformed, err) }

// answer appends the reply to a request, unless its sender wants none.
func (s *Server) answer(r *request, out []byte, reply codec.Reply, err error) []byte {
	if err != nil {
		s.counters.refused.Add(1)
		s.noteMissed(r, err)
	}
	if r.cmd.Flag.IsOneway() {
		return out
	}
	reply = s.replyTo(r, reply, err)
	return s.appendReply(r, out, &reply)
}
