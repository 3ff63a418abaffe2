package namesrv

import (
	"strconv"

	"gonamesrv/codec"
)

// WIPE_WRITE_PERM_OF_BROKER: nobody shall write to a broker any more.
//
// Asked by  mqadmin wipeWritePerm, before a broker is taken out
// Runs      in the default pool; takes the table's lock
// Java      DefaultRequestProcessor#wipeWritePermOfBroker
// Replies   SUCCESS + the number of topics, 0 for an unknown broker
// Differs   nothing known

func wipeWritePermOfBroker(s *Server, r *request) (codec.Reply, error) {
	var h codec.WritePermRequestHeader
	h.Decode(r.cmd.Ext)
	n := s.changeWritePerm(r, string(h.BrokerName), false)
	return codec.Reply{Ext: []codec.Field{{Name: "wipeTopicCount", Value: strconv.Itoa(n)}}}, nil
}
