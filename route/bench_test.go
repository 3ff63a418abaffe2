package route

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"testing"

	"gonamesrv/codec"
)

// benchBody is a registration of the topics first, first+1, … with the given
// data version counter. Topics whose number is in changed get other queues.
func benchBody(first, n int, counter int64, changed func(i int) bool) *codec.RegisterBrokerBody {
	b := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1_700_000_000_000, Counter: counter}}
	for i := first; i < first+n; i++ {
		queues := int32(8)
		if changed(i) {
			queues = 16
		}
		name := benchTopic(i)
		b.Topics = append(b.Topics, codec.TopicConfig{Name: name, Key: name, ReadQueueNums: queues, WriteQueueNums: queues, Perm: 6})
	}
	return b
}

func benchTopic(i int) []byte { return fmt.Appendf(nil, "bench-topic-%07d", i) }

func never(int) bool  { return false }
func always(int) bool { return true }

func benchRegistration(broker int, b *codec.RegisterBrokerBody) *Registration {
	return &Registration{
		RegistrationHeader: RegistrationHeader{
			Cluster:       fmt.Sprintf("cluster-%d", broker/100),
			BrokerName:    fmt.Sprintf("broker-%05d", broker),
			BrokerAddr:    fmt.Sprintf("10.0.%d.%d:10911", broker/256, broker%256),
			TimeoutMillis: DefaultHeartbeatTimeoutMillis,
			OldVersion:    true,
		},
		Conn: uint64(broker + 1),
		Body: b,
	}
}

// benchTable is a table with the given number of topics, each on two brokers.
func benchTable(topics int) *Table {
	t := New(Options{})
	const perBroker = 10_000
	for first, broker := 0, 0; first < topics; first, broker = first+perBroker, broker+2 {
		body := benchBody(first, min(perBroker, topics-first), 1, never)
		for i := range 2 {
			if _, err := t.RegisterBroker(1, benchRegistration(broker+i, body)); err != nil {
				panic(err)
			}
		}
	}
	return t
}

// BenchmarkRouteRead is one route request from frame to frame, without a
// socket: decode the header, look the topic up, append the reply. Every topic
// has been asked for before. Which one is asked for next is drawn evenly, or as
// Zipf has it: half of the requests for a few thousand.
func BenchmarkRouteRead(b *testing.B) {
	for _, topics := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) {
			t := benchTable(topics)
			frame := codec.AppendRequest(nil, codec.SerializeJSON, &codec.Command{
				Code: codec.ReqGetRouteInfoByTopic, Version: codec.Version, Opaque: 77,
				Ext: codec.ExtFields{{Name: []byte("topic"), Value: benchTopic(0)}},
			})
			number := bytes.Index(frame, benchTopic(0)) + len(benchTopic(0)) - 7 // where it stands
			var cmd codec.Command
			var out []byte
			read := func(topic int) {
				for at, n := number+6, topic; at >= number; at-- {
					frame[at] = byte('0' + n%10)
					n /= 10
				}
				var h codec.GetRouteInfoRequestHeader
				if err := cmd.Decode(frame); err != nil {
					b.Fatal(err)
				}
				h.Decode(cmd.Ext)
				body, ok := benchRoute(t.View(), h.Topic)
				if !ok {
					b.Fatalf("no route for %s", h.Topic)
				}
				reply := codec.Reply{Opaque: cmd.Opaque, Body: body}
				out = codec.AppendReply(out[:0], codec.SerializeJSON, &reply)
			}
			for range 2 {
				for i := range topics {
					read(i)
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
				b.Run(draw.name, func(b *testing.B) {
					b.ReportAllocs()
					i := 0
					for b.Loop() {
						read(int(order[i&(len(order)-1)]))
						i++
					}
				})
			}
		})
	}
}

// benchRoute returns the route of a topic, as the server asks for it.
func benchRoute(v *View, topic []byte) ([]byte, bool) {
	return v.Route(topic, &RouteForm{Dialect: codec.DialectStrict})
}

// BenchmarkRegister is one registration of 10,000 topics from its encoded body
// on, by one of several brokers that all serve the same topics. "repeated" is what
// a broker since 5.0 sends when nothing has changed: another time (codec.TimelessBody).
func BenchmarkRegister(b *testing.B) {
	const topics = 10_000
	cases := []struct {
		name    string
		brokers int
		changed func(i int) bool
		bump    bool
		senders int // each of so many brokers sends in turn
	}{
		{"unchanged", 8, never, false, 1},
		{"repeated", 8, never, false, 1},
		{"bumped", 8, never, true, 1},
		{"one_changed", 8, func(i int) bool { return i == 5_000 }, true, 1},
		{"all_changed/brokers=1", 1, always, true, 1},
		{"all_changed/brokers=8", 8, always, true, 1},
		{"all_changed/brokers=32", 32, always, true, 1},
		{"all_changed/brokers=128", 128, always, true, 1},
		{"all_changed/brokers=300", 300, always, true, 1},
		{"all_changed_by_each/brokers=8", 8, always, true, 8},
		{"all_changed_by_each/brokers=32", 32, always, true, 32},
		{"all_changed_by_each/brokers=300", 300, always, true, 37},
	}
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			t := benchShared(c.brokers, topics)
			// Two bodies that differ as the case says, sent in turn.
			bodies := [2][]byte{benchBody(0, topics, 1, never).AppendJSON(nil), benchBody(0, topics, 1, never).AppendJSON(nil)}
			if c.bump {
				bodies[1] = benchBody(0, topics, 2, c.changed).AppendJSON(nil)
			}
			var body codec.RegisterBrokerBody
			senders := make([]benchSender, c.senders)
			for i := range senders {
				senders[i] = benchSender{table: t, body: &body, r: benchRegistration((c.brokers/2+i*77)%c.brokers, nil)}
			}
			decodes := 0
			i := 0
			millis := int64(1_795_903_396_624)
			register := func() {
				if c.name == "repeated" {
					millis++
					strconv.AppendInt(writtenIn(bodies[i/c.senders%2]), millis, 10)
				}
				if senders[i%c.senders].register(b, bodies[i/c.senders%2]) {
					decodes++
				}
				i++
			}
			for range 2 * c.senders {
				register()
			}
			decodes = 0
			runtime.GC()
			b.ReportAllocs()
			before := processCPU(b)
			for b.Loop() {
				register()
			}
			b.ReportMetric((processCPU(b)-before)*1e3/float64(b.N), "cpu-ms/op")
			if (decodes > 0) != c.bump {
				b.Fatalf("%d of %d registrations were decoded", decodes, b.N)
			}
		})
	}
}

// writtenIn returns where 13 digits of the time are in a body that was made with one, to
// append others.
func writtenIn(body []byte) []byte {
	key := []byte(`"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":`)
	at := bytes.Index(body, key) + len(key)
	return body[at : at : at+13]
}

// BenchmarkRegisterFirst is the first registration of a broker with 10,000
// topics, from its encoded body on: nobody has them, or so many others do.
func BenchmarkRegisterFirst(b *testing.B) {
	const topics = 10_000
	for _, others := range []int{0, 1, 8, 128, 300} {
		b.Run(fmt.Sprintf("others=%d", others), func(b *testing.B) {
			t := benchShared(others, topics)
			body := benchBody(0, topics, 1, never).AppendJSON(nil)
			sender := benchSender{table: t, body: &codec.RegisterBrokerBody{}, r: benchRegistration(others, nil)}
			sender.register(b, body)
			used := 0.0
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				t.UnregisterBrokers(Unregistration{sender.r.Cluster, sender.r.BrokerName, sender.r.BrokerAddr})
				runtime.GC() // what the leaving has cost is not asked
				b.StartTimer()
				before := processCPU(b)
				sender.register(b, body)
				used += processCPU(b) - before
			}
			b.ReportMetric(used*1e3/float64(b.N), "cpu-ms/op")
		})
	}
}

// benchShared is a table where so many brokers have the same topics.
func benchShared(brokers, topics int) *Table {
	t := New(Options{})
	body := benchBody(0, topics, 1, never)
	for i := range brokers {
		if _, err := t.RegisterBroker(1, benchRegistration(i, body)); err != nil {
			panic(err)
		}
	}
	return t
}

// A benchSender registers one broker from encoded bodies, as the server does.
type benchSender struct {
	table *Table
	r     *Registration
	body  *codec.RegisterBrokerBody // its memory is used again
}

// register reports whether the body had to be decoded.
func (s *benchSender) register(b *testing.B, body []byte) bool {
	r := s.r
	r.BodyHash = HashBody(body, codec.Version, false, 0)
	if _, ok := s.table.RegisterUnchanged(1, r); ok {
		return false
	}
	if err := s.body.DecodeKnown(body, codec.Version, false, 1, s.table.KnownTopics(r)); err != nil {
		b.Fatal(err)
	}
	r.Body = s.body
	if _, err := s.table.RegisterBroker(1, r); err != nil {
		b.Fatal(err)
	}
	return true
}

// BenchmarkUnregister takes a broker with 10,000 topics out, alone on its
// topics or as one of eight.
func BenchmarkUnregister(b *testing.B) {
	for _, brokers := range []int{1, 8} {
		b.Run(fmt.Sprintf("brokers=%d", brokers), func(b *testing.B) {
			t := New(Options{})
			body := benchBody(0, 10_000, 1, never)
			for i := range brokers {
				if _, err := t.RegisterBroker(1, benchRegistration(i, body)); err != nil {
					b.Fatal(err)
				}
			}
			r := benchRegistration(0, body)
			used := 0.0
			b.ReportAllocs()
			for b.Loop() {
				before := processCPU(b)
				t.UnregisterBrokers(Unregistration{r.Cluster, r.BrokerName, r.BrokerAddr})
				used += processCPU(b) - before
				b.StopTimer()
				if _, err := t.RegisterBroker(1, r); err != nil {
					b.Fatal(err)
				}
				runtime.GC() // what the coming has cost is not asked
				b.StartTimer()
			}
			b.ReportMetric(used*1e3/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkPublishOneTopic changes one topic and publishes, beside ever more
// topics that do not change.
func BenchmarkPublishOneTopic(b *testing.B) {
	for _, topics := range []int{1_000, 10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) {
			t := benchTable(topics)
			r := benchRegistration(0, nil)
			bodies := [2]*codec.RegisterBrokerBody{benchBody(500, 1, 2, never), benchBody(500, 1, 3, always)}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				r.Body = bodies[i%2]
				i++
				if _, err := t.RegisterBroker(1, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkHeapPerEntry reports what one topic on one broker costs, of three
// million: with the same 10,000 topics on 300 brokers, and with 750,000 topics
// on four brokers each.
func BenchmarkHeapPerEntry(b *testing.B) {
	shapes := []struct {
		name  string
		first func(broker int) int // number of the broker's first topic
	}{
		{"same_topics", func(int) int { return 0 }},
		{"four_brokers_each", func(broker int) int { return broker / 4 * 10_000 }},
	}
	for _, s := range shapes {
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				before := heapInUse()
				t := New(Options{})
				for broker := range 300 {
					if _, err := t.RegisterBroker(1, benchRegistration(broker, benchBody(s.first(broker), 10_000, 1, never))); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(heapInUse()-before)/3e6, "heap-B/entry")
				runtime.KeepAlive(t)
			}
		})
	}
}

// BenchmarkHeapAfterDeletion reports what is left of 100,000 topics, that came with
// ten brokers or from a snapshot, for each of those that are not deleted: one in ten.
// They are drawn, which is the worst for memory that neighbours share.
func BenchmarkHeapAfterDeletion(b *testing.B) {
	const topics = 100_000
	registered := func() *Table {
		t := New(Options{})
		for i := range 10 {
			if _, err := t.RegisterBroker(1, benchRegistration(i, benchBody(i*topics/10, topics/10, 1, never))); err != nil {
				panic(err)
			}
		}
		return t
	}
	restored := func() *Table {
		var file bytes.Buffer
		if _, err := WriteSnapshot(&file, &SnapshotHeader{}, registered().View(), 1, nil); err != nil {
			panic(err)
		}
		_, saved, err := ReadSnapshot(file.Bytes(), 0)
		if err != nil {
			panic(err)
		}
		t, err := Restore(Options{}, saved, 1, 0)
		if err != nil {
			panic(err)
		}
		return t
	}
	for _, from := range []struct {
		name  string
		table func() *Table
	}{{"registered", registered}, {"restored", restored}} {
		b.Run(from.name, func(b *testing.B) {
			for b.Loop() {
				before := heapInUse()
				t := from.table()
				all := heapInUse()
				random := rand.New(rand.NewPCG(1, 2))
				for i := range topics {
					if random.IntN(10) != 0 {
						t.DeleteTopic(string(benchTopic(i)))
					}
				}
				b.ReportMetric(float64(all-before)/topics, "heap-B/topic")
				b.ReportMetric(float64(heapInUse()-before)/float64(t.topicQueueTable.size), "heap-B/topic-left")
				runtime.KeepAlive(t)
			}
		})
	}
}

// BenchmarkHeapPerRoute reports what a topic on two brokers costs once it has been
// asked for, and how much of that is the body.
func BenchmarkHeapPerRoute(b *testing.B) {
	for _, topics := range []int{150_000, 300_000} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) {
			for b.Loop() {
				before := heapInUse()
				t := benchTable(topics)
				size := 0
				for range 2 {
					for i := range topics {
						body, _ := benchRoute(t.View(), benchTopic(i))
						size = len(body)
					}
				}
				b.ReportMetric(float64(heapInUse()-before)/float64(topics), "heap-B/topic")
				b.ReportMetric(float64(size), "body-B")
				runtime.KeepAlive(t)
			}
		})
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
