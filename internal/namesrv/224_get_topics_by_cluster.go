package namesrv

import (
	"gonamesrv/codec"
	"gonamesrv/route"
)

// GET_TOPICS_BY_CLUSTER: the topics that a cluster's brokers serve.
//
// Asked by  mqadmin
// Runs      in the default pool; reads the published view; one list is made at a time
// Java      DefaultRequestProcessor#getTopicsByCluster
// Replies   SUCCESS + TopicList, empty for an unknown cluster | SYSTEM_ERROR
//           when enableTopicList is off
// Differs   ascending order (Java: hash order)

func getTopicsByCluster(s *Server, r *request) (codec.Reply, error) {
	if !s.config().EnableTopicList {
		return codec.Reply{}, &refusal{why: reasonDisabled, code: codec.RespSystemError, remark: remarkDisabled}
	}
	var h codec.GetTopicsByClusterRequestHeader
	h.Decode(r.cmd.Ext)
	return s.topicList(r, func(v *route.View) []byte { return v.TopicsByCluster(string(h.Cluster)) })
}
