package route

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"gonamesrv/codec"
)

// BenchmarkRouteBatch is BenchmarkRouteRead for requests that come sixteen at a
// time, whose routes are read one after the other, or prefetched before that. An
// operation is one request.
func BenchmarkRouteBatch(b *testing.B) {
	for _, topics := range []int{1_000, 20_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) {
			t := benchTable(topics)
			for range 2 {
				for i := range topics {
					benchRoute(t.View(), benchTopic(i))
				}
			}
			runtime.GC()
			random := rand.New(rand.NewPCG(1, 2))
			zipf := rand.NewZipf(random, 1.1, 1, uint64(topics-1))
			for _, draw := range []struct {
				name string
				next func() int
			}{
				{"uniform", func() int { return random.IntN(topics) }},
				{"zipf", func() int { return int(zipf.Uint64()) * 7919 % topics }}, // neighbours were made together
			} {
				order := make([]int32, 1<<20)
				for i := range order {
					order[i] = int32(draw.next())
				}
				for _, way := range []string{"one_by_one", "prefetched"} {
					b.Run(draw.name+"/"+way, func(b *testing.B) {
						b.ReportAllocs()
						benchBatches(b, t, order, way == "prefetched")
					})
				}
			}
		})
	}
}

func benchBatches(b *testing.B, t *Table, order []int32, prefetch bool) {
	frame := codec.AppendRequest(nil, codec.SerializeJSON, &codec.Command{
		Code: codec.ReqGetRouteInfoByTopic, Version: codec.Version, Opaque: 77,
		Ext: codec.ExtFields{{Name: []byte("topic"), Value: benchTopic(0)}},
	})
	at := bytes.Index(frame, benchTopic(0)) // where the topic stands
	size := len(benchTopic(0))
	frames := bytes.Repeat(frame, MaxPrefetch)
	names := make([][]byte, MaxPrefetch)
	for i := range names {
		names[i] = frames[i*len(frame)+at:][:size]
	}
	form := RouteForm{Dialect: codec.DialectStrict}
	var cmd codec.Command
	var out []byte
	next, left := 0, 0
	for b.Loop() {
		if left == 0 {
			left = MaxPrefetch
			for _, name := range names {
				n := order[next&(len(order)-1)]
				next++
				for i := size - 1; i >= size-7; i-- {
					name[i] = byte('0' + n%10)
					n /= 10
				}
			}
			if prefetch {
				t.View().Prefetch(names, &form)
			}
			out = out[:0]
		}
		left--
		var h codec.GetRouteInfoRequestHeader
		if err := cmd.Decode(frames[left*len(frame):][:len(frame)]); err != nil {
			b.Fatal(err)
		}
		h.Decode(cmd.Ext)
		body, ok := benchRoute(t.View(), h.Topic)
		if !ok {
			b.Fatalf("no route for %s", h.Topic)
		}
		reply := codec.Reply{Opaque: cmd.Opaque, Body: body}
		out = codec.AppendReply(out, codec.SerializeJSON, &reply)
	}
}
