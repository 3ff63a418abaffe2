package namesrv

import (
	"gonamesrv/codec"
	"gonamesrv/route"
)

// GET_UNIT_TOPIC_LIST: the topics with the unit flag.
//
// Asked by  mqadmin, the dashboard
// Runs      in the default pool; reads the published view, takes no lock
// Java      DefaultRequestProcessor#getUnitTopicList
// Replies   SUCCESS + TopicList | SYSTEM_ERROR when enableTopicList is off
// Differs   ascending order; a topic is judged by its broker with the smallest
//           name (Java: by any)

func getUnitTopicList(s *Server, _ *request) (codec.Reply, error) {
	return unitList(s, route.UnitTopics)
}

// unitList answers the three requests about unit flags.
func unitList(s *Server, u route.UnitList) (codec.Reply, error) {
	if !s.config().EnableTopicList {
		return codec.Reply{}, &refusal{code: codec.RespSystemError, remark: remarkDisabled}
	}
	return codec.Reply{Body: s.table.View().TopicsByUnit(u)}, nil
}
