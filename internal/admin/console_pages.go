package admin

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gonamesrv/route"
)

// An overviewView is the first page.
type overviewView struct {
	Attention []attentionEntry // the worst ones
	More      int              // that are not shown
	Charts    []chartView
	Events    []eventRow // newest first
	Status    *statusAnswer
}

const (
	overviewAttention = 5
	overviewEvents    = 12
	overviewLooked    = 1000 // events among which like ones are found
	namedEvents       = 20   // with the name of a broker or a topic
)

func (a *Admin) overviewPage(q *query) (any, error) {
	st, err := answerOf[statusAnswer](a, q, nil, (*Admin).status)
	if err != nil {
		return nil, err
	}
	events := a.server.Journal().Last(&route.JournalFilter{}, overviewLooked)
	return overviewOf(&st, a.charts.all(), a.eventRows(events, overviewEvents)), nil
}

func overviewOf(st *statusAnswer, samples []chartSample, events []eventRow) *overviewView {
	v := &overviewView{Status: st, Charts: chartsView(samples), Events: events}
	v.Attention = st.Attention[:min(len(st.Attention), overviewAttention)]
	v.More = len(st.Attention) - len(v.Attention)
	return v
}

// lastEvents returns the newest events that fit, newest first.
func (a *Admin) lastEvents(q *query, filter url.Values, limit int) ([]eventAnswer, error) {
	filter.Set("limit", strconv.Itoa(limit))
	l, err := answerOf[listing[eventAnswer]](a, q, filter, (*Admin).events)
	slices.Reverse(l.Items)
	return l.Items, err
}

// A memberRow is a member of a broker set.
type memberRow struct {
	*brokerAnswer
	memberAnswer
}

// Master says how the set is led: "" if it has a master.
func (m memberRow) Master() string {
	switch {
	case !m.Masterless:
		return ""
	case slices.ContainsFunc(m.Members, func(other memberAnswer) bool { return other.Role == "actingMaster" }):
		return "acting"
	}
	return stateMasterless
}

// A brokersView is a page of brokers, the worst first.
type brokersView struct {
	Name, Cluster, State string // what is asked for
	Clusters             []string
	Rows                 []memberRow
	First, Total         int // the number of the first row, from 1; of all that fit
	Newer, Older         string
	Lost                 []eventAnswer // brokers that have gone and are not back, newest first
	Registered           int           // members in all
}

func (v *brokersView) Last() int { return v.First + len(v.Rows) - 1 }

func (v *brokersView) States() []string {
	return []string{stateLive, stateOverdue, stateSuspect, stateRestored, stateMasterless}
}

// A ranked is a member with its place in the list.
type ranked struct {
	set    *surveyed
	member surveyedMember
	rank   int     // of its state, the worst first
	ratio  float64 // age to timeout
}

func rankOf(s *surveyed, m surveyedMember) ranked {
	r := ranked{set: s, member: m, rank: 5}
	acting := s.masterless && s.members[0].role == "actingMaster"
	switch {
	case s.masterless && !acting:
		r.rank = 0
	case m.state == stateSuspect:
		r.rank = 1
	case m.state == stateRestored:
		r.rank = 2
	case m.state == stateOverdue:
		r.rank = 3
	case acting:
		r.rank = 4
	}
	if m.live != nil && m.live.TimeoutMillis > 0 {
		r.ratio = float64(m.silence.Milliseconds()) / float64(m.live.TimeoutMillis)
	}
	return r
}

func (a *Admin) brokersPage(q *query) (any, error) {
	v := &brokersView{Name: q.text("name"), Cluster: q.text("cluster"), State: q.text("state")}
	const mostPages = 1 << 20
	page := q.whole("page", 1, 1, mostPages)
	var states []string
	if v.State != "" {
		states = q.words("state", v.States()...)
	}
	if err := q.fault(); err != nil {
		return nil, err
	}
	sv := a.survey(a.server.View())
	var all []ranked
	for _, s := range sv.sets {
		v.Registered += len(s.members)
		if v.Cluster != "" && !slices.Contains(s.clusters, v.Cluster) {
			continue
		}
		for _, m := range s.members {
			if v.Name != "" && !strings.Contains(s.broker.Name, v.Name) && !strings.Contains(m.Addr, v.Name) {
				continue
			}
			if len(states) > 0 && !slices.Contains(states, m.state) && !(s.masterless && slices.Contains(states, stateMasterless)) {
				continue
			}
			all = append(all, rankOf(s, m))
		}
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(b.ratio, a.ratio), cmp.Compare(a.set.broker.Name, b.set.broker.Name), cmp.Compare(a.member.ID, b.member.ID))
	})
	for _, c := range sv.view.Clusters() {
		v.Clusters = append(v.Clusters, c.Cluster)
	}
	slices.Sort(v.Clusters)
	v.Clusters = v.Clusters[:min(len(v.Clusters), pageRows)]
	from := min((page-1)*pageRows, len(all))
	v.First, v.Total = from+1, len(all)
	v.Newer, v.Older = pagesAround(q, "/brokers", page, len(all))
	wiped, answers := a.wipedNames(sv.view), map[*surveyed]*brokerAnswer{}
	for _, r := range all[from:min(from+pageRows, len(all))] {
		if answers[r.set] == nil {
			answer := brokerAnswerOf(sv, r.set, wiped)
			answers[r.set] = &answer
		}
		v.Rows = append(v.Rows, memberRow{answers[r.set], sv.memberAnswer(r.member)})
	}
	gone := a.server.Journal().Last(&route.JournalFilter{Types: departures}, 0)
	for _, e := range lostBrokers(sv.view, gone, sv.now.UnixMilli()) {
		if len(v.Lost) < pageRows {
			v.Lost = append(v.Lost, a.eventAnswer(e))
		}
	}
	return v, nil
}

// pagesAround returns the addresses of the pages before and behind one, "" for none.
func pagesAround(q *query, path string, page, rows int) (before, behind string) {
	to := func(n int) string {
		values := q.some("name", "cluster", "state")
		values.Set("page", strconv.Itoa(n))
		return link(path, values)
	}
	if page > 1 {
		before = to(page - 1)
	}
	if page*pageRows < rows {
		behind = to(page + 1)
	}
	return before, behind
}

// A brokerView is one broker name, registered or not.
type brokerView struct {
	Name    string
	Broker  *brokerAnswer // nil: it is not registered
	Rows    []memberRow
	More    int // members that are not shown
	Explain explainAnswer
	Events  []eventAnswer // newest first
}

func (v *brokerView) title() string { return nameWord(v.Name) }

func (a *Admin) brokerPage(q *query) (any, error) {
	v := &brokerView{Name: q.PathValue("b")}
	var err error
	if v.Explain, err = answerOf[explainAnswer](a, q, nil, (*Admin).explainBroker); err != nil {
		return nil, err
	}
	if v.Events, err = a.lastEvents(q, url.Values{"broker": {v.Name}}, namedEvents); err != nil {
		return nil, err
	}
	if b, err := answerOf[brokerAnswer](a, q, nil, (*Admin).broker); err == nil {
		v.Broker = &b
		for _, m := range b.Members[:min(len(b.Members), pageRows)] {
			v.Rows = append(v.Rows, memberRow{&b, m})
		}
		v.More = len(b.Members) - len(v.Rows)
	}
	return v, nil
}

// A topicsView is a page of topics.
type topicsView struct {
	Prefix, Contains, Cluster, Broker, Perm string
	Count                                   int
	Rows                                    []topicRow
	Next, First                             string
	Exact                                   string // a topic of exactly the name that is looked for
}

// A topicRow is a topic in a list.
type topicRow struct {
	Topic          string
	System, Static bool
	Brokers        int
	Read, Write    int64
	Perms          string
}

// Perms are the permissions to choose from.
func (v *topicsView) Perms() []string { return []string{"0", "2", "4", "6", "7"} }

// Looked is what is looked for, if it is one name.
func (v *topicsView) Looked() string {
	if v.Contains != "" {
		return v.Contains
	}
	return v.Prefix
}

func (a *Admin) topicsPage(q *query) (any, error) {
	v := &topicsView{Prefix: q.text("prefix"), Contains: q.text("contains"), Cluster: q.text("cluster"), Broker: q.text("broker"), Perm: q.text("perm")}
	view := a.server.View()
	v.Count = view.TopicCount()
	names := []string{"prefix", "contains", "cluster", "broker", "perm"}
	values := q.some(append(names, "after")...)
	if values.Has("after") {
		v.First = link("/topics", q.some(names...))
	}
	l, err := answerOf[listing[any]](a, q, values, (*Admin).topics)
	if err != nil {
		return nil, err
	}
	for _, it := range l.Items {
		v.Rows = append(v.Rows, topicRowOf(it.(topicAnswer)))
	}
	if l.Next != "" {
		next := q.some(names...)
		next.Set("after", l.Next)
		v.Next = link("/topics", next)
	}
	if _, ok := view.Topic([]byte(v.Looked())); ok {
		v.Exact = v.Looked()
	}
	return v, nil
}

func topicRowOf(t topicAnswer) topicRow {
	r := topicRow{Topic: t.Topic, System: t.System, Static: t.Static, Brokers: len(t.Queues)}
	var perms []int32
	for _, qu := range t.Queues {
		r.Read += int64(qu.ReadQueueNums)
		r.Write += int64(qu.WriteQueueNums)
		if !slices.Contains(perms, qu.Perm) && len(perms) < 4 {
			perms = append(perms, qu.Perm)
		}
	}
	slices.Sort(perms)
	texts := make([]string, 0, len(perms))
	for _, p := range perms {
		texts = append(texts, permWord(p))
	}
	r.Perms = strings.Join(texts, "; ")
	return r
}

// A topicView is one topic, routed or not.
type topicView struct {
	Name                string
	Version, Zone, From string // of who asks
	Topic               *topicAnswer
	MoreQueues          int
	Explain             explainAnswer
	Route               *routeAnswer
	Brokers             []routedBroker
	MoreBrokers         int
	NoRoute             string // why there is none
	Raw                 string // where its bytes are
	Events              []eventAnswer
}

func (v *topicView) title() string { return nameWord(v.Name) }

// A routedBroker is a broker of a route as a client is told of it.
type routedBroker struct {
	Broker, Cluster string
	Addrs           []routedAddr
	Read, Write     int32
	Perm            int32
	HasQueues       bool
}

type routedAddr struct{ ID, Addr string }

func (a *Admin) topicPage(q *query) (any, error) {
	v := &topicView{Name: q.PathValue("t"), Version: q.text("version"), Zone: q.text("zone"), From: q.text("from")}
	ask := q.some("from")
	if v.Version != "" || v.Zone != "" {
		ask.Set("as", v.Version+","+v.Zone)
	}
	var err error
	if v.Explain, err = answerOf[explainAnswer](a, q, ask, (*Admin).explainTopic); err != nil {
		return nil, err
	}
	if v.Events, err = a.lastEvents(q, url.Values{"topic": {v.Name}}, namedEvents); err != nil {
		return nil, err
	}
	if t, err := answerOf[topicAnswer](a, q, nil, (*Admin).topic); err == nil {
		v.Topic = &t
		v.MoreQueues = max(0, len(t.Queues)-pageRows)
		t.Queues = t.Queues[:len(t.Queues)-v.MoreQueues]
	}
	r, err := answerOf[routeAnswer](a, q, ask, (*Admin).route)
	if f, ok := err.(*fault); ok {
		v.NoRoute = f.detail
	} else if err != nil {
		return nil, err
	} else {
		v.setRoute(&r)
	}
	ask.Set("raw", "1")
	v.Raw = link("/v1/topics/"+url.PathEscape(v.Name)+"/route", ask)
	return v, nil
}

// setRoute takes the route apart.
func (v *topicView) setRoute(r *routeAnswer) {
	v.Route = r
	if r.Route == nil {
		if v.NoRoute = "who asks is told none"; r.Remark != nil {
			v.NoRoute = *r.Remark
		}
		return
	}
	var data struct {
		BrokerDatas []struct {
			Cluster     string            `json:"cluster"`
			BrokerName  string            `json:"brokerName"`
			BrokerAddrs map[string]string `json:"brokerAddrs"`
		} `json:"brokerDatas"`
		QueueDatas []struct {
			BrokerName     string `json:"brokerName"`
			ReadQueueNums  int32  `json:"readQueueNums"`
			WriteQueueNums int32  `json:"writeQueueNums"`
			Perm           int32  `json:"perm"`
		} `json:"queueDatas"`
	}
	if err := json.Unmarshal(*r.Route, &data); err != nil {
		v.NoRoute = "it cannot be shown: " + err.Error()
		return
	}
	queues := map[string]int{}
	for i, qd := range data.QueueDatas {
		queues[qd.BrokerName] = i
	}
	slices.SortFunc(data.BrokerDatas, func(a, b struct {
		Cluster     string            `json:"cluster"`
		BrokerName  string            `json:"brokerName"`
		BrokerAddrs map[string]string `json:"brokerAddrs"`
	},
	) int {
		return cmp.Compare(a.BrokerName, b.BrokerName)
	})
	v.MoreBrokers = max(0, len(data.BrokerDatas)-pageRows)
	for _, bd := range data.BrokerDatas[:len(data.BrokerDatas)-v.MoreBrokers] {
		b := routedBroker{Broker: bd.BrokerName, Cluster: bd.Cluster}
		for id, addr := range bd.BrokerAddrs {
			b.Addrs = append(b.Addrs, routedAddr{id, addr})
		}
		slices.SortFunc(b.Addrs, func(a, b routedAddr) int {
			return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), cmp.Compare(a.ID, b.ID))
		})
		b.Addrs = b.Addrs[:min(len(b.Addrs), pageRows)]
		if i, ok := queues[bd.BrokerName]; ok {
			qd := &data.QueueDatas[i]
			b.HasQueues, b.Read, b.Write, b.Perm = true, qd.ReadQueueNums, qd.WriteQueueNums, qd.Perm
		}
		v.Brokers = append(v.Brokers, b)
	}
}

// A clientsView is who is connected.
type clientsView struct {
	By          string // "", address or list
	Groups      []connGroup
	MoreGroups  int
	Connections []connAnswer
	Next        string
	Missed      []hitter
	Asked       []hitter
	Peers       []hitter
}

func (a *Admin) clientsPage(q *query) (any, error) {
	v := &clientsView{By: q.text("by")}
	switch v.By {
	case "list":
		values := q.some("after")
		values.Set("list", "1")
		l, err := answerOf[listing[connAnswer]](a, q, values, (*Admin).connections)
		if err != nil {
			return nil, err
		}
		if v.Connections = l.Items; l.Next != "" {
			v.Next = link("/clients", url.Values{"by": {"list"}, "after": {l.Next}})
		}
		return v, nil
	case "", "address":
	default:
		q.refuse("by is %s, must be address or list", quoted(v.By))
		return nil, q.fault()
	}
	l, err := answerOf[listing[connGroup]](a, q, q.some("by"), (*Admin).connections)
	if err != nil {
		return nil, err
	}
	v.Groups = l.Items[:min(len(l.Items), pageRows)]
	v.MoreGroups = len(l.Items) - len(v.Groups)
	for by, to := range map[string]*[]hitter{"missedTopic": &v.Missed, "topic": &v.Asked, "peer": &v.Peers} {
		top, err := answerOf[listing[hitter]](a, q, url.Values{"by": {by}}, (*Admin).top)
		if err != nil {
			return nil, err
		}
		*to = top.Items
	}
	return v, nil
}

// An eventsView is a page of events.
type eventsView struct {
	Type, Cluster, Broker, Topic string
	Groups                       []string // of types
	Rows                         []eventAnswer
	IsNewest                     bool // newest first; else those after some event, oldest first
	Newest, Oldest, Next         string
}

// eventGroups are the groups of the types of events.
var eventGroups = []string{"broker.*", "set.*", "topics.*", "topic.*", "perm.*", "kv.*", "config.*", "admin.*", "server.*", "protection.*"}

func (a *Admin) eventsPage(q *query) (any, error) {
	v := &eventsView{Type: q.text("type"), Cluster: q.text("cluster"), Broker: q.text("broker"), Topic: q.text("topic"), Groups: eventGroups}
	names := []string{"type", "cluster", "broker", "topic"}
	filter := q.some(names...)
	v.Newest = link("/events", filter)
	oldest := q.some(names...)
	oldest.Set("since", "0")
	v.Oldest = link("/events", oldest)
	if v.IsNewest = q.text("since") == ""; v.IsNewest {
		var err error
		v.Rows, err = a.lastEvents(q, filter, pageRows)
		return v, err
	}
	filter.Set("since", q.text("since"))
	l, err := answerOf[listing[eventAnswer]](a, q, filter, (*Admin).events)
	if err != nil {
		return nil, err
	}
	if v.Rows = l.Items; l.Next != "" {
		next := q.some(names...)
		next.Set("since", l.Next)
		v.Next = link("/events", next)
	}
	return v, nil
}

// A configView is the configuration.
type configView struct {
	configAnswer
	All bool
}

func (a *Admin) configPage(q *query) (any, error) {
	v := &configView{All: q.flag("all")}
	if err := q.fault(); err != nil {
		return nil, err
	}
	values := url.Values{}
	if !v.All {
		values.Set("changed", "1")
	}
	var err error
	v.configAnswer, err = answerOf[configAnswer](a, q, values, (*Admin).config)
	return v, err
}

// A peersView is the name servers that this one compares itself with.
type peersView struct{ Peers []peerAnswer }

// A peerPartView is what of a peer was compared.
type peerPartView struct {
	Part string
	peerPart
}

// Parts are what was compared.
func (p peerAnswer) Parts() []peerPartView {
	return []peerPartView{{"brokers", p.Brokers}, {"topics", p.Topics}, {"configuration", p.Config}, {"KV config", p.KV}}
}

func (a *Admin) peersPage(q *query) (any, error) {
	l, err := answerOf[listing[peerAnswer]](a, q, nil, (*Admin).peers)
	return &peersView{l.Items}, err
}
