package namesrv_test

import (
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// perms returns "broker:perm" of every queue data of a topic.
func perms(t *testing.T, c *nstest.Client, topic string) string {
	t.Helper()
	reply := c.Do(nstest.Route(topic))
	if codec.ResponseCode(reply.Code) != codec.RespSuccess {
		return "none"
	}
	var data codec.TopicRouteData
	if err := data.Decode(reply.Body); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, q := range data.QueueDatas {
		all = append(all, q.BrokerName+":"+string(rune('0'+q.Perm)))
	}
	return strings.Join(all, " ")
}

func TestWritePerm(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	other := nstest.Broker{Cluster: "C", Name: "b", Addr: "10.0.0.9:10911", Counter: 1, Topics: []string{"T", "V"}}
	c.Do(brokerA.Register())
	c.Do(other.Register())
	do := func(code codec.RequestCode, fields ...string) *codec.Command {
		reply := c.Do(nstest.Request(code, fields...))
		wantCode(t, reply, codec.RespSuccess, "")
		return reply
	}
	wantPerms := func(topic, want string) {
		t.Helper()
		if got := perms(t, c, topic); got != want {
			t.Errorf("permissions of %s are %s, want %s", topic, got, want)
		}
	}
	for range 2 { // counted whether or not it changes anything
		if got := ext(do(codec.ReqWipeWritePermOfBroker, "brokerName", "a"), "wipeTopicCount"); got != "2" {
			t.Errorf("wipeTopicCount is %s, want 2", got)
		}
		wantPerms("T", "a:4 b:6")
	}
	c.Do(brokerA.Register()) // its data version is the same: the wiped permission stays
	wantPerms("T", "a:4 b:6")
	if got := ext(do(codec.ReqAddWritePermOfBroker, "brokerName", "a"), "addTopicCount"); got != "2" {
		t.Errorf("addTopicCount is %s, want 2", got)
	}
	wantPerms("T", "a:6 b:6")
	for _, fields := range [][]string{{"brokerName", "unknown"}, nil} {
		if got := ext(do(codec.ReqWipeWritePermOfBroker, fields...), "wipeTopicCount"); got != "0" {
			t.Errorf("wipeTopicCount with %v is %s, want 0", fields, got)
		}
		if got := ext(do(codec.ReqAddWritePermOfBroker, fields...), "addTopicCount"); got != "0" {
			t.Errorf("addTopicCount with %v is %s, want 0", fields, got)
		}
	}
}

func TestDeleteTopic(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	other := nstest.Broker{Cluster: "C2", Name: "b", Addr: "10.0.0.9:10911", Counter: 1, Topics: []string{"T", "V"}}
	c.Do(brokerA.Register())
	c.Do(other.Register())
	steps := []struct {
		fields []string
		want   string // permissions of T afterwards
	}{
		{[]string{"topic", "unknown"}, "a:6 b:6"},
		{nil, "a:6 b:6"},
		{[]string{"topic", "T", "clusterName", "unknown"}, "a:6 b:6"},
		{[]string{"topic", "T", "clusterName", "C"}, "b:6"},
		{[]string{"topic", "T"}, "none"},
	}
	for _, step := range steps {
		wantCode(t, c.Do(nstest.Request(codec.ReqDeleteTopicInNamesrv, step.fields...)), codec.RespSuccess, "")
		if got := perms(t, c, "T"); got != step.want {
			t.Errorf("after deleting %v: %s, want %s", step.fields, got, step.want)
		}
	}
	c.Do(brokerA.Register()) // who still has it brings it back, with the same data version
	if got := perms(t, c, "T"); got != "a:6" {
		t.Errorf("after the next registration: %s", got)
	}
}

func TestRegisterTopic(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	c.Do(brokerA.Register())
	const (
		queueA  = `{"brokerName":"a","perm":4,"readQueueNums":2,"topicSysFlag":0,"writeQueueNums":2}`
		unknown = `{"brokerName":"x","perm":6,"readQueueNums":2,"topicSysFlag":0,"writeQueueNums":2}`
	)
	register := func(topic, body string) *codec.Command {
		r := nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", topic)
		r.Body = []byte(body)
		return c.Do(r)
	}
	cases := []struct{ name, topic, body, want string }{
		{"new topic", "N", `{"queueDatas":[` + queueA + `]}`, "a:4"},
		{"existing entry is replaced", "T", `{"queueDatas":[` + queueA + `]}`, "a:4"},
		{"no body", "M", ``, "none"},
		{"no queue data", "M", `{"brokerDatas":[],"filterServerTable":{},"queueDatas":[]}`, "none"},
		{"unknown broker", "M", `{"queueDatas":[` + unknown + `]}`, "none"},
		{"one of them unknown, nothing is stored", "U", `{"queueDatas":[` + queueA + `,` + unknown + `]}`, "a:6"},
		{"numbers left out are 0", "Z", `{"queueDatas":[{"brokerName":"a"}]}`, "a:0"},
	}
	for _, tc := range cases {
		wantCode(t, register(tc.topic, tc.body), codec.RespSuccess, "")
		if got := perms(t, c, tc.topic); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	wantCode(t, c.Do(nstest.Request(codec.ReqRegisterTopicInNamesrv)), codec.RespSuccess, "")
	if reply := register("B", `{"queueDatas":`); codec.ResponseCode(reply.Code) != codec.RespSystemError {
		t.Errorf("a broken body is answered %v", codec.ResponseCode(reply.Code))
	}
}

func TestTopicLists(t *testing.T) {
	s := start(t, nil)
	c := s.dial(t)
	body := func(request *codec.Command) string {
		t.Helper()
		reply := c.Do(request)
		wantCode(t, reply, codec.RespSuccess, "")
		return string(reply.Body)
	}
	const none = `{"topicList":[]}`
	if got := body(nstest.Request(codec.ReqGetSystemTopicListFromNS)); got != none {
		t.Errorf("system topics of an empty server are %s", got)
	}
	c.Do(brokerA.Register())
	c.Do(nstest.Broker{Cluster: "C2", Name: "b", Addr: "10.0.0.9:10911", Topics: []string{"T", "V"}}.Register())
	for flag, topic := range []string{"F0", "F1", "F2", "F3"} {
		r := nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", topic)
		r.Body = []byte(`{"queueDatas":[{"brokerName":"b","topicSysFlag":` + string(rune('0'+flag)) + `}]}`)
		wantCode(t, c.Do(r), codec.RespSuccess, "")
	}
	cases := []struct {
		request *codec.Command
		want    string
	}{
		{nstest.Request(codec.ReqGetTopicsByCluster, "cluster", "C"), `{"topicList":["T","U"]}`},
		{nstest.Request(codec.ReqGetTopicsByCluster, "cluster", "C2"), `{"topicList":["F0","F1","F2","F3","T","V"]}`},
		{nstest.Request(codec.ReqGetTopicsByCluster, "cluster", "unknown"), none},
		{nstest.Request(codec.ReqGetTopicsByCluster), none},
		{nstest.Request(codec.ReqGetSystemTopicListFromNS), `{"brokerAddr":"10.0.0.1:10911","topicList":["C","C2","a","b"]}`},
		{nstest.Request(codec.ReqGetUnitTopicList), `{"topicList":["F1","F3"]}`},
		{nstest.Request(codec.ReqGetHasUnitSubTopicList), `{"topicList":["F2","F3"]}`},
		{nstest.Request(codec.ReqGetHasUnitSubUnunitTopicList), `{"topicList":["F2"]}`},
	}
	for _, tc := range cases {
		for range 2 { // encoded, then from the encoded
			if got := body(tc.request); got != tc.want {
				t.Errorf("%v with %s: %s, want %s", tc.request.Code, tc.request.Ext, got, tc.want)
			}
		}
	}
}

func TestTopicListGates(t *testing.T) {
	s := start(t, func(c *namesrv.Config) { c.EnableAllTopicList, c.EnableTopicList = false, false })
	c := s.dial(t)
	for _, code := range []codec.RequestCode{
		codec.ReqGetAllTopicListFromNameserver, codec.ReqGetTopicsByCluster, codec.ReqGetUnitTopicList,
		codec.ReqGetHasUnitSubTopicList, codec.ReqGetHasUnitSubUnunitTopicList,
	} {
		wantCode(t, c.Do(nstest.Request(code)), codec.RespSystemError, "disable")
	}
	wantCode(t, c.Do(nstest.Request(codec.ReqGetSystemTopicListFromNS)), codec.RespSuccess, "")
}
