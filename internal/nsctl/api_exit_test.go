package nsctl

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// readers are the commands that read the API, one of each kind.
var readers = [][]string{
	{"explain", "topic", "ORDERS"},
	{"explain", "broker", "broker-a"},
	{"history", "topic", "ORDERS"},
	{"history", "broker", "broker-a"},
	{"events"},
	{"events", "-f"},
	{"watch", "topic", "ORDERS"},
	{"watch", "brokers"},
	{"peers"},
	{"clients"},
	{"clients", "--list"},
	{"log", "level"},
	{"protect", "status"},
	{"protect", "release"},
	{"profile", "heap", "-o", "-"},
	{"bundle", "-o", "-"},
}

// TestWithoutAPI: a server that is down, a port that is not HTTP, an HTTP server of
// somebody else, and a name server on whose API nobody listens.
func TestWithoutAPI(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }))
	defer page.Close()
	for where, url := range map[string]string{"closed": "http://127.0.0.1:1", "mute": "http://" + mute.Addr().String(), "other": other.URL, "page": page.URL} {
		for _, args := range readers {
			if where == "page" && (args[0] == "bundle" || args[0] == "profile" || args[0] == "watch") {
				continue // whatever it is, they take it
			}
			code, out, errs := runAPI(t, append([]string{"--timeout", "200ms", "--admin", url}, args...)...)
			isSaid := strings.Contains(errs, "this needs a gonamesrv with its admin listener")
			if code != exitNobody || !isSaid || out != "" && args[0] != "bundle" {
				t.Errorf("%s, %q: exit %d, %q, %q", where, args, code, out, errs)
			}
		}
	}
}

// TestNotAllowed: who has no role is told which one is missing, and how to show a token.
func TestNotAllowed(t *testing.T) {
	t.Parallel()
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("read me mememememememe12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newAPIServer(t, func(c *namesrv.Config) { c.AdminTokenFile = tokens })
	low := filepath.Join(t.TempDir(), "low")
	if err := os.WriteFile(low, []byte("nobody knows it\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := runAPI(t, "--admin", s.url, "--token-file", low, "peers")
	if code != exitRefused || out != "" || !strings.Contains(errs, "the token is not known") || !strings.Contains(errs, "the token of --token-file") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	none := newAPIServer(t, func(c *namesrv.Config) { c.AdminAnonymousLocal = "metrics" })
	for _, args := range readers {
		if args[0] == "bundle" {
			continue
		}
		code, out, errs := runAPI(t, append([]string{"--admin", none.url}, args...)...)
		if code != exitRefused || out != "" || !strings.Contains(errs, "it takes the role ") || !strings.Contains(errs, "--token-file or $NSCTL_TOKEN") {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, errs)
		}
	}
}

// TestSomeFail: who asks two and hears of one is told so.
func TestSomeFail(t *testing.T) {
	t.Parallel()
	s := newAPIWorld(t)
	for _, args := range readers {
		if args[0] == "profile" || args[len(args)-1] == "-f" || args[0] == "watch" {
			continue
		}
		code, out, errs := runAPI(t, append([]string{"--admin", s.url + ";http://127.0.0.1:1"}, args...)...)
		if code != exitSome || !strings.Contains(errs, "nsctl: 127.0.0.1:1: ") || out == "" && args[1] != "release" {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, errs)
		}
	}
}

// TestAPICalledWrongly: nothing is asked.
func TestAPICalledWrongly(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"explain"},
		{"explain", "nothing"},
		{"explain", "topic"},
		{"explain", "topic", "a", "b"},
		{"history"},
		{"history", "topic"},
		{"watch"},
		{"watch", "topic"},
		{"events", "--since", "x"},
		{"events", "--since", "-1h"},
		{"events", "--limit", "0"},
		{"events", "-f", "-w", "1s"},
		{"watch", "brokers", "-w", "1s"},
		{"clients", "--by", "x"},
		{"clients", "--list", "--by", "address"},
		{"log"},
		{"log", "level", "x"},
		{"log", "level", "--for", "1s"},
		{"log", "level", "info", "--for", "-1s"},
		{"protect"},
		{"protect", "hold", "more"},
		{"protect", "off", "--for", "-1s"},
		{"profile"},
		{"profile", "x"},
		{"profile", "cpu", "--seconds", "31"},
		{"profile", "heap", "-o", "f", "--admin", "a:1;b:1"},
		{"bundle", "more"},
		{"bundle", "-o", "/"},
		{"peers", "--admin", ";"},
		{"peers", "--admin", "ftp://x"},
	} {
		if code, out, errs := runAPI(t, args...); code != exitUsage || out != "" || !strings.HasPrefix(errs, "nsctl: ") {
			t.Errorf("%q: exit %d, stdout %q, stderr %q", args, code, out, errs)
		}
	}
}

// TestExplainGoneTopic says of a topic that was there who ended it.
func TestExplainGoneTopic(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, nil)
	b := nstest.Broker{Cluster: "c", Name: "b", Addr: "10.0.0.9:10911", Counter: 1, Topics: []string{"GONE", "OTHER"}}
	s.do(b.Register())
	s.do(b.Unregister())
	code, out, errs := runAPI(t, "--admin", s.url, "explain", "topic", "GONE")
	if code != exitNo || !strings.HasPrefix(out, "GONE is NOT ROUTED on 127.0.0.1:") || !strings.Contains(out, "broker.unregistered") || errs != "" {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
}

// TestHostileNames: what a broker calls itself neither tears lines nor reaches a terminal.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	const evil = "evil\x1b[31m\u202e\nline"
	s := newAPIServer(t, nil)
	b := nstest.Broker{Cluster: "c" + evil, Name: "b" + evil, Addr: "10.0.0.9:1", ID: 1 << 60, Counter: 1, Topics: []string{"t" + evil, "u" + evil}, Fields: []string{"__ZONE_NAME", "z" + evil}}
	s.do(b.Register())
	isClean := func(args []string, out string) {
		t.Helper()
		if text := strings.ReplaceAll(out, "\n", ""); clean(text) != text {
			t.Errorf("%q: %q", args, out)
		}
	}
	for _, args := range readers {
		if args[0] == "profile" || args[0] == "bundle" || args[0] == "watch" || args[len(args)-1] == "-f" {
			continue
		}
		args = bytes2args(args, "t"+evil, "b"+evil)
		for _, format := range []string{"table", "wide", "name"} {
			code, out, errs := runAPI(t, append([]string{"--admin", s.url, "-o", format}, args...)...)
			isClean(args, out)
			isClean(args, errs)
			if code != exitYes {
				t.Errorf("%q: exit %d, %s%s", args, code, out, errs)
			}
		}
	}
	for _, args := range [][]string{{"watch", "topic", "t" + evil}, {"watch", "brokers"}, {"events", "-f"}} {
		w := startAPI(t, append([]string{"--admin", s.url}, args...)...)
		w.sees("1152921504606846976")
		w.ctrlC()
		if code := w.wait(); code != exitYes {
			t.Errorf("%q: exit %d, %s", args, code, w.err.String())
		}
		isClean(args, w.out.String())
		if strings.Count(w.out.String(), "1152921504606846976") != strings.Count(w.out.String(), "\n") && args[0] == "watch" {
			t.Errorf("%q: lines are torn: %q", args, w.out.String())
		}
	}
}

func bytes2args(args []string, topic, broker string) []string {
	all := append([]string{}, args...)
	for i := range all {
		switch all[i] {
		case "ORDERS":
			all[i] = topic
		case "broker-a":
			all[i] = broker
		}
	}
	return all
}

// TestAgain: with -w a command runs until it is ended, and a server that goes is told of.
func TestAgain(t *testing.T) {
	t.Parallel()
	s := newAPIWorld(t)
	w := startAPI(t, "--admin", s.url, "-w", "10ms", "--timeout", "5s", "peers", "-o", "json")
	for late := time.Now().Add(nstest.Patience); strings.Count(w.out.String(), `"server"`) < 3; time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatal(w.out.String(), w.err.String())
		}
	}
	s.cut()
	w.sees("this needs a gonamesrv")
	w.ctrlC()
	if code := w.wait(); code != exitNobody {
		t.Errorf("exit %d", code)
	}
}

// TestLogLevel: it is set on all servers, and set back after --for, on Ctrl-C too; not if
// somebody else has set it meanwhile.
func TestLogLevel(t *testing.T) {
	t.Parallel()
	s, other := newAPIServer(t, nil), newAPIServer(t, nil)
	both := []string{"-n", s.addr + ";" + other.addr, "--admin", s.url + ";" + other.url}
	level := func() string {
		t.Helper()
		code, out, errs := runAPI(t, append(both, "--no-headers", "log", "level")...)
		if code != exitYes {
			t.Fatalf("exit %d, %s", code, errs)
		}
		var levels []string
		for line := range strings.Lines(out) {
			levels = append(levels, strings.Fields(line)[1])
		}
		return strings.Join(levels, " ")
	}
	code, out, errs := runAPI(t, append(both, "log", "level", "WARN")...)
	if code != exitYes || strings.Count(out, "  info    warn   live\n") != 2 || errs != "" || level() != "warn warn" {
		t.Errorf("exit %d, %s%s, the level is %s", code, out, errs, level())
	}
	code, out, errs = runAPI(t, append(both, "log", "level", "debug", "--for", "1ms")...)
	if code != exitYes || strings.Count(out, "  debug   warn   live\n") != 2 || !strings.Contains(errs, "set back in 1ms") || level() != "warn warn" {
		t.Errorf("exit %d, %s%s, the level is %s", code, out, errs, level())
	}
	w := startAPI(t, append(both, "log", "level", "debug", "--for", "1h")...)
	w.sees("set back in 1h")
	if level() != "debug debug" {
		t.Errorf("the level is %s", level())
	}
	update := nstest.Request(codec.ReqUpdateNamesrvConfig)
	update.Body = []byte("logLevel=error\n")
	other.do(update)
	w.ctrlC()
	if code := w.wait(); code != exitYes || level() != "warn error" || !strings.Contains(w.err.String(), "somebody else has set logLevel=error") {
		t.Errorf("exit %d, %s, the level is %s", code, w.err.String(), level())
	}
	code, out, errs = runAPI(t, "-n", s.addr+";127.0.0.1:1", "log", "level", "info")
	if code != exitSome || strings.Count(out, "logLevel ") != 1 || !strings.Contains(errs, "127.0.0.1:1") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
}

// TestSetOfJava: a server that does not have the key is not said to have taken it.
func TestSetOfJava(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerConfig(conn, "listenPort=9876\n")
		}
	}()
	code, out, errs := runAPI(t, "-n", l.Addr().String(), "log", "level", "debug")
	if code != exitRefused || out != "" || !strings.Contains(errs, `"logLevel" is no key, and Java`) {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
}

// answerConfig answers each request with a configuration, as Java does.
func answerConfig(conn net.Conn, text string) {
	defer conn.Close()
	split := codec.NewSplitFunc(codec.MaxFrameLength)
	var buf bytes.Buffer
	chunk := make([]byte, 4096)
	for {
		n, err := conn.Read(chunk)
		if err != nil {
			return
		}
		buf.Write(chunk[:n])
		for {
			n, err := split(buf.Bytes())
			if err != nil || n == 0 || n > buf.Len() {
				break
			}
			var r codec.Command
			if r.Decode(buf.Next(n)) != nil {
				return
			}
			if _, err := conn.Write(codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: r.Opaque, Body: []byte(text)})); err != nil {
				return
			}
		}
	}
}

// hasLines reports whether a table has lines of these words, besides the server in the second
// column.
func hasLines(table string, lines ...string) bool {
	for _, want := range lines {
		found := false
		for line := range strings.Lines(table) {
			words := strings.Fields(line)
			found = found || len(words) > 2 && strings.Join(append(words[:1:1], words[2:]...), " ") == want
		}
		if !found {
			return false
		}
	}
	return true
}

// TestProtect: what is set, and that release waits until nobody is held, and sets back.
func TestProtect(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, nil)
	both := []string{"-n", s.addr, "--admin", s.url}
	code, out, errs := runAPI(t, append(both, "protect", "hold")...)
	if code != exitYes || !hasLines(out, "selfProtection monitor on live", "selfProtectionMaxSeconds 300 0 live") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	if code, out, errs = runAPI(t, append(both, "protect", "release")...); code != exitYes || !strings.Contains(errs, "nothing was changed") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	if code, out, errs = runAPI(t, append(both, "protect", "off", "--for", "1ms")...); code != exitYes || !hasLines(out, "selfProtection on off live", "selfProtection off on live") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	if code, out, errs = runAPI(t, append(both, "--no-headers", "protect", "status")...); code != exitYes || !strings.Contains(out, " on ") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
}

// TestProtectRelease: brokers that fell silent together are held, and go when an operator
// says so; then others are protected as before.
func TestProtectRelease(t *testing.T) {
	t.Parallel()
	s := newAPIServer(t, func(c *namesrv.Config) { c.SelfProtection, c.ScanNotActiveBrokerInterval = "on", 100*time.Millisecond })
	const brokers = 4
	conn := nstest.Dial(t, s.addr)
	var all []byte // in one write, and silent for long: they are late together on a busy machine too
	for i := range brokers {
		all = append(all, conn.Frame(nstest.Broker{
			Cluster: "c", Name: fmt.Sprintf("b%d", i), Addr: fmt.Sprintf("10.0.0.%d:1", i+1), Counter: 1, Topics: []string{"T", "U"},
			Fields: []string{"heartbeatTimeoutMillis", "4000"},
		}.Register())...)
	}
	conn.Write(all)
	for range brokers {
		conn.Read()
	}
	both := []string{"-n", s.addr, "--admin", s.url}
	nstest.Eventually(t, "they are held", func() bool {
		time.Sleep(100 * time.Millisecond)
		code, out, _ := runAPI(t, append(both, "--no-headers", "protect", "status")...)
		return code == exitNo && strings.Contains(out, fmt.Sprintf("  %d", brokers))
	})
	code, out, errs := runAPI(t, append(both, "protect", "release")...)
	if code != exitYes || !hasLines(out, "selfProtection on off live", "selfProtection off on live") {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
	code, out, _ = runAPI(t, append(both, "events", "--type", "broker.expired", "-o", "name")...)
	if n := strings.Count(out, "\n"); code != exitYes || n != brokers {
		t.Errorf("%d brokers have gone", n)
	}
}
