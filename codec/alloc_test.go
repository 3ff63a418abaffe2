package codec

import "testing"

// The allocation budgets of what happens for every request.
func TestAllocs(t *testing.T) {
	buf := make([]byte, 0, 4096)
	var c Command
	decode := func(name string) func() {
		frame := loadFrame(t, name)
		return func() {
			if err := c.Decode(frame); err != nil {
				t.Fatal(err)
			}
		}
	}
	route := fullRoute()
	reply := Reply{Code: RespTopicNotExist, Opaque: 1, Remark: "no topic route\nSee", Ext: []Field{{"a", "b"}, {"c", "d"}}, Body: []byte("body")}
	ext := extFields("topic", "T", "brokerId", "12345", "compressed", "true")
	var routeHeader GetRouteInfoRequestHeader
	var registerHeader RegisterBrokerRequestHeader
	dv := []byte(`{"counter":1,"stateVersion":0,"timestamp":1700000000000}`)
	topics := manyTopics(1000)
	jsonBody, compactBody := topics.AppendJSON(nil), Compress(nil, topics.AppendCompact(nil, Version))
	var body RegisterBrokerBody
	decodeKnown := func(b []byte, known *KnownTopics) func() {
		return func() {
			if err := body.DecodeKnown(b, Version, false, nowMillis, known); err != nil {
				t.Fatal(err)
			}
		}
	}
	decodeBody := func(b []byte) func() { return decodeKnown(b, nil) }
	decodeBody(jsonBody)()
	said := body.Said
	for _, tt := range []struct {
		name string
		f    func()
		max  float64
	}{
		{"decode JSON request", decode("route_request"), 0},
		{"decode JSON request with body", decode("register_slave_request"), 0},
		{"decode binary request", decode("query_data_version_binary_request"), 0},
		{"split", func() { _, _ = SplitFrame(jsonBody[:0]) }, 0},
		{"reply in JSON", func() { _ = AppendReply(buf, SerializeJSON, &reply) }, 0},
		{"reply in binary", func() { _ = AppendReply(buf, SerializeRocketMQ, &reply) }, 0},
		{"route, legacy", func() { _ = route.AppendJSON(buf, DialectLegacy) }, 0},
		{"route, strict", func() { _ = route.AppendJSON(buf, DialectStrict) }, 0},
		{"route header", func() { routeHeader.Decode(ext) }, 0},
		{"register header", func() { registerHeader.Decode(ext) }, 0},
		{"data version", func() { _, _, _ = DecodeDataVersion(dv, 0) }, 0},
		{"thousand topics as JSON", decodeBody(jsonBody), 3}, // what they said
		{"thousand known topics as JSON", decodeKnown(jsonBody, said), 0},
		{"without the time", func() { _ = Timeless(jsonBody, 1) }, 0},
		{"thousand topics compressed", decodeBody(compactBody), 20}, // per body, not per topic: tables of compress/flate
	} {
		tt.f() // let what is used again grow
		if got := testing.AllocsPerRun(100, tt.f); got > tt.max {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.max)
		}
	}
}
