package nsctl

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// A realServer is a name server of ours with its HTTP API.
type realServer struct {
	t    testing.TB
	addr string // of the name server
	url  string // of the API
	stop func() // ends it; may be called twice
}

func startReal(t testing.TB) *realServer {
	t.Helper()
	l, web := mustLaunch(t, nil)
	return &realServer{t: t, addr: l.addr, url: web.URL, stop: func() { l.stop(); web.CloseClientConnections(); web.Close() }}
}

// register registers a broker, which lives as long as the connection.
func (r *realServer) register(name, addr string, topics ...string) *nstest.Client {
	r.t.Helper()
	conn := nstest.Dial(r.t, r.addr)
	b := nstest.Broker{Cluster: "c1", Name: name, Addr: addr, Counter: 1, Topics: topics}
	if reply := conn.Do(b.Register()); codec.ResponseCode(reply.Code) != codec.RespSuccess {
		r.t.Fatalf("%s is answered %d: %s", name, reply.Code, reply.Remark)
	}
	return conn
}

func TestTopCalledWrongly(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ args, want string }{
		{"top", "without one, use top --once"},
		{"top --tab nothing", "must be one of brokers, topics"},
		{"top --once -w 1s", "contradict"},
		{"top more", "unknown"},
	} {
		if code, out, errs := run(t, strings.Fields(test.args)...); code != exitUsage || out != "" || !strings.Contains(errs, test.want) {
			t.Errorf("%s: exit %d, %q, %q", test.args, code, out, errs)
		}
	}
}

// TestTopOnce asks a server that is there and one that is not, for each table.
func TestTopOnce(t *testing.T) {
	t.Parallel()
	r := startReal(t)
	r.register("broker-a", "10.0.0.1:10911", "ORDERS", "PAYMENTS")
	r.register("broker-b", "10.0.0.2:10911", "ORDERS", "PAYMENTS")
	for tab, want := range map[string]string{"brokers": "broker-b", "clients": "COUNT", "events": "broker.registered", "queues": "change", "topics": "COUNT", "missed": "COUNT"} {
		code, out, errs := run(t, "top", "--once", "--tab", tab, "--admin", r.url)
		if code != exitYes || errs != "" || !strings.Contains(out, want) || !strings.Contains(out, "2/2") || strings.Contains(out, "\x1b") {
			t.Errorf("%s: exit %d\n%s%s", tab, code, out, errs)
		}
		code, out, errs = run(t, "top", "--once", "--tab", tab, "-o", "json", "--admin", r.url)
		var looks []struct {
			Server string
			Status struct {
				State   string
				Brokers struct{ Members int }
			}
			Items []json.RawMessage
		}
		if err := json.Unmarshal([]byte(out), &looks); err != nil || code != exitYes || errs != "" {
			t.Errorf("%s: exit %d, %v\n%s%s", tab, code, err, out, errs)
			continue
		}
		if l := looks[0]; len(looks) != 1 || l.Server == "" || l.Status.State != "ready" || l.Status.Brokers.Members != 2 || tab == "brokers" && len(l.Items) != 2 {
			t.Errorf("%s: %+v", tab, l)
		}
	}
	code, out, errs := run(t, "top", "--once", "--admin", r.url+";127.0.0.1:1")
	if code != exitSome || !strings.Contains(out, "broker-b") || !strings.Contains(errs, "127.0.0.1:1") {
		t.Errorf("one of two: exit %d\n%s%s", code, out, errs)
	}
	code, out, errs = run(t, "top", "--once", "--admin", "127.0.0.1:1")
	if code != exitNobody || out != "" || !strings.Contains(errs, "admin listener") {
		t.Errorf("none: exit %d\n%s%s", code, out, errs)
	}
}

// TestServerHasNoScreen makes sure that the name server is not made of what shows screens.
func TestServerHasNoScreen(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "gonamesrv/cmd/namesrv").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(path, "charm.land/") || strings.HasPrefix(path, "github.com/charmbracelet/") || strings.HasPrefix(path, "gonamesrv/internal/nsctl") {
			t.Errorf("cmd/namesrv needs %s", path)
		}
	}
}
