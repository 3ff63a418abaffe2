package namesrv

import "gonamesrv/codec"

// BROKER_HEARTBEAT: a broker is alive.
//
// Asked by  5.x brokers with acting masters and compatibleWithOldNameSrv=false,
//           oneway, every second
// Runs      on the event loop; one atomic store, takes no lock
// Java      DefaultRequestProcessor#brokerHeartbeat
// Replies   SUCCESS, also when the broker is unknown | SYSTEM_ERROR
// Differs   nothing known

func brokerHeartbeat(s *Server, r *request) (codec.Reply, error) {
	var h codec.BrokerHeartbeatRequestHeader
	h.Decode(r.cmd.Ext)
	switch {
	case len(h.ClusterName) == 0:
		return codec.Reply{}, missing("clusterName")
	case len(h.BrokerAddr) == 0:
		return codec.Reply{}, missing("brokerAddr")
	}
	s.table.Heartbeat(s.nowMillis(), h.ClusterName, h.BrokerAddr)
	return codec.Reply{}, nil
}
