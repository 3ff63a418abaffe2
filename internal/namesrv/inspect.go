package namesrv

import (
	"iter"
	"slices"
	"strings"
	"time"

	"gonamesrv/codec"
	"gonamesrv/route"
)

// What tools are shown beside Snapshot and View: it costs more, or is about one thing.

// Silence returns for how long nothing has been heard of a broker.
func (s *Server) Silence(l *route.LiveInfo) time.Duration {
	return time.Duration(max(s.nowMillis()-l.LastUpdateMillis(), 0)) * time.Millisecond
}

// WallTime returns the time by the wall clock.
func (s *Server) WallTime() time.Time { return s.wall() }

// Subscribe is route.Table.Subscribe of the table that View is of. Not before the server
// is ready: its table may be replaced until then, and another one numbers its Views anew.
func (s *Server) Subscribe() (changed <-chan struct{}, cancel func(), err error) {
	return s.tableNow().Subscribe()
}

// KVConfig yields each entry of the KV config with its namespace, in ascending order of
// both, from a namespace and a key on. Values whose keys sound like secrets are hidden.
// All are of one moment.
func (s *Server) KVConfig(namespace, key string) iter.Seq2[string, codec.Field] {
	all := s.kv.now.Load().table.Namespaces
	return func(yield func(string, codec.Field) bool) {
		i, _ := slices.BinarySearchFunc(all, namespace, byNamespaceName)
		for _, n := range all[i:] {
			entries := n.Entries
			if n.Name == namespace {
				j, _ := slices.BinarySearchFunc(entries, key, byFieldName)
				entries = entries[j:]
			}
			for _, f := range entries {
				if f.Value != "" && soundsSecret(f.Name) {
					f.Value = hidden
				}
				if !yield(n.Name, f) {
					return
				}
			}
		}
	}
}

// HasKVNamespace reports whether there is such a namespace, which may be empty.
func (s *Server) HasKVNamespace(namespace string) bool {
	_, ok := s.kv.list(namespace)
	return ok
}

// A Source says where a key has its value from.
type Source string

// The sources.
const (
	SourceDefault     Source = "default"
	SourceEnvironment Source = "environment" // and the command line: ROCKETMQ_HOME, JAVA_OPT, JAVA_OPT_EXT, -c
	SourceFile        Source = "file"        // the properties file
	SourceRequest     Source = "request"     // UPDATE_NAMESRV_CONFIG, since the start
)

// A ConfigItem is one key of the configuration.
type ConfigItem struct {
	Key   string
	Value string // as GET_NAMESRV_CONFIG shows it; hidden if it is a secret
	// Default is its value where nobody has set it; it has none if it is no key of ours,
	// and if it is a path that depends on the home folder and was set.
	Default    string
	HasDefault bool
	Source     Source
	// Effect is when a change by UPDATE_NAMESRV_CONFIG takes effect: live, restart, never
	// (it is refused) or none (the key means nothing here).
	Effect string
}

// ConfigItems returns every key in ascending order, those that nobody knows included.
func (s *Server) ConfigItems() []ConfigItem {
	cfg, def := s.config(), DefaultConfig()
	all := cfg.all()
	items := make([]ConfigItem, len(all))
	for i, f := range all {
		k, known := knownKeys[f.Name]
		it := &items[i]
		*it = ConfigItem{Key: f.Name, Value: secretive(f.Name, f.Value), Source: cfg.sourceOf(f.Name)}
		it.Effect = [...]string{updateLive: "live", updateRestart: "restart", updateNever: "never"}[k.update]
		switch {
		case s.blackList[f.Name]:
			it.Effect = "never"
		case !known || k.unused:
			it.Effect = "none"
		}
		switch {
		case !known:
		case it.Source == SourceDefault:
			it.Default, it.HasDefault = it.Value, true
		case f.Name != "kvConfigPath" && f.Name != "configStorePath" && f.Name != "routeSnapshotPath":
			it.Default, it.HasDefault = k.get(&def), true
		}
	}
	return items
}

// secretive returns a value, or what stands for a secret.
func secretive(key, value string) string {
	if value != "" && (knownKeys[key].secret || soundsSecret(key)) {
		return hidden
	}
	return value
}

// sourceOf returns where a key has its value from.
func (c *Config) sourceOf(key string) Source {
	switch source, ok := c.Sources[key]; {
	case ok:
		return source
	case slices.Contains(c.JavaOptions, key), key == "rocketmqHome" && c.RocketMQHome != "":
		return SourceEnvironment
	}
	return SourceDefault
}

// UseConfigFile says where UPDATE_NAMESRV_CONFIG keeps the configuration: in the file that
// it was read from.
func (c *Config) UseConfigFile(file string) {
	c.ConfigStorePath = file
	c.noteSources(SourceEnvironment, map[string]bool{"configStorePath": true})
}

// noteSources says where the values of keys come from.
func (c *Config) noteSources(source Source, taken map[string]bool) {
	if len(taken) == 0 {
		return
	}
	sources := make(map[string]Source, len(c.Sources)+len(taken))
	for key, s := range c.Sources {
		sources[key] = s
	}
	for key := range taken {
		sources[key] = source
	}
	c.Sources = sources
}

// A RouteQuestion is who asks for a route, and how.
type RouteQuestion struct {
	Topic        string
	Version      int32  // of the client
	Zone         string // "" for none
	StandardJSON bool   // acceptStandardJsonOnly
	Client       route.Client
}

// A RouteTold is what somebody is told who asks for a route with
// GET_ROUTEINFO_BY_TOPIC.
type RouteTold struct {
	View    *route.View // it is told from
	Code    codec.ResponseCode
	Remark  string // "" with SUCCESS
	Dialect codec.Dialect
	Body    []byte            // nil without SUCCESS
	Why     route.Explanation // of the topic, if there is one
	// Standard is Body in the strict dialect, which is what JSON means elsewhere.
	Standard []byte
	Ordered  bool // it has an order configuration
	Gated    bool // nobody is told it yet: brokers may not have registered again since the start
}

// TellRoute returns what GET_ROUTEINFO_BY_TOPIC answers, but for brokers, who are told
// what brokers say. It counts nothing and keeps nothing.
func (s *Server) TellRoute(q *RouteQuestion) RouteTold {
	cfg := s.config()
	h := codec.GetRouteInfoRequestHeader{
		Topic: []byte(q.Topic), ZoneMode: q.Zone != "", ZoneName: []byte(q.Zone), AcceptStandardJSONOnly: q.StandardJSON,
	}
	form := routeForm(cfg, q.Version, &h)
	s.addOrder(cfg, &form, h.Topic)
	told := RouteTold{View: s.View(), Dialect: form.Dialect, Ordered: form.HasOrderTopicConf}
	var hs *route.Horizons
	if cfg.HorizonMode == horizonOn {
		hs = s.horizons.inForce.Load()
	}
	x, err := told.View.Explain(hs, &q.Client, h.Topic, &form)
	switch {
	case s.mustWait(cfg), err != nil && s.mayMiss(cfg):
		told.Code, told.Remark, told.Gated = codec.RespSystemError, remarkNotReady, true
		return told
	case err != nil:
		told.Code, told.Remark = codec.RespTopicNotExist, remarkNoRoute(h.Topic)
		return told
	}
	told.Why = x
	switch {
	case x.Refused != "" && !x.NoneLeft:
		told.Code, told.Remark = codec.RespSystemError, x.Refused
	case x.Refused != "":
		told.Code, told.Remark = codec.RespTopicNotExist, remarkNoRoute(h.Topic)
	default:
		told.Body, told.Standard = x.Body, x.Body
	}
	if told.Body != nil && form.Dialect != codec.DialectStrict {
		form.Dialect = codec.DialectStrict
		if x, err = told.View.Explain(hs, &q.Client, h.Topic, &form); err == nil {
			told.Standard = x.Body
		}
	}
	return told
}

// A PeerTopic is what is known of a topic at another name server (peerNamesrvAddr), as of
// the last check.
type PeerTopic struct {
	Addr    string
	Checked time.Time // zero before the first check
	Differs bool      // it has the topic and we had not, or the other way round
	Has     bool      // of one that differs: it has it
	// Unknown says why it is not known; "" if it is. Of 256 topics that differ, and no
	// more, is known which.
	Unknown string
}

// PeerTopics returns what is known of a topic at other name servers, in the order of
// peerNamesrvAddr. Nobody is asked for it.
func (s *Server) PeerTopics(topic string) []PeerTopic { return s.peers.topic(topic) }

// IsSystemTopic reports whether brokers make a topic of this name by themselves, as far
// as its name tells.
// Java: TopicValidator#isSystemTopic.
func IsSystemTopic(name string) bool {
	return systemTopics[name] || strings.HasPrefix(name, "rmq_sys_")
}

var systemTopics = map[string]bool{
	"TBW102": true, "SCHEDULE_TOPIC_XXXX": true, "BenchmarkTest": true, "RMQ_SYS_TRANS_HALF_TOPIC": true,
	"RMQ_SYS_TRACE_TOPIC": true, "RMQ_SYS_TRANS_OP_HALF_TOPIC": true, "TRANS_CHECK_MAX_TIME_TOPIC": true,
	"SELF_TEST_TOPIC": true, "OFFSET_MOVED_EVENT": true,
}

// ShowsActingMasters reports whether clients are shown a slave as master where the master
// is lost, if its broker set wants it.
func (s *Server) ShowsActingMasters() bool { return s.config().SupportActingMaster }
