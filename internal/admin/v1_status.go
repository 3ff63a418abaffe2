package admin

import (
	"gonamesrv/engine"
	"gonamesrv/internal/namesrv"
)

type statusAnswer struct {
	Generation    string           `json:"generation"`
	Time          stamp            `json:"time"`
	Node          string           `json:"node"`
	Version       string           `json:"version"`
	UptimeSeconds int64            `json:"uptimeSeconds"`
	State         string           `json:"state"`
	Reasons       []string         `json:"reasons"`
	Brokers       brokerTotals     `json:"brokers"`
	Topics        topicTotals      `json:"topics"`
	Connections   connTotals       `json:"connections"`
	Rates         ratesAnswer      `json:"rates"`
	LatencyMs     latencyAnswer    `json:"latencyMs"`
	Queues        []queueState     `json:"queues"`
	Memory        memoryAnswer     `json:"memory"`
	CPU           cpuAnswer        `json:"cpu"`
	Files         filesAnswer      `json:"files"`
	Digest        *digestAnswer    `json:"digest"`
	Peers         *peersAnswer     `json:"peers"`
	Protection    protectionAnswer `json:"protection"`
	Attention     []attentionEntry `json:"attention"`
}

type cpuAnswer struct {
	Percent *float64 `json:"percent"` // of one processor, over 10 s
}

type brokerTotals struct {
	Sets       int `json:"sets"`
	Members    int `json:"members"`
	Masters    int `json:"masters"`
	Masterless int `json:"masterless"`
	Overdue    int `json:"overdue"`
	Suspect    int `json:"suspect"`
}

type topicTotals struct {
	Count int `json:"count"`
}

type connTotals struct {
	Open   int `json:"open"`
	TLS    int `json:"tls"`
	Choked int `json:"choked"`
}

type latencyAnswer struct {
	Request   quantiles `json:"request"`
	LoopDelay quantiles `json:"loopDelay"`
	QueueWait highest   `json:"queueWait"`
}

type quantiles struct {
	P50 *float64 `json:"p50"`
	P99 *float64 `json:"p99"`
}

type highest struct {
	P99 *float64 `json:"p99"`
}

type queueState struct {
	Class    string `json:"class"`
	Waiting  int    `json:"waiting"`
	Capacity int    `json:"capacity"`
	Rejected number `json:"rejected"`
}

type memoryAnswer struct {
	RSS         *int64 `json:"rss"`
	Heap        int64  `json:"heap"`
	BudgetUsed  int64  `json:"budgetUsed"`
	BudgetLimit *int64 `json:"budgetLimit"`
}

type filesAnswer struct {
	Open  *int64 `json:"open"`
	Limit *int64 `json:"limit"`
}

type digestAnswer struct {
	Brokers string `json:"brokers"`
	Topics  string `json:"topics"`
}

type peersAnswer struct {
	Configured  int `json:"configured"`
	Differ      int `json:"differ"`
	Unreachable int `json:"unreachable"`
	NotAsked    int `json:"notAsked"` // yet
}

// status is what to look at first. What is not measured is null.
func (a *Admin) status(*query) (any, error) {
	snap, v := a.server.Snapshot(), a.server.View()
	sv := a.survey(v)
	a.readings.mu.Lock()
	process, cpu := a.readings.process, a.readings.cpu
	a.readings.mu.Unlock()
	st := statusAnswer{
		Generation: a.generation(v), Time: stamp(sv.now), Node: a.node, Version: snap.Version,
		UptimeSeconds: int64(snap.Uptime.Seconds()), Brokers: sv.totals(), Topics: topicTotals{v.TopicCount()},
		Connections: connTotals{snap.Engine.Open, snap.Engine.TLSOpen, snap.Engine.Choked},
		Rates:       a.readings.rates(), Queues: queuesOf(&snap),
		Memory: memoryAnswer{
			RSS: process.rss, Heap: heapBytes(), BudgetUsed: snap.Engine.HeldBytes + snap.QueuedBytes,
			BudgetLimit: optional(snap.Limits.BudgetBytes),
		},
		CPU:        cpuAnswer{cpu},
		Files:      filesAnswer{process.openFiles, process.fileLimit},
		Protection: protectionOf(&snap.Protection, a.server.Config().SelfProtection),
		Attention:  a.attention(&snap, sv),
	}
	m := a.server.Meters()
	st.LatencyMs, st.Peers = a.latencies.answer(latencyOf(&m)), peerTotals(snap.Peers)
	d := v.Digest()
	st.Digest = &digestAnswer{digestText(d.Brokers), digestText(d.Topics)}
	st.State, st.Reasons = a.state(snap.State)
	return st, nil
}

// state says what /readyz says, and which of its checks fail.
func (a *Admin) state(now namesrv.State) (state string, reasons []string) {
	found, ok := a.find(readyProbe, nil)
	reasons = []string{}
	for _, f := range found {
		if f.status == statusFailed {
			reasons = append(reasons, f.Name)
		}
	}
	switch {
	case now == namesrv.StateStarting:
		return "starting", reasons
	case now != namesrv.StateServing:
		return "draining", reasons
	case !ok:
		return "notReady", reasons
	}
	return "ready", reasons
}

func (sv *survey) totals() (t brokerTotals) {
	t.Sets = len(sv.sets)
	for _, s := range sv.sets {
		if s.masterless {
			t.Masterless++
		} else {
			t.Masters++
		}
		t.Members += len(s.members)
		for _, m := range s.members {
			switch m.state {
			case stateOverdue:
				t.Overdue++
			case stateSuspect:
				t.Suspect++
			}
		}
	}
	return t
}

// queuesOf returns the queues of workers by class; none while starting.
func queuesOf(snap *namesrv.Snapshot) []queueState {
	queues := []queueState{}
	add := func(class string, l engine.LevelStats, f engine.LevelInForce) {
		queues = append(queues, queueState{class, l.Depth, f.Queue, number(l.Rejected)})
	}
	if p := &snap.ClientPool; len(p.Levels) > 0 {
		add("client", p.Levels[0], p.InForce.Levels[0])
	}
	for i, class := range []string{"liveness", "change", "admin", "disk"} {
		if p := &snap.DefaultPool; i < len(p.Levels) {
			add(class, p.Levels[i], p.InForce.Levels[i])
		}
	}
	return queues
}
