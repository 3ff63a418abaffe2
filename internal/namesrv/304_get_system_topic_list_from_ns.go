package namesrv

import "gonamesrv/codec"

// GET_SYSTEM_TOPIC_LIST_FROM_NS: the names of all clusters and brokers, which
// brokers serve as topics.
//
// Asked by  mqadmin, the dashboard
// Runs      in the default pool; reads the published view, takes no lock
// Java      DefaultRequestProcessor#getSystemTopicListFromNs
// Replies   SUCCESS + TopicList
// Differs   ascending order; the address is the smallest member's of the
//           smallest name (Java: in hash order)

func getSystemTopicListFromNs(s *Server, _ *request) (codec.Reply, error) {
	return codec.Reply{Body: s.table.View().SystemTopicList()}, nil
}
