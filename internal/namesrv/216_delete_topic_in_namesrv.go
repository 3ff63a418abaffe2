package namesrv

import "gonamesrv/codec"

// DELETE_TOPIC_IN_NAMESRV: forget a topic, or one cluster's share of it.
//
// Asked by  mqadmin deleteTopic
// Runs      in the default pool; takes the table's lock
// Java      DefaultRequestProcessor#deleteTopicInNamesrv
// Replies   SUCCESS, also when there is nothing to delete
// Differs   static mappings go with the topic

func deleteTopicInNamesrv(s *Server, r *request) (codec.Reply, error) {
	var h codec.TopicRequestHeader
	h.Decode(r.cmd.Ext)
	s.changeTopic(r, h.Topic, func() {
		if len(h.ClusterName) > 0 {
			s.tableOf(r).DeleteTopicInCluster(string(h.Topic), string(h.ClusterName))
		} else {
			s.tableOf(r).DeleteTopic(string(h.Topic))
		}
	})
	return codec.Reply{}, nil
}
