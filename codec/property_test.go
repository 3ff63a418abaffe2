package codec

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A text is any UTF-8, empty too; a name is never empty.
var (
	anyText = rapid.String()
	anyName = rapid.StringN(1, 20, -1)
)

func drawExt(t *rapid.T, value *rapid.Generator[string]) ExtFields {
	var e ExtFields
	for _, name := range rapid.SliceOfNDistinct(anyName, 0, 6, rapid.ID[string]).Draw(t, "names") {
		e = append(e, ExtField{Name: []byte(name), Value: []byte(value.Draw(t, "value"))})
	}
	return e
}

// TestCommandRoundTrip: what AppendRequest writes, Decode reads.
func TestCommandRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		st := SerializeType(rapid.IntRange(0, 1).Draw(t, "serialize type"))
		code, version, value := rapid.Int32().Draw(t, "code"), rapid.Int32().Draw(t, "version"), anyText
		if st == SerializeRocketMQ {
			code, version, value = int32(int16(code)), int32(int16(version)), anyName
		}
		c := Command{
			Code: RequestCode(code), Version: version, Opaque: rapid.Int32().Draw(t, "opaque"), Flag: Flag(rapid.Int32().Draw(t, "flag")),
			Language: LanguageCode(rapid.IntRange(0, len(languageNames)-1).Draw(t, "language")), SerializeType: st, Ext: drawExt(t, value),
			Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		if rapid.Bool().Draw(t, "has remark") {
			c.Remark = []byte(value.Draw(t, "remark"))
		}
		frame := AppendRequest(nil, st, &c)
		var got Command
		if n, err := SplitFrame(frame); n != len(frame) || err != nil {
			t.Fatalf("SplitFrame = %d, %v; want %d", n, err, len(frame))
		}
		if err := got.Decode(frame); err != nil {
			t.Fatalf("%q: %v", frame, err)
		}
		// One of the readers sorts the fields; none may care for their order.
		slices.SortFunc(c.Ext, func(a, b ExtField) int { return slices.Compare(a.Name, b.Name) })
		slices.SortFunc(got.Ext, func(a, b ExtField) int { return slices.Compare(a.Name, b.Name) })
		if showCommand(&got) != showCommand(&c) || string(got.Body) != string(c.Body) || got.SerializeType != st {
			t.Fatalf("%q:\ngot  %s\nwant %s", frame, showCommand(&got), showCommand(&c))
		}
		if st == SerializeJSON {
			agreeRapid(t, frame[8:len(frame)-len(c.Body)], &got)
		}
	})
}

// agreeRapid checks that fastjson's reader takes the header for want.
func agreeRapid(t *rapid.T, h []byte, want *Command) {
	var read Command
	if err := read.readJSONHeader(h); err != nil || showHeader(&read) != showHeader(want) {
		t.Fatalf("%q:\nread %s, %v\nwant %s", h, showHeader(&read), err, showHeader(want))
	}
}

// TestReplyRoundTrip: what AppendReply writes, a client reads.
func TestReplyRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		st := SerializeType(rapid.IntRange(0, 1).Draw(t, "serialize type"))
		r := Reply{
			Code: ResponseCode(rapid.Int16().Draw(t, "code")), Opaque: rapid.Int32().Draw(t, "opaque"),
			Remark: anyText.Draw(t, "remark"), Body: rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		want := Command{Code: RequestCode(r.Code), Version: Version, Opaque: r.Opaque, Flag: FlagResponse, Ext: drawExt(t, anyName)}
		slices.SortFunc(want.Ext, func(a, b ExtField) int { return slices.Compare(a.Name, b.Name) })
		for _, f := range want.Ext {
			r.Ext = append(r.Ext, Field{string(f.Name), string(f.Value)})
		}
		if r.Remark != "" {
			want.Remark = []byte(r.Remark)
		}
		var got Command
		frame := AppendReply(nil, st, &r)
		if err := got.Decode(frame); err != nil || showCommand(&got) != showCommand(&want) || string(got.Body) != string(r.Body) {
			t.Fatalf("%q: %v\ngot  %s\nwant %s", frame, err, showCommand(&got), showCommand(&want))
		}
	})
}

// TestRouteRoundTrip: what either dialect writes, Decode reads.
func TestRouteRoundTrip(t *testing.T) {
	t.Parallel()
	addrs := rapid.Custom(func(t *rapid.T) []BrokerAddr {
		ids := rapid.SliceOfNDistinct(rapid.Int64(), 0, 4, rapid.ID[int64]).Draw(t, "ids")
		slices.Sort(ids)
		list := []BrokerAddr{}
		for _, id := range ids {
			list = append(list, BrokerAddr{id, anyText.Draw(t, "addr")})
		}
		return list
	})
	brokers := rapid.Custom(func(t *rapid.T) BrokerData {
		b := BrokerData{Cluster: anyText.Draw(t, "cluster"), BrokerName: anyText.Draw(t, "broker"), BrokerAddrs: addrs.Draw(t, "addrs"), EnableActingMaster: rapid.Bool().Draw(t, "acting")}
		if b.HasZoneName = rapid.Bool().Draw(t, "has zone"); b.HasZoneName {
			b.ZoneName = anyText.Draw(t, "zone")
		}
		return b
	})
	queues := rapid.Custom(func(t *rapid.T) QueueData {
		n := rapid.Int32()
		return QueueData{anyText.Draw(t, "broker"), n.Draw(t, "read"), n.Draw(t, "write"), n.Draw(t, "perm"), n.Draw(t, "flag")}
	})
	rapid.Check(t, func(t *rapid.T) {
		d := TopicRouteData{
			BrokerDatas: rapid.SliceOfN(brokers, 0, 3).Draw(t, "brokers"), QueueDatas: rapid.SliceOfN(queues, 0, 3).Draw(t, "queues"),
			FilterServerTable: []FilterServers{},
		}
		body := d.AppendJSON(nil, Dialect(rapid.IntRange(0, 1).Draw(t, "dialect")))
		var got TopicRouteData
		if err := got.Decode(body); err != nil || !reflect.DeepEqual(got, d) {
			t.Fatalf("%q: %v\ngot  %+v\nwant %+v", body, err, got, d)
		}
	})
}
