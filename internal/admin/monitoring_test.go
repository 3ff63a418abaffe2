//go:build monitoring

package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// program returns where a program of Debian's package prometheus is. Without it the test
// fails: a check that is not made is not passed.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; install Debian's package prometheus, or extract it (apt-get download prometheus, dpkg -x) and put its usr/bin into PATH", err)
	}
	return path
}

// TestMonitoringRules lets promtool check the rules, and make each alert fire.
func TestMonitoringRules(t *testing.T) {
	promtool := program(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = monitoring
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestMonitoringNames lets promtool say whether names and help are as people expect.
func TestMonitoringNames(t *testing.T) {
	a, _ := serveMetrics(t, nil)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	cmd := exec.Command(program(t, "promtool"), "check", "metrics")
	cmd.Stdin = w.Body
	if out, err := cmd.CombinedOutput(); err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// isEmpty says why a query of the board has no data here, "" if it is to have some.
func isEmpty(query string) string {
	if strings.Contains(query, peerDiffers.name) {
		return "the peer cannot be reached"
	}
	return ""
}

// TestMonitoringLive lets a real Prometheus scrape two servers, of which one is under
// load: each query of the board gets an answer, and each rule can be evaluated.
func TestMonitoringLive(t *testing.T) {
	dir := t.TempDir()
	nsbench := filepath.Join(dir, "nsbench")
	if out, err := exec.Command("go", "build", "-o", nsbench, "gonamesrv/cmd/nsbench").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var targets []string
	var busy string
	for range 2 {
		a, addr := serveMetrics(t, func(c *namesrv.Config) {
			c.RouteSnapshotPath = filepath.Join(t.TempDir(), "routes.snap")
			c.PeerNamesrvAddr = "127.0.0.1:1"
		})
		web := httptest.NewServer(a)
		t.Cleanup(web.Close)
		targets = append(targets, strings.TrimPrefix(web.URL, "http://"))
		busy = addr
	}
	rules, err := filepath.Abs(monitoring + "rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 1s, evaluation_interval: 1s}\nrule_files: [%q]\nscrape_configs: [{job_name: namesrv, static_configs: [{targets: [%q, %q]}]}]\n", rules, targets[0], targets[1])
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	prometheus := startPrometheus(t, config, filepath.Join(dir, "data"))

	ctx, stop := context.WithCancel(t.Context())
	load := exec.CommandContext(ctx, nsbench, "run", "mixed", "--target", busy, "--rate", "300", "--warmup", "100ms", "--duration", "60s", "--quiet")
	var said bytes.Buffer
	load.Stdout, load.Stderr = &said, &said
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		_ = load.Wait() // it is killed when there is enough
	}()
	defer func() {
		stop()
		<-loaded
	}()

	queries := boardQueries(t)
	missing := map[string]bool{}
	for _, q := range queries {
		missing[q] = true
	}
	round := 0
	nstest.Eventually(t, "all queries have data", func() bool {
		bother(t, busy, round)
		round++
		for q := range missing {
			if isEmpty(q) != "" || prometheus.hasData(t, q) {
				delete(missing, q)
			}
		}
		if len(missing) > 0 {
			time.Sleep(500 * time.Millisecond) // between two scrapes nothing changes
		}
		if round%40 == 0 {
			t.Logf("still missing: %v", missing)
		}
		return len(missing) == 0
	})
	for _, q := range queries {
		if why := isEmpty(q); why != "" && prometheus.hasData(t, q) {
			t.Errorf("%s has data, but is to have none: %s", q, why)
		}
	}
	prometheus.wantRules(t, alertNames(t))
	select {
	case <-loaded:
		t.Errorf("the load has ended early:\n%s", said.String())
	default:
	}
}

// bother does what nsbench does not: what ends connections, what changes the KV config.
func bother(t *testing.T, addr string, round int) {
	t.Helper()
	c := nstest.Dial(t, addr)
	c.Do(nstest.Route("nothing"))
	c.Do(nstest.Request(codec.ReqPutKVConfig, "namespace", "N", "key", "k", "value", fmt.Sprint(round)))
	b := nstest.Broker{Cluster: "passing", Name: fmt.Sprint("passing-", round), Addr: "10.9.9.9:10911", Topics: []string{"T", "U"}}
	c.Do(b.Register())
	c.Do(b.Unregister())
	c.Close()
}

// A prometheusServer is a Prometheus that runs.
type prometheusServer struct{ url string }

func startPrometheus(t *testing.T, config, data string) prometheusServer {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	cmd := exec.Command(program(t, "prometheus"), "--config.file="+config, "--storage.tsdb.path="+data, "--web.listen-address="+addr, "--log.level=warn")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus says:\n%s", log.String())
		}
	})
	p := prometheusServer{"http://" + addr}
	nstest.Eventually(t, "Prometheus is ready", func() bool {
		r, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return p
}

// get asks the API of Prometheus.
func (p prometheusServer) get(t *testing.T, path string, into any) {
	t.Helper()
	r, err := http.Get(p.url + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", path, r.StatusCode, body, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s: %v in %s", path, err, body)
	}
}

// hasData reports whether a query has a value that is a number.
func (p prometheusServer) hasData(t *testing.T, query string) bool {
	t.Helper()
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	p.get(t, "/api/v1/query?query="+url.QueryEscape(query), &answer)
	for _, r := range answer.Data.Result {
		if r.Value[1] != "NaN" {
			return true
		}
	}
	return false
}

// alertNames returns the names of the alerts in rules.yml, in their order.
func alertNames(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(monitoring + "rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	if len(names) == 0 {
		t.Fatal("rules.yml has no alert")
	}
	return names
}

// wantRules waits until these rules, and no others, have been evaluated, each without an
// error.
func (p prometheusServer) wantRules(t *testing.T, want []string) {
	t.Helper()
	nstest.Eventually(t, fmt.Sprintf("the rules %q are evaluated", want), func() bool {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, Health, LastError string }
				}
			}
		}
		p.get(t, "/api/v1/rules", &answer)
		var good []string
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				switch r.Health {
				case "ok":
					good = append(good, r.Name)
				case "err":
					t.Fatalf("rule %s: %s", r.Name, r.LastError)
				}
			}
		}
		return slices.Equal(good, want)
	})
}
