package namesrv

import (
	"gonamesrv/codec"
	"gonamesrv/route"
)

// GET_BROKER_CLUSTER_INFO: all clusters, broker names and addresses.
//
// Asked by  every 5.x broker, every 5 s; mqadmin
// Runs      in the default pool; reads the published view, takes no lock
// Java      DefaultRequestProcessor#getBrokerClusterInfo
// Replies   SUCCESS + ClusterInfo | SYSTEM_ERROR where a horizon refuses
// Differs   the answer is of one moment (Java encodes live tables); clients of a
//           horizon are told other addresses

func getBrokerClusterInfo(s *Server, r *request) (codec.Reply, error) {
	return s.listAs(r, (*route.View).ClusterInfo, (*route.View).ClusterInfoAs)
}
