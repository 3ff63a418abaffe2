package client_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
	"gonamesrv/internal/nstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve accepts connections and lets f speak with each until the test ends.
func serve(t *testing.T, f func(c net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				f(c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return l.Addr().String()
}

// next reads one request.
func next(c net.Conn) (*codec.Command, bool) {
	head := make([]byte, 4)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, false
	}
	frame := append(head, make([]byte, binary.BigEndian.Uint32(head))...)
	if _, err := io.ReadFull(c, frame[4:]); err != nil {
		return nil, false
	}
	var cmd codec.Command
	return &cmd, cmd.Decode(frame) == nil
}

func answer(opaque int32, code codec.ResponseCode, remark, body string) []byte {
	r := codec.Reply{Opaque: opaque, Code: code, Remark: remark, Body: []byte(body)}
	return codec.AppendReply(nil, codec.SerializeJSON, &r)
}

func dial(t *testing.T, addr string, most int) *client.Conn {
	t.Helper()
	c, err := client.Dial(t.Context(), addr, client.Options{MaxReply: most})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestCall asks over and over: answers come in pieces, behind other frames, refused.
func TestCall(t *testing.T) {
	const large = 100_000
	addr := serve(t, func(c net.Conn) {
		for {
			r, ok := next(c)
			if !ok {
				return
			}
			topic, _ := r.Ext.Get("topic")
			switch string(topic) {
			case "refused":
				c.Write(answer(r.Opaque, codec.RespTopicNotExist, "no route", ""))
			case "slowly":
				for _, b := range answer(r.Opaque, 0, "", "body") {
					c.Write([]byte{b})
				}
			case "behind others":
				notice := codec.AppendRequest(nil, codec.SerializeJSON, &codec.Command{Code: 40, Opaque: r.Opaque})
				stray := answer(r.Opaque+7, 0, "", "stray")
				c.Write(bytes.Join([][]byte{notice, stray, answer(r.Opaque, 0, "", "body"), stray}, nil))
			case "large":
				c.Write(answer(r.Opaque, 0, "", strings.Repeat("x", large)))
			default:
				c.Write(answer(r.Opaque, 0, "", string(r.Body)))
			}
		}
	})
	c := dial(t, addr, 2*large)
	call := func(topic, body string) (*codec.Command, error) {
		var ext codec.ExtFields
		if topic != "" {
			ext = codec.ExtFields{{Name: []byte("topic"), Value: []byte(topic)}}
		}
		return c.Call(t.Context(), codec.ReqGetRouteInfoByTopic, ext, []byte(body))
	}
	for range 2 {
		for topic, want := range map[string]string{"": "echo", "slowly": "body", "behind others": "body", "large": strings.Repeat("x", large)} {
			r, err := call(topic, "echo")
			if err != nil || string(r.Body) != want {
				t.Fatalf("%q: %d bytes, %v, want %d", topic, len(r.Body), err, len(want))
			}
		}
		_, err := call("refused", "")
		var refused *client.ReplyError
		if !errors.As(err, &refused) || refused.Code != codec.RespTopicNotExist || refused.Remark != "no route" {
			t.Fatalf("refused: %v", err)
		}
	}
	first, _ := call("", "first")
	second, _ := call("", "other")
	if string(first.Body) != "first" || string(second.Body) != "other" {
		t.Errorf("the first answer is %q once the second has come", first.Body)
	}
}

// TestHostileServer asks servers that do anything but answer.
func TestHostileServer(t *testing.T) {
	const most = 64 << 10
	forever := func(c net.Conn, b []byte) {
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}
	for name, tt := range map[string]struct {
		says func(c net.Conn, r *codec.Command)
		want error
	}{
		"hangs up":        {func(net.Conn, *codec.Command) {}, io.ErrUnexpectedEOF},
		"garbage":         {func(c net.Conn, _ *codec.Command) { c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, client.ErrReply},
		"too long":        {func(c net.Conn, r *codec.Command) { c.Write(answer(r.Opaque, 0, "", strings.Repeat("x", most))) }, codec.ErrFrameTooLarge},
		"announces a GiB": {func(c net.Conn, _ *codec.Command) { c.Write([]byte{0x40, 0, 0, 0}) }, codec.ErrFrameTooLarge},
		"no header":       {func(c net.Conn, _ *codec.Command) { c.Write([]byte{0, 0, 0, 8, 0, 0, 0, 4, 'n', 'o', 'p', 'e'}) }, client.ErrReply},
		"half an answer":  {func(c net.Conn, r *codec.Command) { c.Write(answer(r.Opaque, 0, "", "body")[:20]) }, io.ErrUnexpectedEOF},
		"endless other":   {func(c net.Conn, r *codec.Command) { forever(c, answer(r.Opaque+1, 0, "", "stray")) }, client.ErrReply},
		"endless requests": {func(c net.Conn, r *codec.Command) {
			forever(c, codec.AppendRequest(nil, 0, &codec.Command{Code: 40, Opaque: r.Opaque}))
		}, client.ErrReply},
		"the question itself": {func(c net.Conn, r *codec.Command) { c.Write(codec.AppendRequest(nil, 0, r)) }, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, func(c net.Conn) {
				if r, ok := next(c); ok {
					tt.says(c, r)
				}
			})
			c := dial(t, addr, most)
			ctx, cancel := context.WithTimeout(t.Context(), nstest.Patience)
			defer cancel()
			if r, err := c.Call(ctx, 106, nil, nil); !errors.Is(err, tt.want) {
				t.Errorf("answer %v, %v, want %v", r, err, tt.want)
			}
			if _, err := c.Call(ctx, 106, nil, nil); !errors.Is(err, tt.want) {
				t.Errorf("the next call: %v, want %v again", err, tt.want)
			}
		})
	}
}

// TestCallEnds ends calls that nobody answers, or would answer for ever.
func TestCallEnds(t *testing.T) {
	asked := make(chan struct{}, 2)
	addr := serve(t, func(c net.Conn) {
		if _, ok := next(c); ok {
			asked <- struct{}{}
			io.Copy(io.Discard, c)
		}
	})
	why := errors.New("enough")
	c := dial(t, addr, 0)
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Call(ctx, 106, nil, nil)
		ended <- err
	}()
	<-asked
	cancel(why)
	select {
	case err := <-ended:
		if !errors.Is(err, why) {
			t.Errorf("Call: %v, want %v", err, why)
		}
	case <-time.After(nstest.Patience):
		t.Fatal("Call does not end with its context")
	}

	if _, err := client.Dial(ctx, addr, client.Options{}); err == nil {
		t.Error("Dial connects although its context is done")
	}
	for _, addr := range []string{"", "nowhere", "127.0.0.1:x"} {
		if _, err := client.Dial(t.Context(), addr, client.Options{}); err == nil {
			t.Errorf("Dial connects to %q", addr)
		}
	}
}
