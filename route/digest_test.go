package route

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"gonamesrv/codec"
)

// TestXXHash64 compares with the numbers that the inventor's program prints.
func TestXXHash64(t *testing.T) {
	for text, want := range map[string]uint64{
		"":    0xef46db3751d8e999,
		"a":   0xd24ec4f1a98c6e5b,
		"abc": 0x44bc2cf5ad770999,
		"Nobody inspects the spammish repetition":                         0xfbcea83c8a378bf1,
		"Call me Ishmael. Some years ago--never mind how long precisely-": 0x02a2e85470d6fd96,
	} {
		if got := xxHash64([]byte(text)); got != want {
			t.Errorf("of %q: %x, want %x", text, got, want)
		}
	}
	words := []byte("four words of eight bytes, so 32")
	w := func(i int) uint64 { return binary.LittleEndian.Uint64(words[8*i:]) }
	if got, want := xxHashWords(w(0), w(1), w(2), w(3)), xxHash64(words); got != want {
		t.Errorf("of four words: %x, want %x", got, want)
	}
}

// digestDifference says what is wrong with the digests of v: they are not those of what
// readers are shown, computed anew from the answers to them, or those of the buckets do
// not fit.
func digestDifference(v *View) string {
	var want Digest
	d := digesting{}
	hash := func(kind byte, parts ...any) uint64 {
		d.begin(kind)
		if kind == 'T' {
			d.buf = d.buf[:0]
		}
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				d.text(p)
			case []string:
				for _, s := range p {
					d.text(s)
				}
			case bool:
				d.flag(p)
			case int32:
				d.buf = binary.LittleEndian.AppendUint32(d.buf, uint32(p))
			case uint64:
				d.number(int64(p))
			case int64:
				d.number(p)
			case *codec.TopicQueueMappingInfo:
				if p != nil {
					return d.mapping(d.sum(), p)
				}
			}
		}
		return d.sum()
	}
	info := v.brokers.info()
	for _, b := range info.BrokerAddrTable {
		parts := []any{b.Cluster, b.BrokerName, b.EnableActingMaster, b.HasZoneName}
		if b.HasZoneName {
			parts = append(parts, b.ZoneName)
		}
		want.Brokers ^= hash('B', parts...)
		set, _ := v.Broker([]byte(b.BrokerName))
		for m := range set.Members() {
			want.Brokers ^= hash('A', b.Cluster, b.BrokerName, m.ID, m.Addr, m.FilterServers)
		}
	}
	for _, c := range info.ClusterAddrTable {
		for _, name := range c.BrokerNames {
			want.Brokers ^= hash('C', c.Cluster, name)
		}
	}
	topics := map[string]uint64{}
	for e := range v.topics.all {
		offers := v.offers(e)
		for _, o := range offers {
			q := o.queue
			topics[e.name] ^= hash('T', xxHash64([]byte(e.name)), xxHash64([]byte(q.BrokerName)), q.ReadQueueNums, q.WriteQueueNums, q.Perm, q.TopicSysFlag, o.mapping)
		}
		want.Topics ^= topics[e.name]
	}
	if got := v.Digest(); got != want {
		return fmt.Sprintf("digest is %x, of what readers are shown it is %x", got, want)
	}
	const buckets = 3
	for n, sum := range v.TopicDigests(buckets) {
		names := v.TopicsOfBuckets(buckets, n)
		if !slices.IsSortedFunc(names, func(a, b TopicDigest) int { return strings.Compare(a.Name, b.Name) }) {
			return fmt.Sprintf("bucket %d is not in order: %q", n, names)
		}
		for _, t := range names {
			if want, ok := topics[t.Name]; !ok || t.Sum != want {
				return fmt.Sprintf("bucket %d has %q with the digest %x, want %x; or it is in another or nowhere", n, t.Name, t.Sum, want)
			}
			sum ^= t.Sum
			delete(topics, t.Name)
		}
		if sum != 0 {
			return fmt.Sprintf("the digest of bucket %d is not that of %q", n, names)
		}
	}
	if len(topics) > 0 {
		return fmt.Sprintf("no bucket has %v", topics)
	}
	return ""
}

// digestChange says what is wrong with how the digest has changed from old to v: it is
// to be another one if, and only if, readers are shown something else.
func digestChange(old, v *View) string {
	d := Diff(old, v)
	brokers, topics := false, false
	for c := range d.Brokers() {
		// The acting flag and the zone of a member that is not the first are shown to nobody.
		brokers = brokers || c.Old == nil || c.New == nil || !sameShown(c.Old, c.New)
	}
	for range d.Clusters() {
		brokers = true
	}
	for range d.Topics() {
		topics = true
	}
	a, b := old.Digest(), v.Digest()
	if (a.Brokers != b.Brokers) != brokers || (a.Topics != b.Topics) != topics {
		return fmt.Sprintf("digest was %x and is %x; brokers have changed: %v, topics: %v", a, b, brokers, topics)
	}
	return ""
}

func sameShown(a, b *Broker) bool {
	text := func(b *Broker) (s string) {
		s = fmt.Sprint(b.Data())
		for m := range b.Members() {
			s += fmt.Sprintf(" %d %q", m.ID, m.FilterServers)
		}
		return s
	}
	return text(a) == text(b)
}

// TestDigestOfHistories lets tables come to the same content in many ways: from nothing
// in any order, and through other content.
func TestDigestOfHistories(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const brokers, topics = 20, 300
	body := func(broker int, counter int64, changed func(int) bool) *codec.RegisterBrokerBody {
		return benchBody(broker/4*topics, topics, counter, changed)
	}
	var want Digest
	for i := range 8 {
		table := New(Options{})
		register := func(b *Registration) {
			if _, err := table.RegisterBroker(1, b); err != nil {
				t.Fatal(err)
			}
			if i%2 == 0 && random.IntN(3) == 0 {
				table.View().Digest() // which is remembered in part
			}
		}
		for n, broker := range random.Perm(brokers) {
			if random.IntN(2) == 0 { // something else before
				register(benchRegistration(broker, body(broker, 1, func(i int) bool { return i%7 == n%7 })))
			}
			if random.IntN(4) == 0 {
				r := benchRegistration(broker, nil)
				table.UnregisterBrokers(Unregistration{r.Cluster, r.BrokerName, r.BrokerAddr})
			}
			register(benchRegistration(broker, body(broker, int64(2+i), never)))
		}
		got := table.View().Digest()
		if d := digestDifference(table.View()); d != "" {
			t.Error(d)
		}
		if i == 0 {
			want = got
		}
		if got != want {
			t.Errorf("digest after another history is %x, want %x", got, want)
		}
	}
}

// goldenTable has a cell of each kind.
func goldenTable(t testing.TB, change func(*Registration)) *Table {
	r := &Registration{
		RegistrationHeader: RegistrationHeader{
			Cluster: "c1", BrokerName: "broker-a", BrokerAddr: "10.0.0.1:10911", HAServerAddr: "10.0.0.1:10912",
			ZoneName: "z1", HasZoneName: true, EnableActingMaster: true, TimeoutMillis: 120_000,
		},
		Conn: 1,
		Body: &codec.RegisterBrokerBody{
			DataVersion: codec.DataVersion{Timestamp: 7, Counter: 1},
			Topics: []codec.TopicConfig{
				{Name: []byte("T"), Key: []byte("T"), ReadQueueNums: 8, WriteQueueNums: 4, Perm: 6, TopicSysFlag: 1},
				{Name: []byte("U"), Key: []byte("U"), ReadQueueNums: 1, WriteQueueNums: 1, Perm: 6},
				{Name: []byte("订单"), Key: []byte("订单"), ReadQueueNums: 1 << 20, WriteQueueNums: 1, Perm: 4},
			},
			Mappings: []codec.RegisteredMapping{{Key: "T", Info: codec.TopicQueueMappingInfo{
				Topic: "T", Scope: "__global__", TotalQueues: 8, Bname: "broker-a", Epoch: 3, CurrIDMap: []codec.QueueID{{Logic: 0, Physical: 1}},
			}}},
			FilterServers: []string{"f1"},
		},
	}
	change(r)
	table := New(Options{})
	if _, err := table.RegisterBroker(1, r); err != nil {
		t.Fatal(err)
	}
	return table
}

// TestDigestGolden holds releases to one digest: servers of two of them are compared by
// it.
func TestDigestGolden(t *testing.T) {
	got := goldenTable(t, func(*Registration) {}).View().Digest()
	want := Digest{Brokers: 0x1498db37586bea59, Topics: 0x7868a6514ce1cd63}
	if got != want {
		t.Errorf("digest is {%#x, %#x}, want {%#x, %#x}", got.Brokers, got.Topics, want.Brokers, want.Topics)
	}
	if got := New(Options{}).View().Digest(); got != (Digest{}) {
		t.Errorf("digest of nothing is %x", got)
	}
}

// TestDigestOfEachCell changes one thing after the other.
func TestDigestOfEachCell(t *testing.T) {
	info := func(r *Registration) *codec.TopicQueueMappingInfo { return &r.Body.Mappings[0].Info }
	seen := map[Digest]string{}
	for _, c := range []struct {
		name   string
		in     string // which of the two digests shows it
		change func(*Registration)
	}{
		{"nothing", "", func(*Registration) {}},
		{"cluster", "brokers", func(r *Registration) { r.Cluster = "c2" }},
		{"broker name", "both", func(r *Registration) { r.BrokerName = "broker-b"; info(r).Bname = "broker-b" }},
		{"address", "brokers", func(r *Registration) { r.BrokerAddr = "10.0.0.2:10911" }},
		{"id", "both", func(r *Registration) { r.BrokerID = 3 }}, // nobody may write to a slave
		{"zone", "brokers", func(r *Registration) { r.ZoneName = "z2" }},
		{"no zone", "brokers", func(r *Registration) { r.ZoneName, r.HasZoneName = "", false }},
		{"empty zone", "brokers", func(r *Registration) { r.ZoneName = "" }},
		{"acting", "brokers", func(r *Registration) { r.EnableActingMaster = false }},
		{"filter server", "brokers", func(r *Registration) { r.Body.FilterServers = []string{"f1", "f2"} }},
		{"topic", "topics", func(r *Registration) { r.Body.Topics[2].Name = []byte("订"); r.Body.Topics[2].Key = []byte("订") }},
		{"no topic", "topics", func(r *Registration) { r.Body.Topics = r.Body.Topics[:2] }},
		{"read queues", "topics", func(r *Registration) { r.Body.Topics[0].ReadQueueNums++ }},
		{"write queues", "topics", func(r *Registration) { r.Body.Topics[0].WriteQueueNums++ }},
		{"perm", "topics", func(r *Registration) { r.Body.Topics[0].Perm = 4 }},
		{"flags", "topics", func(r *Registration) { r.Body.Topics[0].TopicSysFlag = 0 }},
		{"wide", "topics", func(r *Registration) { r.Body.Topics[2].ReadQueueNums++ }},
		{"no mapping", "topics", func(r *Registration) { r.Body.Mappings = nil }},
		{"mapping: topic", "topics", func(r *Registration) { info(r).Topic = "U" }},
		{"mapping: scope", "topics", func(r *Registration) { info(r).Scope = "s" }},
		{"mapping: queues", "topics", func(r *Registration) { info(r).TotalQueues = 9 }},
		{"mapping: epoch", "topics", func(r *Registration) { info(r).Epoch = 4 }},
		{"mapping: dirty", "topics", func(r *Registration) { info(r).Dirty = true }},
		{"mapping: logic", "topics", func(r *Registration) { info(r).CurrIDMap[0].Logic = 2 }},
		{"mapping: physical", "topics", func(r *Registration) { info(r).CurrIDMap[0].Physical = 2 }},
		{"mapping: none", "topics", func(r *Registration) { info(r).CurrIDMap = []codec.QueueID{} }},
		{"mapping: null", "topics", func(r *Registration) { info(r).CurrIDMap = nil }},
		{"age", "", nil},
		{"data version", "", func(r *Registration) { r.Body.DataVersion.Counter = 9 }},
		{"connection", "", func(r *Registration) { r.Conn = 9 }},
		{"HA server", "", func(r *Registration) { r.HAServerAddr = "elsewhere" }},
		{"timeout", "", func(r *Registration) { r.TimeoutMillis = 1 }},
	} {
		change := c.change
		if change == nil {
			change = func(*Registration) {}
		}
		table := goldenTable(t, change)
		if c.change == nil {
			table.Heartbeat(99_000, []byte("c1"), []byte("10.0.0.1:10911"))
		}
		if d := digestDifference(table.View()); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
		got, base := table.View().Digest(), goldenTable(t, func(*Registration) {}).View().Digest()
		if brokers := c.in == "brokers" || c.in == "both"; (got.Brokers != base.Brokers) != brokers {
			t.Errorf("%s: the digest of brokers is another one: %v, want %v", c.name, !brokers, brokers)
		}
		if topics := c.in == "topics" || c.in == "both"; (got.Topics != base.Topics) != topics {
			t.Errorf("%s: the digest of topics is another one: %v, want %v", c.name, !topics, topics)
		}
		if other, twice := seen[got]; twice && c.in != "" {
			t.Errorf("%s and %s have the digest %x", c.name, other, got)
		}
		seen[got] = c.name
	}
}

// TestDigestLooksAtWhatHasChanged counts the elements that are looked at.
func TestDigestLooksAtWhatHasChanged(t *testing.T) {
	if raceEnabled {
		t.Skip("one goroutine")
	}
	table := benchTable(40_000)
	looked := func() int {
		n := 0
		d := digesting{view: table.View()}
		digestOf(&d, d.view.topics.root, func(b []trieSlot[*TopicEntry]) uint64 { n += len(b); return d.everyRow(b) })
		return n
	}
	if n := looked(); n != 40_000 {
		t.Errorf("the first time %d topics are looked at, want all", n)
	}
	if n := looked(); n != 0 {
		t.Errorf("the second time %d topics are looked at, want none", n)
	}
	r := benchRegistration(0, benchBody(500, 1, 2, always))
	if _, err := table.RegisterBroker(1, r); err != nil {
		t.Fatal(err)
	}
	if n := looked(); n == 0 || n > trieBucket {
		t.Errorf("after a change of one topic %d are looked at, want at most the %d of a bucket", n, trieBucket)
	}
	for i := range 3 { // nobody asks in between
		r := benchRegistration(0, benchBody(500+i, 1, int64(3+i), always))
		if _, err := table.RegisterBroker(1, r); err != nil {
			t.Fatal(err)
		}
	}
	if n := looked(); n == 0 || n > 3*trieBucket {
		t.Errorf("after changes of three topics %d are looked at, want at most the %d of three buckets", n, 3*trieBucket)
	}
	if d := digestDifference(table.View()); d != "" {
		t.Error(d)
	}
}

// TestDigestWhileTheTableChanges reads Views while others are made; the race detector
// looks on.
func TestDigestWhileTheTableChanges(t *testing.T) {
	table := New(Options{})
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				v := table.View()
				if d := digestDifference(v); d != "" {
					t.Error(d)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 40 {
		for broker := range 4 {
			r := benchRegistration(broker, benchBody(0, 200, int64(i), func(n int) bool { return n%(i+1) == 0 }))
			if _, err := table.RegisterBroker(1, r); err != nil {
				t.Fatal(err)
			}
			runtime.Gosched()
		}
		r := benchRegistration(i%4, nil)
		table.UnregisterBrokers(Unregistration{r.Cluster, r.BrokerName, r.BrokerAddr})
	}
	close(done)
	readers.Wait()
}

// BenchmarkDigest is the digest of a table that nobody has asked before, and after one
// topic of one broker has changed.
func BenchmarkDigest(b *testing.B) {
	shapes := []struct {
		name  string
		table func() *Table
	}{
		{"topics=1000000", func() *Table { return benchTable(1_000_000) }},
		{"brokers=300", func() *Table { return benchShared(300, 10_000) }},
	}
	for _, s := range shapes {
		table := s.table()
		b.Run(s.name+"/first", func(b *testing.B) {
			used := 0.0
			for b.Loop() {
				b.StopTimer()
				clearDigests(table.View().topics.root)
				b.StartTimer()
				before := processCPU(b)
				table.View().Digest()
				used += processCPU(b) - before
			}
			b.ReportMetric(used*1e3/float64(b.N), "cpu-ms/op")
		})
		b.Run(s.name+"/one_changed", func(b *testing.B) {
			r := benchRegistration(0, nil)
			bodies := [2]*codec.RegisterBrokerBody{benchBody(500, 1, 2, never), benchBody(500, 1, 3, always)}
			i := 0
			for b.Loop() {
				b.StopTimer()
				r.Body = bodies[i%2]
				i++
				if _, err := table.RegisterBroker(1, r); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
				table.View().Digest()
			}
		})
		b.Run(s.name+"/buckets", func(b *testing.B) {
			for b.Loop() {
				table.View().TopicDigests(1024)
			}
		})
	}
}

// clearDigests forgets what is remembered; nobody else may look.
func clearDigests[E keyed](n *trieNode[E]) {
	if n == nil {
		return
	}
	n.sums.Store(nil)
	for i, way := range n.ways {
		if n.lens[i] == 0 {
			clearDigests((*trieNode[E])(way))
		}
	}
}

// TestDigestCostsNoMemory: what is remembered takes the room that malloc wastes at the
// end of a node, and its own only where somebody has asked.
func TestDigestCostsNoMemory(t *testing.T) {
	if size := unsafe.Sizeof(trieNode[*TopicEntry]{}); size > 352 {
		t.Errorf("a node has %d bytes, so that it takes more than the 352 of its size class", size)
	}
}
