package bench

import (
	"testing"

	"gonamesrv/bench/capture"
	"gonamesrv/codec"
)

// TestReplayFrames: a replay needs memory for the different requests of a capture, not for
// each: an hour of it has millions.
func TestReplayFrames(t *testing.T) {
	p := Params{Brokers: 2, Topics: 2, BrokersPerTopic: 1, Header: "JSON"}
	m := &makers{r: &run{fleet: newFleet(p, 1)}, captured: captured{brokers: map[string]int{"b": 1}, topics: map[string]int{"x": 0, "y": 1}}, frames: map[frameKind]*template{}}
	read := capture.Record{Event: capture.Request, Code: int(codec.ReqGetRouteInfoByTopic), Size: 400, Names: map[string]string{"topic": "x"}}
	beat := capture.Record{Event: capture.Request, Code: int(codec.ReqBrokerHeartbeat), Size: 300, Names: map[string]string{"brokerName": "b"}}
	seen := map[string]bool{}
	for _, change := range []func(r *capture.Record){
		func(*capture.Record) {},
		func(r *capture.Record) { r.Size = 500 },
		func(r *capture.Record) { r.Oneway = true },
		func(r *capture.Record) { r.Binary = true },
		func(r *capture.Record) {
			if r.Names["topic"] != "" {
				r.Names = map[string]string{"topic": "y"}
			} else {
				r.Names = map[string]string{"brokerName": ""}
			}
		},
	} {
		for _, rec := range []capture.Record{read, beat} {
			change(&rec)
			first, next := m.request(&rec)
			again, _ := m.request(&rec)
			if first != again || next != nil {
				t.Errorf("%+v is encoded twice", rec)
			}
			if rec.Oneway && rec.Code == read.Code {
				continue // nobody asks so
			}
			if text := string(first.frame); seen[text] {
				t.Errorf("%+v has the frame of another", rec)
			} else {
				seen[text] = true
			}
		}
	}
}
