package namesrv

import (
	"unicode"

	"gonamesrv/codec"
	"gonamesrv/route"
)

// GET_ROUTEINFO_BY_TOPIC: the route of one topic.
//
// Asked by  producers and consumers, at start and then every 30 s; brokers too
// Runs      on the event loop; reads the published view, takes no lock
// Java      ClientRequestProcessor#getRouteInfoByTopic, ZoneRouteRPCHook
// Replies   SUCCESS + TopicRouteData | TOPIC_NOT_EXIST | SYSTEM_ERROR while not ready
// Differs   a route filtered by zone keeps the JSON dialect the client asked for

func getRouteInfoByTopic(s *Server, r *request) (codec.Reply, error) {
	var h codec.GetRouteInfoRequestHeader
	h.Decode(r.cmd.Ext)
	cfg := s.config()
	if s.mustWait(cfg) {
		return codec.Reply{}, &refusal{code: codec.RespSystemError, remark: remarkNotReady}
	}
	v := s.table.View()
	e, ok := v.Topic(h.Topic)
	if !ok {
		return codec.Reply{}, &refusal{code: codec.RespTopicNotExist, remark: remarkNoRoute(h.Topic)}
	}
	dialect := codec.DialectLegacy
	if r.cmd.Version >= codec.V4_9_4 || h.AcceptStandardJSONOnly {
		dialect = codec.DialectStrict
	}
	var conf string
	ordered := false
	if cfg.OrderMessageEnable {
		conf, ordered = s.kv.get(orderTopicConfig, string(h.Topic))
	}
	inZone := h.ZoneMode && !isBlank(h.ZoneName)
	if !inZone && !ordered {
		return codec.Reply{Body: v.RouteBody(e, dialect, cfg.SupportActingMaster)}, nil
	}
	data := v.PickupTopicRouteData(e, cfg.SupportActingMaster)
	data.OrderTopicConf, data.HasOrderTopicConf = conf, ordered
	if inZone {
		route.FilterByZone(&data, string(h.ZoneName))
	}
	return codec.Reply{Body: data.AppendJSON(nil, dialect)}, nil
}

// isBlank reports whether b has nothing but white space.
// Java: StringUtils#isBlank, Character#isWhitespace.
func isBlank(b []byte) bool {
	for _, c := range string(b) {
		switch {
		case c >= '\t' && c <= '\r' || c >= 0x1C && c <= 0x1F:
		case c == 0xA0 || c == 0x2007 || c == 0x202F: // no-break spaces are not white space to Java
			return false
		case !unicode.Is(unicode.Z, c):
			return false
		}
	}
	return true
}
