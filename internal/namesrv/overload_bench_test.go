package namesrv

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
)

// A taker keeps the first connection of its engine.
type taker struct{ conns chan engine.Conn }

func (t *taker) Opened(c engine.Conn)                                     { t.conns <- c }
func (*taker) Closed(engine.Conn, error)                                  {}
func (*taker) Serve(_ engine.Conn, _ time.Duration, _, out []byte) []byte { return out }

// connect returns both ends of a connection.
func connect(t testing.TB) (engine.Conn, net.Conn) {
	t.Helper()
	h := &taker{conns: make(chan engine.Conn, 1)}
	e, err := engine.New(h, engine.Options{Addrs: []string{"127.0.0.1:0"}, Loops: 1, Split: codec.SplitFrame})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := e.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); running.Wait() })
	peer, err := net.Dial("tcp", e.Addrs()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	return <-h.conns, peer
}

// BenchmarkReject is what a registration of 100 topics costs that finds the
// queue full, beside one that is carried out and says nothing new.
func BenchmarkReject(b *testing.B) {
	body := codec.RegisterBrokerBody{}
	for i := range 100 {
		name := fmt.Append(nil, "topic-", i)
		body.Topics = append(body.Topics, codec.TopicConfig{Name: name, Key: name, ReadQueueNums: 4, WriteQueueNums: 4, Perm: 6})
	}
	r := codec.Command{Code: codec.ReqRegisterBroker, Version: codec.Version, Body: body.AppendJSON(nil)}
	for _, f := range []codec.Field{
		{Name: "brokerName", Value: "a"},
		{Name: "brokerAddr", Value: "10.0.0.1:10911"},
		{Name: "clusterName", Value: "C"},
		{Name: "brokerId", Value: "0"},
		{Name: "haServerAddr", Value: "10.0.0.1:10912"},
	} {
		r.Ext = append(r.Ext, codec.ExtField{Name: []byte(f.Name), Value: []byte(f.Value)})
	}
	frame := codec.AppendRequest(nil, codec.SerializeJSON, &r)
	for _, full := range []bool{true, false} {
		b.Run(fmt.Sprintf("full=%v", full), func(b *testing.B) {
			cfg := DefaultConfig()
			cfg.KVConfigPath = ""
			cfg.DefaultThreadPoolNums, cfg.DefaultThreadPoolQueueCapacity = 1, 1
			s, err := New(cfg, slog.New(slog.DiscardHandler))
			if err != nil {
				b.Fatal(err)
			}
			s.pools = newPools(&cfg, s.budget, s.log)
			defer s.pools.close(time.Minute)
			c, peer := connect(b)
			reply := make([]byte, 64<<10)
			if full {
				defer fillChanges(s, c)()
			}
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				if out = s.Serve(c, 0, frame, out[:0]); full != (len(out) > 0) {
					b.Fatalf("the answer on the loop is %q", out)
				}
				if !full {
					if _, err := peer.Read(reply); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// fillChanges occupies the worker and the queue of changes until the returned
// function is called.
func fillChanges(s *Server, c engine.Conn) (release func()) {
	entered, open := make(chan struct{}, 2), make(chan struct{})
	wait := func(_ engine.Conn, _ time.Duration, _, out []byte) []byte {
		entered <- struct{}{}
		<-open
		return out
	}
	s.pools.submit(asChange, c, nil, wait)
	<-entered
	s.pools.submit(asChange, c, nil, wait)
	return func() { close(open) }
}
