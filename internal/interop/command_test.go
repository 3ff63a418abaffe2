//go:build interop

package interop

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cockroachdb/datadriven"
)

// A command is one line of a story or of a random history. The commands are
// those of route/testdata/stories, told over TCP:
//
//	register cluster=c broker=b id=0 addr=a [ha=h] [conn=1] [version=state/counter] [acting=true|false] [timeout=millis] [zone=z]
//	         [filters=(f1,f2)] [topics=(name:read/write/perm[/sysFlag],...)] [static=(topic:bname[/epoch],...)] [compact[=false]] [crc=good|bad]
//	unregister cluster=c broker=b addr=a [id=0]
//	heartbeat cluster=c addr=a
//	query cluster=c addr=a version=state/counter
//	close conn=1
//	route topic=T [strict|standard] [zone=z]
//	clusters | topics | members cluster=c broker=b
//	wipe broker=b | add broker=b
//	delete topic=T [cluster=c] | topic topic=T queues=(b:read/write/perm[/sysFlag],...)
//	topics-of cluster=c | system-topics | units code=311|312|313
//	kv-put namespace=n key=k value=v | kv-get namespace=n key=k | kv-delete namespace=n key=k | kv-list namespace=n
//	expire cluster=c broker=b ...           register for a millisecond, and wait until the broker has expired
//	set key=value                           change the configuration
//	config [keys=(k,...)] | stored-config [keys=(k,...)]   what it is now; what is in the file
//	raw code=N [client=ordinal] [fields=(name:value,...)] [body=text]
//	header [percent] [silent]               send the line below as the header
//
// A field that a command does not mention is sent as an empty string if it is
// text; raw sends what it is told, its body also from the lines below. Each
// takes conn=N, 0 unless told, and
//
//	oneway   do not wait for a reply, there is none
//	binary   send the header in RocketMQ's binary form
//	exact    compare bytes; else maps and lists are sorted
//	shape    compare the remark by its presence
//	await    repeat until the answers are the expected ones
//	differs=N  the answers differ, and difference N of COMPAT.md says why
//	percent  a byte may be written as %XX
//	silent   there may be no reply: another request, that has one, is sent behind
type command struct {
	cmd   string
	args  []datadriven.CmdArg
	input string // the lines below it
}

func (s command) has(key string) bool {
	for _, a := range s.args {
		if a.Key == key {
			return true
		}
	}
	return false
}

func (s command) vals(key string) []string {
	for _, a := range s.args {
		if a.Key == key && !slices.Equal(a.Vals, []string{""}) { // filters=() has one empty value
			return a.Vals
		}
	}
	return nil
}

func (s command) arg(key string) string {
	if v := s.vals(key); len(v) == 1 {
		return v[0]
	}
	return ""
}

func (s command) number(key string) int {
	n, _ := strconv.Atoi(s.arg(key))
	return n
}

// with returns the step with one more argument.
func (s *command) with(key string, vals ...string) *command {
	s.args = append(s.args, datadriven.CmdArg{Key: key, Vals: vals})
	return s
}

// String writes the step as a story tells it.
func (s command) String() string {
	out := s.cmd
	for _, a := range s.args {
		switch {
		case len(a.Vals) == 1:
			out += " " + a.Key + "=" + a.Vals[0]
		case len(a.Vals) > 1:
			out += " " + a.Key + "=(" + strings.Join(a.Vals, ", ") + ")"
		case a.Key == "filters" || a.Key == "topics":
			out += " " + a.Key + "=()"
		default:
			out += " " + a.Key
		}
	}
	if s.input != "" {
		out += "\n" + s.input
	}
	return out
}

// A request is what a step sends.
type request struct {
	code, version  int
	binary, oneway bool
	breaks         bool // it may be answered by closing the connection
	probed         bool // it may not be answered at all
	ext            [][2]string
	header         []byte // sent as it is, in place of all above
	body           []byte
}

// requestCodes are the codes of the commands, units and raw excepted.
var requestCodes = map[string]int{
	"kv-put": 100, "kv-get": 101, "kv-delete": 102, "register": 103, "unregister": 104, "route": 105, "clusters": 106,
	"wipe": 205, "topics": 206, "delete": 216, "topic": 217, "kv-list": 219, "topics-of": 224, "system-topics": 304,
	"set": 318, "config": 319, "query": 322, "add": 327, "members": 901, "heartbeat": 904,
}

// Names that mean something to a name server.
const (
	syncTopic      = "rmq_sys_SYNC_BROKER_MEMBER_" // the start of a topic's name
	orderNamespace = "ORDER_TOPIC_CONFIG"
)

// A namer makes names that belong to one history only.
type namer string

func (p namer) name(text string) string {
	if rest, ok := strings.CutPrefix(text, syncTopic); ok {
		return syncTopic + string(p) + rest
	}
	if text == "" || text == orderNamespace {
		return text
	}
	return string(p) + text
}

// fieldNames are the ext fields by the name of the argument they come from.
var fieldNames = map[string]string{
	"cluster": "clusterName", "broker": "brokerName", "addr": "brokerAddr", "ha": "haServerAddr", "topic": "topic",
	"namespace": "namespace", "key": "key", "value": "value",
}

// request builds what a step sends; every name in it gets the prefix.
func (s command) request(p namer) (request, error) {
	r := request{code: requestCodes[s.cmd], version: versionNew, binary: s.has("binary"), oneway: s.has("oneway")}
	set := func(name, value string) { r.ext = append(r.ext, [2]string{name, value}) }
	text := func(args ...string) {
		for _, a := range args {
			set(fieldNames[a], p.name(s.arg(a)))
		}
	}
	switch s.cmd {
	case "expire":
		s.cmd, s.args = "register", slices.Clone(s.args)
		s.with("timeout", "1")
		r, err := s.request(p)
		r.oneway = true
		return r, err
	case "register":
		text("cluster", "broker", "addr", "ha")
		set("brokerId", strconv.Itoa(s.number("id")))
		for arg, field := range map[string]string{"acting": "enableActingMaster", "timeout": "heartbeatTimeoutMillis"} {
			if s.has(arg) {
				set(field, s.arg(arg))
			}
		}
		if s.has("zone") {
			set("__ZONE_NAME", s.arg("zone"))
		}
		if s.has("compact") {
			set("compressed", cmp.Or(s.arg("compact"), "true"))
			r.body = s.compactBody(p)
		} else {
			r.body = s.registerBody(p)
		}
		switch s.arg("crc") {
		case "good":
			set("bodyCrc32", fmt.Sprint(crc32.ChecksumIEEE(r.body)&0x7fffffff))
		case "bad":
			set("bodyCrc32", "1")
		}
	case "unregister":
		text("cluster", "broker", "addr")
		set("brokerId", strconv.Itoa(s.number("id")))
	case "heartbeat":
		text("cluster", "addr")
		set("brokerName", "any")
	case "query":
		text("cluster", "addr")
		set("brokerName", "any")
		set("brokerId", "0")
		r.body = []byte(s.dataVersion())
	case "route":
		text("topic")
		if !s.has("strict") {
			r.version = versionOldGo
		}
		if s.has("standard") {
			set("acceptStandardJsonOnly", "true")
		}
		if s.has("zone") {
			set("__ZONE_MODE", "true")
			set("__ZONE_NAME", s.arg("zone"))
		}
	case "members":
		text("cluster", "broker")
	case "wipe", "add":
		text("broker")
	case "delete":
		text("topic")
		if s.has("cluster") {
			text("cluster")
		}
	case "topic":
		text("topic")
		r.body = s.queuesBody(p)
	case "topics-of":
		set("cluster", p.name(s.arg("cluster")))
	case "units":
		r.code = s.number("code")
	case "kv-put":
		text("namespace", "key", "value")
	case "kv-get", "kv-delete":
		text("namespace", "key")
	case "kv-list":
		text("namespace")
	case "clusters", "topics", "system-topics", "config":
	case "set":
		r.body = []byte(s.args[0].Key + "=" + s.arg(s.args[0].Key))
	case "header":
		r.breaks, r.probed = true, s.has("silent")
		r.header = []byte(s.input)
		if s.has("percent") {
			text, err := url.PathUnescape(s.input)
			if err != nil {
				return r, err
			}
			r.header = []byte(text)
		}
	case "raw":
		r.code = s.number("code")
		if s.has("client") {
			r.version = s.number("client")
		}
		for _, f := range s.vals("fields") {
			name, value, _ := strings.Cut(f, ":")
			switch name {
			case "clusterName", "cluster", "brokerName", "brokerAddr", "topic", "namespace":
				value = p.name(value)
			}
			set(name, value)
		}
		r.body = []byte(cmp.Or(s.arg("body"), s.input))
	default:
		return r, fmt.Errorf("unknown command %s", s.cmd)
	}
	return r, nil
}

// dataVersion reads version=state/counter; the timestamp is always 1.
func (s command) dataVersion() string {
	var state, counter int64
	fmt.Sscanf(s.arg("version"), "%d/%d", &state, &counter)
	return fmt.Sprintf(`{"counter":%d,"stateVersion":%d,"timestamp":1}`, counter, state)
}

// A queueConfig is name:read/write/perm[/sysFlag].
type queueConfig struct {
	name                    string
	read, write, perm, flag int
}

func (s command) queues(key string, p namer) []queueConfig {
	var all []queueConfig
	for _, v := range s.vals(key) {
		var q queueConfig
		name, rest, _ := strings.Cut(v, ":")
		q.name = p.name(name)
		fmt.Sscanf(rest, "%d/%d/%d/%d", &q.read, &q.write, &q.perm, &q.flag)
		all = append(all, q)
	}
	return all
}

func quote(text string) string {
	b, _ := json.Marshal(text) // a string has always a JSON form
	return string(b)
}

func (s command) registerBody(p namer) []byte {
	var topics []string
	for _, q := range s.queues("topics", p) {
		topics = append(topics, fmt.Sprintf(`%s:{"attributes":{},"order":false,"perm":%d,"readQueueNums":%d,"topicFilterType":"SINGLE_TAG","topicName":%s,"topicSysFlag":%d,"writeQueueNums":%d}`,
			quote(q.name), q.perm, q.read, quote(q.name), q.flag, q.write))
	}
	return fmt.Appendf(nil, `{"filterServerList":%s,"topicConfigSerializeWrapper":{"dataVersion":%s,"mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":1},"topicConfigTable":{%s},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{%s}}}`,
		s.filterList(p), s.dataVersion(), strings.Join(topics, ","), strings.Join(s.mappings(p, true), ","))
}

func (s command) filterList(p namer) string {
	if !s.has("filters") {
		return "null"
	}
	var list []string
	for _, f := range s.vals("filters") {
		list = append(list, quote(p.name(f)))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// mappings returns the static topics, as map entries or as their values only.
func (s command) mappings(p namer, keys bool) []string {
	var all []string
	for _, v := range s.vals("static") {
		topic, bname, _ := strings.Cut(v, ":")
		bname, epoch, _ := strings.Cut(bname, "/")
		topic = quote(p.name(topic))
		text := fmt.Sprintf(`{"bname":%s,"currIdMap":{0:0},"dirty":false,"epoch":%s,"scope":"__global__","topic":%s,"totalQueues":1}`, quote(p.name(bname)), cmp.Or(epoch, "1"), topic)
		if keys {
			text = topic + ":" + text
		}
		all = append(all, text)
	}
	return all
}

// compactBody is the compressed form of a registration.
func (s command) compactBody(p namer) []byte {
	var plain []byte
	block := func(text string) {
		plain = binary.BigEndian.AppendUint32(plain, uint32(len(text)))
		plain = append(plain, text...)
	}
	block(s.dataVersion())
	topics := s.queues("topics", p)
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(topics)))
	for _, q := range topics {
		block(fmt.Sprintf("%s %d %d %d SINGLE_TAG {}", q.name, q.read, q.write, q.perm))
	}
	block(s.filterList(p))
	mappings := s.mappings(p, false)
	plain = binary.BigEndian.AppendUint32(plain, uint32(len(mappings)))
	for _, m := range mappings {
		block(m)
	}
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	z.Write(plain) // a bytes.Buffer takes everything
	z.Close()
	return out.Bytes()
}

func (s command) queuesBody(p namer) []byte {
	var queues []string
	for _, q := range s.queues("queues", p) {
		queues = append(queues, fmt.Sprintf(`{"brokerName":%s,"perm":%d,"readQueueNums":%d,"topicSysFlag":%d,"writeQueueNums":%d}`,
			quote(q.name), q.perm, q.read, q.flag, q.write))
	}
	return fmt.Appendf(nil, `{"brokerDatas":[],"filterServerTable":{},"queueDatas":[%s]}`, strings.Join(queues, ","))
}

// frame encodes the request.
func (r request) frame(opaque int) ([]byte, error) {
	flag := 0
	if r.oneway {
		flag = 2
	}
	var header []byte
	mark := uint32(0)
	switch {
	case r.header != nil:
		header = r.header
	case r.binary:
		mark = 1 << 24
		header = r.binaryHeader(opaque, flag)
	default:
		ext := make(map[string]string)
		for _, f := range r.ext {
			ext[f[0]] = f[1]
		}
		var err error
		header, err = json.Marshal(map[string]any{
			"code": r.code, "flag": flag, "language": "JAVA", "opaque": opaque,
			"serializeTypeCurrentRPC": "JSON", "version": r.version, "extFields": ext,
		})
		if err != nil {
			return nil, err
		}
	}
	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)+len(r.body)))
	frame = binary.BigEndian.AppendUint32(frame, mark|uint32(len(header)))
	return append(append(frame, header...), r.body...), nil
}

func (r request) binaryHeader(opaque, flag int) []byte {
	h := binary.BigEndian.AppendUint16(nil, uint16(r.code))
	h = append(h, 0) // JAVA
	h = binary.BigEndian.AppendUint16(h, uint16(r.version))
	h = binary.BigEndian.AppendUint32(h, uint32(opaque))
	h = binary.BigEndian.AppendUint32(h, uint32(flag))
	h = binary.BigEndian.AppendUint32(h, 0) // no remark
	var ext []byte
	for _, f := range r.ext {
		ext = binary.BigEndian.AppendUint16(ext, uint16(len(f[0])))
		ext = append(ext, f[0]...)
		ext = binary.BigEndian.AppendUint32(ext, uint32(len(f[1])))
		ext = append(ext, f[1]...)
	}
	h = binary.BigEndian.AppendUint32(h, uint32(len(ext)))
	return append(h, ext...)
}
