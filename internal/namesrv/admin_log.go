package namesrv

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"gonamesrv/codec"
	"gonamesrv/internal/nsdiff"
	"gonamesrv/route"
)

// Who changed what: requests of operators change what brokers and clients see, and
// anybody may send one. Each leaves one line with everything that is known of it,
// also when it is refused. logLevel does not hide the line, because such a request
// may change logLevel.

// An adminChange is one such request. Handlers fill in Before, After and
// Changed, and of Args what is in the body; the rest is the same for all. All
// texts are clipped, and secrets are hidden.
type adminChange struct {
	Code    codec.RequestCode
	Conn    uint64
	Remote  string // of the connection: who a proxy speaks for, if it is trusted
	Args    []slog.Attr
	Before  slog.Value // of what the request is about, as far as the handler came
	After   slog.Value // the same; what stays as it was is the same as Before
	Changed bool       // the request has changed something
	Reply   codec.ResponseCode
	Remark  string // of a refusal
}

// noteChange tells of a request, if its row wants that. err is what the
// request was answered with. In cluster-test mode no row wants one.
func (s *Server) noteChange(r *request, err error) { s.noteWhoChanged(r, err, true) }

// noteRefusedChange is noteChange for a request that no handler has seen.
func (s *Server) noteRefusedChange(r *request, err error) {
	r.change = adminChange{}
	s.noteWhoChanged(r, err, false)
}

// noteWhoChanged tells the log, the journal and the audit log, the latter last: it may
// have to be waited for.
func (s *Server) noteWhoChanged(r *request, err error, handled bool) {
	if r.row.logged == nil {
		return
	}
	c := &r.change
	c.Code, c.Conn, c.Remote = r.cmd.Code, r.conn.ID(), r.conn.RemoteAddr()
	key, _ := r.cmd.Ext.Get("key") // names what the value of a KV config is
	var args []slog.Attr
	for _, name := range r.row.logged {
		if value, ok := r.cmd.Ext.Get(name); ok {
			text := clip(string(value))
			if name == "value" {
				text = shown(string(key), string(value))
			}
			args = append(args, slog.String(name, text))
		}
	}
	if n := len(r.cmd.Body); n > 0 {
		args = append(args, slog.Int("bodyBytes", n))
	}
	c.Args = append(args, c.Args...)
	if err != nil {
		c.Reply, c.Remark = codec.RespSystemError, clip(remarkOf(err))
		if ref := refusalOf(err); ref != nil {
			c.Reply = ref.code
		}
	}
	s.changeLog.write(s.log.Handler(), c)
	s.journalChange(r, c)
	s.auditChange(r, c, err, handled)
}

// What peers may make an adminLog write. There is room for a script that goes
// through a thousand topics at once. Each code has two such limits, one for
// requests that have changed something and one for those that have not. So nobody
// can hide a change behind a flood of requests without effect, or of another
// code; and a flood of changes is seen as such.
const (
	changeLinesPerSecond = 20
	changeLinesAtOnce    = 1000
	changeHeldHosts      = 8 // of how many peers it is said that their lines were held back
)

// An adminLog writes the lines of adminChanges. The zero value is ready. Safe
// from any goroutine.
type adminLog struct {
	mu     sync.Mutex
	byKind map[changeKind]*changeLines // under mu; as many as there are kinds
}

type changeKind struct {
	code    codec.RequestCode
	changed bool
}

// A changeLines bounds the lines of one kind.
type changeLines struct {
	limit *rate.Limiter
	held  int      // since the last line
	total uint64   // held back since the start
	hosts []string // who they were of, the first changeHeldHosts
}

// allow reports whether the line of c may be written now, with what is to be
// said of those held back since the last one.
func (l *adminLog) allow(c *adminChange) (held []slog.Attr, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := changeKind{c.Code, c.Changed}
	k := l.byKind[kind]
	if k == nil {
		if l.byKind == nil {
			l.byKind = map[changeKind]*changeLines{}
		}
		k = &changeLines{limit: rate.NewLimiter(changeLinesPerSecond, changeLinesAtOnce)}
		l.byKind[kind] = k
	}
	if !k.limit.Allow() {
		k.held++
		k.total++
		host, _, err := net.SplitHostPort(c.Remote)
		if err == nil && len(k.hosts) < changeHeldHosts && !slices.Contains(k.hosts, host) {
			k.hosts = append(k.hosts, host)
		}
		return nil, false
	}
	if k.held > 0 {
		held = []slog.Attr{slog.Int("suppressed", k.held), slog.String("suppressedFrom", strings.Join(k.hosts, " "))}
		k.held, k.hosts = 0, nil
	}
	return held, true
}

// write writes the line of c, whatever the level of h.
func (l *adminLog) write(h slog.Handler, c *adminChange) {
	held, ok := l.allow(c)
	if !ok {
		return
	}
	level := slog.LevelInfo
	if c.Reply != codec.RespSuccess {
		level = slog.LevelWarn
	}
	line := slog.NewRecord(time.Now(), level, msgAdminChange, 0)
	line.AddAttrs(
		slog.Int("code", int(c.Code)), slog.String("request", c.Code.String()),
		slog.String("remote", c.Remote), slog.Uint64("conn", c.Conn),
		slog.Attr{Key: "args", Value: slog.GroupValue(c.Args...)},
	)
	if !c.Before.Equal(slog.Value{}) {
		line.AddAttrs(slog.Attr{Key: "before", Value: c.Before}, slog.Attr{Key: "after", Value: c.After})
	}
	line.AddAttrs(slog.Bool("changed", c.Changed), slog.String("reply", c.Reply.String()))
	if c.Remark != "" {
		line.AddAttrs(slog.String("remark", c.Remark))
	}
	line.AddAttrs(held...)
	_ = h.Handle(context.Background(), line) // who cannot write says so itself
}

// was notes the same value before and after, for a request that has not changed
// anything yet.
func (c *adminChange) was(v slog.Value) { c.Before, c.After = v, v }

// is notes what the value is now, and whether the request has changed it.
func (c *adminChange) is(v slog.Value, changed bool) { c.After, c.Changed = v, changed }

// hidden stands for a secret.
const hidden = "******"

// shown returns a value as it is logged: clipped, or hidden if its key says that
// it is a secret.
func shown(key, value string) string {
	if value != "" && (knownKeys[key].secret || soundsSecret(key)) {
		return hidden
	}
	return clip(value)
}

// soundsSecret reports whether a key that somebody made up is for a secret.
func soundsSecret(key string) bool { return nsdiff.SoundsSecret(key) }

// maxShownKeys is how many keys of one UPDATE_NAMESRV_CONFIG are shown.
const maxShownKeys = 32

// shownFields are the first fields of a configuration as they are logged.
func shownFields(fields []codec.Field) []slog.Attr {
	var attrs []slog.Attr
	for _, f := range fields[:min(len(fields), maxShownKeys)] {
		attrs = append(attrs, slog.String(clip(f.Name), shown(f.Name, f.Value)))
	}
	if more := len(fields) - maxShownKeys; more > 0 {
		attrs = append(attrs, slog.Int("more", more))
	}
	return attrs
}

// changeKV changes one key of the KV config and notes it. One worker serves all
// that waits for the disk, so nobody else changes the key meanwhile.
func (s *Server) changeKV(r *request, namespace, key string, change func() error) error {
	before, was := s.kv.get(namespace, key)
	r.change.was(kvValue(key, before, was))
	err := change()
	after, is := s.kv.get(namespace, key)
	r.change.is(kvValue(key, after, is), was != is || before != after)
	return err
}

// kvValue is a value of the KV config.
func kvValue(key, value string, ok bool) slog.Value {
	if !ok {
		return slog.StringValue("none")
	}
	return slog.GroupValue(slog.String("value", shown(key, value)))
}

// changeTopic changes one topic and notes it, as the views before and after show
// it: of registrations at the same moment it may show more.
func (s *Server) changeTopic(r *request, topic []byte, change func()) {
	v := s.table.View()
	before, _ := v.Topic(topic)
	r.change.was(topicValue(v, before))
	change()
	v = s.table.View()
	s.keeper.changed(v.Edition())
	after, _ := v.Topic(topic)
	r.change.is(topicValue(v, after), after != before)
}

// topicValue is which brokers serve a topic, as broker:read/write/perm.
func topicValue(v *route.View, e *route.TopicEntry) slog.Value {
	if e == nil {
		return slog.StringValue("none")
	}
	data := v.PickupTopicRouteData(e, false)
	return slog.GroupValue(queuesArgs(data.QueueDatas)...)
}

func queuesArgs(queues []codec.QueueData) []slog.Attr {
	var text strings.Builder
	for i, q := range queues {
		if text.Len() > clipLength {
			break
		}
		if i > 0 {
			text.WriteByte(' ')
		}
		fmt.Fprintf(&text, "%s:%d/%d/%d", q.BrokerName, q.ReadQueueNums, q.WriteQueueNums, q.Perm)
	}
	return []slog.Attr{slog.Int("brokers", len(queues)), slog.String("queues", clip(text.String()))}
}

// changeWritePerm changes the write permission of a broker name, notes it, and
// returns how many topics the name serves.
func (s *Server) changeWritePerm(r *request, brokerName string, writable bool) int {
	change := s.tableOf(r).WipeWritePerm
	if writable {
		change = s.tableOf(r).AddWritePerm
	}
	c := change(brokerName)
	s.keeper.changed(s.table.View().Edition())
	value := func(n int) slog.Value { return slog.GroupValue(slog.Int("topics", c.Topics), slog.Int("writable", n)) }
	r.change.was(value(c.Before))
	r.change.is(value(c.After), c.Changed)
	return c.Topics
}
