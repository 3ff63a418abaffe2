package namesrv_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestBrokenFrame sends what is not a frame. It costs that connection only, is
// counted, and nothing is answered.
func TestBrokenFrame(t *testing.T) {
	header := func(length, word uint32, rest string) []byte {
		b := binary.BigEndian.AppendUint32(nil, length)
		b = binary.BigEndian.AppendUint32(b, word)
		return append(b, rest...)
	}
	cases := map[string][]byte{
		"oversized":                   header(16777213, 0, ""),
		"HTTP":                        []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		"PROXY v1":                    []byte("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"),
		"PROXY v2":                    []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c"),
		"negative length":             header(0xFFFFFFFF, 0, ""),
		"length 0":                    header(0, 0, ""),
		"length 3":                    header(3, 0, ""),
		"header longer than frame":    header(10, 7, `{"c":1`),
		"unknown serialize type":      header(8, 2<<24|4, "{}  "),
		"empty JSON header":           header(4, 0, ""),
		"JSON header cut short":       header(10, 6, `{"code`),
		"JSON header is an array":     header(6, 2, `[]`),
		"JSON code out of range":      header(4+22, 22, `{"code":9999999999999}`),
		"binary header cut short":     header(4+20, 1<<24|20, string(make([]byte, 20))),
		"binary remark beyond header": header(4+21, 1<<24|21, string(make([]byte, 13))+"\x00\x00\x00\x99"+"\x00\x00\x00\x00"),
	}
	s := start(t, nil)
	bystander := s.dial(t)
	bystander.Do(brokerA.Register())
	for name, frame := range cases {
		t.Run(name, func(t *testing.T) {
			before := s.EngineStats()
			c := s.dial(t)
			c.TryWrite(frame)
			c.MustClose()
			nstest.Eventually(t, "the close is counted", func() bool {
				return s.EngineStats().ClosedMalformed == before.ClosedMalformed+1
			})
			wantCode(t, bystander.Do(nstest.Route("T")), codec.RespSuccess, "")
		})
	}
	t.Run("good frames before it are answered, none after it is", func(t *testing.T) {
		c := s.dial(t)
		good := c.Frame(nstest.Route("T"))
		c.TryWrite(bytes.Join([][]byte{good, header(6, 2, `[]`), c.Frame(slaveA.Register())}, nil))
		wantCode(t, c.Read(), codec.RespSuccess, "")
		c.MustClose()
		if got := bystander.Do(nstest.Route("T")).Body; bytes.Contains(got, []byte(slaveA.Addr)) {
			t.Errorf("a registration after a broken frame was executed: %s", got)
		}
	})
	t.Run("truncated by a close", func(t *testing.T) {
		c := s.dial(t)
		frame := c.Frame(slaveA.Register())
		c.Write(frame[:len(frame)-1])
		c.CloseWrite()
		c.MustClose()
		if got := bystander.Do(nstest.Route("T")).Body; bytes.Contains(got, []byte(slaveA.Addr)) {
			t.Errorf("a truncated registration was executed: %s", got)
		}
	})
}

// TestFrameCutAnywhere sends one registration and one route request in two
// writes, cut at every byte; the answers are the same each time.
func TestFrameCutAnywhere(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	want := c.Do(brokerA.Register())
	route := c.Do(nstest.Route("T"))
	for _, st := range []codec.SerializeType{codec.SerializeJSON, codec.SerializeRocketMQ} {
		register, ask := brokerA.Register(), nstest.Route("T")
		register.SerializeType, ask.SerializeType = st, st
		frames := append(c.Frame(register), c.Frame(ask)...)
		for cut := 1; cut < len(frames); cut++ {
			c.Write(frames[:cut])
			if cut%7 == 0 {
				// Let the first part arrive alone, at least now and then: a request on
				// another connection of the same loop is answered after it was read.
				s.dial(t).Do(nstest.Route("T"))
			}
			c.Write(frames[cut:])
			for range 2 {
				got := c.Read()
				switch got.Opaque {
				case register.Opaque:
					wantCode(t, got, codec.ResponseCode(want.Code), "")
				case ask.Opaque:
					wantCode(t, got, codec.RespSuccess, "")
					if !bytes.Equal(got.Body, route.Body) {
						t.Fatalf("cut at %d: body %s, want %s", cut, got.Body, route.Body)
					}
				default:
					t.Fatalf("cut at %d: reply with opaque %d", cut, got.Opaque)
				}
			}
		}
	}
}

// TestPipelined sends 1,000 requests at once; the answers come in their order,
// on the loop and through the client pool.
func TestPipelined(t *testing.T) {
	for _, onLoop := range []bool{true, false} {
		t.Run(fmt.Sprintf("routeReadsOnLoop=%v", onLoop), func(t *testing.T) {
			s := start(t, func(c *namesrv.Config) { c.RouteReadsOnLoop = onLoop })
			c := s.dial(t)
			c.Do(brokerA.Register())
			var all []byte
			var opaques []int32
			for i := range 1_000 {
				r := nstest.Route([]string{"T", "U", "missing"}[i%3])
				all = append(all, c.Frame(r)...)
				opaques = append(opaques, r.Opaque)
			}
			c.Write(all)
			for i, want := range opaques {
				reply := c.Read()
				if reply.Opaque != want {
					t.Fatalf("reply %d has opaque %d, want %d", i, reply.Opaque, want)
				}
				wantFound := i%3 != 2
				if found := codec.ResponseCode(reply.Code) == codec.RespSuccess; found != wantFound {
					t.Fatalf("reply %d: code %v", i, codec.ResponseCode(reply.Code))
				}
			}
		})
	}
}

// TestOneway sends requests that nobody wants answered: they are carried out,
// and the first reply is to the request after them.
func TestOneway(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	for _, r := range []*codec.Command{
		brokerA.Register(), nstest.Route("T"), nstest.Request(12345), nstest.Request(codec.ReqRegisterBroker),
		nstest.Request(codec.ReqBrokerHeartbeat, "clusterName", "C", "brokerAddr", brokerA.Addr),
	} {
		r.Flag = codec.FlagOneway
		c.Write(c.Frame(r))
	}
	// Default pool: answered after the registration has been carried out.
	info := c.Do(nstest.Request(codec.ReqGetBrokerClusterInfo))
	if !bytes.Contains(info.Body, []byte(brokerA.Addr)) {
		t.Errorf("cluster info after a oneway registration: %s", info.Body)
	}
}

// TestResponseBit sends an answer to a question that was never asked. It is
// dropped, and the connection lives.
func TestResponseBit(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	for _, f := range []codec.Flag{codec.FlagResponse, codec.FlagResponse | codec.FlagOneway} {
		r := nstest.Route("T")
		r.Flag = f
		c.Write(c.Frame(r))
	}
	wantCode(t, c.Do(nstest.Request(999)), codec.RespRequestCodeNotSupported, " request type 999 not supported")
	if got := s.StrayResponses(); got != 2 {
		t.Errorf("%d stray responses counted, want 2", got)
	}
}

// TestNoLeak starts and stops servers with open connections, and looks for
// descriptors left behind. Goroutines are looked for when all tests have run.
func TestNoLeak(t *testing.T) {
	cycle := func() {
		cfg := namesrv.DefaultConfig()
		cfg.BindAddress, cfg.ListenPort = "127.0.0.1", 0
		s, err := namesrv.New(cfg, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Listen(); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		var clients []*nstest.Client
		for range 20 {
			c := nstest.Dial(t, s.Addr().String())
			c.Do(brokerA.Register())
			clients = append(clients, c)
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		for _, c := range clients {
			c.MustClose()
			c.Close()
		}
	}
	cycle() // what is opened once for good
	before := openFiles(t)
	for range 5 {
		cycle()
	}
	nstest.Eventually(t, "as many descriptors are open as before", func() bool { return openFiles(t) <= before })
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skipf("no list of descriptors on this system: %v", err)
	}
	return len(entries)
}
