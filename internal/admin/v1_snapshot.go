package admin

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-json"
)

// snapshot writes one View, a line for each thing: first what it is, then clusters,
// brokers and topics, each in ascending order of name, and last how many there were. What
// has no last line is not whole.
func (a *Admin) snapshot(*query) (any, error) {
	return stream(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		w.Header().Add("Vary", "Accept-Encoding")
		packed := takesGzip(r.Header.Values("Accept-Encoding"))
		if packed {
			w.Header().Set("Content-Encoding", "gzip")
		}
		if r.Method == http.MethodHead {
			return
		}
		var out io.Writer = &endingWriter{w, time.Now().Add(mostSnapshotTime)}
		if packed {
			gz, _ := gzip.NewWriterLevel(out, gzip.BestSpeed) // a level that exists
			defer gz.Close()
			out = gz
		}
		buf := bufio.NewWriterSize(out, 64<<10)
		if a.writeSnapshot(buf) == nil {
			_ = buf.Flush() // whoever asked may have gone
		}
	}), nil
}

// takesGzip reports whether who sends such headers Accept-Encoding reads gzip: it is named,
// or *, and its weight is not 0 (RFC 9110, 12.5.3). What is named counts more than *.
func takesGzip(headers []string) bool {
	named, others := false, false
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ",") {
			coding, weight, weighted := strings.Cut(part, ";")
			taken := true
			if name, value, _ := strings.Cut(weight, "="); weighted && strings.EqualFold(strings.TrimSpace(name), "q") {
				q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				taken = err == nil && q > 0
			}
			switch coding = strings.TrimSpace(coding); {
			case strings.EqualFold(coding, "gzip"), strings.EqualFold(coding, "x-gzip"):
				if !taken {
					return false
				}
				named = true
			case coding == "*":
				others = taken
			}
		}
	}
	return named || others
}

// mostSnapshotTime is how long a snapshot may take, or a peer that reads slowly would keep
// away all others who ask for much. Of a million topics there are 200 MB.
var mostSnapshotTime = 5 * time.Minute

var errSnapshotLate = errors.New("admin: a snapshot takes too long to send")

// An endingWriter writes until its time has come.
type endingWriter struct {
	w   io.Writer
	end time.Time
}

func (e *endingWriter) Write(b []byte) (int, error) {
	if !time.Now().Before(e.end) {
		return 0, errSnapshotLate
	}
	return e.w.Write(b)
}

// Lines of a snapshot.
type (
	snapshotHead struct {
		Type       string `json:"type"` // view
		Generation string `json:"generation"`
		Time       stamp  `json:"time"`
		Node       string `json:"node"`
		Version    string `json:"version"`
	}
	snapshotCluster struct {
		Type    string   `json:"type"` // cluster
		Cluster string   `json:"cluster"`
		Brokers []string `json:"brokers"`
	}
	snapshotBroker struct {
		Type string `json:"type"` // broker
		brokerAnswer
	}
	snapshotTopic struct {
		Type string `json:"type"` // topic
		topicAnswer
	}
	snapshotEnd struct {
		Type     string `json:"type"` // end
		Clusters int    `json:"clusters"`
		Brokers  int    `json:"brokers"`
		Topics   int    `json:"topics"`
	}
)

func (a *Admin) writeSnapshot(w *bufio.Writer) error {
	v := a.server.View()
	sv := a.survey(v)
	end := snapshotEnd{Type: "end"}
	line := func(x any) error {
		b, err := json.Marshal(x)
		if err == nil {
			_, err = w.Write(append(b, '\n'))
		}
		return err
	}
	if err := line(snapshotHead{"view", a.generation(v), stamp(sv.now), a.node, a.server.Snapshot().Version}); err != nil {
		return err
	}
	for _, c := range v.Clusters() {
		end.Clusters++
		if err := line(snapshotCluster{"cluster", c.Cluster, c.BrokerNames}); err != nil {
			return err
		}
	}
	wiped := a.wipedNames(v)
	for _, s := range sv.sets {
		end.Brokers++
		if err := line(snapshotBroker{"broker", brokerAnswerOf(sv, s, wiped)}); err != nil {
			return err
		}
	}
	for i, name := range v.TopicNames() {
		e, ok := v.Topic([]byte(name))
		if !ok {
			continue
		}
		end.Topics++
		if err := line(snapshotTopic{"topic", a.topicOf(v, e)}); err != nil {
			return err
		}
		if i%yieldEvery == yieldEvery-1 {
			runtime.Gosched()
		}
	}
	return line(end)
}
