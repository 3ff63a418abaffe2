package namesrv

import (
	"gonamesrv/codec"
	"gonamesrv/route"
)

// GET_ALL_TOPIC_LIST_FROM_NAMESERVER: the names of all topics.
//
// Asked by  mqadmin, the Go client's admin
// Runs      in the default pool; reads the published view; one list is made at a time
// Java      DefaultRequestProcessor#getAllTopicListFromNameserver
// Replies   SUCCESS + TopicList | SYSTEM_ERROR when enableAllTopicList is off
// Differs   ascending order (Java: hash order)

func getAllTopicListFromNameserver(s *Server, r *request) (codec.Reply, error) {
	if !s.config().EnableAllTopicList {
		return codec.Reply{}, &refusal{why: reasonDisabled, code: codec.RespSystemError, remark: remarkDisabled}
	}
	return s.topicList(r, (*route.View).AllTopicList)
}
