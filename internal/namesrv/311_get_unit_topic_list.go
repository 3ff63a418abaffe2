package namesrv

import (
	"gonamesrv/codec"
	"gonamesrv/route"
)

// GET_UNIT_TOPIC_LIST: the topics with the unit flag.
//
// Asked by  mqadmin, the dashboard
// Runs      in the default pool; reads the published view; one list is made at a time
// Java      DefaultRequestProcessor#getUnitTopicList
// Replies   SUCCESS + TopicList | SYSTEM_ERROR when enableTopicList is off
// Differs   ascending order; a topic is judged by its broker with the smallest
//           name (Java: by any)

func getUnitTopicList(s *Server, r *request) (codec.Reply, error) {
	return unitList(s, r, route.UnitTopics)
}

// unitList answers the three requests about unit flags.
func unitList(s *Server, r *request, u route.UnitList) (codec.Reply, error) {
	if !s.config().EnableTopicList {
		return codec.Reply{}, &refusal{why: reasonDisabled, code: codec.RespSystemError, remark: remarkDisabled}
	}
	return s.topicList(r, func(v *route.View) []byte { return v.TopicsByUnit(u) })
}
