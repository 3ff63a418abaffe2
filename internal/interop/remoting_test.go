//go:build interop

package interop

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
)

// A remoting client of a few lines, on purpose independent of the package
// codec, so that the suite does not judge our server by our own decoder.

const (
	codeRegisterBroker   = 103
	codeUnregisterBroker = 104
	codeRoute            = 105
	codeClusterInfo      = 106
	codeTopicList        = 206
	codeRegisterTopic    = 217

	codeNotifyMinBrokerIDChange = 905

	replySuccess       = 0
	replyTopicNotExist = 17

	versionOldGo = 317 // what every Go client announces; below 401, so it gets bare integer keys
	versionNew   = 479 // 5.3.3; gets standard JSON
)

const maxFrame = 16 << 20

// A rawReply is the reply to one request, its body as sent.
type rawReply struct {
	Code      int               `json:"code"`
	Opaque    int               `json:"opaque"`
	Flag      int               `json:"flag"`
	Remark    string            `json:"remark"`
	ExtFields map[string]string `json:"extFields"`
	body      []byte
}

// ask sends one request over a connection of its own and returns the reply.
func ask(addr string, code, version int, ext map[string]string) (rawReply, error) {
	return askOver(addr, dialAsWanted, code, version, ext)
}

// askOver is ask over a connection that dial makes.
func askOver(addr string, dial func(addr string) (net.Conn, error), code, version int, ext map[string]string) (rawReply, error) {
	const opaque = 77
	header, err := json.Marshal(map[string]any{
		"code": code, "flag": 0, "language": "JAVA", "opaque": opaque,
		"serializeTypeCurrentRPC": "JSON", "version": version, "extFields": ext,
	})
	if err != nil {
		return rawReply{}, err
	}
	conn, err := dial(addr)
	if err != nil {
		return rawReply{}, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(soon))

	frame := binary.BigEndian.AppendUint32(nil, uint32(4+len(header)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(header))) // top byte 0: a JSON header
	frame = append(frame, header...)
	if _, err := conn.Write(frame); err != nil {
		return rawReply{}, err
	}

	frame, err = readFrame(conn)
	if err != nil {
		return rawReply{}, fmt.Errorf("read the reply to request %d: %w", code, err)
	}
	typ, head, body, err := cutFrame(frame)
	if err != nil {
		return rawReply{}, err
	}
	if typ != 0 {
		return rawReply{}, fmt.Errorf("the reply to a JSON request has header type %d, want 0", typ)
	}
	var r rawReply
	if err := json.Unmarshal(head, &r); err != nil {
		return rawReply{}, fmt.Errorf("reply header %s: %w", head, err)
	}
	if r.Opaque != opaque || r.Flag&1 == 0 {
		return rawReply{}, fmt.Errorf("reply header %s: want opaque %d and an odd flag", head, opaque)
	}
	r.body = body
	return r, nil
}

// readFrame reads one frame and returns it without its length.
func readFrame(r io.Reader) ([]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(n[:])
	if size < 4 || size > maxFrame {
		return nil, fmt.Errorf("frame length %d", size)
	}
	frame := make([]byte, size)
	_, err := io.ReadFull(r, frame)
	return frame, err
}

// cutFrame cuts a frame into header type, header and body.
func cutFrame(frame []byte) (typ byte, header, body []byte, err error) {
	mark := binary.BigEndian.Uint32(frame)
	typ, size := byte(mark>>24), int(mark&0xffffff)
	if size > len(frame)-4 {
		return 0, nil, nil, fmt.Errorf("header length %d exceeds frame %d", size, len(frame))
	}
	return typ, frame[4 : 4+size], frame[4+size:], nil
}

// A brokerData is one broker set in a route or in the cluster info.
type brokerData struct {
	Cluster     string            `json:"cluster"`
	BrokerName  string            `json:"brokerName"`
	BrokerAddrs map[string]string `json:"brokerAddrs"`
}

type queueData struct {
	BrokerName     string `json:"brokerName"`
	Perm           int    `json:"perm"`
	ReadQueueNums  int    `json:"readQueueNums"`
	WriteQueueNums int    `json:"writeQueueNums"`
}

type topicRoute struct {
	BrokerDatas []brokerData `json:"brokerDatas"`
	QueueDatas  []queueData  `json:"queueDatas"`
}

// hasBrokers returns nil if the route names exactly these addresses for the
// broker set name, each as "id addr".
func (r topicRoute) hasBrokers(name string, want ...string) error {
	for _, d := range r.BrokerDatas {
		if d.BrokerName != name {
			continue
		}
		if got := d.members(); !slices.Equal(got, want) {
			return fmt.Errorf("brokerAddrs of %s: got %q, want %q", name, got, want)
		}
		return nil
	}
	return fmt.Errorf("no brokerDatas entry for %s, want %q", name, want)
}

// members returns the addresses as "id addr", sorted.
func (d brokerData) members() []string {
	var m []string
	for id, addr := range d.BrokerAddrs {
		m = append(m, id+" "+addr)
	}
	sort.Strings(m)
	return m
}

type clusterInfo struct {
	BrokerAddrTable  map[string]brokerData `json:"brokerAddrTable"`
	ClusterAddrTable map[string][]string   `json:"clusterAddrTable"`
}

// errNoTopic is the name server's TOPIC_NOT_EXIST.
var errNoTopic = errors.New("the name server answers TOPIC_NOT_EXIST (17)")

// askRouteText returns the route of a topic as sent.
func askRouteText(addr, topic string, version int) ([]byte, error) {
	r, err := ask(addr, codeRoute, version, map[string]string{"topic": topic})
	if err != nil {
		return nil, err
	}
	switch r.Code {
	case replySuccess:
		return r.body, nil
	case replyTopicNotExist:
		return nil, errNoTopic
	}
	return nil, fmt.Errorf("route of %s: reply code %d, remark %q", topic, r.Code, r.Remark)
}

// askRoute returns the route of a topic. It asks as a peer that demands
// standard JSON and reads the body strictly.
func askRoute(addr, topic string) (topicRoute, error) {
	body, err := askRouteText(addr, topic, versionNew)
	if err != nil {
		return topicRoute{}, err
	}
	var route topicRoute
	if err := json.Unmarshal(body, &route); err != nil {
		return topicRoute{}, fmt.Errorf("route of %s: %w in %s", topic, err, body)
	}
	return route, nil
}

func askClusterInfo(addr string) (clusterInfo, error) { return askClusterInfoOver(addr, dialAsWanted) }

// askClusterInfoOver is askClusterInfo over a connection that dial makes.
func askClusterInfoOver(addr string, dial func(addr string) (net.Conn, error)) (clusterInfo, error) {
	r, err := askOver(addr, dial, codeClusterInfo, versionNew, nil)
	if err != nil {
		return clusterInfo{}, err
	}
	if r.Code != replySuccess {
		return clusterInfo{}, fmt.Errorf("cluster info: reply code %d, remark %q", r.Code, r.Remark)
	}
	var info clusterInfo
	if err := json.Unmarshal(quoteKeys(r.body), &info); err != nil {
		return clusterInfo{}, fmt.Errorf("cluster info: %w in %s", err, r.body)
	}
	return info, nil
}

var bareKey = regexp.MustCompile(`([{,]\s*)(\d+)(\s*:)`)

// quoteKeys turns fastjson's bare integer keys into standard JSON. Good enough
// for broker names and addresses, which hold no brace or comma.
func quoteKeys(b []byte) []byte {
	return bareKey.ReplaceAll(b, []byte(`$1"$2"$3`))
}

// routeGone returns nil if the topic has no route at all.
func routeGone(addr, topic string) error {
	route, err := askRoute(addr, topic)
	if errors.Is(err, errNoTopic) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("the route of %s still is %+v, want TOPIC_NOT_EXIST", topic, route)
}

// brokerSetGone returns nil if the cluster info does not know the broker set.
func brokerSetGone(addr, name string) error {
	info, err := askClusterInfo(addr)
	if err != nil {
		return err
	}
	if d, ok := info.BrokerAddrTable[name]; ok {
		return fmt.Errorf("brokerAddrTable still has %s: %q", name, d.members())
	}
	for cluster, names := range info.ClusterAddrTable {
		if slices.Contains(names, name) {
			return fmt.Errorf("clusterAddrTable still has %s in %s: %s", name, cluster, strings.Join(names, ", "))
		}
	}
	return nil
}
