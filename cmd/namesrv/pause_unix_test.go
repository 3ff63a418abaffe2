//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// TestStopped stops the process for longer than its brokers, and its connections,
// may be silent. Their heartbeats lie in the sockets when it goes on, or have not
// even been sent. No broker is lost, no connection is closed; one that is silent
// after that is.
func TestStopped(t *testing.T) {
	t.Parallel()
	const (
		patience = 5 * time.Second // of the server with brokers and connections
		stopped  = patience + 2*time.Second
		brokers  = 50
	)
	var stdout, stderr output
	child := exec.Command(os.Args[0], "-c", properties(t, "bindAddress=127.0.0.1", "listenPort=0",
		"scanNotActiveBrokerInterval=10", fmt.Sprint("serverChannelMaxIdleTimeSeconds=", int(patience.Seconds()))))
	child.Env = append(os.Environ(), "NAMESRV_TEST_CHILD=1")
	child.Stdout, child.Stderr = &stdout, &stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		child.Process.Kill()
		child.Wait()
	}()
	signal := func(sig syscall.Signal) {
		t.Helper()
		if err := child.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	addr := "127.0.0.1:" + bootedAt(t, &stdout)

	all := make([]nstest.Broker, brokers)
	for i := range all {
		all[i] = nstest.Broker{
			Cluster: "C", Name: fmt.Sprint("b", i), Addr: fmt.Sprintf("10.0.0.%d:1", i), Topics: []string{"T", fmt.Sprint("b", i)},
			Fields: []string{"heartbeatTimeoutMillis", fmt.Sprint(patience.Milliseconds())},
		}
	}
	beat := func(b *nstest.Broker) *codec.Command {
		return nstest.Request(codec.ReqBrokerHeartbeat, "brokerAddr", b.Addr, "clusterName", b.Cluster, "brokerName", b.Name)
	}
	// once returns what is wrong after one stop, and how long brokers were silent
	// while the process ran.
	once := func() (faults []string, silent time.Duration) {
		logged := len(stderr.String())
		conns := make([]*nstest.Client, brokers)
		for i := range all {
			conns[i] = nstest.Dial(t, addr)
			defer conns[i].Close()
		}
		began := time.Now()
		for i, c := range conns {
			c.Do(all[i].Register())
		}
		signal(syscall.SIGSTOP)
		silent = time.Since(began)
		for i, c := range conns {
			if i%2 == 0 {
				c.Write(c.Frame(beat(&all[i])))
			}
		}
		time.Sleep(stopped) // that is what the test is about
		began = time.Now()
		signal(syscall.SIGCONT)
		for i, c := range conns {
			if i%2 != 0 {
				_ = c.TryWrite(c.Frame(beat(&all[i])))
			}
		}
		for range 2 { // several scans pass meanwhile
			for i, c := range conns {
				_ = c.TryWrite(c.Frame(nstest.Route(all[i].Name)))
			}
			time.Sleep(50 * time.Millisecond)
		}
		for i, c := range conns {
			for _, want := range []codec.ResponseCode{codec.RespSuccess, codec.RespSuccess, codec.RespSuccess} {
				var reply codec.Command
				frame, err := c.TryReadFrame(time.Minute)
				if err == nil {
					err = reply.Decode(frame)
				}
				if got := codec.ResponseCode(reply.Code); err != nil || got != want {
					faults = append(faults, fmt.Sprintf("broker %d: answer %v, %v", i, got, err))
				}
			}
		}
		silent += time.Since(began)
		for _, line := range []string{"broker expired", "broker connection lost"} {
			if strings.Contains(stderr.String()[logged:], line) {
				faults = append(faults, "the log says: "+line)
			}
		}
		return faults, silent
	}
	for {
		faults, silent := once()
		if len(faults) == 0 {
			break
		}
		if silent < patience/2 {
			t.Fatalf("brokers were silent for %v while the process ran:\n%s", silent, strings.Join(faults, "\n"))
		}
		t.Logf("brokers were silent for %v because this machine is busy: that proves nothing, once more", silent)
	}
	nstest.Eventually(t, "the pause is said", func() bool { return strings.Contains(stderr.String(), "the process stood still") })
	quiet := nstest.Broker{Cluster: "C", Name: "q", Addr: "10.0.1.1:1", Topics: []string{"Q", "q"}, Fields: []string{"heartbeatTimeoutMillis", "1000"}}
	nstest.Dial(t, addr).Do(quiet.Register())
	asking := nstest.Dial(t, addr)
	nstest.Eventually(t, "one who is silent now expires", func() bool {
		return codec.ResponseCode(asking.Do(nstest.Route("Q")).Code) == codec.RespTopicNotExist
	})
}
