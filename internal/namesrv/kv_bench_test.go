package namesrv

import (
	"fmt"
	"testing"

	"gonamesrv/codec"
)

// BenchmarkKVConfigPut changes one of many order topics, in memory only.
func BenchmarkKVConfigPut(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint("entries=", n), func(b *testing.B) {
			var entries []codec.Field
			for i := range n {
				entries = append(entries, codec.Field{Name: fmt.Sprintf("topic-%06d", i), Value: "broker-a:8;broker-b:8"})
			}
			t := codec.KVConfigTable{Namespaces: []codec.KVNamespace{{Name: orderTopicConfig, Entries: entries}}}
			k := new(kvConfig)
			k.now.Store(newKVState(t, len(t.AppendJSON(nil))))
			b.ReportAllocs()
			values := []string{"broker-a:8", "broker-b:8"}
			for i := 0; b.Loop(); i++ {
				if err := k.put(orderTopicConfig, "topic-000500", &values[i%2]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
