package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"gonamesrv/codec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 60 * time.Second

// A server answers each frame with what reply makes of it.
func startServer(t *testing.T, serve func(c net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// startTap records what goes to a server into a file until end is called.
func startTap(t *testing.T, target string, bodies bool, maxSize int64) (addr, file string, end func() (left uint64)) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "capture.jsonl")
	begun := time.Now()
	w, err := Create(file, Head{Started: begun, Bodies: bodies}, maxSize)
	if err != nil {
		t.Fatal(err)
	}
	tap := NewTap(Options{Target: target, Bodies: bodies, Writer: w}, begun)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- tap.Serve(ctx, l) }()
	end = sync.OnceValue(func() uint64 {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		left, err := w.Close(tap.Micros())
		if err != nil {
			t.Error(err)
		}
		return left
	})
	t.Cleanup(func() { end() })
	return l.Addr().String(), file, end
}

func request(code codec.RequestCode, opaque int32, st codec.SerializeType, body string, kv ...string) []byte {
	c := &codec.Command{Code: code, Version: codec.Version, Opaque: opaque, Body: []byte(body)}
	for i := 0; i < len(kv); i += 2 {
		c.Ext = append(c.Ext, codec.ExtField{Name: []byte(kv[i]), Value: []byte(kv[i+1])})
	}
	return codec.AppendRequest(nil, st, c)
}

// echoServer answers each frame with another code and a body.
func echoServer(c net.Conn) {
	var in []byte
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(buf)
		in = append(in, buf[:n]...)
		for {
			size, bad := codec.SplitFrame(in)
			if bad != nil || size == 0 || size > len(in) {
				break
			}
			var cmd codec.Command
			if cmd.Decode(in[:size]) == nil {
				_, _ = c.Write(codec.AppendReply(nil, cmd.SerializeType, &codec.Reply{Opaque: cmd.Opaque, Code: codec.RespTopicNotExist, Body: []byte("answer")}))
			}
			in = in[size:]
		}
		if err != nil {
			return
		}
	}
}

// TestTap: bytes go through untouched, both ways, and the file says what they were,
// with no name in it.
func TestTap(t *testing.T) {
	for _, bodies := range []bool{false, true} {
		t.Run(fmt.Sprint("bodies ", bodies), func(t *testing.T) {
			addr, file, end := startTap(t, startServer(t, echoServer), bodies, 1<<20)
			asked := [][]byte{
				request(codec.ReqGetRouteInfoByTopic, 1, codec.SerializeJSON, "", "topic", "SecretTopic"),
				request(codec.ReqGetRouteInfoByTopic, 2, codec.SerializeRocketMQ, "", "topic", "SecretTopic"),
				request(codec.ReqGetRouteInfoByTopic, 3, codec.SerializeJSON, "", "topic", "OtherSecret"),
				request(codec.ReqRegisterBroker, 4, codec.SerializeJSON, "SecretBody", "brokerName", "SecretBroker", "brokerAddr", "10.0.0.1:10911",
					"clusterName", "SecretCluster", "compressed", "true"),
			}
			all := bytes.Join(asked, nil)
			got := throughOnce(t, addr, all)
			want := throughOnce(t, startServer(t, echoServer), all)
			if !bytes.Equal(got, want) {
				t.Errorf("through the tap comes\n%q\nwant\n%q", got, want)
			}
			if left := end(); left > 0 {
				t.Errorf("%d records are left out", left)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(text, []byte("Secret")) || bytes.Contains(text, []byte("10.0.0.1")) {
				t.Errorf("a name is in\n%s", text)
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the file is %v, %v", info.Mode(), err)
			}
			c, err := Read(file)
			if err != nil || c.Cut || c.Bodies != bodies || !IsCapture(file) {
				t.Fatalf("%+v, %v", c, err)
			}
			requests := only(c, Request)
			for i, r := range requests {
				if r.Size != len(asked[i]) || r.Opaque != int32(i+1) || r.Binary != (i == 1) || r.Conn != 1 || r.Micros <= 0 {
					t.Errorf("request %d: %+v, want %d bytes", i, r, len(asked[i]))
				}
			}
			if len(requests) != len(asked) || len(only(c, Reply)) != len(asked) || len(only(c, Opened)) != 1 || len(only(c, Closed)) != 1 {
				t.Fatalf("records: %+v", c.Records)
			}
			if a, b, other := requests[0].Names["topic"], requests[1].Names["topic"], requests[2].Names["topic"]; a == "" || a != b || a == other {
				t.Errorf("hashes %q, %q, %q", a, b, other)
			}
			reg := requests[3]
			if reg.Code != 103 || len(reg.Names) != 3 || !reg.Compressed || reg.BodyHash == "" || (string(reg.Body) == "SecretBody") != bodies {
				t.Errorf("registration %+v", reg)
			}
			for _, r := range only(c, Reply) {
				if r.Code != int(codec.RespTopicNotExist) || r.Size == 0 {
					t.Errorf("reply %+v", r)
				}
			}
		})
	}
}

func only(c *File, event string) (out []Record) {
	for _, r := range c.Records {
		if r.Event == event {
			out = append(out, r)
		}
	}
	return out
}

// throughOnce sends bytes, ends its half, and returns all that comes back.
func throughOnce(t *testing.T, addr string, b []byte) []byte {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestAnythingGoesThrough: what are no frames is forwarded all the same, and not
// recorded beyond that.
func TestAnythingGoesThrough(t *testing.T) {
	addr, file, end := startTap(t, startServer(t, func(c net.Conn) { _, _ = io.Copy(c, c) }), false, 1<<20)
	for _, text := range []string{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", strings.Repeat("\xff", 100_000), "", "abc", "\x00\x00\x00\x01", "\x00\x00\x00\x08\x00\x00\xff\xff1234"} {
		if got := throughOnce(t, addr, []byte(text)); string(got) != text {
			t.Errorf("%.40q comes back as %.40q", text, got)
		}
	}
	end()
	c, err := Read(file)
	if err != nil || len(only(c, Request)) > 0 || len(only(c, Uncut)) < 3 {
		t.Errorf("%v: %+v", err, c)
	}
}

// TestMaxSize: the file does not grow beyond its bound, says what is missing, and
// connections go on.
func TestMaxSize(t *testing.T) {
	const most = 4000
	addr, file, end := startTap(t, startServer(t, echoServer), false, most)
	var all []byte
	for i := range int32(200) {
		all = append(all, request(codec.ReqGetRouteInfoByTopic, i+1, codec.SerializeJSON, "", "topic", "T")...)
	}
	if got := throughOnce(t, addr, all); len(got) < 200*20 {
		t.Errorf("only %d bytes come back", len(got))
	}
	left := end()
	info, err := os.Stat(file)
	if err != nil || info.Size() > most {
		t.Fatalf("%d bytes, %v", info.Size(), err)
	}
	c, err := Read(file)
	if err != nil || c.Left != left || left == 0 || len(c.Records)+int(left) != 402 {
		t.Errorf("%v: %d records, %d and %d left out", err, len(c.Records), c.Left, left)
	}
	if _, err := Create(filepath.Join(t.TempDir(), "x"), Head{}, 100); err == nil {
		t.Error("a capture of 100 bytes is begun")
	}
	if _, err := Create(file, Head{}, most); !errors.Is(err, os.ErrExist) {
		t.Errorf("over another capture: %v", err)
	}
}

// TestCutter: however a stream is broken into parts, the frames are the same.
func TestCutter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want []string
		for i := range rapid.IntRange(0, 5).Draw(t, "frames") {
			body := rapid.StringN(0, 40, 200).Draw(t, "body")
			st := codec.SerializeJSON
			if rapid.Bool().Draw(t, "binary") {
				st = codec.SerializeRocketMQ
			}
			f := request(codec.RequestCode(100+i), int32(i), st, body, "k", rapid.StringMatching(`[a-z]{0,20}`).Draw(t, "value"))
			want = append(want, fmt.Sprint(100+i, " ", len(f), " ", body))
			stream = append(stream, f...)
		}
		var got []string
		c := &cutter{bodies: true, emit: func(cmd *codec.Command, size int, body []byte) {
			got = append(got, fmt.Sprint(int(cmd.Code), " ", size, " ", string(body)))
		}}
		for len(stream) > 0 {
			n := rapid.IntRange(1, len(stream)).Draw(t, "part")
			if !c.feed(stream[:n]) {
				t.Fatal("it is not cut")
			}
			stream = stream[n:]
		}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

// TestCutterIsBounded: a frame as large as they may be is not kept.
func TestCutterIsBounded(t *testing.T) {
	f := request(codec.ReqRegisterBroker, 1, codec.SerializeJSON, strings.Repeat("b", 10_000_000))
	seen := 0
	c := &cutter{emit: func(cmd *codec.Command, size int, body []byte) {
		if cmd == nil || size != len(f) || body != nil {
			t.Errorf("%+v, %d bytes, body of %d", cmd, size, len(body))
		}
		seen++
	}}
	for part := range chunks(f, copySize) {
		c.feed(part)
		if cap(c.buf) > 2*mostHeader {
			t.Fatalf("%d bytes are kept", cap(c.buf))
		}
	}
	if seen != 1 {
		t.Errorf("%d frames", seen)
	}
	long := request(codec.ReqGetRouteInfoByTopic, 1, codec.SerializeJSON, "", "topic", strings.Repeat("t", 100_000))
	c.emit = func(cmd *codec.Command, size int, _ []byte) {
		if cmd != nil || size != len(long) {
			t.Errorf("a header that is too long: %+v, %d bytes", cmd, size)
		}
	}
	c.feed(long)
}

func chunks(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 {
			k := min(n, len(b))
			if !yield(b[:k]) {
				return
			}
			b = b[k:]
		}
	}
}

// TestReadRefuses what makes no sense, and takes what was cut short.
func TestReadRefuses(t *testing.T) {
	const head = `{"kind":"nsbench-capture","format":1,"started":"2026-01-02T03:04:05Z","bodies":false}` + "\n"
	for text, want := range map[string]string{
		"":                                      "no capture",
		"{}":                                    "another version",
		`{"kind":"nsbench-capture","format":2}`: "another version",
		head + `{"t":-1,"c":1,"e":"open"}`:      "record 1 makes no sense",
		head + `{"t":1,"c":0,"e":"open"}`:       "record 1 makes no sense",
		head + `{"t":"x"}`:                      "record 1",
	} {
		if _, err := read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error is %v, want %q", text, err, want)
		}
	}
	c, err := read(iotest.OneByteReader(strings.NewReader(head + `{"t":5,"c":1,"e":"open"}` + "\n" + `{"t":3,"c":2,"e":"open"}` + "\n" + `{"t":9,"c`)))
	if err != nil || len(c.Records) != 2 || !c.Cut || c.Records[1].Micros != 5 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Read("none.jsonl"); err == nil || IsCapture("none.jsonl") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// brokenDisk takes nothing.
type brokenDisk struct{}

func (brokenDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestBrokenDisk: a file that cannot be written any more is an error once, however many records
// there are to come.
func TestBrokenDisk(t *testing.T) {
	w := newWriter(brokenDisk{}, nil, 1<<40)
	record := &Record{Conn: 1, Event: Request, Size: 400}
	for !w.Full() {
		w.Write(record)
	}
	first := w.err
	for range 1000 {
		w.Write(record)
	}
	if w.err != first {
		t.Error("each record makes the error another one")
	}
	if _, err := w.Close(0); err == nil || strings.Count(err.Error(), "no space left") > 2 {
		t.Errorf("it ends with %v", err)
	}
}
