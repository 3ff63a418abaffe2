package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
)

const clusterName = "DemoCluster"

// registerEvery is how often a broker registers again; Java's default is 30 s.
const registerEvery = 10 * time.Second

// answerWithin bounds each answer of the server.
const answerWithin = 30 * time.Second

// A broker is one member of a broker set. Its addresses are on the loopback: whoever
// connects to them must not reach a stranger.
type broker struct {
	name   string
	id     int64 // 0 is the master
	addr   string
	topics []string
}

// cluster returns three sets of a master and a slave.
func cluster() (all []*broker) {
	for i, set := range []struct {
		name   string
		topics []string
	}{
		{"broker-a", []string{"ORDERS", "PAYMENTS", "%RETRY%billing"}},
		{"broker-b", []string{"ORDERS", "PAYMENTS", "%RETRY%billing"}},
		{"broker-c", []string{"ORDERS", "INVOICES"}},
	} {
		topics := append(set.topics, set.name, clusterName, "TBW102") // as real brokers have them
		for id := range 2 {
			all = append(all, &broker{name: set.name, id: int64(id), addr: fmt.Sprintf("127.10.%d.%d:10911", i+1, id+1), topics: topics})
		}
	}
	return all
}

// registration is request 103.
func (b *broker) registration() *codec.Command {
	body := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1_700_000_000_000, Counter: 1}, Written: time.Now().UnixMilli()}
	for _, name := range b.topics {
		body.Topics = append(body.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: 8, WriteQueueNums: 8, Perm: 6})
	}
	text := body.AppendJSON(nil)
	return &codec.Command{Code: codec.ReqRegisterBroker, Version: codec.Version, Body: text, Ext: fields(
		"brokerName", b.name, "brokerAddr", b.addr, "clusterName", clusterName, "brokerId", strconv.FormatInt(b.id, 10),
		"haServerAddr", b.addr, "enableActingMaster", "false", "compressed", "false", "bodyCrc32", fmt.Sprint(codec.BodyCRC32(text)),
	)}
}

// fields are names, each with its value behind it.
func fields(texts ...string) (ext codec.ExtFields) {
	for i := 0; i < len(texts); i += 2 {
		ext = append(ext, codec.ExtField{Name: []byte(texts[i]), Value: []byte(texts[i+1])})
	}
	return ext
}

// live registers the broker, says so, and goes on registering until ctx is done. Then its
// connection ends as that of a killed process.
func (b *broker) live(ctx context.Context, server string, registered func()) error {
	conn, err := client.Dial(ctx, server, client.Options{})
	if err != nil {
		return fmt.Errorf("%s: %w", b.name, err)
	}
	defer func() {
		if tcp, ok := conn.Net().(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // RST; it has closed already when this fails
		}
		conn.Close()
	}()
	for {
		if _, err := ask(ctx, conn, b.registration()); err != nil {
			return ended(ctx, fmt.Errorf("%s: register: %w", b.name, err))
		}
		registered()
		if !sleep(ctx, registerEvery) {
			return nil
		}
	}
}

// A reader is a client that asks for routes.
type reader struct {
	language codec.LanguageCode
	version  int32
	topics   []string
	every    time.Duration
}

// V4_9_7 and V5_3_3 of Java's MQVersion, and what clients in Go say of themselves.
const (
	version497 = 413
	versionGo  = 317
)

// readers returns clients as a cluster has them. One of them asks for a topic that is not
// there.
func readers() []reader {
	return []reader{
		{codec.LanguageJava, codec.Version, []string{"ORDERS", "PAYMENTS"}, 20 * time.Millisecond},
		{codec.LanguageJava, codec.Version, []string{"ORDERS", "INVOICES"}, 30 * time.Millisecond},
		{codec.LanguageJava, version497, []string{"PAYMENTS", "%RETRY%billing"}, 50 * time.Millisecond},
		{codec.LanguageGo, versionGo, []string{"ORDERS"}, 40 * time.Millisecond},
		{codec.LanguageCPP, version497, []string{"INVOICES"}, 100 * time.Millisecond},
		{codec.LanguageJava, codec.Version, []string{"REFUNDS"}, 2 * time.Second},
	}
}

// live asks until ctx is done.
func (r reader) live(ctx context.Context, server string) error {
	conn, err := client.Dial(ctx, server, client.Options{})
	if err != nil {
		return ended(ctx, fmt.Errorf("client: %w", err))
	}
	defer conn.Close()
	for i := 0; ; i++ {
		question := &codec.Command{
			Code: codec.ReqGetRouteInfoByTopic, Language: r.language, Version: r.version, Ext: fields("topic", r.topics[i%len(r.topics)]),
		}
		if _, err := ask(ctx, conn, question); err != nil && !isAnswer(err) {
			return ended(ctx, fmt.Errorf("client: %w", err))
		}
		if !sleep(ctx, r.every) {
			return nil
		}
	}
}

// names reports whether a client that asks for the topic is told the address.
func names(ctx context.Context, conn *client.Conn, topic, addr string) (bool, error) {
	reply, err := ask(ctx, conn, &codec.Command{Code: codec.ReqGetRouteInfoByTopic, Version: codec.Version, Ext: fields("topic", topic)})
	if isAnswer(err) {
		return false, nil // there is no route at all
	}
	if err != nil {
		return false, err
	}
	return bytes.Contains(reply.Body, []byte(addr)), nil
}

// ask asks, and takes any answer other than SUCCESS for an error.
func ask(ctx context.Context, conn *client.Conn, question *codec.Command) (*codec.Command, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	reply, err := conn.Do(ctx, question)
	if err != nil {
		return nil, err
	}
	if code := codec.ResponseCode(reply.Code); code != codec.RespSuccess {
		return nil, &client.ReplyError{Code: code, Remark: string(reply.Remark)}
	}
	return reply, nil
}

func isAnswer(err error) bool {
	var said *client.ReplyError
	return errors.As(err, &said)
}

// ended returns err, or nil if it is only that ctx is done.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// sleep reports whether the time has passed before ctx was done.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
