package nsctl

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/goccy/go-json"

	"gonamesrv/codec"
	"gonamesrv/internal/nsdiff"
)

// A snapshotReader reads the lines of a snapshot (/v1/snapshot). For one goroutine.
type snapshotReader struct {
	body   io.ReadCloser
	lines  *bufio.Scanner
	counts map[string]int // lines of each type
	ended  bool           // the last line was there
}

// A snapshotLine is any line, as far as it is compared or shown.
type snapshotLine struct {
	Type       string `json:"type"`
	Generation string `json:"generation"`
	Time       string `json:"time"`
	Node       string `json:"node"`
	Version    string `json:"version"`

	Cluster string          `json:"cluster"`
	Brokers json.RawMessage `json:"brokers"` // names, or how many

	Broker   string          `json:"broker"`
	Clusters json.RawMessage `json:"clusters"`
	Members  []struct {
		BrokerID json.RawMessage `json:"brokerId"` // a text beyond 2^53
		Addr     string          `json:"addr"`
		State    string          `json:"state"`
	} `json:"members"`

	Topic  string `json:"topic"`
	Queues []struct {
		Broker         string `json:"broker"`
		ReadQueueNums  int32  `json:"readQueueNums"`
		WriteQueueNums int32  `json:"writeQueueNums"`
		Perm           int32  `json:"perm"`
		TopicSysFlag   int32  `json:"topicSysFlag"`
	} `json:"queues"`

	Topics int `json:"topics"`
}

// mostSnapshotLine is how long one line may be: a topic of 10,000 brokers has 1.5 MB.
const mostSnapshotLine = 64 << 20

func newSnapshotReader(body io.ReadCloser) *snapshotReader {
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), mostSnapshotLine)
	return &snapshotReader{body: body, lines: lines, counts: map[string]int{}}
}

func (r *snapshotReader) close() { _ = r.body.Close() } // it was only read

// next returns the next line before the last one, io.EOF after it. It fails if the snapshot
// is not whole.
func (r *snapshotReader) next() (*snapshotLine, error) {
	if r.ended {
		return nil, io.EOF
	}
	if !r.lines.Scan() {
		if err := r.lines.Err(); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("the snapshot ends too early: %w", io.ErrUnexpectedEOF)
	}
	line := &snapshotLine{}
	if err := json.Unmarshal(r.lines.Bytes(), line); err != nil {
		return nil, fmt.Errorf("no snapshot: %w", err)
	}
	if line.Type != "end" {
		if len(r.counts) == 0 && line.Type != "view" {
			return nil, fmt.Errorf("no snapshot: it begins with %q", line.Type)
		}
		r.counts[line.Type]++
		return line, nil
	}
	r.ended = true
	if line.Topics != r.counts["topic"] {
		return nil, fmt.Errorf("the snapshot has %d topics, and says it has %d", r.counts["topic"], line.Topics)
	}
	return nil, io.EOF
}

// topic is the topics of the snapshot as a source.
func (r *snapshotReader) topic() (string, nsdiff.Topic, bool, error) {
	for {
		line, err := r.next()
		switch {
		case errors.Is(err, io.EOF) && r.ended:
			return "", nsdiff.Topic{}, false, nil
		case err != nil:
			return "", nsdiff.Topic{}, false, err
		case line.Type == "topic":
			return line.Topic, line.compared(), true, nil
		}
	}
}

func (l *snapshotLine) compared() nsdiff.Topic {
	t := nsdiff.Topic{Known: true, There: true, Routed: true}
	for _, q := range l.Queues {
		t.Queues = append(t.Queues, nsdiff.Queue{Broker: q.Broker, Read: q.ReadQueueNums, Write: q.WriteQueueNums, Perm: q.Perm, Flags: q.TopicSysFlag})
	}
	return t
}

// brokerData returns the members of a broker, once for each cluster that lists it.
func (l *snapshotLine) brokerData() (all []codec.BrokerData) {
	for _, cluster := range texts(l.Clusters) {
		b := codec.BrokerData{Cluster: cluster, BrokerName: l.Broker}
		for _, m := range l.Members {
			id, err := strconv.ParseInt(trimmed(m.BrokerID), 10, 64)
			if err != nil {
				continue // it is of another kind, and has no such member
			}
			b.BrokerAddrs = append(b.BrokerAddrs, codec.BrokerAddr{ID: id, Addr: m.Addr})
		}
		all = append(all, b)
	}
	return all
}

// texts reads a list of texts.
func texts(raw json.RawMessage) (list []string) {
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// trimmed is a number that may be written as a text.
func trimmed(raw json.RawMessage) string { return strings.Trim(string(raw), `"`) }

// shown is a line as -o json prints it.
func (l *snapshotLine) shown() any {
	switch l.Type {
	case "cluster":
		return map[string]any{"cluster": l.Cluster, "brokers": texts(l.Brokers)}
	case "broker":
		return map[string]any{"broker": l.Broker, "clusters": texts(l.Clusters), "members": l.Members, "topics": l.Topics}
	}
	return map[string]any{"topic": l.Topic, "queues": l.Queues}
}
