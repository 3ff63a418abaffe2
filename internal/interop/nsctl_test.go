//go:build interop

package interop

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A control is nsctl, as a process.
type control struct {
	program string
	dir     string
}

func buildControl(t *testing.T, dir string) *control {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := &control{program: filepath.Join(dir, "nsctl"), dir: dir}
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", c.program, "./cmd/nsctl")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build nsctl: %v\n%s", err, out)
	}
	return c
}

// run runs nsctl against some name servers and returns its exit code and what it prints,
// results and words apart.
func (c *control) run(t *testing.T, servers []string, line string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command(c.program, slices.Concat([]string{"-n", strings.Join(servers, ";"), "--timeout", soon.String()}, strings.Fields(line), args)...)
	cmd.Dir = c.dir
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// A controlled is one call of nsctl against each of the servers. All
// must print the same but for their addresses, unless apart.
type controlled struct {
	line  string // BROKER, ADDR and CLUSTER are replaced
	code  int    // with which it ends, against each
	says  string // must be in what it prints
	apart bool   // each server has something of its own here
	old   string // what 4.9.7 is too old for, and nsctl says so: exit 4
}

// again reports whether the call may be repeated until all print the same: a broker that
// tells all servers the same does not do so at one time.
func (c *controlled) again() bool {
	for _, verb := range []string{"put", "delete", "set", "register", "unregister", "wipe-write", "add-write"} {
		if slices.Contains(strings.Fields(c.line), verb) {
			return false
		}
	}
	return true
}

// controls are all commands for port 9876, in an order in which later ones see what
// earlier ones did. paced-0 is a broker that registers once and for all, so that nobody
// brings back what is removed of it.
var controls = []controlled{
	{line: "status", says: "NAMESRV", apart: true},
	{line: "health", says: "healthy"},
	{line: "version", says: "NAMESRV", apart: true},
	{line: "cluster list -o wide", says: "CLUSTER"},
	{line: "broker list -o wide", says: "BROKER"},
	{line: "broker list -o json", says: "ADDR"},
	{line: "broker list --cluster nothing"},
	{line: "broker show BROKER", says: "ADDR"},
	{line: "broker show nobody", code: 1, says: "there is no broker nobody on NAMESRV"},
	{line: "broker group BROKER", says: "ADDR", old: "this name server is 4.9.7, and GET_BROKER_MEMBER_GROUP came with 5.0.0"},
	{line: "broker version BROKER", says: "ADDR"},
	{line: "topic list -o name", says: "BROKER"},
	{line: "topic list pac", says: "pacedTopic"},
	{line: "topic list --cluster CLUSTER -o yaml", says: "BROKER"},
	{line: "topic list --system", apart: true, says: "BROKER"}, // each release has topics of its own
	{line: "topic list --unit"},
	{line: "topic route BROKER -o wide", says: "ADDR"},
	{line: "topic route BROKER -o json", says: "ADDR"},
	{line: "topic route BROKER --as-client-version V4_9_3", says: "ADDR"},
	{line: "topic route nothing", code: 1, says: "topic nothing is not routed on NAMESRV"},
	{line: "topic clusters BROKER", says: "CLUSTER"},
	{line: "topic clusters nothing", code: 1, says: "topic nothing is not routed on NAMESRV"},
	{line: "kv get NS k", code: 1, says: "there is no key k in namespace NS"},
	{line: "kv list NS", code: 1, says: "there is no namespace NS"},
	{line: "kv delete NS k", code: 1, says: "there is no key k in namespace NS"},
	{line: "kv put NS k größe", says: "größe"},
	{line: "kv put NS k v", says: "größe"},
	{line: "kv get NS k -o json", says: `"v"`},
	{line: "kv list NS", says: "v"},
	{line: "kv delete NS k", says: "–"},
	{line: "kv get NS k", code: 1},
	{line: "order get BROKER", code: 1},
	{line: "order put BROKER BROKER:4", says: "BROKER:4"},
	{line: "order put BROKER BROKER:4;", code: 2},
	{line: "topic route BROKER -o wide", says: "BROKER:4"},
	{line: "order get BROKER", says: "BROKER:4"},
	{line: "order delete BROKER", says: "BROKER:4"},
	{line: "order get BROKER", code: 1},
	{line: "config get productEnvName", says: "center"},
	{line: "config get noSuchKey", code: 1},
	{line: "config set productEnvName=interop --dry-run", says: "center"},
	{line: "config set productEnvName=größe€", says: "größe€"},
	{line: "config set productEnvName=center", says: "center"},
	{line: "config set noSuchKey=1", code: 4, apart: true, says: "is no key"},
	{line: "config set listenPort=letters", code: 4, apart: true, says: "listenPort is"}, // ours: "letters"; Java: still the old one
	{line: "config set kvConfigPath=elsewhere", code: 4, apart: true},
	{line: "raw 106 -o name", says: "NAMESRV"},
	{line: "raw 105 --ext topic=nothing -o name", code: 4, says: "NAMESRV"},
	{line: "raw GET_KV_CONFIG --ext namespace=a --ext key=b", code: 4, says: "QUERY_NOT_FOUND", apart: true},
	{line: "broker wipe-write paced-0", says: "4 R--"},
	{line: "broker add-write paced-0", says: "6 RW-"},
	{line: "broker wipe-write nobody", code: 1},
	{line: "topic register New BROKER:3/2/6", says: "3/2 6 RW-", old: "this name server is 4.9.7, and REGISTER_TOPIC_IN_NAMESRV came with 5.0.0"},
	{line: "topic register New nobody:3/2/6", code: 1, old: "this name server is 4.9.7, and REGISTER_TOPIC_IN_NAMESRV came with 5.0.0"},
	{line: "topic delete pacedTopic --cluster nothing", code: 1, says: "there is no topic pacedTopic in cluster nothing"},
	{line: "topic delete pacedTopic", says: "–"},
	{line: "topic delete pacedTopic", code: 1},
	{line: "topic route pacedTopic", code: 1},
	{line: "broker unregister paced-0 --id 7", code: 1},
	{line: "broker unregister paced-0 --id 0", says: "–"},
	{line: "broker show paced-0", code: 1},
	{line: "broker unregister paced-0", code: 1},
}

// TestNsctl runs each command of nsctl for port 9876 against ours and Java's name servers
// of two releases, which know the same brokers, one by one: it must print the same. Then
// it runs some against all of them at once.
func TestNsctl(t *testing.T) {
	needTools(t)
	t.Parallel()
	if reference != "" {
		t.Skip("it has Java beside ours anyway")
	}
	dir := workDir(t)
	const conf = "orderMessageEnable=true"
	servers := []*namesrv{
		startNamesrvOf(t, filepath.Join(dir, "ours"), "", conf),
		startNamesrvOf(t, filepath.Join(dir, "java5"), "5.5.0", conf),
		startNamesrvOf(t, filepath.Join(dir, "java4"), "4.9.7", conf),
	}
	var addrs []string
	for _, s := range servers {
		addrs = append(addrs, s.addr())
	}
	b := startBroker(t, dir, brokerSpec{version: "4.9.7", name: "broker-a", namesrv: strings.Join(addrs, ";")})
	tool := buildControl(t, filepath.Join(dir, "nsctl"))
	step(t, "a broker registers with all", func(t *testing.T) {
		for _, s := range servers {
			waitFor(t, brokerUp, "the broker is in the route", func() error { return registered(s.addr(), b.name, b) })
		}
	})
	startPaced(t, 1, time.Hour, []string{"pacedTopic"}, addrs, func(int) func(string) (net.Conn, error) { return dialAsWanted })
	words := strings.NewReplacer("BROKER", b.name, "ADDR", b.addr(), "CLUSTER", cluster)
	for _, c := range controls {
		t.Run(c.line, func(t *testing.T) {
			same := func() error {
				var first string
				for i, s := range servers {
					code, out, errs := tool.run(t, []string{s.addr()}, words.Replace(c.line))
					text := strings.ReplaceAll(out+errs, s.addr(), "NAMESRV")
					want, says := c.code, words.Replace(c.says)
					tooOld := c.old != "" && s.java == "4.9.7"
					if tooOld {
						want, says = 4, c.old
					}
					switch {
					case code != want || !strings.Contains(text, says):
						return fmt.Errorf("%q: exit %d, want %d and %q in\n%s", s.java, code, want, says, text)
					case c.apart || tooOld:
					case i == 0:
						first = text
					case text != first:
						return fmt.Errorf("Java %s:\n%s\nours:\n%s", s.java, text, first)
					}
				}
				return nil
			}
			if !c.again() {
				if err := same(); err != nil {
					t.Error(err)
				}
				return
			}
			waitFor(t, soon, "all print the same", same)
		})
	}

	t.Run("all at once", func(t *testing.T) {
		code, out, errs := tool.run(t, addrs, "kv put NS k v -o name")
		if code != 0 || out != "k\n" {
			t.Errorf("put: exit %d, %q%s", code, out, errs)
		}
		code, out, errs = tool.run(t, addrs, "kv get NS k --no-headers")
		if code != 0 || out != "k  NS  v  all\n" {
			t.Errorf("get: exit %d, %q%s", code, out, errs)
		}
		code, out, errs = tool.run(t, addrs, "broker list --no-headers")
		if want := fmt.Sprintf("broker-a  %s  0  %s  master  all\n", cluster, b.addr()); code != 0 || out != want {
			t.Errorf("list: exit %d, %q%s, want %q", code, out, errs, want)
		}
		code, out, errs = tool.run(t, addrs, "topic register New broker-a:1/1/6")
		if code != 5 || strings.Count(out, "1/1 6 RW-") != 2 || !strings.Contains(errs, addrs[2]+": this name server is 4.9.7") {
			t.Errorf("register: exit %d, %q%s", code, out, errs)
		}
		code, out, errs = tool.run(t, addrs, "config diff -o name")
		if code != 0 && code != 1 {
			t.Errorf("config diff: exit %d, %q%s", code, out, errs)
		}
		t.Logf("keys that differ by default: %q", strings.Fields(out))
		servers[2].stop(t)
		code, out, errs = tool.run(t, addrs, "status --no-headers")
		if code != 5 || strings.Count(out, "1/1") != 2 || !strings.Contains(out, "down") || !strings.Contains(out, "java") {
			t.Errorf("status: exit %d, %s%s", code, out, errs)
		}
		if code, out, errs = tool.run(t, addrs, "kv delete NS k --no-headers"); code != 5 || strings.Count(out, "–") != 2 {
			t.Errorf("delete: exit %d, %s%s", code, out, errs)
		}
		if code, out, errs = tool.run(t, addrs[2:], "health"); code != 1 || !strings.Contains(out, "unhealthy") {
			t.Errorf("health: exit %d, %s%s", code, out, errs)
		}
	})
}
