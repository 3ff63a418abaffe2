//go:build !race

package namesrv_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// bomb is a registration that inflates to some 350 times its size.
func bomb(i int) *codec.Command {
	body := codec.RegisterBrokerBody{Topics: slices.Repeat([]codec.TopicConfig{
		{Name: []byte(strings.Repeat("A", 40)), ReadQueueNums: 1, WriteQueueNums: 1, Perm: 6},
	}, 900_000)}
	r := nstest.Broker{Cluster: "C", Name: fmt.Sprint("bomb", i), Addr: fmt.Sprintf("10.0.1.%d:10911", i)}.Register()
	r.Body = compressed(&body)
	return withoutCRC(r)
}

var compressed = func() func(*codec.RegisterBrokerBody) []byte {
	var once sync.Once
	var body []byte
	return func(b *codec.RegisterBrokerBody) []byte {
		once.Do(func() { body = codec.Compress(nil, b.AppendCompact(nil, codec.Version)) })
		return body
	}
}()

// withoutCRC takes the checksum of the body off a registration.
func withoutCRC(r *codec.Command) *codec.Command {
	r.Ext = slices.DeleteFunc(r.Ext, func(f codec.ExtField) bool { return string(f.Name) == "bodyCrc32" })
	return r
}

// What a registration says is decoded within the budget: beyond it the broker is
// told to come again, and all is given back.
func TestDecodingWithinTheBudget(t *testing.T) {
	const brokers = 20
	s := start(t, func(c *namesrv.Config) { c.MemoryBudget = 64 << 20 })
	var all sync.WaitGroup
	for i := range brokers {
		c := s.dial(t)
		frame := c.Frame(bomb(i))
		all.Go(func() {
			if err := c.TryWrite(frame); err != nil {
				t.Error(err)
				return
			}
			b, err := c.TryReadFrame(2 * time.Minute)
			var reply codec.Command
			if err == nil {
				err = reply.Decode(b)
			}
			if err != nil || codec.ResponseCode(reply.Code) != codec.RespSystemBusy || !strings.HasPrefix(string(reply.Remark), "[OVERLOAD]") {
				t.Errorf("answered %d %q, %v; want SYSTEM_BUSY", reply.Code, reply.Remark, err)
			}
		})
	}
	all.Wait()
	// One that finds the budget used up by the others' decoding is not even queued.
	if n := s.NoMemory(); n == 0 || n+s.Overloaded() != brokers {
		t.Errorf("%d refused while decoding and %d before, want %d in all", n, s.Overloaded(), brokers)
	}
	nstest.Eventually(t, "all given back", func() bool { return s.Budget().Queued() == 0 })
	wantCode(t, s.dial(t).Do(brokerA.Register()), codec.RespSuccess, "")
}

// Whatever a request is refused for, what was reserved for it is given back, and
// what is too much is refused: what a broker says of one topic, and the answers to
// requests of some bytes.
func TestBudgetIsGivenBack(t *testing.T) {
	const budget = 16 << 20
	s := start(t, func(c *namesrv.Config) { c.MemoryBudget, c.KVConfigPath = budget, "" })
	c := s.dial(t)
	topic := func(body string) *codec.Command {
		r := nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", "T")
		r.Body = []byte(body)
		return r
	}
	register := func(body string) *codec.Command {
		r := withoutCRC(brokerA.Register())
		r.Body = []byte(body)
		return r
	}
	long := strings.Repeat("x", 1000)
	busy, wrong := codec.RespSystemBusy, codec.RespSystemError
	for _, tc := range []struct {
		name string
		r    *codec.Command
		want codec.ResponseCode
	}{
		{"too many brokers of a topic", topic(`{"brokerDatas":[` + strings.Repeat(`{},`, 1<<20) + `{}]}`), busy},
		{"too many queues", topic(`{"queueDatas":[` + strings.Repeat(`{},`, 1<<20) + `{}]}`), busy},
		{"half a topic", topic(`{"queueDatas":[` + strings.Repeat(`{},`, 10_000)), wrong},
		{"a topic", topic(`{"queueDatas":[` + strings.Repeat(`{},`, 10_000) + `{}]}`), codec.RespSuccess},
		{"half a registration", register(`{"filterServerList":[` + strings.Repeat(`"a",`, 10_000)), wrong},
		{"filter servers beyond a limit", register(`{"filterServerList":[` + strings.Repeat(`"a",`, 10_000) + `"a"]}`), wrong},
		{"a name beyond a limit", register(`{"filterServerList":["` + long + `"]}`), wrong},
		{"too much", bomb(0), busy},
		{"another checksum", func() *codec.Command {
			r := brokerA.Register()
			r.Body = append(r.Body, ' ')
			return r
		}(), wrong},
	} {
		r := c.Do(tc.r)
		if got := codec.ResponseCode(r.Code); got != tc.want {
			t.Errorf("%s: %v %.200s, want %v", tc.name, got, r.Remark, tc.want)
		}
		nstest.Eventually(t, tc.name+": all given back", func() bool { return s.Budget().Queued() == 0 && s.Budget().Held() == 0 })
	}

	// The KV config, an eighth of the budget at most, is listed if there is room
	// for what that takes.
	for i := range 3 {
		r := c.Do(putKV("namespace", "ns", "key", fmt.Sprint(i), "value", strings.Repeat("v", budget/8/3)))
		if refused := codec.ResponseCode(r.Code) == wrong; refused != (i == 2) {
			t.Errorf("entry %d: %d %.200s", i, r.Code, r.Remark)
		}
	}
	wantCode(t, c.Do(listKV("namespace", "ns")), codec.RespSuccess, "")
	nstest.Eventually(t, "all given back", func() bool { return s.Budget().Queued() == 0 })
	wantCode(t, c.Do(register(manyTopics(3000))), codec.RespSuccess, "")
	lists := []*codec.Command{
		nstest.Request(codec.ReqGetAllTopicListFromNameserver),
		nstest.Request(codec.ReqGetTopicsByCluster, "cluster", brokerA.Cluster),
	}
	for _, r := range lists {
		wantCode(t, c.Do(r), codec.RespSuccess, "")
	}
	nstest.Eventually(t, "all given back", func() bool { return s.Budget().Queued() == 0 })
	if !s.Budget().Reserve(budget/2 - 2<<20) {
		t.Fatal("the budget is not empty")
	}
	for _, r := range lists {
		wantCode(t, c.Do(r), busy, "[OVERLOAD]system busy, start flow control for a while")
	}
	wantCode(t, c.Do(listKV("namespace", "ns")), busy, "[OVERLOAD]system busy, start flow control for a while")
	s.Budget().Release(budget/2 - 2<<20)
	wantCode(t, c.Do(listKV("namespace", "ns")), codec.RespSuccess, "")
	nstest.Eventually(t, "all given back", func() bool { return s.Budget().Queued() == 0 })
}

// manyTopics is a registration of so many topics with long names, 500 bytes each.
func manyTopics(n int) string {
	var body strings.Builder
	body.WriteString(`{"topicConfigSerializeWrapper":{"topicConfigTable":{`)
	for i := range n {
		name := fmt.Sprintf("%0500d", i)
		fmt.Fprintf(&body, `"%s":{"topicName":"%s"},`, name, name)
	}
	return body.String()[:body.Len()-1] + `}}}`
}

// A registration is in force when there is no room for the order configuration
// that goes with the answer, and is answered without.
func TestRegisteredWithoutRoomForTheAnswer(t *testing.T) {
	const budget = 8 << 20
	s := start(t, func(c *namesrv.Config) { c.MemoryBudget, c.KVConfigPath = budget, "" })
	c := s.dial(t)
	wantCode(t, c.Do(putKV("namespace", "ORDER_TOPIC_CONFIG", "key", "T", "value", strings.Repeat("v", 512<<10))), codec.RespSuccess, "")
	if r := c.Do(brokerA.Register()); len(r.Body) < 512<<10 {
		t.Fatalf("answered with %d bytes, want the order configuration", len(r.Body))
	}
	const most = budget/2 - 256<<10
	if !s.Budget().Reserve(most) {
		t.Fatal("the budget is not empty")
	}
	defer s.Budget().Release(most)
	r := c.Do(slaveA.Register())
	wantCode(t, r, codec.RespSuccess, "")
	if len(r.Body) != 0 {
		t.Errorf("answered with %d bytes, want none", len(r.Body))
	}
	wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "")
}

// A container of 64 MiB survives what strangers can do to its memory, and serves.
func TestSmallContainer(t *testing.T) {
	const container = 64 << 20
	t.Setenv("GOMEMLIMIT", fmt.Sprint(container*85/100))
	t.Setenv("GOGC", "50")
	c := startChild(t, "loop", 0)
	broker := nstest.Dial(t, c.addr)
	wantCode(t, broker.Do(brokerA.Register()), codec.RespSuccess, "")

	// Peers who leave frames unfinished, of all sizes.
	for _, size := range []int{16 << 20, 3 << 20, 1 << 20, 100 << 10} {
		for range 30 {
			peer := nstest.Dial(t, c.addr)
			_ = peer.TryWrite(append(binary.BigEndian.AppendUint32(nil, uint32(size-4)), make([]byte, size/4*3)...))
		}
	}
	// Bodies that are many times their size, decoded.
	var all sync.WaitGroup
	var answered atomic.Int64
	for i := range 20 {
		peer := nstest.Dial(t, c.addr)
		frame := peer.Frame(bomb(i))
		if i%2 == 0 {
			r := nstest.Broker{Cluster: "C", Name: fmt.Sprint("json", i), Addr: fmt.Sprintf("10.0.2.%d:10911", i)}.Register()
			r.Body = []byte(`{"topicConfigSerializeWrapper":{"topicQueueMappingInfoMap":{` + strings.Repeat(`"":{},`, 400_000) + `}}}`)
			frame = peer.Frame(withoutCRC(r))
		}
		all.Go(func() {
			if peer.TryWrite(frame) == nil {
				if _, err := peer.TryReadFrame(2 * time.Minute); err == nil {
					answered.Add(1)
				}
			}
		})
	}
	all.Wait()
	if answered.Load() < 10 {
		t.Errorf("%d of 20 registrations answered", answered.Load())
	}
	// What a broker says of one topic, headers that are written anew, and lists of
	// what strangers have put.
	both := func(i int) []*codec.Command {
		r := nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", "T")
		r.Body = []byte(`{"` + []string{"queueDatas", "brokerDatas"}[i%2] + `":[` + strings.Repeat(`{},`, 1_000_000) + `{}]}`)
		return []*codec.Command{r, putKV("namespace", "ns", "key", fmt.Sprint(i), "value", strings.Repeat("v", 700<<10)), listKV("namespace", "ns")}
	}
	for i := range 20 {
		all.Go(func() {
			for _, r := range both(i) {
				peer := nstest.Dial(t, c.addr)
				if peer.TryWrite(peer.Frame(r)) == nil {
					_, _ = peer.TryReadFrame(2 * time.Minute) // or it is cut off
				}
			}
		})
	}
	all.Wait()
	for range 4 {
		peer := nstest.Dial(t, c.addr)
		header := `{"code":105,"extFields":{"topic":[` + strings.Repeat("\"\x01\",", 750_000) + `1]}}`
		frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)))
		frame = append(binary.BigEndian.AppendUint32(frame, uint32(len(header))), header...)
		if peer.TryWrite(frame) == nil {
			_, _ = peer.TryReadFrame(2 * time.Minute)
		}
	}
	wantCode(t, nstest.Dial(t, c.addr).Do(nstest.Route("T")), codec.RespSuccess, "")
	peak := c.peak(t)
	t.Logf("%d MiB resident at most", peak>>20)
	if peak > container {
		t.Errorf("%d bytes resident, more than the container has", peak)
	}
}
