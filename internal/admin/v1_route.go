package admin

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

type routeAnswer struct {
	Generation string           `json:"generation"`
	Topic      string           `json:"topic"`
	Code       int32            `json:"code"`
	Remark     *string          `json:"remark"`
	Dialect    string           `json:"dialect"`
	Bytes      int              `json:"bytes"`
	Route      *json.RawMessage `json:"route"`
	Applied    []appliedRule    `json:"applied"`
}

// An appliedRule is what made a route another one than brokers have registered.
type appliedRule struct {
	Rule    string   `json:"rule"`    // zone, horizon, actingMaster or orderConfig
	Removed []string `json:"removed"` // broker names, or addresses
	Changed []string `json:"changed"` // the same
}

// route shows what a client is told of a topic, byte for byte with raw.
func (a *Admin) route(q *query) (any, error) {
	ask := namesrv.RouteQuestion{Topic: q.PathValue("t"), Version: codec.Version, StandardJSON: q.flag("standardJson")}
	raw := q.flag("raw")
	askAs(q, &ask)
	if err := q.fault(); err != nil {
		return nil, err
	}
	told := a.server.TellRoute(&ask)
	if told.Code == codec.RespTopicNotExist {
		if told.Why.Refused == "" {
			return nil, a.topicGone(ask.Topic)
		}
		f := topicNotFound(ask.Topic)
		f.detail = told.Why.Refused
		return nil, f
	}
	if raw {
		if told.Body == nil {
			return nil, &fault{kind: kindBusy, detail: told.Remark, retryAfter: 1}
		}
		return stream(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Length", strconv.Itoa(len(told.Body)))
			_, _ = w.Write(told.Body)
		}), nil
	}
	answer := routeAnswer{
		Generation: a.generation(told.View), Topic: ask.Topic, Code: int32(told.Code), Remark: optional(told.Remark),
		Dialect: "legacy", Bytes: len(told.Body), Applied: applied(&told),
	}
	if told.Dialect == codec.DialectStrict {
		answer.Dialect = "strict"
	}
	if told.Standard != nil {
		body := json.RawMessage(told.Standard)
		if !utf8.Valid(body) {
			body = json.RawMessage(strings.ToValidUTF8(string(body), "\uFFFD"))
		}
		answer.Route = &body
	}
	return answer, nil
}

// askAs reads who asks: as and from.
func askAs(q *query, ask *namesrv.RouteQuestion) {
	version, zone, _ := strings.Cut(q.text("as"), ",")
	ask.Zone = zone
	if version != "" {
		var ok bool
		if ask.Version, ok = clientVersion(version); !ok {
			q.refuse("as is %s, must be VERSION,ZONE: a version of Java's client, as V4_9_4, 4.9.4 or its number, and perhaps a zone", quoted(q.text("as")))
		}
	}
	if from := q.text("from"); q.values.Has("from") {
		addr, err := netip.ParseAddr(from)
		if err != nil || addr.Zone() != "" {
			q.refuse("from is %s, must be an IP address", quoted(from))
		}
		ask.Client.Addr = addr.Unmap()
	}
}

// clientVersion returns the number of a version of Java's client. All that it decides of
// a route is whether it is at least V4_9_4.
// Java: MQVersion.
func clientVersion(text string) (int32, bool) {
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return int32(n), true
	}
	name := strings.TrimPrefix(text, "V")
	name, isSnapshot := strings.CutSuffix(name, "_SNAPSHOT")
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '_' || r == '.' })
	if len(parts) != 3 || len(name) > 11 || strings.Count(name, ".")+strings.Count(name, "_") != 2 {
		return 0, false
	}
	var numbers [3]int
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return 0, false
		}
		numbers[i] = int(n)
	}
	order := slices.Compare(numbers[:], []int{4, 9, 4})
	if order < 0 || order == 0 && isSnapshot {
		return codec.V4_9_4 - 1, true
	}
	return codec.V4_9_4, true
}

// applied says by which rules a route differs from what brokers have registered.
func applied(told *namesrv.RouteTold) []appliedRule {
	zone := appliedRule{"zone", []string{}, []string{}}
	horizon := appliedRule{"horizon", []string{}, []string{}}
	acting := appliedRule{"actingMaster", []string{}, []string{}}
	for _, m := range told.Why.Members {
		switch m.Outcome {
		case route.SightOtherZone:
			if !slices.Contains(zone.Removed, m.Broker) {
				zone.Removed = append(zone.Removed, m.Broker)
			}
			continue
		case route.SightRewritten:
			horizon.Changed = append(horizon.Changed, m.Registered)
		case route.SightDropped, route.SightRefused:
			horizon.Removed = append(horizon.Removed, m.Registered)
		}
		if m.Acting {
			acting.Changed = append(acting.Changed, m.Broker)
		}
	}
	rules := []appliedRule{}
	for _, r := range []appliedRule{zone, horizon, acting} {
		if len(r.Removed)+len(r.Changed) > 0 {
			rules = append(rules, r)
		}
	}
	if told.Ordered {
		rules = append(rules, appliedRule{"orderConfig", []string{}, []string{}})
	}
	return rules
}
