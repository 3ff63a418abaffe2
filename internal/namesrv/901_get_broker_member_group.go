package namesrv

import "gonamesrv/codec"

// GET_BROKER_MEMBER_GROUP: the members of one broker name.
//
// Asked by  5.x brokers with acting masters and compatibleWithOldNameSrv=false
// Runs      in the default pool; reads the published view, takes no lock
// Java      DefaultRequestProcessor#getBrokerMemberGroup
// Replies   SUCCESS + BrokerMemberGroup, with a remark that Java forgets to clear
// Differs   nothing known

func getBrokerMemberGroup(s *Server, r *request) (codec.Reply, error) {
	var h codec.GetBrokerMemberGroupRequestHeader
	h.Decode(r.cmd.Ext)
	group := s.table.View().BrokerMemberGroup(h.ClusterName, h.BrokerName)
	return codec.Reply{Remark: remarkNoCodeSet, Body: group.AppendJSON(nil)}, nil
}
