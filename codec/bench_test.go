package codec

import (
	"bytes"
	"testing"
)

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"route_request", "register_slave_request", "route_miss_binary_request", "query_data_version_binary_request"} {
		b.Run("frame="+name, func(b *testing.B) {
			frame := loadFrame(b, name)
			var c Command
			b.SetBytes(int64(len(frame)))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Decode(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkJSONHeaderReaders compares the three readers on the same header.
func BenchmarkJSONHeaderReaders(b *testing.B) {
	frame := loadFrame(b, "route_request")
	header := frame[8:]
	var c Command
	for _, reader := range []struct {
		name string
		read func() bool
	}{
		{"scan", func() bool { return c.scanJSONHeader(header) }},
		{"parse", func() bool { return c.parseJSONHeader(header) }},
		{"read", func() bool { return c.readJSONHeader(header) == nil }},
	} {
		b.Run("reader="+reader.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !reader.read() {
					b.Fatal("not read")
				}
			}
		})
	}
}

func BenchmarkAppendReply(b *testing.B) {
	route := fullRoute().AppendJSON(nil, DialectStrict)
	for _, bb := range []struct {
		name string
		st   SerializeType
		r    Reply
	}{
		{"route/JSON", SerializeJSON, Reply{Opaque: 12345, Body: route}},
		{"route/ROCKETMQ", SerializeRocketMQ, Reply{Opaque: 12345, Body: route}},
		{"remark/JSON", SerializeJSON, Reply{Code: RespTopicNotExist, Opaque: 12345, Remark: "No topic route info in name server for the topic: T\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."}},
		{"ext/JSON", SerializeJSON, Reply{Opaque: 12345, Ext: []Field{{"haServerAddr", "10.0.0.1:10912"}, {"masterAddr", "10.0.0.1:10911"}}}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			buf := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				buf = AppendReply(buf[:0], bb.st, &bb.r)
			}
		})
	}
}

func BenchmarkRegisterBrokerBody(b *testing.B) {
	topics := manyTopics(10000)
	for _, bb := range []struct {
		name string
		body []byte
	}{
		{"topics=10000/JSON", topics.AppendJSON(nil)},
		{"topics=10000/JSON4", bytes.ReplaceAll(topics.AppendJSON(nil), []byte(`"attributes":{},`), nil)}, // as 4.x sends it
		{"topics=10000/zlib", Compress(nil, topics.AppendCompact(nil, Version))},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var body RegisterBrokerBody
			b.SetBytes(int64(len(bb.body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := body.Decode(bb.body, Version, false, nowMillis); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecodeKnown decodes a body of 10,000 topics whose sender is known:
// with the topics of the last time, or with each hundredth, or each, changed.
func BenchmarkDecodeKnown(b *testing.B) {
	for _, bb := range []struct {
		name string
		step int // between changed topics
	}{{"changed=0%", 0}, {"changed=1%", 100}, {"changed=100%", 1}} {
		b.Run("topics=10000/"+bb.name, func(b *testing.B) {
			topics := manyTopics(10000)
			var body RegisterBrokerBody
			if err := body.Decode(topics.AppendJSON(nil), Version, false, nowMillis); err != nil {
				b.Fatal(err)
			}
			known := body.Said
			for i := 0; bb.step > 0 && i < len(topics.Topics); i += bb.step {
				topics.Topics[i].Perm = 4
			}
			text := topics.AppendJSON(nil)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if err := body.DecodeKnown(text, Version, false, nowMillis, known); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(body.Topics)), "decoded")
		})
	}
}

func BenchmarkTopicRouteData(b *testing.B) {
	big := &TopicRouteData{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		big.BrokerDatas = append(big.BrokerDatas, BrokerData{Cluster: "DefaultCluster", BrokerName: "broker-" + name, BrokerAddrs: []BrokerAddr{{0, "10.0.0.1:10911"}, {1, "10.0.0.2:10911"}}})
		big.QueueDatas = append(big.QueueDatas, QueueData{BrokerName: "broker-" + name, ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6})
	}
	for _, bb := range []struct {
		name    string
		dialect Dialect
	}{{"legacy", DialectLegacy}, {"strict", DialectStrict}} {
		b.Run("brokers=8/dialect="+bb.name, func(b *testing.B) {
			buf := make([]byte, 0, 8192)
			b.ReportAllocs()
			for b.Loop() {
				buf = big.AppendJSON(buf[:0], bb.dialect)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}
