package namesrv

import (
	"strconv"

	"gonamesrv/codec"
)

// QUERY_DATA_VERSION: has my topic table changed since I registered?
//
// Asked by  brokers with forceRegister=false, before they register; brokers of
//           5.x with acting masters, oneway, every second, as a heartbeat
// Runs      on the event loop; reads the published view, takes no lock
// Java      DefaultRequestProcessor#queryBrokerTopicConfig
// Replies   SUCCESS + changed + the stored DataVersion | SYSTEM_ERROR
// Differs   changed, too, when a registration was turned away since the last full one;
//           or when the broker was restored, and may have more topics, or fewer, than
//           are shown of it

func queryDataVersion(s *Server, r *request) (codec.Reply, error) {
	var h codec.QueryDataVersionRequestHeader
	h.Decode(r.cmd.Ext)
	switch {
	case len(h.ClusterName) == 0:
		return codec.Reply{}, missing("clusterName")
	case len(h.BrokerAddr) == 0:
		return codec.Reply{}, missing("brokerAddr")
	}
	theirs, null, err := codec.DecodeDataVersion(r.cmd.Body, s.wallMillis())
	if err != nil {
		return codec.Reply{}, badBody(err)
	}
	ours, changed := s.table.QueryDataVersion(s.nowMillis(), h.ClusterName, h.BrokerAddr, theirs, null)
	reply := codec.Reply{Ext: []codec.Field{{Name: "changed", Value: strconv.FormatBool(changed)}}}
	if ours != nil && !ours.NullDataVersion {
		reply.Body = ours.DataVersion.AppendJSON(nil)
	}
	return reply, nil
}
