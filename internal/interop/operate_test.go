//go:build interop

package interop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What /v1 says of brokers, connections and events, as far as TestOperate looks.

type shownBroker struct {
	Broker     string
	Masterless bool
	Topics     int
	Wiped      bool
	Members    []struct {
		BrokerID      int
		Addr          string
		State         string
		HAServerAddr  string
		Conn          int
		Remote        string // with port
		ClientVersion string // V5_5_0
		Since         string
		Registrations int
	}
}

type shownConn struct {
	ID       int
	Address  string
	Language string
	Version  string
	Requests int
	Brokers  []string
}

type shownEvent struct {
	Seq    int
	Type   string
	Cause  struct{ Kind string }
	Broker string
	Addr   string
	Conn   int
	Remote string
	Code   int
}

// brokers returns all brokers by name.
func (w overHTTP) brokers() (map[string]shownBroker, error) {
	var l struct{ Items []shownBroker }
	err := w.read("/v1/brokers", &l)
	all := map[string]shownBroker{}
	for _, b := range l.Items {
		all[b.Broker] = b
	}
	return all, err
}

// conns returns all connections by ID.
func (w overHTTP) conns() (map[int]shownConn, error) {
	var l struct{ Items []shownConn }
	err := w.read("/v1/connections?list=1&limit=1000", &l)
	all := map[int]shownConn{}
	for _, c := range l.Items {
		all[c.ID] = c
	}
	return all, err
}

// metric returns the value of one metric: its name, and all of its labels in braces, in
// ascending order.
func (w overHTTP) metric(name string) (float64, error) {
	text, err := w.text("/metrics")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "rocketmq_namesrv_"+name+" "); ok {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	family, _, _ := strings.Cut(name, "{")
	return 0, fmt.Errorf("no metric %s among\n%s", name, grep(text, family))
}

// TestOperate looks at a server over HTTP, and into its log, while real brokers and a
// Java client use it and an operator changes something: what is shown must be what the
// parties do, and say who they are.
func TestOperate(t *testing.T) {
	needTools(t)
	t.Parallel()
	if reference != "" {
		t.Skip("Java has nothing of it")
	}
	const topic = "OperateTopic"
	dir := workDir(t)
	over, line := adminListener(t)
	file := filepath.Join(dir, "namesrv.log")
	ns := startNamesrvOf(t, dir, "", line, "readyMinBrokers=3", "readyMaxWaitSeconds=3600", "logFormat=java", "logFile="+file)
	log := func() string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}

	step(t, "without brokers the server lives and is not ready", func(t *testing.T) {
		if text, err := over.text("/livez"); err != nil || text != "ok\n" {
			t.Errorf("livez: %v: %s", err, text)
		}
		status, body, err := over.get("/readyz")
		if err != nil || status != http.StatusServiceUnavailable || !bytes.Contains(body, []byte("not ready: brokers: 0 of 3 have registered")) {
			t.Errorf("readyz: %d, %v: %s", status, err, body)
		}
	})

	// With forceRegister=false, which operators choose to spare name servers, a broker asks
	// first whether it must register (322).
	sparing := []string{"forceRegister=false"}
	master := startBroker(t, dir, brokerSpec{version: "5.5.0", name: "broker-a", namesrv: ns.addr(), conf: sparing})
	slave := startBroker(t, dir, brokerSpec{version: "5.5.0", name: "broker-a", id: 1, namesrv: ns.addr(), conf: sparing})
	old := startBroker(t, dir, brokerSpec{version: "4.9.7", name: "broker-b", namesrv: ns.addr(), conf: sparing})
	all := []*broker{master, slave, old}
	step(t, "three brokers make the server ready", func(t *testing.T) {
		waitFor(t, brokerUp, "all are in the routes", func() error {
			if err := registered(ns.addr(), "broker-a", master, slave); err != nil {
				return err
			}
			return registered(ns.addr(), "broker-b", old)
		})
		if text, err := over.text("/readyz?verbose"); err != nil || !strings.Contains(text, "[+]brokers ok\n") {
			t.Errorf("readyz: %v: %s", err, text)
		}
	})

	clients := startJavaClients(t, dir, "5.5.0")
	step(t, "a Java client sends", func(t *testing.T) {
		if err := clients.tell("producer", "p", ns.addr()); err != nil {
			t.Fatal(err)
		}
		waitFor(t, soon, "a message is sent", func() error { return clients.tell("send", "p", topic, "hello") })
	})

	step(t, "brokers are shown with what they are", func(t *testing.T) {
		waitFor(t, soon, "all are shown", func() error { return checkShown(over, all) })
	})

	t.Run("connections know language and version", func(t *testing.T) {
		var l struct {
			Items []struct {
				Language, Version, Transport string
				Count                        int
			}
		}
		if err := over.read("/v1/connections", &l); err != nil {
			t.Fatal(err)
		}
		counts := map[string]int{}
		for _, g := range l.Items {
			counts[g.Language+" "+g.Version] += g.Count
		}
		// Two brokers and the client; brokers may have two connections each.
		if counts["JAVA V5_5_0"] < 3 || counts["JAVA V4_9_7"] < 1 {
			t.Errorf("got %v", counts)
		}
	})

	t.Run("a raw route is the body of the answer to 105", func(t *testing.T) {
		for as, version := range map[string]int{"": versionNew, "?raw=1&as=V4_9_3": versionOldGo, "?raw=1&as=V5_3_3": versionNew} {
			path := "/v1/topics/" + topic + "/route"
			if as == "" {
				as = "?raw=1"
			}
			waitFor(t, soon, "both are the same", func() error { // brokers may register in between
				told, err := askRouteText(ns.addr(), topic, version)
				if err != nil {
					return err
				}
				shown, err := over.text(path + as)
				if err != nil {
					return err
				}
				if shown != string(told) {
					return fmt.Errorf("%s is %s, want %s", path+as, shown, told)
				}
				return nil
			})
		}
	})

	t.Run("metrics count what the parties ask", func(t *testing.T) {
		for _, code := range []string{"register_broker", "get_routeinfo_by_topic", "query_data_version"} {
			waitFor(t, brokerUp, code+" is counted", func() error {
				n, err := over.metric(fmt.Sprintf("requests_total{request_code=%q,response_code=\"success\"}", code))
				if err == nil && n < 1 {
					err = errors.New("0")
				}
				return err
			})
		}
		for _, c := range []struct {
			name string
			want float64
		}{
			{`active_brokers{cluster="DefaultCluster",role="master"}`, 2},
			{`active_brokers{cluster="DefaultCluster",role="slave"}`, 1},
			{`broker_sets{cluster="DefaultCluster"}`, 2},
			{`masterless_broker_sets{cluster="DefaultCluster"}`, 0},
			{`ready{check="gate"}`, 1},
		} {
			if got, err := over.metric(c.name); err != nil || got != c.want {
				t.Errorf("%s is %v, want %v: %v", c.name, got, c.want, err)
			}
		}
		for _, b := range all {
			if age, err := over.metric(fmt.Sprintf("broker_heartbeat_age_seconds{broker=%q,broker_id=\"%d\",cluster=%q}", b.name, b.id, cluster)); err != nil || age > 60 {
				t.Errorf("the age of %s is %v: %v", b.process.name, age, err)
			}
		}
	})

	t.Run("wipeWritePerm is shown, logged and kept with who did it", func(t *testing.T) {
		before, err := over.conns()
		if err != nil {
			t.Fatal(err)
		}
		// A registration with other topics undoes it, as with Java. A broker makes topics
		// of its own in its first minute, so an operator may have to say it again.
		admin := newMQAdmin(t, dir, "5.5.0", ns.addr())
		isShown := func() error {
			shown, err := over.brokers()
			if err == nil && (!shown["broker-b"].Wiped || shown["broker-a"].Wiped) {
				err = fmt.Errorf("got %+v", shown)
			}
			return err
		}
		waitFor(t, 2*soon, "it is shown", func() error {
			out := admin.run(t, "wipeWritePerm", "-b", "broker-b")
			if !strings.Contains(out, "OK") {
				return hopeless{fmt.Errorf("mqadmin wipeWritePerm: no OK in:\n%s", out)}
			}
			err := isShown()
			for range 50 { // what is shown may be a moment old
				if err == nil {
					break
				}
				time.Sleep(pollEvery)
				err = isShown()
			}
			return err
		})
		lines := regexp.MustCompile(`INFO \S+ - wipe write perm of broker\[broker-b\], client: (\S+), \d+ .* conn=(\d+)`).FindAllStringSubmatch(log(), -1)
		if lines == nil {
			t.Fatalf("the log does not say it:\n%s", grep(log(), "wipe"))
		}
		said := lines[len(lines)-1]
		conn, _ := strconv.Atoi(said[2])
		if _, isOld := before[conn]; isOld || conn == 0 {
			t.Errorf("the log names connection %d, which was there before the operator: %+v", conn, before[conn])
		}
		checkEvent(t, over, "perm.wiped", shownEvent{Cause: struct{ Kind string }{"admin"}, Broker: "broker-b", Conn: conn, Remote: said[1], Code: 205})
	})

	t.Run("kill -9 of the master is shown with its cause", func(t *testing.T) {
		shown, err := over.brokers()
		if err != nil {
			t.Fatal(err)
		}
		var conn int
		for _, m := range shown["broker-a"].Members {
			if m.BrokerID == 0 {
				conn = m.Conn
			}
		}
		master.signal(t, syscall.SIGKILL)
		waitFor(t, soonAfterLoss, "the set is without master", func() error {
			shown, err := over.brokers()
			if err == nil && (!shown["broker-a"].Masterless || len(shown["broker-a"].Members) != 1) {
				err = fmt.Errorf("got %+v", shown["broker-a"])
			}
			return err
		})
		var status struct {
			Brokers   struct{ Sets, Members, Masters, Masterless int }
			Attention []struct{ Severity, Code, Text, Link string }
		}
		if err := over.read("/v1/status", &status); err != nil {
			t.Fatal(err)
		}
		if b := status.Brokers; b.Sets != 2 || b.Members != 2 || b.Masters != 1 || b.Masterless != 1 {
			t.Errorf("status: got %+v", b)
		}
		if !slices.ContainsFunc(status.Attention, func(e struct{ Severity, Code, Text, Link string }) bool {
			return e.Severity == "critical" && e.Code == "broker.masterless" && strings.Contains(e.Text, "broker-a") && e.Link == "/v1/brokers/broker-a"
		}) {
			t.Errorf("attention: got %+v", status.Attention)
		}
		if n, err := over.metric(`masterless_broker_sets{cluster="DefaultCluster"}`); err != nil || n != 1 {
			t.Errorf("masterless_broker_sets is %v: %v", n, err)
		}
		lost := "the broker's channel destroyed, submit the unregister request at once, broker info: BrokerIdentityInfo [clusterName=DefaultCluster, brokerAddr=" + master.addr() + "]"
		waitFor(t, soon, "the log says why", func() error { // it is written behind
			if !strings.Contains(log(), lost) {
				return fmt.Errorf("no %q among\n%s", lost, grep(log(), master.addr()))
			}
			return nil
		})
		checkEvent(t, over, "broker.connectionLost", shownEvent{Cause: struct{ Kind string }{"close"}, Broker: "broker-a", Addr: master.addr(), Conn: conn})
	})

	t.Run("each line of the log is one of Java's", func(t *testing.T) {
		clients.kill(t)
		ns.stop(t)
		text := log()
		line := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (DEBUG|INFO|WARN|ERROR) (\S+) - (\S.*)\n$`)
		for l := range strings.Lines(text) {
			if !line.MatchString(l) {
				t.Errorf("not a line of namesrv.log: %s", l)
			}
		}
		for _, b := range all {
			if pattern := `INFO \S+ - new broker registered, BrokerIdentityInfo \[clusterName=DefaultCluster, brokerAddr=` + regexp.QuoteMeta(b.addr()) + `\] HAService: ` + regexp.QuoteMeta(b.haAddr()); !regexp.MustCompile(pattern).MatchString(text) {
				t.Errorf("no line %s among\n%s", pattern, grep(text, "new broker registered"))
			}
		}
		for _, pattern := range []string{
			`INFO \S+ - new topic registered, \S+`,
			`INFO \S+ - new topic registered, .*\b` + topic + `\b`,
		} {
			if !regexp.MustCompile(pattern).MatchString(text) {
				t.Errorf("no line %s among\n%s", pattern, grep(text, "topic registered"))
			}
		}
	})
}

// checkShown returns nil once all brokers are shown as they are, each with a connection
// of its own that knows its version.
func checkShown(over overHTTP, all []*broker) error {
	shown, err := over.brokers()
	if err != nil {
		return err
	}
	conns, err := over.conns()
	if err != nil {
		return err
	}
	for _, b := range all {
		set := shown[b.name]
		if set.Topics < 2 || set.Masterless || set.Wiped {
			return fmt.Errorf("broker set: got %+v", set)
		}
		version := "V" + strings.ReplaceAll(b.version, ".", "_")
		found := false
		for _, m := range set.Members {
			if m.BrokerID != b.id {
				continue
			}
			found = true
			if m.Addr != b.addr() || m.State != "live" || m.HAServerAddr != b.haAddr() || m.ClientVersion != version || m.Since == "" || m.Registrations == 0 {
				return fmt.Errorf("member: got %+v, want %s", m, b.process.name)
			}
			if c := conns[m.Conn]; c.Language != "JAVA" || c.Version != version || c.Address != m.Remote || !slices.Contains(c.Brokers, b.name) || c.Requests == 0 {
				return fmt.Errorf("connection %d: got %+v, want that of %s, %s, for %+v", m.Conn, c, b.process.name, version, m)
			}
		}
		if !found {
			return fmt.Errorf("%s is not shown: %+v", b.process.name, set)
		}
	}
	return nil
}

// checkEvent fails the test unless the journal has an event of this type, with what want
// says of it.
func checkEvent(t *testing.T, over overHTTP, kind string, want shownEvent) {
	t.Helper()
	var l struct{ Items []json.RawMessage }
	if err := over.read("/v1/events?type="+kind, &l); err != nil {
		t.Fatal(err)
	}
	for _, text := range l.Items {
		var e shownEvent
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		if e.Type == kind && e.Cause == want.Cause && e.Broker == want.Broker && (want.Addr == "" || e.Addr == want.Addr) &&
			e.Conn == want.Conn && (want.Remote == "" || e.Remote == want.Remote) && e.Code == want.Code {
			return
		}
	}
	t.Errorf("no event %s like %+v among %s", kind, want, l.Items)
}
