package top

import (
	"strconv"
	"strings"
	"time"
)

// What the API answers, as far as it is shown. Nil is what is not known.

// A whole is a whole number, which is a text beyond 2^53.
type whole int64

func (n *whole) UnmarshalJSON(b []byte) error {
	text := strings.Trim(string(b), `"`)
	if text == "null" {
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	*n = whole(v)
	return err
}

type status struct {
	Time          time.Time `json:"time"`
	UptimeSeconds int64     `json:"uptimeSeconds"`
	State         string    `json:"state"`
	Reasons       []string  `json:"reasons"`
	Brokers       struct {
		Sets       int `json:"sets"`
		Members    int `json:"members"`
		Masterless int `json:"masterless"`
		Overdue    int `json:"overdue"`
		Suspect    int `json:"suspect"`
	} `json:"brokers"`
	Topics struct {
		Count int64 `json:"count"`
	} `json:"topics"`
	Connections struct {
		Open int64 `json:"open"`
	} `json:"connections"`
	Rates struct {
		Requests    *float64 `json:"requests"`
		RouteMisses *float64 `json:"routeMisses"`
		Refused     *float64 `json:"refused"`
	} `json:"rates"`
	LatencyMs struct {
		LoopDelay struct {
			P99 *float64 `json:"p99"`
		} `json:"loopDelay"`
	} `json:"latencyMs"`
	Queues []queue `json:"queues"`
	CPU    *struct {
		Percent *float64 `json:"percent"`
	} `json:"cpu"`
	Memory struct {
		RSS         *int64 `json:"rss"`
		BudgetUsed  int64  `json:"budgetUsed"`
		BudgetLimit *int64 `json:"budgetLimit"`
	} `json:"memory"`
	Files struct {
		Open  *int64 `json:"open"`
		Limit *int64 `json:"limit"`
	} `json:"files"`
	Attention []attention `json:"attention"`
}

type queue struct {
	Class    string `json:"class"`
	Waiting  int64  `json:"waiting"`
	Capacity int64  `json:"capacity"`
	Rejected whole  `json:"rejected"`
}

type attention struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Text     string `json:"text"`
}

type broker struct {
	Broker     string   `json:"broker"`
	Clusters   []string `json:"clusters"`
	Masterless bool     `json:"masterless"`
	Topics     int64    `json:"topics"`
	Wiped      bool     `json:"wiped"`
	Members    []member `json:"members"`
}

type member struct {
	BrokerID      whole      `json:"brokerId"`
	Addr          string     `json:"addr"`
	Role          string     `json:"role"`
	State         string     `json:"state"`
	Since         *time.Time `json:"since"`
	AgeMs         *int64     `json:"ageMs"`
	TimeoutMs     *int64     `json:"timeoutMs"`
	ClientVersion *string    `json:"clientVersion"`
}

type hitter struct {
	Name  string `json:"name"`
	Count whole  `json:"count"`
	Error whole  `json:"error"`
}

type group struct {
	Language  string `json:"language"`
	Version   string `json:"version"`
	Transport string `json:"transport"`
	Count     whole  `json:"count"`
}

type event struct {
	server string // who says it, not of the answer

	Seq        whole     `json:"seq"`
	Generation string    `json:"generation"`
	Time       time.Time `json:"time"`
	Type       string    `json:"type"`
	Cause      struct {
		Kind      string `json:"kind"`
		SilentMs  *int64 `json:"silentMs"`
		TimeoutMs *int64 `json:"timeoutMs"`
	} `json:"cause"`
	Cluster  *string `json:"cluster"`
	Broker   *string `json:"broker"`
	BrokerID *whole  `json:"brokerId"`
	Addr     *string `json:"addr"`
	Remote   *string `json:"remote"`
	Identity *string `json:"identity"`
	Topics   struct {
		Added   int64 `json:"added"`
		Changed int64 `json:"changed"`
		Removed int64 `json:"removed"`
	} `json:"topics"`
	Topic  *string `json:"topic"`
	Reason *string `json:"reason"`
	By     *struct {
		Cluster string `json:"cluster"`
		Addr    string `json:"addr"`
	} `json:"by"`
	Change *struct {
		Args   string  `json:"args"`
		Before *string `json:"before"`
		After  *string `json:"after"`
	} `json:"change"`
	Count *whole `json:"count"`
}

// mostText is how many bytes are kept of a text of an event. Arguments of a change may be
// long, and many events are kept.
const mostText = 512

// clip makes an event short enough to be kept.
func (e *event) clip() {
	for _, s := range []*string{&e.Type, &e.Generation, &e.Cause.Kind} {
		*s = clipped(*s)
	}
	for _, p := range []*string{e.Cluster, e.Broker, e.Addr, e.Remote, e.Identity, e.Topic, e.Reason} {
		if p != nil {
			*p = clipped(*p)
		}
	}
	if e.By != nil {
		e.By.Cluster, e.By.Addr = clipped(e.By.Cluster), clipped(e.By.Addr)
	}
	if c := e.Change; c != nil {
		c.Args = clipped(c.Args)
		for _, p := range []*string{c.Before, c.After} {
			if p != nil {
				*p = clipped(*p)
			}
		}
	}
}

func clipped(s string) string {
	if len(s) <= mostText {
		return s
	}
	return strings.ToValidUTF8(s[:mostText], "") + "…"
}

type explanation struct {
	Verdict string `json:"verdict"`
	Steps   []struct {
		Check  string `json:"check"`
		Result string `json:"result"`
		Text   string `json:"text"`
	} `json:"steps"`
}
