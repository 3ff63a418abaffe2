package launch

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gonamesrv/bench"
	"gonamesrv/codec"
)

// TestMain lets the test binary be the server that is started.
func TestMain(m *testing.M) {
	if mode := os.Getenv("LAUNCH_TEST_CHILD"); mode != "" {
		child(mode, os.Args[1:])
		return
	}
	// gnet starts the goroutines of a pool when it is imported.
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

// child is a server of a kind, until it is told to end.
func child(mode string, args []string) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	switch mode {
	case "fails":
		fmt.Println("starting")
		fmt.Println("no memory left on this planet")
		os.Exit(7)
	case "stubborn":
		stop() // and SIGTERM is ignored
		signal.Ignore(syscall.SIGTERM)
		ctx = context.Background()
		serve(args[0])
	case "serves":
		fmt.Println("home", os.Getenv("HOME"), "namesrv", os.Getenv("NAMESRV_ADDR"))
		serve(args[0])
	case "announces":
		reply := codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: 1_000_000_000})
		addr, end, err := bench.ListenEcho(ctx, reply)
		if err != nil {
			panic(err)
		}
		defer end()
		fmt.Println("address", addr)
	case "silent": // accepts and says nothing
		l, err := net.Listen("tcp", "127.0.0.1:"+args[0])
		if err != nil {
			panic(err)
		}
		defer l.Close()
	}
	<-ctx.Done()
}

// serve answers every request with success, on a port of the loopback.
func serve(port string) {
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
}

func answer(conn net.Conn) {
	defer conn.Close()
	var in []byte
	chunk := make([]byte, 4096)
	for {
		n, err := conn.Read(chunk)
		if err != nil {
			return
		}
		in = append(in, chunk[:n]...)
		size, err := codec.SplitFrame(in)
		if err != nil {
			return
		}
		if size == 0 || size > len(in) {
			continue
		}
		var c codec.Command
		if c.Decode(in[:size]) != nil {
			return
		}
		// In two pieces, as the network may.
		reply := codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: c.Opaque, Body: []byte("{}")})
		conn.Write(reply[:5])
		time.Sleep(time.Millisecond)
		conn.Write(reply[5:])
		in = in[size:]
	}
}
