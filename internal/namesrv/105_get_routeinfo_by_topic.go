package namesrv

import (
	"log/slog"
	"unicode"

	"gonamesrv/codec"
	"gonamesrv/route"
)

// GET_ROUTEINFO_BY_TOPIC: the route of one topic.
//
// Asked by  producers and consumers, at start and then every 30 s; brokers too
// Runs      on the event loop; reads the published view, takes no lock
// Java      ClientRequestProcessor#getRouteInfoByTopic, ZoneRouteRPCHook
// Replies   SUCCESS + TopicRouteData | TOPIC_NOT_EXIST | SYSTEM_ERROR while not ready,
//           or where a horizon refuses
// Differs   a client that asks again and again for what is not there may have to wait;
//           a route filtered by zone keeps the JSON dialect the client asked for;
//           clients of a horizon are told other addresses

func getRouteInfoByTopic(s *Server, r *request) (codec.Reply, error) {
	var h codec.GetRouteInfoRequestHeader
	h.Decode(r.cmd.Ext)
	cfg := s.config()
	if s.mustWait(cfg) {
		return codec.Reply{}, s.notReady(r)
	}
	form := routeForm(cfg, r.cmd.Version, &h)
	s.addOrder(cfg, &form, h.Topic)
	if horizon := s.horizonOf(r); horizon != nil {
		if told, body, err := s.routeAs(horizon, cfg.HorizonMode, h.Topic, &form); told {
			return codec.Reply{Body: body}, err
		}
	}
	body, ok := s.table.View().Route(h.Topic, &form)
	if !ok && s.mayMiss(cfg) {
		return codec.Reply{}, s.notReady(r)
	}
	if !ok {
		s.noteMiss(r, cfg.MissDamping, h.Topic)
		return codec.Reply{}, &refusal{why: reasonNotFound, code: codec.RespTopicNotExist, remark: remarkNoRoute(h.Topic)}
	}
	return codec.Reply{Body: body}, nil
}

// notReady refuses a request because brokers may not have registered again yet.
func (s *Server) notReady(r *request) error {
	s.logLimited(slog.LevelWarn, msgNotReady, func() []any {
		return []any{"code", int32(r.cmd.Code), "conn", r.conn.ID(), "remote", r.conn.RemoteAddr()}
	})
	return &refusal{why: reasonNotReady, code: codec.RespSystemError, remark: remarkNotReady}
}

// routeForm returns the form in which a client of a version asks for a route, the
// order configuration left out. It borrows from h.
func routeForm(cfg *Config, version int32, h *codec.GetRouteInfoRequestHeader) route.RouteForm {
	form := route.RouteForm{Acting: cfg.SupportActingMaster}
	if version >= codec.V4_9_4 || h.AcceptStandardJSONOnly {
		form.Dialect = codec.DialectStrict
	}
	if h.ZoneMode && !isBlank(h.ZoneName) {
		form.InZone, form.Zone = true, h.ZoneName
	}
	return form
}

// addOrder adds the order configuration of a topic to the form of its route, if
// routes have one.
func (s *Server) addOrder(cfg *Config, form *route.RouteForm, topic []byte) {
	if cfg.OrderMessageEnable {
		form.OrderTopicConf, form.HasOrderTopicConf = s.kv.get(orderTopicConfig, string(topic))
	}
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
