package namesrv

import (
	"sync/atomic"

	"gonamesrv/codec"
)

// A handler serves one kind of request. The reply's body is copied before the
// request ends, so it may be shared or borrowed. A handler that will answer after
// it has returned calls Server.later.
type handler func(s *Server, r *request) (codec.Reply, error)

// A row holds everything that belongs to one request code. Each server has rows of
// its own. New makes them; from Run on only their counters change. Whatever a
// request must know about its code is a field here: every request has its row.
type row struct {
	code     codec.RequestCode // 0 of the row for all codes that have none
	index    int               // in tallies
	class    class
	right    rights // one, which its sender must have; 0 only in the row of codes that have none
	handle   handler
	question bool     // changes nothing: worth nothing when its asker has given up, see old.go
	serial   bool     // requests are numbered as they come: request.seq
	who      who      // what a request says of its sender
	logged   []string // the fields that the line of an admin change shows; nil: no such line
	counts   rowCounts
}

// A who is what a request of a row says of its sender.
type who uint8

const (
	isAnybody        who = iota
	isBroker             // only brokers send it
	asksForAddresses     // and is told those of its horizon, unless it is a broker
)

// servedRows returns a row for each request that is served, in ascending order.
// Java: NamesrvController#registerProcessor, DefaultRequestProcessor#processRequest.
func servedRows(cfg *Config) []*row {
	routeReads := onLoop
	if !cfg.RouteReadsOnLoop {
		routeReads = onClientPool
	}
	return []*row{
		{code: codec.ReqPutKVConfig, right: rightAdminWrite, class: asDisk, handle: putKVConfig, logged: []string{"namespace", "key", "value"}},
		{code: codec.ReqGetKVConfig, right: rightRouteRead, class: asAdmin, handle: getKVConfig, question: true},
		{code: codec.ReqDeleteKVConfig, right: rightAdminWrite, class: asDisk, handle: deleteKVConfig, logged: []string{"namespace", "key"}},
		{code: codec.ReqRegisterBroker, right: rightBrokerControl, class: asChange, handle: registerBroker, serial: true, who: isBroker},
		{code: codec.ReqUnregisterBroker, right: rightBrokerControl, class: asChange, handle: unregisterBroker, who: isBroker},
		{code: codec.ReqGetRouteInfoByTopic, right: rightRouteRead, class: routeReads, handle: getRouteInfoByTopic, who: asksForAddresses, question: true},
		{code: codec.ReqGetBrokerClusterInfo, right: rightRouteRead, class: asAdmin, handle: getBrokerClusterInfo, who: asksForAddresses, question: true},
		{code: codec.ReqWipeWritePermOfBroker, right: rightAdminWrite, class: asAdmin, handle: wipeWritePermOfBroker, logged: []string{"brokerName"}},
		{code: codec.ReqGetAllTopicListFromNameserver, right: rightAdminRead, class: asAdmin, handle: getAllTopicListFromNameserver, question: true},
		{code: codec.ReqDeleteTopicInNamesrv, right: rightAdminWrite, class: asAdmin, handle: deleteTopicInNamesrv, logged: []string{"topic", "clusterName"}},
		{code: codec.ReqRegisterTopicInNamesrv, right: rightBrokerControl, class: asChange, handle: registerTopicInNamesrv, logged: []string{"topic"}},
		{code: codec.ReqGetKVListByNamespace, right: rightAdminRead, class: asAdmin, handle: getKVListByNamespace, question: true},
		{code: codec.ReqGetTopicsByCluster, right: rightAdminRead, class: asAdmin, handle: getTopicsByCluster, question: true},
		{code: codec.ReqGetSystemTopicListFromNS, right: rightAdminRead, class: asAdmin, handle: getSystemTopicListFromNs, who: asksForAddresses, question: true},
		{code: codec.ReqGetUnitTopicList, right: rightAdminRead, class: asAdmin, handle: getUnitTopicList, question: true},
		{code: codec.ReqGetHasUnitSubTopicList, right: rightAdminRead, class: asAdmin, handle: getHasUnitSubTopicList, question: true},
		{code: codec.ReqGetHasUnitSubUnunitTopicList, right: rightAdminRead, class: asAdmin, handle: getHasUnitSubUnunitTopicList, question: true},
		{code: codec.ReqUpdateNamesrvConfig, right: rightConfig, class: asDisk, handle: updateNamesrvConfig, logged: []string{}}, // its body says all
		{code: codec.ReqGetNamesrvConfig, right: rightAdminRead, class: asAdmin, handle: getNamesrvConfig, question: true},
		{code: codec.ReqQueryDataVersion, right: rightBrokerControl, class: onLoop, handle: queryDataVersion, who: isBroker, question: true},
		{code: codec.ReqAddWritePermOfBroker, right: rightAdminWrite, class: asAdmin, handle: addWritePermOfBroker, logged: []string{"brokerName"}},
		{code: codec.ReqGetBrokerMemberGroup, right: rightRouteRead, class: asLiveness, handle: getBrokerMemberGroup, question: true},
		{code: codec.ReqBrokerHeartbeat, right: rightBrokerControl, class: onLoop, handle: brokerHeartbeat, who: isBroker},
	}
}

// denseCodes is the bound of the codes that may have a row. The largest of Java's
// is 904.
const denseCodes = 1024

// A dispatchTable finds the row of a code: one load, no hash.
type dispatchTable struct {
	rows   []*row           // of codes that are served, ascending
	other  *row             // of all other codes, and of what has no code that can be read
	byCode [denseCodes]*row // other, where a code has no row
}

// newDispatchTable returns the table of a server. In cluster-test mode every code
// is a request for a route, and there is one row only.
func newDispatchTable(cfg *Config) *dispatchTable {
	t := &dispatchTable{other: &row{class: onLoop, handle: notSupported}}
	for i := range t.byCode {
		t.byCode[i] = t.other
	}
	if cfg.ClusterTest {
		*t.other = row{class: asChange, right: rightRouteRead, handle: clusterTestRoute, question: true}
		return t
	}
	for _, w := range servedRows(cfg) {
		t.add(w)
	}
	return t
}

// add adds the row of a code that has none.
func (t *dispatchTable) add(w *row) {
	t.rows = append(t.rows, w)
	t.byCode[w.code] = w
	if w.index = len(t.rows); w.index >= maxRows {
		panic("namesrv: more rows than a tally has")
	}
}

// of returns the row of a code, which may be any number.
func (t *dispatchTable) of(code codec.RequestCode) *row {
	if uint32(code) < denseCodes {
		return t.byCode[code]
	}
	return t.other
}

// notSupported answers a code that has no row.
func notSupported(_ *Server, r *request) (codec.Reply, error) {
	return codec.Reply{}, &refusal{
		why:    reasonNotSupported,
		code:   codec.RespRequestCodeNotSupported,
		remark: remarkNotSupported(int32(r.cmd.Code)),
	}
}

// rowCounts counts those requests of one row that are not served as usual. All are
// counted by the tallies. Safe from any goroutine.
type rowCounts struct {
	refused   [numReasons]atomic.Uint64
	late      atomic.Int64  // requests that are waiting for a late answer now
	abandoned atomic.Uint64 // requests whose connections ended while they waited for one
}

// refuse counts a request that is not served.
func (w *row) refuse(why reason) { w.counts.refused[why].Add(1) }

// A RequestStats is a reading of the counters of one request code, which start at
// zero with the server. Each count is exact; together they are not of one instant.
type RequestStats struct {
	Code  codec.RequestCode // 0: all codes that are not listed, and frames whose code cannot be read
	Name  string            // Java's; "other" for code 0
	Class string            // where they are served, as in the table of the package's documentation

	// Requests counts frames whose header can be read and that are no answers, when they
	// are about to be answered: those that wait are not in it yet, those that have ended
	// in a panic never. It is the sum of Outcomes.
	Requests uint64

	// Outcomes counts Requests by what they were answered: the response code's name in
	// Java, in lower case, as success, topic_not_exist or system_busy; oneway, if they
	// were not to be answered; abandoned, if their connection ended first; other, for
	// response codes that have no name here. It has no zeros, and is nil if there were none.
	Outcomes map[string]uint64

	// Refused counts, by reason, frames that were answered with an error or
	// dropped. It has no zeros, and is nil if nothing was refused.
	Refused map[string]uint64

	Late      int    // requests that are waiting for a late answer now
	Abandoned uint64 // requests whose connections ended while they waited for one
}

// snapshot reads the counters of each row, ascending by code, and of all other codes
// last.
func (t *dispatchTable) snapshot(ts *tallies) []RequestStats {
	all := make([]RequestStats, 0, len(t.rows)+1)
	for w := range t.all {
		all = append(all, w.stats(ts))
	}
	return all
}

// all yields each row, ascending by code, and that of all other codes last.
func (t *dispatchTable) all(yield func(*row) bool) {
	for _, w := range t.rows {
		if !yield(w) {
			return
		}
	}
	yield(t.other)
}

// name returns Java's name of the code; "other" for all that have none.
func (w *row) name() string {
	if w.index == 0 {
		return "other"
	}
	return w.code.String()
}

func (w *row) stats(ts *tallies) RequestStats {
	st := RequestStats{
		Code: w.code, Name: w.name(), Class: w.class.String(),
		Late: int(w.counts.late.Load()), Abandoned: w.counts.abandoned.Load(),
	}
	for o := range numOutcomes {
		n := uint64(0)
		for _, y := range ts.all {
			n += y.counts[w.index][o].Load()
		}
		if n > 0 {
			if st.Outcomes == nil {
				st.Outcomes = map[string]uint64{}
			}
			st.Outcomes[o.String()] = n
			st.Requests += n
		}
	}
	for why := range w.counts.refused {
		if n := w.counts.refused[why].Load(); n > 0 {
			if st.Refused == nil {
				st.Refused = map[string]uint64{}
			}
			st.Refused[reason(why).String()] = n
		}
	}
	return st
}

// refused returns how many requests of all codes were refused for a reason.
func (t *dispatchTable) refused(why reason) (n uint64) {
	for w := range t.all {
		n += w.counts.refused[why].Load()
	}
	return n
}
