package namesrv

import (
	"gonamesrv/codec"
	"gonamesrv/route"
)

// GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST: the topics with the unit subscription flag
// and without the unit flag.
//
// Asked by  mqadmin, the dashboard
// Runs      in the default pool; reads the published view; one list is made at a time
// Java      DefaultRequestProcessor#getHasUnitSubUnUnitTopicList
// Replies   SUCCESS + TopicList | SYSTEM_ERROR when enableTopicList is off
// Differs   ascending order; a topic is judged by its broker with the smallest
//           name (Java: by any)

func getHasUnitSubUnunitTopicList(s *Server, r *request) (codec.Reply, error) {
	return unitList(s, r, route.UnitSubTopicsNoUnits)
}
