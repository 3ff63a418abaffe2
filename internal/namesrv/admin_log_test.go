package namesrv_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// adminChanges are what the log says of changes, without time, connection and port.
func (l *logText) adminChanges() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for line := range strings.Lines(l.b.String()) {
		if m := regexp.MustCompile(`^time=\S+ (level=\S+ )msg="admin change" (.*) remote=127\.0\.0\.1:\d+ conn=\d+(.*)\n$`).FindStringSubmatch(line); m != nil {
			lines = append(lines, m[1]+m[2]+m[3])
		}
	}
	return lines
}

// TestWhoChangedWhat: each request that changes what operators decide leaves one
// line with everything about it, before it is answered, also when it is refused,
// whatever the level is.
func TestWhoChangedWhat(t *testing.T) {
	log := &logText{}
	s := startWithLog(t, func(c *namesrv.Config) {
		c.KVConfigPath = filepath.Join(t.TempDir(), "kvConfig.json")
	}, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError})))
	c := s.dial(t)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	withBody := func(r *codec.Command, body string) *codec.Command {
		r.Body = []byte(body)
		return r
	}
	queue := `{"queueDatas":[{"brokerName":"a","perm":6,"readQueueNums":2,"writeQueueNums":3}]}`
	long := strings.Repeat("x", 1000)
	clipped := long[:256] + "… (1000 bytes)"
	for _, tc := range []struct {
		name string
		r    *codec.Command
		want string
	}{
		{
			"put", nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "k", "value", "v"),
			`level=INFO code=100 request=PUT_KV_CONFIG args.namespace=n args.key=k args.value=v before=none after.value=v changed=true reply=SUCCESS`,
		},
		{
			"put again", nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "k", "value", "v"),
			`level=INFO code=100 request=PUT_KV_CONFIG args.namespace=n args.key=k args.value=v before.value=v after.value=v changed=false reply=SUCCESS`,
		},
		{
			"put a long one", nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "k", "value", long),
			`level=INFO code=100 request=PUT_KV_CONFIG args.namespace=n args.key=k args.value="` + clipped + `" before.value=v after.value="` + clipped + `" changed=true reply=SUCCESS`,
		},
		{
			"put without key", nstest.Request(codec.ReqPutKVConfig, "namespace", "n"),
			`level=WARN code=100 request=PUT_KV_CONFIG args.namespace=n changed=false reply=SYSTEM_ERROR remark="namespace or key is null"`,
		},
		{
			"put too much", nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "big", "value", strings.Repeat("y", 9<<20)),
			`level=WARN code=100 request=PUT_KV_CONFIG args.namespace=n args.key=big args.value="` + strings.Repeat("y", 256) + `… (9437184 bytes)" before=none after=none changed=false reply=SYSTEM_ERROR remark="KV config would have `,
		},
		{
			"delete", nstest.Request(codec.ReqDeleteKVConfig, "namespace", "n", "key", "k"),
			`level=INFO code=102 request=DELETE_KV_CONFIG args.namespace=n args.key=k before.value="` + clipped + `" after=none changed=true reply=SUCCESS`,
		},
		{
			"delete what is not there", nstest.Request(codec.ReqDeleteKVConfig, "namespace", "n", "key", "k"),
			`level=INFO code=102 request=DELETE_KV_CONFIG args.namespace=n args.key=k before=none after=none changed=false reply=SUCCESS`,
		},
		{
			"wipe", nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "a"),
			`level=INFO code=205 request=WIPE_WRITE_PERM_OF_BROKER args.brokerName=a before.topics=2 before.writable=2 after.topics=2 after.writable=0 changed=true reply=SUCCESS`,
		},
		{
			"wipe again", nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "a"),
			`level=INFO code=205 request=WIPE_WRITE_PERM_OF_BROKER args.brokerName=a before.topics=2 before.writable=0 after.topics=2 after.writable=0 changed=false reply=SUCCESS`,
		},
		{
			"add", nstest.Request(codec.ReqAddWritePermOfBroker, "brokerName", "a"),
			`level=INFO code=327 request=ADD_WRITE_PERM_OF_BROKER args.brokerName=a before.topics=2 before.writable=0 after.topics=2 after.writable=2 changed=true reply=SUCCESS`,
		},
		{
			"add to nobody", nstest.Request(codec.ReqAddWritePermOfBroker, "brokerName", "nobody"),
			`level=INFO code=327 request=ADD_WRITE_PERM_OF_BROKER args.brokerName=nobody before.topics=0 before.writable=0 after.topics=0 after.writable=0 changed=false reply=SUCCESS`,
		},
		{
			"register a topic", withBody(nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", "N"), queue),
			fmt.Sprintf(`level=INFO code=217 request=REGISTER_TOPIC_IN_NAMESRV args.topic=N args.bodyBytes=%d args.brokers=1 args.queues=a:2/3/6 before=none after.brokers=1 after.queues=a:2/3/6 changed=true reply=SUCCESS`, len(queue)),
		},
		{
			"register a broken topic", withBody(nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", "N"), `{"queueDatas":`),
			`level=WARN code=217 request=REGISTER_TOPIC_IN_NAMESRV args.topic=N args.bodyBytes=14 changed=false reply=SYSTEM_ERROR remark="codec: `,
		},
		{
			"delete of a cluster", nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "N", "clusterName", "other"),
			`level=INFO code=216 request=DELETE_TOPIC_IN_NAMESRV args.topic=N args.clusterName=other before.brokers=1 before.queues=a:2/3/6 after.brokers=1 after.queues=a:2/3/6 changed=false reply=SUCCESS`,
		},
		{
			"delete a topic", nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", "N"),
			`level=INFO code=216 request=DELETE_TOPIC_IN_NAMESRV args.topic=N before.brokers=1 before.queues=a:2/3/6 after=none changed=true reply=SUCCESS`,
		},
		{
			"configure", updateConfig("enableTopicList=false"),
			`level=INFO code=318 request=UPDATE_NAMESRV_CONFIG args.bodyBytes=21 args.enableTopicList=false before.enableTopicList=true after.enableTopicList.value=false after.enableTopicList.effect="at once" changed=true reply=SUCCESS`,
		},
		{
			"configure the same", updateConfig("enableTopicList=false"),
			`level=INFO code=318 request=UPDATE_NAMESRV_CONFIG args.bodyBytes=21 args.enableTopicList=false before.enableTopicList=false after.enableTopicList.value=false after.enableTopicList.effect="at once" changed=false reply=SUCCESS`,
		},
		{
			"configure what nobody knows", updateConfig("enableTopicList=true\nnobodyKnows=1"),
			`level=WARN code=318 request=UPDATE_NAMESRV_CONFIG args.bodyBytes=34 args.enableTopicList=true args.nobodyKnows=1 before.enableTopicList=false after.enableTopicList=false changed=false reply=SYSTEM_ERROR remark="namesrv: \"nobodyKnows\" is no key"`,
		},
		{
			"configure what would not start", updateConfig("listenPort=70000"),
			`level=WARN code=318 request=UPDATE_NAMESRV_CONFIG args.bodyBytes=16 args.listenPort=70000 before.listenPort=0 after.listenPort=0 changed=false reply=SYSTEM_ERROR remark="namesrv: listenPort is 70000, must be at most 65535"`,
		},
		{
			"configure what must not", updateConfig("kvConfigPath=/tmp/x"),
			`level=WARN code=318 request=UPDATE_NAMESRV_CONFIG args.bodyBytes=19 args.kvConfigPath=/tmp/x changed=false reply=NO_PERMISSION remark="Can not update config in black list."`,
		},
	} {
		before, seq := len(log.adminChanges()), s.Journal().Newest()
		c.Do(tc.r)
		wantAdminEvent(t, s, tc.name, tc.r.Code, seq, tc.want)
		lines := log.adminChanges()
		if len(lines) != before+1 {
			t.Fatalf("%s: %d lines more, want 1", tc.name, len(lines)-before)
		}
		if got := lines[before]; got != tc.want && !(strings.Count(tc.want, `"`)%2 == 1 && strings.HasPrefix(got, tc.want)) {
			t.Errorf("%s:\ngot  %s\nwant %s", tc.name, got, tc.want)
		}
	}
	oneway := nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "a")
	oneway.Flag = codec.FlagOneway
	before := len(log.adminChanges())
	c.Write(c.Frame(oneway))
	nstest.Eventually(t, "who wants no answer leaves a line too", func() bool { return len(log.adminChanges()) == before+1 })
}

// TestRefusedUnseen: who finds no room, or is sent away, has tried.
func TestRefusedUnseen(t *testing.T) {
	g := newGate(t)
	log := &logText{}
	s := startWithLog(t, func(c *namesrv.Config) {
		c.DefaultThreadPoolNums, c.DefaultThreadPoolQueueCapacity = 1, 4
	}, slog.New(slog.NewTextHandler(log, nil)), func(s *namesrv.Server) { s.InDefaultPool(700, g.serve) })
	fillPool(t, s, 700)
	wantCode(t, s.dial(t).Do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "a")), codec.RespSystemBusy,
		"[OVERLOAD]system busy, start flow control for a while")
	lines := log.adminChanges()
	if want := `level=WARN code=205 request=WIPE_WRITE_PERM_OF_BROKER args.brokerName=a changed=false reply=SYSTEM_BUSY remark="[OVERLOAD]system busy, start flow control for a while"`; len(lines) != 1 || lines[0] != want {
		t.Errorf("lines are %q, want %q", lines, want)
	}
	g.release() // or the end waits for the pool
}

// TestSentAwayIsLogged is the same for a server that is about to end.
func TestSentAwayIsLogged(t *testing.T) {
	l := startLeaving(t, longDrain)
	c := l.dial(t)
	wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
	l.drains(t)
	c.Do(ofVersion(codec.Version+1000, nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "a")))
	c.Close()
	l.wantEnd(t)
	log := &logText{}
	log.Write(l.log.Bytes())
	if lines := log.adminChanges(); len(lines) != 1 || !strings.Contains(lines[0], "changed=false reply=GO_AWAY") {
		t.Errorf("lines are %q in\n%s", lines, log)
	}
}

// TestSecretsAreNotLogged sends secrets in every way, and finds them nowhere.
func TestSecretsAreNotLogged(t *testing.T) {
	cfgFile := writeProperties(t, "tls.server.keyPassword=hunter2\ntls.client.keyPassword=hunter2\nmy.Password=hunter2\n")
	var loaded namesrv.Config
	if _, err := loaded.LoadProperties(cfgFile); err != nil {
		t.Fatal(err)
	}
	s, log := startLogging(t, func(c *namesrv.Config) {
		c.TLS.ServerKeyPassword, c.TLS.ClientKeyPassword, c.Unknown = "hunter2", "hunter2", loaded.Unknown
	})
	c := s.dial(t)
	for _, text := range []string{
		"tls.server.keyPassword=hunter2", "tls.client.keyPassword = hunter2", "my.Password=hunter2\nenableTopicList=false",
		"clientSecret=hunter2\nlistenPort=70000", "tls.server.keyPasswort=hunter2",
	} {
		c.Do(updateConfig(text))
	}
	for _, value := range []string{"hunter2", "hunter22"} {
		c.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", "n", "key", "dbPassword", "value", value))
	}
	s.LogKVConfig()
	c.Do(nstest.Request(codec.ReqDeleteKVConfig, "namespace", "n", "key", "dbPassword"))
	if n := len(log.adminChanges()); n != 8 {
		t.Errorf("%d lines, want 8", n)
	}
	if log.has("hunter2") {
		t.Errorf("a secret is in the log:\n%s", log)
	}
	if n := strings.Count(log.String(), "******"); n < 12 {
		t.Errorf("only %d are hidden:\n%s", n, log)
	}
}

// TestLogIsBounded lets a stranger say long things, again and again.
func TestLogIsBounded(t *testing.T) {
	log := &logText{}
	s := startWithLog(t, func(c *namesrv.Config) { c.NotifyMinBrokerIDChanged, c.DeleteTopicWithBrokerRegistration = true, true },
		slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	const size = 20 << 10 // more than a line may have
	long := func(i int) string { return fmt.Sprint(i) + strings.Repeat("\x01", 300) + strings.Repeat("x", size) }
	sent := 0
	do := func(c *nstest.Client, r *codec.Command) {
		frame := c.Frame(r)
		sent += len(frame)
		c.Write(frame)
		c.Read()
	}
	for i := range 20 {
		c := s.dial(t)
		b := nstest.Broker{Cluster: long(i), Name: long(i), Addr: long(i), Topics: []string{"T", "U"}}
		do(c, b.Register())
		b.Addr, b.ID = "x"+b.Addr, int64(i)
		do(c, b.Register())
		do(c, ofVersion(0, b.Register()))
		do(c, nstest.Request(codec.ReqPutKVConfig, "namespace", long(i), "key", long(i), "value", long(i)))
		do(c, nstest.Request(codec.ReqDeleteKVConfig, "namespace", long(i), "key", long(i)))
		do(c, nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", long(i)))
		do(c, nstest.Request(codec.ReqAddWritePermOfBroker, "brokerName", long(i)))
		do(c, nstest.Request(codec.ReqDeleteTopicInNamesrv, "topic", long(i), "clusterName", long(i)))
		r := nstest.Request(codec.ReqRegisterTopicInNamesrv, "topic", long(i))
		r.Body = []byte(`{"queueDatas":[{"brokerName":"` + strings.Repeat("b", size) + `"}]}`)
		do(c, r)
		do(c, updateConfig("productEnvName="+strings.Repeat("\x01", size)))
		do(c, updateConfig(strings.Repeat("k", size)+"=1\nlistenPort="+strings.Repeat("1", size)))
		do(c, updateConfig(strings.Repeat("a", 1000)+"=1\n"+strings.Repeat("b", 1000)+strings.Repeat("=1\nx", 1000)))
		do(c, b.Unregister())
		c.TryWrite([]byte("GET / HTTP/1.0\r\n\r\n"))
		c.MustClose()
	}
	text := log.String()
	if n := len(text); n > 1<<20 {
		t.Errorf("%d bytes of log for %d bytes sent", n, sent)
	}
	t.Logf("%d bytes of log for %d bytes sent", len(text), sent)
	for line := range strings.Lines(text) {
		if len(line) > 16<<10 {
			t.Errorf("a line of %d bytes: %.200s", len(line), line)
		}
	}
}
