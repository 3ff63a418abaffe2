//go:build unix

package main

import (
	"io"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// rewrite gives the configuration file other lines, behind those that are there: the
// last value of a key counts.
func (p *process) rewrite(text string) {
	p.t.Helper()
	if err := os.WriteFile(p.cmd.Args[2], []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// reloads sends SIGHUP and returns what the log says then, up to a line with text.
func (p *process) reloads(text string) string {
	p.t.Helper()
	before := len(p.logText())
	p.signal(syscall.SIGHUP)
	var said string
	eventually(p.t, "the log has "+text, func() bool {
		said = p.logText()[before:]
		at := strings.Index(said, text)
		return at >= 0 && strings.Contains(said[at:], "\n")
	})
	return said
}

// TestReloadConfiguration changes the file, and sends SIGHUP: what may change does,
// what needs another start is said to, and a file that is wrong changes nothing.
func TestReloadConfiguration(t *testing.T) {
	p := startProcess(t, io.Discard, io.Discard, "maxTopics=1000", "tls.server.keyPassword=hunter1", "myKey=1")
	c := nstest.Dial(t, p.addr())
	file := p.cmd.Args[2]
	start, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	with := func(lines ...string) string { return string(start) + "\n" + strings.Join(lines, "\n") + "\n" }
	config := func() string { return string(c.Do(nstest.Request(codec.ReqGetNamesrvConfig)).Body) }
	want := func(what, text string, is, isNot []string) {
		t.Helper()
		for _, w := range is {
			if !regexp.MustCompile(w).MatchString(text) {
				t.Errorf("%s: no %q in\n%s", what, w, text)
			}
		}
		for _, w := range isNot {
			if strings.Contains(text, w) {
				t.Errorf("%s: there is %q in\n%s", what, w, text)
			}
		}
	}
	const done = "configuration read again"
	want("nothing has changed", p.reloads(done), []string{`changed=0 needRestart=""`}, []string{"key of the"})

	p.rewrite(with("enableTopicList=false", "maxTopics=2000", "tls.server.keyPassword=hunter2", "logFormat=java", "serverWorkerThreads=3", "logFile=/nowhere/else"))
	want("all kinds of keys", p.reloads(done), []string{
		`msg="key of the configuration changed" key=enableTopicList before=true after=false effect="at once"`,
		`key=maxTopics before=1000 after=2000 effect="after restart"`,
		`key=logFormat before=text after=java effect="after restart"`,
		`key=logFile before=\S+ after=/nowhere/else effect="after restart"`,
		`key=serverWorkerThreads before=8 after=3 effect=none`,
		`key=tls.server.keyPassword before=\*{6} after=\*{6} effect="after restart"`,
		`changed=6 needRestart="logFile, logFormat, maxTopics, tls.server.keyPassword"`,
	}, []string{"hunter"})
	want("in force", config(), []string{"(?m)^enableTopicList=false$", "(?m)^maxTopics=2000$", "(?m)^myKey=1$"}, []string{"/nowhere/else"})

	// What waits for a start still does, and is not lost by a change of something else.
	want("again", p.reloads(done), []string{`needRestart="logFile, logFormat, maxTopics, tls.server.keyPassword"`}, []string{"maxTopics before"})

	for _, tc := range []struct{ name, line, why string }{
		{"no number", "maxTopics=many", `maxTopics is \"many\", must be a whole number`},
		{"an unknown word", "missDamping=maybe", `missDamping is \"maybe\"`},
		{"no truth value", "orderMessageEnable=yes", `orderMessageEnable is \"yes\"`},
		{"beyond a limit", "listenPort=70000", "listenPort is 70000, must be at most 65535"},
		{"no properties", `x=\u12`, "malformed"},
	} {
		p.rewrite(with("enableTopicList=true", tc.line))
		want(tc.name, p.reloads("what was in force stays"), []string{"level=ERROR", regexp.QuoteMeta(tc.why)}, []string{done, "key of the"})
		want(tc.name, config(), []string{"(?m)^enableTopicList=false$", "(?m)^maxTopics=2000$"}, nil)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	want("no file", p.reloads("what was in force stays"), []string{"no such file"}, []string{done})

	// An unknown key stops nothing, as at a start. The level changes with the others, and
	// hides nothing of who changed it.
	p.rewrite(with("maxTopcs=1", "logLevel=error", "enableTopicList=false", "maxTopics=3000"))
	want("an unknown key", p.reloads(done), []string{`key=maxTopcs nearest=maxTopics`, `key=logLevel before=info after=error`}, nil)
	register := nstest.Broker{Cluster: "C", Name: "quiet", Addr: "q:1", Topics: []string{"T", "U"}}
	c.Do(register.Register())
	r := nstest.Request(codec.ReqUpdateNamesrvConfig)
	r.Body = []byte("logLevel=info")
	if got := codec.ResponseCode(c.Do(r).Code); got != codec.RespSuccess {
		t.Fatalf("a request is answered %v", got)
	}
	want("a request has written the file", p.reloads(done), []string{"changed=0"}, []string{"key of the"})
	if strings.Contains(p.logText(), "broker=quiet") {
		t.Error("the level has not changed")
	}
	text, err := os.ReadFile(file)
	want("the file", string(text), []string{"(?m)^maxTopics=3000$", "(?m)^logLevel=info$", "(?m)^maxTopcs=1$"}, nil)
	if err != nil {
		t.Error(err)
	}
	p.signal(syscall.SIGTERM)
	p.wantEnd(0)
}

// TestReloadWithoutFile: without a configuration file there is nothing to read again.
func TestReloadWithoutFile(t *testing.T) {
	reload := reloadable(flags{}, noEnv)
	if reload != nil {
		t.Error("something is read again")
	}
}

// TestJavaLogFormat: the program writes Java's lines from the first to the last one.
func TestJavaLogFormat(t *testing.T) {
	var stderr output
	p := startProcess(t, io.Discard, &stderr, "logFormat=java")
	c := nstest.Dial(t, p.addr())
	c.Do(nstest.Broker{Cluster: "C", Name: "a", Addr: "a:1", Topics: []string{"T", "U"}}.Register())
	p.logs("The Name Server boot success. serializeType=JSON, address 127.0.0.1:")
	p.signal(syscall.SIGTERM)
	p.wantEnd(0)
	text := p.logText()
	line := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (INFO|WARN) main - \S.*\n$`)
	for l := range strings.Lines(text) {
		if !line.MatchString(l) {
			t.Errorf("line %q", l)
		}
	}
	for _, want := range []string{" main - name server starts version=", " main - new broker registered, BrokerIdentityInfo [clusterName=C, brokerAddr=a:1] HAService: a:11 ", `msg="name server serves" serializeType=JSON`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if stderr.String() != text {
		t.Errorf("standard error is\n%s", &stderr)
	}
}
