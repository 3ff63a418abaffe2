package main

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"gonamesrv/internal/nstest"
)

// TestRunbooks asks a server what the runbooks of alerts tell people to ask.
func TestRunbooks(t *testing.T) {
	text, err := os.ReadFile("../../deploy/monitoring/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	peers, admin, _, _ := startWithAdmin(t, "adminAnonymousLocal=debug")
	b := nstest.Broker{Cluster: "DefaultCluster", Name: "broker-a", Addr: "10.0.0.1:10911", Topics: []string{"TOPIC"}}
	nstest.Dial(t, peers).Do(b.Register())
	asked := map[string]bool{}
	rules := regexp.MustCompile(`http://(\{\{ \$labels\.instance \}\}|NAMESRV\d?:19876)`).ReplaceAllString(string(text), "http://"+admin)
	rules = strings.ReplaceAll(rules, "{{ $labels.cluster }}", "DefaultCluster")
	for _, m := range regexp.MustCompile(`curl -sS '?(http://[^'; |,)"]+)`).FindAllStringSubmatch(rules, -1) {
		url := m[1]
		url = strings.ReplaceAll(url, "seconds=10", "seconds=1") // a second shows as much
		if asked[url] {
			continue
		}
		asked[url] = true
		if code, body := get(t, url, ""); code != http.StatusOK {
			t.Errorf("%s is answered %d %s", m[1], code, body)
		}
	}
	if len(asked) < 12 {
		t.Errorf("the runbooks ask only %d things", len(asked))
	}
}
