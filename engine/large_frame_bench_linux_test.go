package engine

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// BenchmarkLargeFrames measures what frames of the size of a big registration
// cost the server: it is a process of its own, a worker of which touches every
// byte once. The paced sender has 1 Gbit/s: 8 KiB each 65 µs. "bare" is the floor: one goroutine that reads into the same buffer
// again and again, and a checksum.
func BenchmarkLargeFrames(b *testing.B) {
	for _, name := range []string{"bare frames", "large frames"} {
		for _, conns := range []int{1, 2} {
			for _, size := range []int{100 << 10, 400 << 10, 1 << 20} {
				b.Run(fmt.Sprintf("server=%.5s/conns=%d/size=%dKiB", name, conns, size>>10), func(b *testing.B) {
					benchLargeFrames(b, startChild(b, name), conns, size, 0)
				})
			}
		}
		b.Run(fmt.Sprintf("server=%.5s/paced/size=400KiB", name), func(b *testing.B) {
			benchLargeFrames(b, startChild(b, name), 1, 400<<10, 65*time.Microsecond)
		})
	}
}

func benchLargeFrames(b *testing.B, ch *child, conns, size int, pace time.Duration) {
	exchange := func(nc net.Conn, frame []byte) []byte {
		reply, err := readFrame(nc)
		for next := time.Now().Add(pace); pace > 0 && len(frame) > 8<<10; next = next.Add(pace) {
			nc.Write(frame[:8<<10])
			frame = frame[8<<10:]
			for time.Now().Before(next) { // a sleep is not that exact
			}
		}
		if _, werr := nc.Write(frame); err != nil || werr != nil {
			b.Errorf("write %v, read %v", werr, err)
		}
		return reply
	}
	control, err := net.Dial("tcp", ch.addr)
	if err != nil {
		b.Fatal(err)
	}
	defer control.Close()
	usageNow := func() (u usage) {
		control.Write(textFrame("usage"))
		reply, err := readFrame(control)
		if err == nil {
			err = json.Unmarshal(reply, &u)
		}
		if err != nil {
			b.Fatal(err)
		}
		return u
	}
	frame := frameOf(make([]byte, size-4))
	var peers []net.Conn
	for range conns {
		nc, err := net.Dial("tcp", ch.addr)
		if err != nil {
			b.Fatal(err)
		}
		defer nc.Close()
		nc.Write(frame)
		peers = append(peers, nc)
		for range 20 {
			exchange(nc, frame)
		}
	}
	b.SetBytes(int64(size))
	before := usageNow()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, nc := range peers {
		wg.Go(func() {
			for n := i; n < b.N; n += conns {
				exchange(nc, frame)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	after := usageNow()
	n := float64(b.N)
	b.ReportMetric(float64(after.User-before.User)/1e3/n, "user-µs/frame")
	b.ReportMetric(float64(after.System-before.System)/1e3/n, "sys-µs/frame")
	b.ReportMetric(float64(after.Bytes-before.Bytes)/n, "server-B/frame")
	b.ReportMetric(float64(after.Allocs-before.Allocs)/n, "server-allocs/frame")
}

// A usage is what a process has used up so far.
type usage struct {
	User, System  time.Duration
	Bytes, Allocs uint64
}

func usageOfSelf() []byte {
	var ru syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b, _ := json.Marshal(usage{
		User:   time.Duration(ru.Utime.Nano()),
		System: time.Duration(ru.Stime.Nano()),
		Bytes:  m.TotalAlloc,
		Allocs: m.Mallocs,
	})
	return b
}

// serveBare is the whole program of a server that only receives frames.
func serveBare() int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(ln.Addr())
	go func() {
		io.Copy(io.Discard, os.Stdin)
		ln.Close()
	}()
	for {
		nc, err := ln.Accept()
		if err != nil {
			return 0
		}
		go func() {
			defer nc.Close()
			buf := make([]byte, 1<<20)
			for {
				n, err := io.ReadAtLeast(nc, buf, 4)
				if err != nil {
					return
				}
				size, _ := splitInt32(buf[:n])
				if _, err := io.ReadFull(nc, buf[n:size]); err != nil {
					return
				}
				nc.Write(answerLarge(nil, buf[:size]))
			}
		}()
	}
}

// answerLarge appends the reply to a frame: what was used so far, or proof that
// every byte of it was seen.
func answerLarge(out, frame []byte) []byte {
	if string(frame[4:]) == "usage" {
		return append(out, frameOf(usageOfSelf())...)
	}
	return append(out, textFrame("%08x", crc32.ChecksumIEEE(frame))...)
}
