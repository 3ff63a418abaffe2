package namesrv

import (
	"gonamesrv/codec"
	"gonamesrv/route"
)

// GET_SYSTEM_TOPIC_LIST_FROM_NS: the names of all clusters and brokers, which
// brokers serve as topics.
//
// Asked by  mqadmin, the dashboard
// Runs      in the default pool; reads the published view, takes no lock
// Java      DefaultRequestProcessor#getSystemTopicListFromNs
// Replies   SUCCESS + TopicList | SYSTEM_ERROR where a horizon refuses
// Differs   ascending order; the address is the smallest member's of the
//           smallest name (Java: in hash order); clients of a horizon are told
//           another address

func getSystemTopicListFromNs(s *Server, r *request) (codec.Reply, error) {
	return s.listAs(r, (*route.View).SystemTopicList, (*route.View).SystemTopicListAs)
}
