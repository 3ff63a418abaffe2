package bench

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// serveFrames answers each frame on each connection with what answer returns, and
// returns the address.
func serveFrames(t *testing.T, opened func(), answer func(c *codec.Command) []byte) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	serve := func(c net.Conn) {
		defer c.Close()
		for in := bufio.NewReader(c); ; {
			var head [4]byte
			if _, err := io.ReadFull(in, head[:]); err != nil {
				return
			}
			frame := append(head[:], make([]byte, binary.BigEndian.Uint32(head[:]))...)
			if _, err := io.ReadFull(in, frame[4:]); err != nil {
				return
			}
			var cmd codec.Command
			if cmd.Decode(frame) != nil {
				return
			}
			if _, err := c.Write(answer(&cmd)); err != nil {
				return
			}
		}
	}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			opened()
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// TestSweepMeasuresTheServer: the moment of the last missing route is when its
// reply came, not when all others had been asked for, too. They are asked for over
// several connections, and the cost is said.
func TestSweepMeasuresTheServer(t *testing.T) {
	const topics = 1000
	f := smallFleet(Params{Brokers: 2, Topics: topics, BrokersPerTopic: 2, Form: formPlain})
	missing := f.topics[0]
	byName := map[string]*topic{}
	for _, one := range f.topics {
		byName[one.name] = one
	}
	var opened, asked, asksOfMissing atomic.Int64
	noted := make(chan struct{}) // the survey knows of the missing route
	addr := serveFrames(t, func() { opened.Add(1) }, func(c *codec.Command) []byte {
		asked.Add(1)
		name, _ := c.Ext.Get("topic")
		one := byName[string(name)]
		if one == missing && asksOfMissing.Add(1) == 1 {
			return codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: c.Opaque, Code: codec.RespTopicNotExist})
		}
		if one != missing {
			<-noted // the others take their time
		}
		return routeReply(one, c.Opaque)
	})
	r := &run{d: newDriver(addr, 1), fleet: f}
	f.now = r.d.now
	var last int64
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(noted)
		for deadline := time.Now().Add(nstest.Patience); last == 0 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			last = f.survey.last.Load()
		}
	})
	ok, err := r.sweep(t.Context(), nstest.Patience)
	wg.Wait()
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	if last == 0 || f.survey.last.Load() != last {
		t.Errorf("the last missing route came after %d ns, and after all it is said to be %d ns", last, f.survey.last.Load())
	}
	if opened.Load() != sweepConnections || r.recovery.Connections != sweepConnections {
		t.Errorf("asked over %d connections, said to be %d, want %d", opened.Load(), r.recovery.Connections, sweepConnections)
	}
	if n := uint64(asked.Load()); r.recovery.Lookups != n || n < 2*topics || r.recovery.AllSeconds <= 0 {
		t.Errorf("%d lookups are said to be %+v", n, r.recovery)
	}
}
