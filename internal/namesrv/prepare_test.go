package namesrv

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

// preparedServer has so many topics that preparing is worth its time.
func preparedServer(t testing.TB) *Server {
	t.Helper()
	cfg := DefaultConfig()
	cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	body := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: 1}}
	for i := range preparedTopics {
		body.Topics = append(body.Topics, codec.TopicConfig{Name: preparedTopic(i), Key: preparedTopic(i), ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6})
	}
	if _, err := s.table.RegisterBroker(1, &route.Registration{
		RegistrationHeader: route.RegistrationHeader{
			Cluster: "c", BrokerName: "b", BrokerAddr: "10.0.0.1:10911", TimeoutMillis: 1 << 40, OldVersion: true,
		},
		Body: body,
	}); err != nil {
		t.Fatal(err)
	}
	v := s.table.View()
	for i := range preparedTopics {
		v.Route(preparedTopic(i), &route.RouteForm{Dialect: codec.DialectStrict})
	}
	if !v.WantsPrefetch() {
		t.Fatalf("%d topics are too few to prepare for", preparedTopics)
	}
	return s
}

const preparedTopics = 30_000

func preparedTopic(i int) []byte { return fmt.Appendf(nil, "topic-%d", i) }

func routeFrame(st codec.SerializeType, opaque int32, topic []byte) []byte {
	return codec.AppendRequest(nil, st, &codec.Command{
		Code: codec.ReqGetRouteInfoByTopic, Version: codec.Version, Opaque: opaque,
		Ext: codec.ExtFields{{Name: []byte("topic"), Value: topic}},
	})
}

// TestPrepareFindsTopics wants the topic found where a client writes it, and
// nothing found where it does not.
func TestPrepareFindsTopics(t *testing.T) {
	for _, st := range []codec.SerializeType{codec.SerializeJSON, codec.SerializeRocketMQ} {
		first := routeFrame(st, 7, []byte("first"))
		place, ok := placeOfTopic(first, []byte("first"), st)
		if !ok {
			t.Fatalf("%v: no topic in %q", st, first)
		}
		if got := place.topic(routeFrame(st, 8, []byte("another one"))); string(got) != "another one" {
			t.Errorf("%v: found %q, want another one", st, got)
		}
		for at := range first {
			if got := place.topic(first[:at]); len(got) > 0 && string(got) != "first" {
				t.Errorf("%v: found %q in the first %d bytes", st, got, at)
			}
		}
		other := codec.AppendRequest(nil, st, &codec.Command{
			Code: codec.ReqGetRouteInfoByTopic, Ext: codec.ExtFields{{Name: []byte("cipot"), Value: []byte("x")}},
		})
		if got := place.topic(other); got != nil {
			t.Errorf("%v: found %q in a request without a topic", st, got)
		}
		if _, ok := placeOfTopic(first, []byte("fir"), st); ok {
			t.Errorf("%v: found a topic that is not there", st)
		}
	}
}

// TestPrepareSees wants whole requests for routes seen, up to as many as are read
// together, and no more.
func TestPrepareSees(t *testing.T) {
	s := preparedServer(t)
	frame := routeFrame(codec.SerializeJSON, 7, preparedTopic(1))
	other := codec.AppendRequest(nil, codec.SerializeJSON, &codec.Command{Code: codec.ReqGetBrokerClusterInfo})
	many := func(n int) []byte { return bytes.Repeat(frame, n) }
	for _, c := range []struct {
		name string
		next []byte
		seen int
	}{
		{"one is not worth it", many(1), len(frame)},
		{"one and a half", many(2)[:2*len(frame)-1], 2*len(frame) - 1},
		{"two", many(2), 2 * len(frame)},
		{"two and a half", many(3)[:3*len(frame)-1], 2 * len(frame)},
		{"as many as are read together", many(40), route.MaxPrefetch * len(frame)},
		{"another request before them", append(bytes.Clone(other), many(3)...), len(other)},
		{"another request among them", append(append(many(2), other...), frame...), 3*len(frame) + len(other)},
		{"no frame", []byte{0, 0}, 2},
		{"a broken frame", bytes.Repeat([]byte{0xFF}, 100), 100},
		{"a broken frame behind two", append(many(2), bytes.Repeat([]byte{0xFF}, 100)...), 2 * len(frame)},
	} {
		if seen := s.Prepare(c.next); seen != c.seen {
			t.Errorf("%s: %d of %d bytes seen, want %d", c.name, seen, len(c.next), c.seen)
		}
	}
	few, err := New(DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if seen := few.Prepare(many(3)[:3*len(frame)-1]); seen != 3*len(frame)-1 {
		t.Errorf("with no topics %d bytes are seen, want all", seen)
	}
}

// TestPrepareTakesAnything shows bytes of any kind: Prepare changes none and sees no
// more than there are.
func TestPrepareTakesAnything(t *testing.T) {
	s := preparedServer(t)
	rapid.Check(t, func(rt *rapid.T) {
		var next []byte
		for i := range rapid.IntRange(1, 40).Draw(rt, "frames") {
			st := rapid.SampledFrom([]codec.SerializeType{codec.SerializeJSON, codec.SerializeRocketMQ}).Draw(rt, "form")
			topic := preparedTopic(rapid.IntRange(0, preparedTopics+100).Draw(rt, "topic"))
			if rapid.IntRange(0, 9).Draw(rt, "odd") == 0 {
				topic = rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(rt, "odd topic")
			}
			frame := routeFrame(st, int32(i), topic)
			for range rapid.SampledFrom([]int{0, 0, 0, 1, 5}).Draw(rt, "spoilt") {
				frame[rapid.IntRange(0, len(frame)-1).Draw(rt, "at")] = rapid.Byte().Draw(rt, "with")
			}
			next = append(next, frame...)
		}
		next = next[:rapid.IntRange(1, len(next)).Draw(rt, "come")]
		next = slices.Clip(next)
		before := bytes.Clone(next)
		if seen := s.Prepare(next); seen <= 0 || seen > len(next) {
			rt.Fatalf("%d of %d bytes seen", seen, len(next))
		}
		if !bytes.Equal(next, before) {
			rt.Fatal("bytes have changed")
		}
	})
}

// TestPreparedAnswers asks over sockets: what comes together is answered as what
// comes alone.
func TestPreparedAnswers(t *testing.T) {
	s := preparedServer(t)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	alone, together := nstest.Dial(t, s.Addr().String()), nstest.Dial(t, s.Addr().String())
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var batch []byte
		var want [][]byte
		for i := range 100 {
			st := codec.SerializeType(random.IntN(2))
			frame := routeFrame(st, int32(i), preparedTopic(random.IntN(preparedTopics+1000))) // some are not there
			if random.IntN(10) == 0 {
				frame = codec.AppendRequest(nil, st, &codec.Command{Code: codec.ReqQueryDataVersion, Opaque: int32(i)})
			}
			batch = append(batch, frame...)
			alone.Write(frame)
			want = append(want, bytes.Clone(alone.ReadFrame()))
		}
		together.Write(batch)
		for i := range want {
			if got := together.ReadFrame(); !bytes.Equal(got, want[i]) {
				t.Fatalf("request %d together with others is answered\n%q, alone\n%q", i, got, want[i])
			}
		}
	}
}
