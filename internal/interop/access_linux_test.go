//go:build interop && linux

package interop

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestAccess lets mqadmin administer a name server, with the default accessPreset, from
// the machine itself, from a private address and from a public one. A broker
// notices nothing.
func TestAccess(t *testing.T) {
	needTools(t)
	t.Parallel()
	const set = "broker-a"
	n := startNATted(t)
	dir := workDir(t)
	s := n.startNamesrv(t, filepath.Join(dir, "subject"))
	at := func(ip string) string { return fmt.Sprintf("%s:%d", ip, s.port) }
	b := startBroker(t, dir, brokerSpec{
		version: "5.5.0", name: set, ip: natBroker, under: n.under('b'), namesrv: at(natInner),
		conf: []string{"bindAddress=" + natBroker, "brokerIP2=" + natBroker, "timerWheelEnable=true"}, // without the wheel 5.5.0 deletes no topic
	})
	step(t, "a broker of a private address registers", func(t *testing.T) {
		waitFor(t, brokerUp, "the broker is registered", func() error {
			if err := b.stillRuns(); err != nil {
				return err
			}
			return n.sees('b', at(natInner), b, b.addr())
		})
	})

	const change = "updateNamesrvConfig -k productEnvName -v interop"
	type command struct{ line, says string }
	admin := func(says func(right string) string) []command {
		return []command{
			{"clusterList", set},
			{"topicRoute -t " + set, b.addr()},
			{"topicList", says("admin-read")},
			{"getNamesrvConfig", says("admin-read")},
			{"updateKvConfig -s interop -k key -v value", says("admin-write")},
			{"deleteKvConfig -s interop -k key", says("admin-write")},
			{"topicClusterList -t " + set, cluster},
			{"updateOrderConf -t " + set + " -m put -v " + set + ":2", says("admin-write")},
			{"updateOrderConf -t NoSuchTopic -m get", "CODE: 22"}, // clients ask for it too
			{"updateOrderConf -t " + set + " -m delete", says("admin-write")},
			{"wipeWritePerm -b " + set, says("admin-write")},
			{"addWritePerm -b " + set, says("admin-write")},
			{change, says("config")},
		}
	}
	all := len(admin(func(string) string { return "" })) - 1 // but the last
	refused := func(from string) func(string) string {
		return func(right string) string {
			return fmt.Sprintf("CODE: 16  DESC: No permission: %s from %s (standard); see accessFile / accessPreset of the name server", right, from)
		}
	}
	served := func(string) string { return "" }
	brokers := []command{ // these ask brokers too, which a client of a public address does not reach
		{"clusterList -m", set},
		{"topicStatus -t " + set, set},
		{"topicList -c", set},
		{"updateTopic -c " + cluster + " -t TopicGate -r 2 -w 2 -o true", "set cluster orderConf. isOrder=true"},
		{"updateTopic -b " + b.addr() + " -t TopicGate -r 2 -w 2 -o true", "set broker orderConf. isOrder=true"},
		{"deleteTopic -c " + cluster + " -t TopicGate", "delete topic [TopicGate] from NameServer success."},
		{"deleteTopic -c " + cluster + " -t NoSuchTopic", "delete topic [NoSuchTopic] from NameServer success."},
	}
	for _, place := range []struct {
		from    rune
		name    string
		namesrv string
		do      []command
	}{
		{'r', "the machine itself", at("127.0.0.1"), append(append(admin(served)[:all], brokers...), command{change, "success"})},
		{'b', "a private address", at(natInner), append(append(admin(served)[:all], brokers...), command{change, refused(natBroker)("config")})},
		{'c', "a public address", at(natOuter), admin(refused(natClient))},
	} {
		for _, tool := range []string{"5.5.0", "4.9.7"} {
			step(t, fmt.Sprintf("mqadmin %s from %s", tool, place.name), func(t *testing.T) {
				home := filepath.Join(dir, "tool-"+tool+string(place.from))
				j := newJVM(t, tool, home)
				j.under = n.under(place.from)
				var lines []string
				for _, c := range place.do {
					verb, args, _ := strings.Cut(c.line, " ")
					lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s -n %s %s", verb, place.namesrv, args)))
				}
				for i, out := range runAdminBatchIn(t, j, home, tool, lines) {
					c := place.do[i]
					if !strings.Contains(out, c.says) || !strings.Contains(c.says, "CODE:") && strings.Contains(out, "CODE:") {
						t.Errorf("%s: no %q in\n%s", c.line, c.says, out)
					}
				}
			})
		}
	}

	step(t, "the broker is still registered", func(t *testing.T) {
		if err := b.stillRuns(); err != nil {
			t.Fatal(err)
		}
		if err := n.sees('c', at(natOuter), b, b.addr()); err != nil {
			t.Error(err)
		}
	})
}
