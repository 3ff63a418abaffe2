package namesrv

import "gonamesrv/codec"

// GET_BROKER_CLUSTER_INFO: all clusters, broker names and addresses.
//
// Asked by  every 5.x broker, every 5 s; mqadmin
// Runs      in the default pool; reads the published view, takes no lock
// Java      DefaultRequestProcessor#getBrokerClusterInfo
// Replies   SUCCESS + ClusterInfo
// Differs   the answer is of one moment (Java encodes live tables)

func getBrokerClusterInfo(s *Server, _ *request) (codec.Reply, error) {
	return codec.Reply{Body: s.table.View().ClusterInfo()}, nil
}
