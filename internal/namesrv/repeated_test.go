package namesrv_test

import (
	"bytes"
	"slices"
	"strconv"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// bodyWritten is a body of brokerA that was made at a time, with another change if there
// is one.
func bodyWritten(millis int64, change func(*codec.RegisterBrokerBody)) codec.RegisterBrokerBody {
	b := codec.RegisterBrokerBody{DataVersion: codec.DataVersion{Timestamp: 1_700_000_000_000, Counter: 1}, Written: millis}
	for _, name := range []string{"T", "U", "mappingDataVersion", `"timestamp":17`} {
		b.Topics = append(b.Topics, codec.TopicConfig{Name: []byte(name), Key: []byte(name), ReadQueueNums: 4, WriteQueueNums: 4, Perm: 6})
	}
	if change != nil {
		change(&b)
	}
	return b
}

// repeats are forms in which a broker that has nothing new to say says so each time.
var repeats = map[string]func(millis int64, change func(*codec.RegisterBrokerBody)) *codec.Command{
	"since 5.0": func(millis int64, change func(*codec.RegisterBrokerBody)) *codec.Command {
		b := bodyWritten(millis, change)
		return brokerA.RegisterBody(b.AppendJSON(nil))
	},
	"without a checksum": func(millis int64, change func(*codec.RegisterBrokerBody)) *codec.Command {
		b := bodyWritten(millis, change)
		r := brokerA.RegisterBody(b.AppendJSON(nil))
		r.Ext = without(r.Ext, "bodyCrc32")
		return r
	},
	"a binary header": func(millis int64, change func(*codec.RegisterBrokerBody)) *codec.Command {
		b := bodyWritten(millis, change)
		r := brokerA.RegisterBody(b.AppendJSON(nil))
		r.SerializeType = codec.SerializeRocketMQ
		return r
	},
	"compressed": func(millis int64, change func(*codec.RegisterBrokerBody)) *codec.Command { // has no such time
		b := bodyWritten(millis, change)
		return brokerA.RegisterBody(codec.Compress(nil, b.AppendCompact(nil, codec.Version)))
	},
	"4.9": func(millis int64, change func(*codec.RegisterBrokerBody)) *codec.Command { // nor has this
		b := bodyWritten(0, change)
		r := brokerA.RegisterBody(bytes.Replace(b.AppendJSON(nil), []byte(`"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1700000000000},`), nil, 1))
		r.Version = 401
		return r
	},
}

// TestRepeatedRegistration: a broker that says nothing new is recognised, whenever it has
// made the body, and nothing that anybody is shown changes. One that says anything new is
// not.
func TestRepeatedRegistration(t *testing.T) {
	const millis = 1_795_903_396_624
	for form, request := range repeats {
		t.Run(form, func(t *testing.T) {
			s := start(t, nil)
			c := s.dial(t)
			shown := func() (all []string) {
				for _, r := range []*codec.Command{
					nstest.Route("T"), nstest.Route("mappingDataVersion"), nstest.Request(codec.ReqGetBrokerClusterInfo), nstest.Request(codec.ReqGetAllTopicListFromNameserver),
				} {
					all = append(all, string(c.Do(r).Body))
				}
				live, _ := s.Table().View().Live([]byte(brokerA.Cluster), []byte(brokerA.Addr))
				return append(all, string(live.DataVersion.AppendJSON(nil)))
			}
			wantCode(t, c.Do(request(millis, nil)), codec.RespSuccess, "")
			before, edition := shown(), s.Table().View().Edition()
			for i := range int64(10) {
				wantCode(t, c.Do(request(millis+1+i, nil)), codec.RespSuccess, "")
			}
			if st := s.Table().Stats().Registrations; st.Unchanged != 10 || st.Applied != 1 {
				t.Errorf("%+v, want 10 unchanged and one applied", st)
			}
			if after := shown(); !slices.Equal(after, before) || s.Table().View().Edition() != edition {
				t.Errorf("it shows %q, before %q; Views %d and %d", after, before, s.Table().View().Edition(), edition)
			}
			for i, change := range []func(*codec.RegisterBrokerBody){
				func(b *codec.RegisterBrokerBody) { b.DataVersion.Timestamp++ },
				func(b *codec.RegisterBrokerBody) { b.DataVersion.Counter++ },
				func(b *codec.RegisterBrokerBody) { b.DataVersion.StateVersion++ },
				func(b *codec.RegisterBrokerBody) { b.Topics[1].Perm = 4 },
				func(b *codec.RegisterBrokerBody) { b.Topics = b.Topics[1:] },
				func(b *codec.RegisterBrokerBody) { b.FilterServers = []string{"f:1"} },
				func(b *codec.RegisterBrokerBody) {
					b.Mappings = []codec.RegisteredMapping{{Key: "T", Info: codec.TopicQueueMappingInfo{Topic: "T", Bname: brokerA.Name, Epoch: 1}}}
				},
			} {
				wantCode(t, c.Do(request(millis, change)), codec.RespSuccess, "")
				if st := s.Table().Stats().Registrations; st.Unchanged != 10 || st.Applied != uint64(2+i) {
					t.Errorf("change %d: %+v, want it applied", i, st)
				}
			}
		})
	}
}

// TestRepeatedWithAnotherChecksum: a body that is the same but for the time, and comes with
// the checksum of the former, was spoilt on its way.
func TestRepeatedWithAnotherChecksum(t *testing.T) {
	c := start(t, nil).dial(t)
	request := repeats["since 5.0"]
	first := request(1_795_903_396_624, nil)
	wantCode(t, c.Do(first), codec.RespSuccess, "")
	spoilt := request(1_795_903_396_625, nil)
	spoilt.Ext = first.Ext
	wantCode(t, c.Do(spoilt), codec.RespSystemError, "crc32 not match")
	for i := range spoilt.Ext {
		if string(spoilt.Ext[i].Name) == "bodyCrc32" {
			spoilt.Ext[i].Value = strconv.AppendInt(nil, int64(codec.BodyCRC32(spoilt.Body)), 10)
		}
	}
	wantCode(t, c.Do(spoilt), codec.RespSuccess, "")
}
