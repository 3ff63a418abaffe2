package namesrv_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// A brokerPort is where a test broker would listen: it collects what each
// connection brings until it ends.
type brokerPort struct {
	addr    string
	notices chan []byte
}

func listen(t *testing.T) *brokerPort {
	t.Helper()
	return listenFor(t, func(c net.Conn) io.Reader { return c })
}

// listenFor is listen for a broker that reads in its own way.
func listenFor(t *testing.T, reader func(net.Conn) io.Reader) *brokerPort {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listenAt(t, ln, reader)
}

// listenAt is listenFor with a socket that is bound already.
func listenAt(t *testing.T, ln net.Listener, reader func(net.Conn) io.Reader) *brokerPort {
	t.Helper()
	p := &brokerPort{ln.Addr().String(), make(chan []byte, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			b, _ := io.ReadAll(reader(c))
			c.Close()
			p.notices <- b
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return p
}

func acting(id int64, addr string) nstest.Broker {
	return nstest.Broker{Cluster: "C", Name: "a", Addr: addr, ID: id, Topics: []string{"T", "U"}}
}

// registration is like Broker.Register, of a set whose slaves stand in.
func registration(b nstest.Broker) *codec.Command {
	r := b.Register()
	for i := range r.Ext {
		if string(r.Ext[i].Name) == "enableActingMaster" {
			r.Ext[i].Value = []byte("true")
		}
	}
	return r
}

func notifying(c *namesrv.Config) { c.NotifyMinBrokerIDChanged = true }

// TestNotifyRecorded lets the smallest broker leave. The other is told in the
// bytes that a Java name server sends.
func TestNotifyRecorded(t *testing.T) {
	s := start(t, notifying, func(s *namesrv.Server) { s.SetNoticeOpaque(11) })
	c := s.dial(t)
	left := listen(t)
	wantCode(t, c.Do(registration(acting(1, "127.0.0.1:19998"))), codec.RespSuccess, "")
	wantCode(t, c.Do(registration(acting(2, left.addr))), codec.RespSuccess, "")
	wantCode(t, c.Do(acting(1, "127.0.0.1:19998").Unregister()), codec.RespSuccess, "")
	want := bytes.ReplaceAll(recorded(t, "notify_min_broker_id_request"), []byte("127.0.0.1:19999"), []byte(left.addr))
	want[3] += byte(len(left.addr) - len("127.0.0.1:19999")) // a port may be shorter
	want[7] += byte(len(left.addr) - len("127.0.0.1:19999"))
	if got := <-left.notices; !bytes.Equal(got, want) {
		t.Errorf("notice\n %q, want\n %q", got, want)
	}
}

// TestNotifyNewMinimum registers a slave, a smaller slave and the master. All
// but the newcomer are told, with the newcomer's HA address.
func TestNotifyNewMinimum(t *testing.T) {
	for _, st := range []codec.SerializeType{codec.SerializeJSON, codec.SerializeRocketMQ} {
		t.Run(st.String(), func(t *testing.T) {
			s := start(t, notifying, func(s *namesrv.Server) { s.SetSerializeType(st) })
			c := s.dial(t)
			two, one, master := listen(t), listen(t), listen(t)
			told := func(p *brokerPort, smallest, ha, addr string) {
				t.Helper()
				frame := <-p.notices
				var got codec.Command
				if err := got.Decode(frame); err != nil {
					t.Fatalf("%v in %q", err, frame)
				}
				if got.SerializeType != st || got.Code != 905 || got.Flag != codec.FlagOneway || got.Version != 479 || got.Body != nil {
					t.Errorf("notice is %+v", got)
				}
				var fields []string
				for _, f := range got.Ext {
					fields = append(fields, string(f.Name)+"="+string(f.Value))
				}
				want := "haBrokerAddr=" + ha + " minBrokerAddr=" + addr + " minBrokerId=" + smallest
				if got := strings.Join(fields, " "); got != want {
					t.Errorf("%s is told %s, want %s", p.addr, got, want)
				}
			}
			c.Do(acting(2, two.addr).Register())
			c.Do(acting(1, one.addr).Register())
			told(two, "1", one.addr+"1", one.addr)
			c.Do(acting(0, master.addr).Register())
			told(two, "0", master.addr+"1", master.addr)
			told(one, "0", master.addr+"1", master.addr)
			c.Do(acting(0, master.addr).Unregister()) // acting is off: nobody is told
			nstest.Eventually(t, "three notices are sent", func() bool { return s.NoticesSent() == 3 })
			if len(master.notices) > 0 {
				t.Errorf("the newcomer is told %q", <-master.notices)
			}
		})
	}
}

// TestNotifyIPv6 tells a broker that has registered an IPv6 address as Java
// brokers do, without brackets.
func TestNotifyIPv6(t *testing.T) {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skip(err)
	}
	p := listenAt(t, ln, func(c net.Conn) io.Reader { return c })
	s := start(t, notifying)
	c := s.dial(t)
	addr := fmt.Sprintf("::1:%d", ln.Addr().(*net.TCPAddr).Port)
	wantCode(t, c.Do(registration(acting(2, addr))), codec.RespSuccess, "")
	wantCode(t, c.Do(registration(acting(1, "127.0.0.1:1"))), codec.RespSuccess, "")
	nstest.Eventually(t, "the notice has been sent, or has failed", func() bool { return s.NoticesSent()+s.NoticesFailed() == 1 })
	if s.NoticesSent() == 0 {
		t.Fatalf("%s is not told", addr)
	}
	var got codec.Command
	if err := got.Decode(<-p.notices); err != nil || got.Code != 905 {
		t.Errorf("the broker has received %+v, %v", got, err)
	}
}

// TestNotifyIsLive sends nothing by default, and begins when it is told to.
func TestNotifyIsLive(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	p := listen(t)
	c.Do(acting(3, p.addr).Register())
	c.Do(acting(2, "127.0.0.1:2").Register())
	s.Reconfigure(notifying)
	c.Do(acting(1, "127.0.0.1:1").Register())
	var got codec.Command
	if err := got.Decode(<-p.notices); err != nil {
		t.Fatal(err)
	}
	if v, _ := got.Ext.Get("minBrokerId"); string(v) != "1" {
		t.Errorf("the first notice is of %s, want 1", v)
	}
}

// TestNotifyDeadReceiver has a member that refuses connections and one that
// accepts and reads nothing; the third is told, and the server ends in time.
func TestNotifyDeadReceiver(t *testing.T) {
	s := start(t, notifying)
	c := s.dial(t)
	full, err := net.Listen("tcp", "127.0.0.1:0") // accepts nothing: the kernel does
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	p := listen(t)
	for i, addr := range []string{"127.0.0.1:1", full.Addr().String(), refusing(t), "no address", p.addr} {
		wantCode(t, c.Do(registration(acting(int64(i), addr))), codec.RespSuccess, "")
	}
	c.Do(acting(0, "127.0.0.1:1").Unregister())
	<-p.notices
	nstest.Eventually(t, "the others are given up", func() bool { return s.NoticesFailed() == 2 })
}

// TestNotifyStopsWithTheServer stops a server whose notice is on its way to an
// address that never answers. Leaks are found by TestMain.
func TestNotifyStopsWithTheServer(t *testing.T) {
	sending := make(chan struct{})
	s := start(t, notifying, func(s *namesrv.Server) { s.BlockNotices(sending) })
	c := s.dial(t)
	c.Do(registration(acting(1, "127.0.0.1:1")))
	c.Do(registration(acting(2, "127.0.0.1:2")))
	c.Do(acting(1, "127.0.0.1:1").Unregister())
	<-sending
}
