package namesrv

import (
	"gonamesrv/codec"
	"gonamesrv/route"
)

// UNREGISTER_BROKER: a broker says goodbye.
//
// Asked by  brokers that shut down
// Runs      in the default pool; takes the table's lock
// Java      DefaultRequestProcessor#unregisterBroker, BatchUnregistrationService
// Replies   SUCCESS, also when the broker is unknown | SYSTEM_ERROR |
//           NO_PERMISSION for a broker of another address
// Differs   done when it is answered (Java queues it), mandatory fields are
//           checked, and the broker must be registered under that cluster

func unregisterBroker(s *Server, r *request) (codec.Reply, error) {
	var h codec.UnregisterBrokerRequestHeader
	h.Decode(r.cmd.Ext)
	switch {
	case len(h.ClusterName) == 0:
		return codec.Reply{}, missing("clusterName")
	case len(h.BrokerName) == 0:
		return codec.Reply{}, missing("brokerName")
	case len(h.BrokerAddr) == 0:
		return codec.Reply{}, missing("brokerAddr")
	}
	if err := s.mayUnregister(r, &h); err != nil {
		return codec.Reply{}, err
	}
	s.auditGoodbye(r, &h)
	s.tableOf(r).UnregisterBrokers(route.Unregistration{
		Cluster:    string(h.ClusterName),
		BrokerName: string(h.BrokerName),
		BrokerAddr: string(h.BrokerAddr),
	})
	return codec.Reply{}, nil
}
