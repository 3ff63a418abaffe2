//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

// checkGoRoute fails the test unless a producer of rocketmq-client-go, which
// cuts brokerAddrs out of the route by hand, reads exactly these brokers and
// sends to the master.
func checkGoRoute(t *testing.T, namesrv, topic, set string, master, slave *broker) {
	t.Helper()
	p := startGoProducer(t, "route-"+topic, namesrv)
	for i := range 20 {
		res, err := p.SendSync(context.Background(), primitive.NewMessage(topic, fmt.Appendf(nil, "routed-%d", i)))
		if err != nil {
			fatalf(t, "the Go producer sends message %d: %v", i, err)
		}
		id, err := primitive.UnmarshalMsgID([]byte(res.OffsetMsgID))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%s:%d", id.Addr, id.Port), master.addr(); got != want {
			t.Errorf("message %d is stored by: got %s, want the master %s", i, got, want)
		}
	}
	if err := goLog.route(topic).hasBrokers(set, master.member(), slave.member()); err != nil {
		t.Errorf("the route of %s as the Go client has read it: %v", topic, err)
	}
}

// goCreateTopic makes the broker create a topic, with the admin client of
// rocketmq-client-go, and waits until the topic has a route.
func goCreateTopic(t *testing.T, namesrv string, b *broker, topic string) {
	t.Helper()
	a, err := admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver([]string{namesrv})))
	if err != nil {
		t.Fatalf("make a Go admin client: %v", err)
	}
	defer a.Close()
	waitFor(t, soon, "the broker makes topic "+topic+" for the Go admin client", func() error {
		return a.CreateTopic(context.Background(), admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(b.addr()))
	})
	waitFor(t, soon, "the new topic has a route", func() error {
		_, err := askRoute(namesrv, topic)
		return err
	})
}

// goLog is the log of all Go clients of the suite.
var goLog = &goLogger{routes: make(map[string]topicRoute)}

// A goLogger writes warnings and errors to a file and remembers the routes the
// client says it has read: the client shows them nowhere else.
type goLogger struct {
	mu     sync.Mutex
	out    *os.File
	routes map[string]topicRoute
}

func init() { rlog.SetLogger(goLog) }

// route returns the latest route of the topic that a Go client has read.
func (l *goLogger) route(topic string) topicRoute {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.routes[topic]
}

func (l *goLogger) Info(msg string, fields map[string]any) {
	if msg != "the topic route info changed" {
		return
	}
	text, ok := fields[rlog.LogKeyValueChangedTo].(string)
	topic, ok2 := fields[rlog.LogKeyTopic].(string)
	var route topicRoute
	if !ok || !ok2 || json.Unmarshal([]byte(text), &route) != nil {
		l.write("UNREADABLE", msg, fields)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.routes[topic] = route
}

func (l *goLogger) write(level, msg string, fields map[string]any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out != nil {
		fmt.Fprintln(l.out, time.Now().Format("15:04:05.000"), level, msg, fields)
	}
}

// OutputPath makes path the file to write to from now on.
func (l *goLogger) OutputPath(path string) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out != nil {
		l.out.Close()
	}
	l.out = out
	return nil
}

func (l *goLogger) Debug(string, map[string]any) {}
func (l *goLogger) Warning(msg string, fields map[string]any) {
	l.write("WARN", strings.TrimSpace(msg), fields)
}
func (l *goLogger) Error(msg string, fields map[string]any) { l.write("ERROR", msg, fields) }
func (l *goLogger) Fatal(msg string, fields map[string]any) { l.write("FATAL", msg, fields) }
func (l *goLogger) Level(string)                            {}
