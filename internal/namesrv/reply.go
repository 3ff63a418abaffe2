package namesrv

import (
	"errors"
	"fmt"
	"log/slog"

	"gonamesrv/codec"
	"gonamesrv/route"
)

// A refusal is an answer that is not SUCCESS, on purpose.
type refusal struct {
	why    reason
	code   codec.ResponseCode
	remark string
	ext    []codec.Field // noFields where Java answers with an empty header
}

func (r *refusal) Error() string { return fmt.Sprintf("%v: %s", r.code, r.remark) }

// refusalOf returns the refusal that err is, or nil.
func refusalOf(err error) *refusal {
	if ref, ok := err.(*refusal); ok { // nearly always; errors.As allocates
		return ref
	}
	var ref *refusal
	if errors.As(err, &ref) {
		return ref
	}
	return nil
}

// remarkOf returns err as a person is told of it: a refusal without its code.
func remarkOf(err error) string {
	if ref := refusalOf(err); ref != nil {
		return ref.remark
	}
	return err.Error()
}

// errOverload refuses what a pool has no room for.
var errOverload = &refusal{why: reasonQueueFull, code: codec.RespSystemBusy, remark: remarkOverload}

// errNoMemory refuses what the budget has no room for. To the peer it is the same.
var errNoMemory = &refusal{why: reasonNoMemory, code: codec.RespSystemBusy, remark: remarkOverload}

// errGoAway sends a peer to another name server.
var errGoAway = &refusal{why: reasonGoAway, code: codec.RespGoAway, remark: remarkGoAway}

// noFields is the ext fields of a reply whose type has some, but none is set.
// It is sent as {}.
var noFields = []codec.Field{}

// missing refuses a request that lacks what it cannot be served without.
//
// Differs from Java: the fields are declared mandatory there too, but not
// enforced; the handler then fails with a null pointer, or worse, half-way.
func missing(field string) error {
	return &refusal{why: reasonMissingField, code: codec.RespSystemError, remark: "missing or malformed field " + field}
}

// badBody refuses a body that cannot be decoded.
func badBody(err error) error {
	return &refusal{why: reasonBadBody, code: codec.RespSystemError, remark: err.Error()}
}

// changed passes on what became of a change that is kept on disk. A disk that
// fails is our fault, and logged.
func (s *Server) changed(err error) error {
	if err != nil && reasonOf(err) == reasonFailed {
		s.logLimited(slog.LevelError, "change refused", func() []any { return []any{"err", clip(err.Error())} })
	}
	return err
}

// replyTo turns what a handler returned into the reply that is sent. It is the
// only place where an error becomes a response code.
func (s *Server) replyTo(r *request, reply codec.Reply, err error) codec.Reply {
	if err != nil {
		if ref := refusalOf(err); ref != nil {
			reply = codec.Reply{Code: ref.code, Remark: ref.remark, Ext: ref.ext}
		} else {
			reply = codec.Reply{Code: codec.RespSystemError, Remark: err.Error()}
		}
	}
	reply.Opaque = r.cmd.Opaque
	return reply
}

// smallReply is up to how many bytes of a body its frame is not reserved. It is
// what all workers together may use without being counted.
const smallReply = 64 << 10

// affordReply reserves what the frame of a reply takes beside its body. Where
// there is no room the sender is told to come again: requests of some bytes ask
// for lists of megabytes. A registration has been applied by then, and is
// answered without the order configuration, as if nothing in it had changed.
func (s *Server) affordReply(r *request, reply *codec.Reply) error {
	n := len(reply.Body)
	if n <= smallReply || n > maxReply || r.memory.grow(n) {
		return nil
	}
	s.logLimited(slog.LevelWarn, "no memory left for the body of a reply", func() []any {
		return []any{
			"code", int32(r.cmd.Code), "size", n,
			"memoryBudget", s.budget.Limit(), "conn", r.conn.ID(), "remote", r.conn.RemoteAddr(),
		}
	})
	if r.cmd.Code == codec.ReqRegisterBroker {
		reply.Body = nil
		return nil
	}
	return errNoMemory
}

// topicList answers with a list of topics. One is made at a time, and its body is
// reserved while its request is served: strangers may have registered a large
// share of what memory holds of names, and may ask for all lists of them at once.
func (s *Server) topicList(r *request, list func(*route.View) []byte) (codec.Reply, error) {
	s.listing.Lock()
	defer s.listing.Unlock()
	body := list(s.table.View())
	if len(body) > smallReply && len(body) <= maxReply && !r.memory.grow(len(body)) {
		return codec.Reply{}, errNoMemory
	}
	return codec.Reply{Body: body}, nil
}

// maxReply is how long the whole frame of a reply may be, in bytes: Java clients
// close a connection over which a longer one comes, without a word.
// Java: NettyDecoder.FRAME_MAX_LENGTH.
const maxReply = codec.MaxFrameLength

// appendReply appends the frame of a reply. One that clients could not read is
// replaced by an error that says so, in reply as well.
//
// Differs from Java, which sends it.
func (s *Server) appendReply(r *request, out []byte, reply *codec.Reply) []byte {
	st := s.config().SerializeType
	start, size := len(out), len(reply.Body)
	if size <= maxReply { // longer than that, it is not even copied
		out = codec.AppendReply(out, st, reply)
		if size = len(out) - start; size <= maxReply {
			return out
		}
	}
	if reply.Code == codec.RespSuccess { // any other is counted already
		r.row.refuse(reasonReplyTooLong)
	}
	s.logLimited(slog.LevelWarn, "reply not sent, too long", func() []any {
		return []any{
			"code", int32(r.cmd.Code), "size", size, "most", maxReply,
			"conn", r.conn.ID(), "remote", r.conn.RemoteAddr(),
		}
	})
	*reply = codec.Reply{
		Code:   codec.RespSystemError,
		Opaque: reply.Opaque,
		Remark: remarkReplyTooLong(r.cmd.Code, size, maxReply),
	}
	return codec.AppendReply(out[:start], st, reply)
}
