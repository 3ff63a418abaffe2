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
	wantCode(t, nstest.Dial(t, c.addr).Do(nstest.Route("T")), codec.RespSuccess, "")
	peak := c.peak(t)
	t.Logf("%d MiB resident at most", peak>>20)
	if peak > container {
		t.Errorf("%d bytes resident, more than the container has", peak)
	}
}
