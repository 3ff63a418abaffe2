//go:build interop

package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// goProduceConsume sends count messages with a producer of rocketmq-client-go
// and receives them with its push consumer. The topic may be new: the producer
// then makes the broker create it.
func goProduceConsume(t *testing.T, dir, namesrv, topic string, count int) {
	t.Helper()
	if err := rlog.SetOutputPath(filepath.Join(dir, "goclient.log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the Go client ends with:\n%s", tail(filepath.Join(dir, "goclient.log"), 40))
		}
	})

	// Clients of one instance name share connections and name servers.
	instance := fmt.Sprintf("%s-%s", topic, namesrv)
	p := startGoProducer(t, instance, namesrv)
	var sent []string
	for i := range count {
		body := messageBody(topic, i)
		res, err := p.SendSync(context.Background(), primitive.NewMessage(topic, []byte(body)))
		if err != nil {
			fatalf(t, "the Go producer sends %s: %v", body, err)
		}
		if res.Status != primitive.SendOK {
			fatalf(t, "the Go producer sends %s: got status %v, want %v", body, res.Status, primitive.SendOK)
		}
		sent = append(sent, body)
	}
	checkMessages(t, "sent by the Go producer", topic, count, sent)

	start := time.Now()
	c := startGoConsumer(t, instance, "go-"+topic, topic, namesrv)
	waitFor(t, 2*soon, "the Go consumer has received all messages", func() error {
		if n := c.distinct(); n < count {
			return fmt.Errorf("received %d distinct messages of topic %s, want %d", n, topic, count)
		}
		return nil
	})
	t.Logf("received after %v", time.Since(start))
	checkMessages(t, "received by the Go consumer", topic, count, c.bodies())
}

// goClientEnv makes the test binary a Go client: "DIR NAMESRV TOPIC COUNT".
const goClientEnv = "GONAMESRV_INTEROP_GOCLIENT"

// TestGoClientAlone is goProduceConsume in a process of its own, which
// runGoClient starts.
func TestGoClientAlone(t *testing.T) {
	text := os.Getenv(goClientEnv)
	if text == "" {
		t.Skip("it is run by other tests")
	}
	var dir, namesrv, topic string
	var count int
	if _, err := fmt.Sscan(text, &dir, &namesrv, &topic, &count); err != nil {
		t.Fatal(err)
	}
	goProduceConsume(t, dir, namesrv, topic, count)
}

// runGoClient runs goProduceConsume in a process of its own and returns what it
// has printed. Under is what runs its command. The process checks the messages:
// it ends well if all have been sent and received.
func runGoClient(t *testing.T, under []string, dir, namesrv, topic string, count int) (string, *os.ProcessState) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "goclient")
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	env := fmt.Sprintf("%s=%s %s %s %d", goClientEnv, home, namesrv, topic, count)
	argv := append(slices.Clone(under), "env", env, self, "-test.run=^TestGoClientAlone$", "-test.v", "-test.timeout=10m")
	return run(t, 4*soon, "Go client", home, argv...)
}

// startGoProducer starts a producer of rocketmq-client-go that shares nothing
// with others and ends with the test.
func startGoProducer(t *testing.T, name string, namesrvs ...string) rocketmq.Producer {
	t.Helper()
	p, err := rocketmq.NewProducer(
		producer.WithNsResolver(primitive.NewPassthroughResolver(namesrvs)),
		producer.WithInstanceName(fmt.Sprintf("%s-%d", name, time.Now().UnixNano())),
		producer.WithGroupName("go-"+name),
		producer.WithSendMsgTimeout(30*time.Second),
		producer.WithRetry(2),
	)
	if err != nil {
		t.Fatalf("make a Go producer: %v", err)
	}
	if err := p.Start(); err != nil {
		t.Fatalf("start the Go producer: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(); err != nil {
			t.Errorf("shut the Go producer down: %v", err)
		}
	})
	return p
}

// A goConsumer is a push consumer of rocketmq-client-go that keeps what it
// receives.
type goConsumer struct {
	mu       sync.Mutex
	received []string
	times    map[string]int
}

// startGoConsumer starts a consumer that shares nothing with others, reads the
// topic from its beginning and ends with the test.
func startGoConsumer(t *testing.T, instance, group, topic string, namesrvs ...string) *goConsumer {
	t.Helper()
	push, err := rocketmq.NewPushConsumer(
		consumer.WithNsResolver(primitive.NewPassthroughResolver(namesrvs)),
		consumer.WithInstance(fmt.Sprintf("%s-consumer-%d", instance, time.Now().UnixNano())),
		consumer.WithGroupName(group),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset),
	)
	if err != nil {
		t.Fatalf("make a Go consumer: %v", err)
	}
	c := &goConsumer{times: make(map[string]int)}
	err = push.Subscribe(topic, consumer.MessageSelector{}, func(_ context.Context, msgs ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, m := range msgs {
			c.received = append(c.received, string(m.Body))
			c.times[string(m.Body)]++
		}
		return consumer.ConsumeSuccess, nil
	})
	if err != nil {
		t.Fatalf("subscribe the Go consumer to %s: %v", topic, err)
	}
	if err := push.Start(); err != nil {
		t.Fatalf("start the Go consumer: %v", err)
	}
	t.Cleanup(func() {
		if err := push.Shutdown(); err != nil {
			t.Errorf("shut the Go consumer down: %v", err)
		}
	})
	return c
}

func (c *goConsumer) distinct() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.times)
}

func (c *goConsumer) bodies() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.received)
}

// hasReceived returns nil if the consumer has the message.
func (c *goConsumer) hasReceived(body string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.times[body] == 0 {
		return fmt.Errorf("the Go consumer has %d messages, %s is not among them", len(c.times), body)
	}
	return nil
}
