package nsctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-json"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
	"gonamesrv/internal/nsdiff"
)

// What is asked over the protocol of RocketMQ, with the answers decoded.

// fields makes ext fields of name, value, name, value, …
func fields(pairs ...string) codec.ExtFields {
	var ext codec.ExtFields
	for i := 0; i+1 < len(pairs); i += 2 {
		ext = append(ext, codec.ExtField{Name: []byte(pairs[i]), Value: []byte(pairs[i+1])})
	}
	return ext
}

// A missingError means that a server was asked, and does not have what was asked for.
type missingError struct{}

func (missingError) Error() string { return "it is not there" }

// absent turns an answer that says that something is not there into a missingError.
func absent(err error, code codec.ResponseCode) error {
	var r *client.ReplyError
	if errors.As(err, &r) && r.Code == code {
		return missingError{}
	}
	return err
}

// since says which release of Java was the first to answer a request. Until 4.9.7 a server
// of Java says nothing at all to what it does not know.
var since = map[codec.RequestCode]int32{
	codec.ReqAddWritePermOfBroker:   397, // V4_9_2
	codec.ReqRegisterTopicInNamesrv: codec.V5_0_0,
	codec.ReqGetBrokerMemberGroup:   codec.V5_0_0,
}

// knows returns an error if the server is known to be too old for a request. It is known
// by the answer before.
func (s *server) knows(code codec.RequestCode) error {
	if first := since[code]; s.speaks > 0 && s.speaks < first {
		return &refusedError{fmt.Sprintf("this name server is %s, and %v came with %s", versionName(s.speaks), code, versionName(first))}
	}
	return nil
}

// versionName returns a version as people write it: 5.5.0.
func versionName(version int32) string {
	name, _ := codec.VersionName(version)
	return strings.ReplaceAll(strings.TrimPrefix(name, "V"), "_", ".")
}

// badAnswer is the error of an answer that cannot be read.
func badAnswer(err error) error {
	if err == nil {
		return nil
	}
	return &unreachedError{err}
}

// clusterInfo asks for all brokers.
func (s *server) clusterInfo(ctx context.Context) (*codec.ClusterInfo, error) {
	reply, err := s.call(ctx, codec.ReqGetBrokerClusterInfo, nil, nil)
	if err != nil {
		return nil, err
	}
	info := &codec.ClusterInfo{}
	return info, badAnswer(info.DecodeWithin(reply.Body, nil))
}

// brokerSet asks for one broker set, by its name.
func (s *server) brokerSet(ctx context.Context, name string) (*brokerSet, error) {
	info, err := s.clusterInfo(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range brokerSets(info, "") {
		if b.Broker == name {
			return &b, nil
		}
	}
	return nil, missingError{}
}

// route asks for the route of a topic, as a client of any version that reads every dialect.
func (s *server) route(ctx context.Context, topic string) (*codec.TopicRouteData, error) {
	reply, err := s.call(ctx, codec.ReqGetRouteInfoByTopic, fields("topic", topic), nil)
	if err != nil {
		return nil, absent(err, codec.RespTopicNotExist)
	}
	return decodeRoute(reply.Body)
}

func decodeRoute(body []byte) (*codec.TopicRouteData, error) {
	r := &codec.TopicRouteData{}
	return r, badAnswer(r.Decode(body))
}

// topics asks for a list of topics, in ascending order.
func (s *server) topics(ctx context.Context, code codec.RequestCode, ext codec.ExtFields, prefix string) ([]string, error) {
	reply, err := s.call(ctx, code, ext, nil)
	if err != nil {
		return nil, err
	}
	var names []string
	err = codec.EachTopic(reply.Body, func(name []byte) bool {
		if text := string(name); strings.HasPrefix(text, prefix) {
			names = append(names, text)
		}
		return true
	})
	slices.Sort(names)
	return slices.Compact(names), badAnswer(err)
}

// kv asks for one key of a namespace.
func (s *server) kv(ctx context.Context, namespace, key string) (string, error) {
	reply, err := s.call(ctx, codec.ReqGetKVConfig, fields("namespace", namespace, "key", key), nil)
	if err != nil {
		return "", absent(err, codec.RespQueryNotFound)
	}
	value, ok := reply.Ext.Get("value")
	if !ok {
		return "", missingError{}
	}
	return string(value), nil
}

// kvs asks for all keys of a namespace, in ascending order.
func (s *server) kvs(ctx context.Context, namespace string) ([]kvItem, error) {
	reply, err := s.call(ctx, codec.ReqGetKVListByNamespace, fields("namespace", namespace), nil)
	if err != nil {
		return nil, absent(err, codec.RespQueryNotFound)
	}
	var table struct{ Table map[string]string }
	if err := json.Unmarshal(reply.Body, &table); err != nil {
		return nil, badAnswer(err)
	}
	items := []kvItem{}
	for key, value := range table.Table {
		items = append(items, kvItem{Namespace: namespace, Key: key, Value: value})
	}
	slices.SortFunc(items, func(a, b kvItem) int { return strings.Compare(a.Key, b.Key) })
	return items, nil
}

// A serverConfig is the answer to GET_NAMESRV_CONFIG. Nothing in it is escaped.
type serverConfig map[string]string

// config asks for the configuration.
func (s *server) config(ctx context.Context) (serverConfig, error) {
	reply, err := s.call(ctx, codec.ReqGetNamesrvConfig, nil, nil)
	if err != nil {
		return nil, err
	}
	return nsdiff.ConfigLines(reply.Body), nil
}

// isTrimmed says what Java's String#trim removes.
func isTrimmed(c rune) bool { return c <= ' ' }

// release returns the release of a server of ours, "" for one of Java.
func (l serverConfig) release() string { return l[nsdiff.VersionKey] }
