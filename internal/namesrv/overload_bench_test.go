package namesrv

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
)

// A deafConn is a connection without a socket. It passes on that it was sent
// something.
type deafConn struct {
	engine.Conn
	sent chan struct{}
}

func (*deafConn) ID() uint64         { return 1 }
func (*deafConn) RemoteAddr() string { return "nobody" }
func (c *deafConn) Send([]byte)      { c.sent <- struct{}{} }

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
			c := &deafConn{sent: make(chan struct{}, 2)}
			if full {
				defer fillChanges(s)()
			}
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				if out = s.Serve(c, frame, out[:0]); full != (len(out) > 0) {
					b.Fatalf("the answer on the loop is %q", out)
				}
				if !full {
					<-c.sent
				}
			}
		})
	}
}

// fillChanges occupies the worker and the queue of changes until the returned
// function is called.
func fillChanges(s *Server) (release func()) {
	c := &deafConn{sent: make(chan struct{}, 2)}
	entered, open := make(chan struct{}, 2), make(chan struct{})
	wait := func(_ engine.Conn, _, out []byte) []byte {
		entered <- struct{}{}
		<-open
		return out
	}
	s.pools.submit(asChange, c, nil, wait)
	<-entered
	s.pools.submit(asChange, c, nil, wait)
	return func() { close(open) }
}
