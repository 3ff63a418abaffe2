package namesrv

import (
	"errors"
	"log/slog"

	"gonamesrv/codec"
)

// REGISTER_TOPIC_IN_NAMESRV: a broker has created one topic.
//
// Asked by  5.x brokers with enableSingleTopicRegister
// Runs      in the default pool; takes the table's lock
// Java      DefaultRequestProcessor#registerTopicToNamesrv
// Replies   SUCCESS, also when it is not stored | SYSTEM_ERROR for a broken body
//           | SYSTEM_BUSY when there is no memory to decode it
// Differs   all queue datas are stored or none; what would go beyond a limit is
//           refused

func registerTopicInNamesrv(s *Server, r *request) (codec.Reply, error) {
	var h codec.TopicRequestHeader
	h.Decode(r.cmd.Ext)
	if len(r.cmd.Body) == 0 {
		return codec.Reply{}, nil
	}
	var data codec.TopicRouteData
	switch err := data.DecodeWithin(r.cmd.Body, r.memory.grow); {
	case errors.Is(err, codec.ErrNoMemory):
		s.logLimited(slog.LevelWarn, "topic refused, no memory left for its body", func() []any {
			return []any{
				"remote", r.conn.RemoteAddr(), "topic", clip(string(h.Topic)), "bodyBytes", len(r.cmd.Body),
				"memoryBudget", s.budget.Limit(),
			}
		})
		return codec.Reply{}, errNoMemory
	case err != nil:
		return codec.Reply{}, badBody(err)
	}
	r.change.Args = queuesArgs(data.QueueDatas)
	if len(h.Topic) == 0 {
		return codec.Reply{}, nil
	}
	var err error
	s.changeTopic(r, h.Topic, func() { _, err = s.tableOf(r).RegisterTopic(string(h.Topic), data.QueueDatas) })
	if err != nil {
		return codec.Reply{}, s.beyondLimit(r, err, func() []any { return []any{"topic", clip(string(h.Topic))} })
	}
	return codec.Reply{}, nil
}
