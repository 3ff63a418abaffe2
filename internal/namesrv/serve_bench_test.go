package namesrv

import (
	"log/slog"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// BenchmarkServe is what a request costs on the event loop between its frame and its
// reply: its header is read, its route is found, it is counted and some are timed.
func BenchmarkServe(b *testing.B) {
	cfg := DefaultConfig()
	cfg.KVConfigPath = ""
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := s.table.RegisterBroker(1, &route.Registration{
		RegistrationHeader: route.RegistrationHeader{Cluster: "c", BrokerName: "b", BrokerAddr: "10.0.0.1:10911", TimeoutMillis: 1 << 40},
		Body: &codec.RegisterBrokerBody{
			DataVersion: codec.DataVersion{Timestamp: 1, Counter: 1},
			Topics: []codec.TopicConfig{
				{Name: []byte("T"), Key: []byte("T"), ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6},
				{Name: []byte("U"), Key: []byte("U"), ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6},
			},
		},
	}); err != nil {
		b.Fatal(err)
	}
	for name, r := range map[string]*codec.Command{
		"route":     nstest.Route("T"),
		"heartbeat": nstest.Request(codec.ReqBrokerHeartbeat, "clusterName", "c", "brokerAddr", "10.0.0.1:10911"),
	} {
		b.Run(name, func(b *testing.B) {
			c, _ := connect(b)
			frame := codec.AppendRequest(nil, codec.SerializeJSON, r)
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = s.Serve(c, 0, frame, out[:0])
			}
		})
	}
}

// BenchmarkTally is what of that is for those who count: came and due are paid by each
// request, sample by one of 64.
func BenchmarkTally(b *testing.B) {
	cfg := DefaultConfig()
	cfg.KVConfigPath = ""
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	c, _ := connect(b)
	frame := codec.AppendRequest(nil, codec.SerializeJSON, nstest.Route("T"))
	r := &request{conn: c, tally: s.tallies.all[0]}
	if err := r.cmd.Decode(frame); err != nil {
		b.Fatal(err)
	}
	r.row = s.dispatch.of(r.cmd.Code)
	for _, part := range []struct {
		name string
		pay  func()
	}{
		{"came", func() { r.tally.came(r.row, outcomeSuccess) }},
		{"due", func() { r.tally.isDue() }},
		{"sample", func() { s.beginSample(r); s.endSample(r, outcomeSuccess) }},
	} {
		b.Run(part.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				part.pay()
			}
		})
	}
}
