package namesrv_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/route"
)

// BenchmarkReadCPU measures what a route request costs the server, socket
// included, with ever more topics, every one of which has been asked for before.
// 64 connections ask for 16 topics at a time, drawn evenly or as Zipf has it.
func BenchmarkReadCPU(b *testing.B) {
	for _, topics := range []int{1_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("topics=%d", topics), func(b *testing.B) {
			b.Setenv("NAMESRV_BENCH_TOPICS", strconv.Itoa(topics))
			c := startChild(b, "loop", 0)
			for _, draw := range []string{"uniform", "zipf"} {
				b.Run(draw, func(b *testing.B) {
					least := 0.0
					for b.Loop() {
						if micros := c.readCPU(b, topics, draw == "zipf"); least == 0 || micros < least {
							least = micros
						}
					}
					b.ReportMetric(0, "ns/op")
					b.ReportMetric(least, "µs-CPU/req")
				})
			}
		})
	}
}

// readTopic is the name of a topic of the child. All are equally long.
func readTopic(i int) []byte { return fmt.Appendf(nil, "bench-topic-%07d", i) }

// fillToRead registers so many topics, each with two brokers, and asks for each.
func fillToRead(s *namesrv.Server, topics int) error {
	const perBroker = 10_000
	for first := 0; first < topics; first += perBroker {
		body := &codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1, Counter: 1}}
		for i := first; i < min(first+perBroker, topics); i++ {
			body.Topics = append(body.Topics, codec.TopicConfig{
				Name: readTopic(i), Key: readTopic(i), ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6,
			})
		}
		for i := range 2 {
			broker := 1000 + first/perBroker*2 + i
			if _, err := s.Table().RegisterBroker(1, &route.Registration{
				RegistrationHeader: route.RegistrationHeader{
					Cluster: "c", BrokerName: fmt.Sprintf("broker-%d", broker), BrokerAddr: fmt.Sprintf("10.0.0.1:%d", broker),
					TimeoutMillis: 1 << 40, OldVersion: true,
				},
				Body: body,
			}); err != nil {
				return err
			}
		}
	}
	v := s.Table().View()
	for range 2 {
		for i := range topics {
			benchRead(v, readTopic(i))
		}
	}
	return nil
}

func benchRead(v *route.View, topic []byte) {
	v.Route(topic, &route.RouteForm{Dialect: codec.DialectStrict})
}

// readCPU asks in a closed loop for a second and returns the CPU time in µs that
// the server spent per request.
func (c *child) readCPU(b *testing.B, topics int, zipf bool) float64 {
	b.Helper()
	const connections, depth = 64, 16
	frame := codec.AppendRequest(nil, codec.SerializeJSON, &codec.Command{
		Code: codec.ReqGetRouteInfoByTopic, Version: codec.Version, Opaque: 77,
		Ext: codec.ExtFields{{Name: []byte("topic"), Value: readTopic(0)}},
	})
	digits := bytes.Index(frame, readTopic(0)) + len(readTopic(0)) - 7
	var wg sync.WaitGroup
	var mu sync.Mutex
	total := 0
	warm := make(chan struct{})
	deadline := time.Now().Add(1200 * time.Millisecond)
	var before time.Duration
	time.AfterFunc(200*time.Millisecond, func() {
		before = c.cpu(b)
		close(warm)
	})
	for n := range connections {
		conn, err := net.Dial("tcp", c.addr)
		if err != nil {
			b.Fatal(err)
		}
		wg.Go(func() {
			defer conn.Close()
			random := rand.New(rand.NewPCG(uint64(n), uint64(time.Now().UnixNano())))
			ranks := rand.NewZipf(random, 1.1, 1, uint64(topics-1))
			replies := bufio.NewReaderSize(conn, 64<<10)
			burst := make([]byte, 0, depth*len(frame))
			done := 0
			for time.Now().Before(deadline) {
				burst = burst[:0]
				for range depth {
					topic := 0
					if zipf {
						topic = int(ranks.Uint64()) * 7919 % topics // neighbours were made together
					} else {
						topic = random.IntN(topics)
					}
					burst = append(burst, frame...)
					last := burst[len(burst)-len(frame):]
					for at := digits + 6; at >= digits; at-- {
						last[at] = byte('0' + topic%10)
						topic /= 10
					}
				}
				if _, err := conn.Write(burst); err != nil {
					b.Error(err)
					return
				}
				for range depth {
					head, err := replies.Peek(4)
					if err != nil {
						b.Error(err)
						return
					}
					size := 4 + int(binary.BigEndian.Uint32(head))
					if size < 300 {
						rest, _ := replies.Peek(size)
						b.Errorf("no route: %s", rest)
						return
					}
					if _, err := replies.Discard(size); err != nil {
						b.Error(err)
						return
					}
				}
				select {
				case <-warm:
					done += depth
				default:
				}
			}
			mu.Lock()
			total += done
			mu.Unlock()
		})
	}
	wg.Wait()
	spent := c.cpu(b) - before
	return float64(spent.Microseconds()) / float64(total)
}
