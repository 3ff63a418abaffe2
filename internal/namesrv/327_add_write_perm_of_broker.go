package namesrv

import (
	"strconv"

	"gonamesrv/codec"
)

// ADD_WRITE_PERM_OF_BROKER: a broker may be written to again.
//
// Asked by  mqadmin addWritePerm
// Runs      in the default pool; takes the table's lock
// Java      DefaultRequestProcessor#addWritePermOfBroker
// Replies   SUCCESS + the number of topics, 0 for an unknown broker
// Differs   nothing known

func addWritePermOfBroker(s *Server, r *request) (codec.Reply, error) {
	var h codec.WritePermRequestHeader
	h.Decode(r.cmd.Ext)
	n := s.changeWritePerm(r, string(h.BrokerName), true)
	return codec.Reply{Ext: []codec.Field{{Name: "addTopicCount", Value: strconv.Itoa(n)}}}, nil
}
