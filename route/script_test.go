package route

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"gonamesrv/codec"
)

// TestScripts plays the stories in testdata/stories. A story is a list of commands and
// what each of them answers; -rewrite writes the answers anew, to be read like
// code.
//
//	register cluster=c broker=b id=0 addr=a [ha=h] [conn=1] [version=stateVersion,counter] [acting=true|false]
//	         [arrived=n: it was the n-th to arrive, and has waited]
//	         [timeout=millis] [zone=z] [filters=(f1,f2)] [topics=(name:read/write/perm[/sysFlag],...)] [static=(topic:bname,...)] [delete]
//	unregister cluster=c broker=b addr=a
//	heartbeat cluster=c addr=a
//	query cluster=c addr=a version=stateVersion,counter
//	miss cluster=c addr=a        a registration is turned away, the queue being full
//	close conn=1                 by the peer
//	wipe broker=b
//	lose conn=1                  we have closed it
//	advance seconds=121          the clock moves and the scan runs
//	delete topic=T               by an operator
//	snapshot                     what the table knows is saved
//	restart age=20s              another table goes on with it, so long after it was saved
//	serving                      brokers can reach it from now on
//	hear cluster=c addr=a [version=stateVersion/counter]   a sign of life, or a query of the data version
//	state                        of all live entries, and of what was restored
//	route topic=T [acting] [strict] [zone=z]
//	clusters | topics | members cluster=c broker=b
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/stories", func(t *testing.T, path string) {
		s := &story{t: t, now: 1_000_000_000}
		s.options = Options{OnEvent: func(e Event) { s.events = append(s.events, e) }}
		s.table = New(s.options)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out := s.play(d)
			for _, e := range s.events {
				out += "\n" + eventText(e)
			}
			s.events = nil
			if err := s.table.CheckInvariants(); err != nil {
				d.Fatalf(t, "%v", err)
			}
			if out == "" {
				out = "ok"
			}
			return strings.TrimPrefix(out, "\n") + "\n"
		})
	})
}

type story struct {
	t       *testing.T
	options Options
	table   *Table
	now     int64
	events  []Event
	seq     uint64 // registrations so far
	saved   *Saved
}

func (s *story) play(d *datadriven.TestData) string {
	arg := func(key string) string {
		for _, a := range d.CmdArgs {
			if a.Key == key && len(a.Vals) == 1 {
				return a.Vals[0]
			}
		}
		return ""
	}
	v := s.table.View()
	switch d.Cmd {
	case "register":
		return s.register(d, arg)
	case "unregister":
		s.table.UnregisterBrokers(Unregistration{arg("cluster"), arg("broker"), arg("addr")})
		return ""
	case "heartbeat":
		return fmt.Sprintf("known=%v", s.table.Heartbeat(s.now, []byte(arg("cluster")), []byte(arg("addr"))))
	case "query":
		li, ok := v.Live([]byte(arg("cluster")), []byte(arg("addr")))
		if !ok {
			return "changed=true"
		}
		return fmt.Sprintf("changed=%v %s", li.IsBrokerTopicConfigChanged(s.version(arg("version"))), li.DataVersion.AppendJSON(nil))
	case "miss":
		s.seq++
		s.table.RegistrationMissed(s.now, []byte(arg("cluster")), []byte(arg("addr")), s.seq)
		return ""
	case "delete":
		s.table.DeleteTopic(arg("topic"))
		return ""
	case "snapshot":
		s.saved = v.Save(s.now)
		return ""
	case "restart":
		age, err := time.ParseDuration(arg("age"))
		if err != nil {
			d.Fatalf(s.t, "%v", err)
		}
		s.now, s.seq = s.now+age.Milliseconds(), 0
		if s.table, err = Restore(s.options, s.saved, s.now, age.Milliseconds()); err != nil {
			return err.Error()
		}
		return ""
	case "serving":
		s.table.Serving(s.now)
		return ""
	case "hear":
		if !d.HasArg("version") {
			return fmt.Sprintf("known=%v", s.table.Heartbeat(s.now, []byte(arg("cluster")), []byte(arg("addr"))))
		}
		_, changed := s.table.QueryDataVersion(s.now, []byte(arg("cluster")), []byte(arg("addr")), s.version(arg("version")), false)
		return fmt.Sprintf("changed=%v", changed)
	case "state":
		return s.state()
	case "wipe":
		return fmt.Sprintf("topics=%d", s.table.WipeWritePermOfBroker(arg("broker")))
	case "lose":
		conn, _ := strconv.ParseUint(arg("conn"), 10, 64)
		return fmt.Sprintf("brokers=%d", s.table.ForgetConn(conn))
	case "close":
		conn, _ := strconv.ParseUint(arg("conn"), 10, 64)
		return fmt.Sprintf("brokers=%d", s.table.ConnClosed(conn))
	case "advance":
		seconds, _ := strconv.ParseInt(arg("seconds"), 10, 64)
		s.now += seconds * 1000
		var out []string
		for _, e := range s.table.ScanNotActiveBroker(s.now) {
			out = append(out, fmt.Sprintf("silent %s %s conn=%d close=%v", e.Cluster, e.Addr, e.Conn, !s.table.HasBrokers(e.Conn)))
		}
		return strings.Join(out, "\n")
	case "route":
		return routeText(v, d, arg)
	case "clusters":
		return string(v.ClusterInfo())
	case "topics":
		return string(v.AllTopicList())
	case "members":
		g := v.BrokerMemberGroup([]byte(arg("cluster")), []byte(arg("broker")))
		return string(g.AppendJSON(nil))
	}
	d.Fatalf(s.t, "unknown command %s", d.Cmd)
	return ""
}

// state says how much each live entry has said, and how far what was restored is
// confirmed.
func (s *story) state() string {
	var out []string
	for l := range s.table.View().live.all {
		trusted := ""
		if !l.Trusted() {
			trusted = ", not trusted"
		}
		out = append(out, fmt.Sprintf("%s %s %v%s", l.Key().Cluster, l.Key().Addr, l.State(), trusted))
	}
	slices.Sort(out)
	w := s.table.Warmth()
	out = append(out, fmt.Sprintf("%d known: %d restored, %d heard, %d confirmed, %d gone; %d rows unheard, %d dropped",
		w.Known, w.Restored, w.Heard, w.Confirmed, w.Gone, w.Unheard, w.Dropped))
	return strings.Join(out, "\n")
}

func (s *story) register(d *datadriven.TestData, arg func(string) string) string {
	number := func(key string) int64 {
		n, _ := strconv.ParseInt(arg(key), 10, 64)
		return n
	}
	s.seq++
	r := &Registration{
		RegistrationHeader: RegistrationHeader{
			Cluster: arg("cluster"), BrokerName: arg("broker"), BrokerAddr: arg("addr"), BrokerID: number("id"),
			HAServerAddr: arg("ha"), ZoneName: arg("zone"), HasZoneName: d.HasArg("zone"),
			TimeoutMillis:      DefaultHeartbeatTimeoutMillis,
			EnableActingMaster: arg("acting") == "true", OldVersion: !d.HasArg("acting"),
			DeleteMissingTopics: d.HasArg("delete"),
		},
		Conn: uint64(number("conn")),
		Seq:  s.seq,
		Body: &codec.RegisterBrokerBody{DataVersion: s.version(arg("version")), FilterServersNull: !d.HasArg("filters")},
	}
	if d.HasArg("arrived") {
		r.Seq = uint64(number("arrived"))
	}
	if d.HasArg("timeout") {
		r.TimeoutMillis = number("timeout")
	}
	for _, a := range d.CmdArgs {
		for _, v := range a.Vals {
			switch name, rest, _ := strings.Cut(v, ":"); a.Key {
			case "filters":
				r.Body.FilterServers = append(r.Body.FilterServers, v)
			case "topics":
				tc := codec.TopicConfig{Name: []byte(name), Key: []byte(name)}
				fmt.Sscanf(rest, "%d/%d/%d/%d", &tc.ReadQueueNums, &tc.WriteQueueNums, &tc.Perm, &tc.TopicSysFlag)
				r.Body.Topics = append(r.Body.Topics, tc)
			case "static":
				r.Body.Mappings = append(r.Body.Mappings, codec.RegisteredMapping{Key: name, Info: codec.TopicQueueMappingInfo{
					Topic: name, Bname: rest, Epoch: 1, Scope: "__global__", TotalQueues: 1, CurrIDMap: []codec.QueueID{{Logic: 0, Physical: 0}},
				}})
			}
		}
	}
	res, err := s.table.RegisterBroker(s.now, r)
	switch {
	case errors.Is(err, ErrSingleTopic):
		return "refused: single topic"
	case err != nil:
		return err.Error()
	case res != RegisterResult{}:
		return fmt.Sprintf("master=%s ha=%s", res.MasterAddr, res.HAServerAddr)
	}
	return ""
}

// version reads "stateVersion,counter"; the timestamp is always 1.
func (s *story) version(text string) codec.DataVersion {
	v := codec.DataVersion{Timestamp: 1}
	fmt.Sscanf(text, "%d/%d", &v.StateVersion, &v.Counter)
	return v
}

func routeText(v *View, d *datadriven.TestData, arg func(string) string) string {
	e, ok := v.Topic([]byte(arg("topic")))
	if !ok {
		return "TOPIC_NOT_EXIST"
	}
	dialect := codec.DialectLegacy
	if d.HasArg("strict") {
		dialect = codec.DialectStrict
	}
	if d.HasArg("zone") {
		data := v.PickupTopicRouteData(e, d.HasArg("acting"))
		FilterByZone(&data, arg("zone"))
		return string(data.AppendJSON(nil, dialect))
	}
	return string(v.RouteBody(e, dialect, d.HasArg("acting")))
}

var eventNames = map[EventKind]string{
	BrokerRegistered: "registered", RegistrationRefused: "refused", BrokerUnregistered: "unregistered",
	BrokerConnLost: "connection lost", BrokerExpired: "expired",
}

func eventText(e Event) string {
	switch e.Kind {
	case BrokerSetRemoved:
		return fmt.Sprintf("* name removed: %s of %s, %d topics", e.BrokerName, e.Cluster, e.Topics)
	case BrokerNameShared:
		return fmt.Sprintf("* name of two clusters: %s of %s, %d at %s, by %s of %s", e.BrokerName, e.Cluster, e.BrokerID, e.Addr, e.ByAddr, e.ByCluster)
	case RestoredTopicsDropped:
		return fmt.Sprintf("* restored topics dropped: %d of %s, %d kept, by %s", e.Topics, e.BrokerName, e.Kept, e.Addr)
	case TopicsDropped:
		return fmt.Sprintf("* topics dropped: %d of %s, %d kept, by %s", e.Topics, e.BrokerName, e.Kept, e.Addr)
	case BrokerDisplaced:
		return fmt.Sprintf("* displaced: %s %d at %s of %s, by %s of %s", e.BrokerName, e.BrokerID, e.Addr, e.Cluster, e.ByAddr, e.ByCluster)
	case MinBrokerIDChanged:
		return fmt.Sprintf("* min id of %s: %d at %s, ha %q, offline %q, tell %v", e.BrokerName, e.MinID.MinBrokerID,
			e.MinID.MinBrokerAddr, e.MinID.HABrokerAddr, e.MinID.OfflineBrokerAddr, e.MinID.Receivers())
	}
	return fmt.Sprintf("* %s: %s %d at %s of %s", eventNames[e.Kind], e.BrokerName, e.BrokerID, e.Addr, e.Cluster)
}
