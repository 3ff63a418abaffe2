//go:build interop && linux

package interop

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// settled is how long a server that keeps its routes on disk has to write them.
const settled = 15 * time.Second

// aWhile is how long to look on after what a trial waits for.
const aWhile = 5 * time.Second

const (
	realPeriod    = 30 * time.Second
	realPeriodKey = "registerNameServerPeriod=30000"
)

// TestTrialRealBrokers has three Java brokers, which register every 30 s, with
// all contenders: name servers are killed and started, stand still for 130 s,
// and lose all connections to brokers.
func TestTrialRealBrokers(t *testing.T) {
	needTrials(t)
	t.Parallel()
	const version, brokers, topics = "5.5.0", 3, 8
	dir := workDir(t)
	all := contenders(t, dir, nil)
	fronts := make([]*front, len(all))
	var list []string
	for i, c := range all {
		c.start(t)
		fronts[i] = startFront(t, c.addr())
		list = append(list, fronts[i].addr())
	}
	var set []*broker
	var names []string
	for i := range brokers {
		name := fmt.Sprintf("broker-%c", 'a'+i)
		names = append(names, name)
		set = append(set, startBroker(t, dir, brokerSpec{version: version, name: name, namesrv: strings.Join(list, ";"), conf: []string{realPeriodKey}}))
	}
	var of []watched
	for _, b := range set {
		for _, c := range all {
			waitFor(t, brokerUp, b.name+" is registered with "+c.name, func() error { return registered(c.addr(), b.name, b) })
		}
		of = append(of, watched{b.name, []string{b.name}})
	}
	for i := range topics {
		topic := fmt.Sprintf("TrialTopic%d", i)
		for _, b := range set {
			goCreateTopic(t, all[0].addr(), b, topic)
		}
		of = append(of, watched{topic, names})
	}
	for _, c := range all {
		c.w = watch(t, c.addr(), dialPlain, 2000, of)
	}
	whole(t, all, soon)
	time.Sleep(settled)

	// confirmed waits until all brokers have registered with each since a moment
	// of its own, and says when.
	confirmed := func(t *testing.T, since []time.Time) []string {
		t.Helper()
		notes := make([]string, len(all))
		each(all, func(i int, c *contender) {
			for deadline := time.Now().Add(4 * realPeriod); ; time.Sleep(pollEvery) {
				n, last := fronts[i].since(since[i])
				if n == brokers || time.Now().After(deadline) {
					notes[i] = fmt.Sprintf("%d of %d brokers confirmed after %.1f s", n, brokers, last.Sub(since[i]).Seconds())
					return
				}
			}
		})
		return notes
	}

	step(t, "kill -9 and start", func(t *testing.T) {
		began := make([]time.Time, len(all))
		accepts := make([]string, len(all))
		met := make([]bool, len(all))
		for i, c := range all {
			c.kill(t)
			c.w.begin()
			began[i] = time.Now()
			c.start(t)
		}
		each(all, func(i int, c *contender) {
			for deadline := time.Now().Add(soon); c.w.end().firstReply.IsZero() && time.Now().Before(deadline); {
				time.Sleep(pollEvery)
			}
			accepts[i] = fmt.Sprintf("first reply after %.2f s", c.w.end().firstReply.Sub(began[i]).Seconds())
		})
		notes := confirmed(t, began)
		whole(t, all, 4*realPeriod)
		time.Sleep(realPeriod / 3)
		for i, c := range all {
			s := c.w.end()
			met[i] = s.notFound+s.shrunken+s.refused+s.timedOut == 0
			note := accepts[i]
			if !s.firstWhole.IsZero() {
				note += fmt.Sprintf(", first whole route after %.2f s", s.firstWhole.Sub(began[i]).Seconds())
			}
			c.report(t, "kill -9 and start", began[i], s, met[i], note+", "+notes[i])
		}
	})

	step(t, "RST to all broker connections", func(t *testing.T) {
		time.Sleep(settled)
		began := time.Now()
		for _, c := range all {
			c.w.begin()
		}
		for _, f := range fronts {
			f.reset()
		}
		notes := confirmed(t, slices.Repeat([]time.Time{began}, len(all)))
		whole(t, all, 4*realPeriod)
		for i, c := range all {
			s := c.w.end()
			c.report(t, "RST to all broker connections", began, s, s.notFound+s.shrunken == 0, notes[i])
		}
	})

	step(t, "SIGSTOP for 130 s", func(t *testing.T) {
		for _, c := range all {
			c.signal(t, syscall.SIGSTOP)
		}
		time.Sleep(130 * time.Second)
		began := time.Now()
		for _, c := range all {
			c.w.begin()
			c.signal(t, syscall.SIGCONT)
		}
		notes := confirmed(t, slices.Repeat([]time.Time{began}, len(all)))
		time.Sleep(realPeriod)
		whole(t, all, 4*realPeriod)
		for i, c := range all {
			s := c.w.end()
			c.report(t, "SIGSTOP 130 s, SIGCONT", began, s, s.notFound+s.shrunken == 0, notes[i])
		}
	})
}

// pacedTopics are those of the paced brokers: all have all.
func pacedTopics(brokers int) (topics []string, of []watched) {
	var names []string
	for i := range brokers {
		names = append(names, fmt.Sprintf("paced-%d", i))
		of = append(of, watched{names[i], names[i : i+1]})
	}
	for i := range 20 {
		topics = append(topics, fmt.Sprintf("PacedTopic%d", i))
	}
	for _, topic := range topics {
		of = append(of, watched{topic, names})
	}
	return topics, of
}

const pacedBrokers = 8

// TestTrialOneOfEight kills one broker among eight. It must be out at once, and
// only it.
func TestTrialOneOfEight(t *testing.T) {
	needTrials(t)
	t.Parallel()
	all := contenders(t, workDir(t), nil)
	for _, c := range all {
		c.start(t)
	}
	topics, of := pacedTopics(pacedBrokers)
	fleet := startPaced(t, pacedBrokers, realPeriod, topics, addresses(all), func(int) func(string) (net.Conn, error) { return dialPlain })
	for _, c := range all {
		c.w = watch(t, c.addr(), dialPlain, 200, of)
	}
	whole(t, all, soon)
	time.Sleep(settled)

	step(t, "one broker killed among eight", func(t *testing.T) {
		for _, c := range all {
			c.w.begin()
		}
		began := time.Now()
		fleet[0].kill()
		gone := make([]time.Duration, len(all))
		each(all, func(i int, c *contender) {
			for deadline := began.Add(4 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
				if brokerSetGone(c.addr(), fleet[0].name) == nil {
					gone[i] = time.Since(began)
					return
				}
			}
		})
		time.Sleep(aWhile)
		for i, c := range all {
			s := c.w.end()
			note := "still there after 4 minutes"
			if gone[i] > 0 {
				note = fmt.Sprintf("out after %.2f s", gone[i].Seconds())
			}
			others := 0
			for name := range s.leftOut {
				if name != fleet[0].name {
					others++
				}
			}
			c.report(t, "one of eight killed", began, s, gone[i] > 0 && gone[i] <= time.Second && others == 0, note)
		}
	})
}

// TestTrialMassClose resets the connections of all eight brokers at once.
func TestTrialMassClose(t *testing.T) {
	needTrials(t)
	t.Parallel()
	all := contenders(t, workDir(t), nil)
	for _, c := range all {
		c.start(t)
	}
	topics, of := pacedTopics(pacedBrokers)
	fleet := startPaced(t, pacedBrokers, realPeriod, topics, addresses(all), func(int) func(string) (net.Conn, error) { return dialPlain })
	for _, c := range all {
		c.w = watch(t, c.addr(), dialPlain, 200, of)
	}
	whole(t, all, soon)
	time.Sleep(settled)
	for _, c := range all {
		c.w.begin()
	}
	began := time.Now()
	for _, p := range fleet {
		for _, l := range p.links {
			l.close(true)
		}
	}
	waitRegistered(t, fleet, all, began)
	whole(t, all, 4*realPeriod)
	for _, c := range all {
		s := c.w.end()
		c.report(t, "RST to eight brokers at once", began, s, s.notFound+s.shrunken == 0, "")
	}
}

// TestTrialPause stops the servers for 130 s under eight brokers that give up an
// answer after 24 s and come with a new connection each period: when the servers
// go on they read all that was sent, and what was closed.
func TestTrialPause(t *testing.T) {
	needTrials(t)
	t.Parallel()
	all := contenders(t, workDir(t), nil)
	for _, c := range all {
		c.start(t)
	}
	topics, of := pacedTopics(pacedBrokers)
	fleet := startPaced(t, pacedBrokers, realPeriod, topics, addresses(all), func(int) func(string) (net.Conn, error) { return dialPlain })
	for _, c := range all {
		c.w = watch(t, c.addr(), dialPlain, 200, of)
	}
	whole(t, all, soon)
	time.Sleep(settled)
	for _, c := range all {
		c.signal(t, syscall.SIGSTOP)
	}
	time.Sleep(130 * time.Second)
	began := time.Now()
	for _, c := range all {
		c.w.begin()
		c.signal(t, syscall.SIGCONT)
	}
	time.Sleep(realPeriod / 3) // after a scan
	waitRegistered(t, fleet, all, time.Now())
	whole(t, all, 4*realPeriod)
	for _, c := range all {
		s := c.w.end()
		c.report(t, "SIGSTOP 130 s, SIGCONT, eight brokers", began, s, s.notFound+s.shrunken == 0, "")
	}
}

// waitRegistered waits until each broker has registered with each server since
// a moment.
func waitRegistered(t *testing.T, fleet []*paced, all []*contender, since time.Time) {
	t.Helper()
	waitFor(t, 6*realPeriod, "all brokers have registered again", func() error {
		for i, c := range all {
			for _, p := range fleet {
				if !p.since(i, since) {
					return fmt.Errorf("%s has not registered with %s", p.name, c.name)
				}
			}
		}
		return nil
	})
}

// TestTrialCutOff has servers and brokers in network namespaces: the servers'
// interface is down for 60 s, and half of the brokers are cut off for 200 s
// without a word.
func TestTrialCutOff(t *testing.T) {
	needTrials(t)
	t.Parallel()
	net0 := startLAN(t, "sab")
	all := contenders(t, workDir(t), func(n *namesrv) {
		n.under = []string{"ip", "netns", "exec", net0.name('s')}
		conf, err := os.ReadFile(n.conf)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, n.conf, strings.Replace(string(conf), "bindAddress=127.0.0.1\n", "bindAddress=10.77.0.1\n", 1))
	})
	inside := func(c *contender) string { return fmt.Sprintf("10.77.0.1:%d", c.port) }
	var list []string
	for _, c := range all {
		c.launch(t)
		list = append(list, inside(c))
	}
	for _, c := range all {
		waitFor(t, 2*soon, c.name+" listens", func() error {
			if err := c.stillRuns(); err != nil {
				return err
			}
			conn, err := net0.dialFrom('a')(inside(c))
			if err == nil {
				conn.Close()
			}
			return err
		})
	}
	topics, of := pacedTopics(pacedBrokers)
	fleet := startPaced(t, pacedBrokers, realPeriod, topics, list, func(i int) func(string) (net.Conn, error) {
		return net0.dialFrom(rune("ab"[i%2]))
	})
	for _, c := range all {
		c.w = watch(t, inside(c), net0.dialFrom('a'), 300, of)
	}
	whole(t, all, soon)
	time.Sleep(settled)

	step(t, "our interface is down for 60 s", func(t *testing.T) {
		began := time.Now()
		net0.down(t, 's')
		time.Sleep(60 * time.Second)
		net0.up(t, 's')
		for _, c := range all {
			c.w.begin()
		}
		up := time.Now()
		waitRegistered(t, fleet, all, up)
		whole(t, all, 4*realPeriod)
		for _, c := range all {
			s := c.w.end()
			c.report(t, "own interface down 60 s", began, s, s.notFound+s.shrunken == 0, "counted from when it was up again")
		}
	})

	step(t, "half of the brokers are cut off for 200 s", func(t *testing.T) {
		time.Sleep(realPeriod)
		for _, c := range all {
			c.w.begin()
		}
		began := time.Now()
		net0.cut(t, 'b')
		time.Sleep(200 * time.Second)
		net0.mend(t, 'b')
		waitRegistered(t, fleet, all, time.Now())
		whole(t, all, 4*realPeriod)
		for _, c := range all {
			s := c.w.end()
			c.report(t, "4 of 8 brokers cut off 200 s, no FIN", began, s, s.notFound+s.shrunken == 0, "")
		}
	})
}

// TestTrialActing kills the master of a pair whose slave acts for it.
func TestTrialActing(t *testing.T) {
	needTrials(t)
	t.Parallel()
	const version, set = "5.5.0", "broker-a"
	dir := workDir(t)
	// Releases before 5.0 know no acting master, and keep the slave as it is.
	all := slices.DeleteFunc(contenders(t, dir, nil, "supportActingMaster=true", "notifyMinBrokerIdChanged=true"),
		func(c *contender) bool { return strings.HasPrefix(c.java, "4.") })
	for _, c := range all {
		c.start(t)
	}
	spec := brokerSpec{
		version: version, name: set, namesrv: strings.Join(addresses(all), ";"),
		conf: []string{"enableSlaveActingMaster=true", "brokerNotActiveTimeoutMillis=60000"},
	}
	master := startBroker(t, dir, spec)
	spec.id = 1
	slave := startBroker(t, dir, spec)
	for _, c := range all {
		waitFor(t, brokerUp, "both are registered with "+c.name, func() error { return registered(c.addr(), set, master, slave) })
		c.w = watch(t, c.addr(), dialPlain, 200, []watched{{set, []string{set}}})
	}
	time.Sleep(settled)
	for _, c := range all {
		c.w.begin()
	}
	began := time.Now()
	master.kill(t)
	took := make([]time.Duration, len(all))
	each(all, func(i int, c *contender) {
		for deadline := began.Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			route, err := askRoute(c.addr(), set)
			if err == nil && route.hasBrokers(set, "0 "+slave.addr()) == nil {
				took[i] = time.Since(began)
				return
			}
		}
	})
	time.Sleep(aWhile)
	theirs := took[len(took)-1]
	for i, c := range all {
		s := c.w.end()
		c.report(t, "acting pair: master killed", began, s, s.failed() == 0 && took[i] > 0 && took[i] <= theirs+time.Second,
			fmt.Sprintf("the slave serves after %.2f s", took[i].Seconds()))
	}
}

// TestTrialMisses lets 50 producers ask for topics that do not exist, as fast as
// they are answered, and measures the reads of others, with nsbench.
func TestTrialMisses(t *testing.T) {
	needTrials(t) // not parallel: it measures latencies
	dir := workDir(t)
	bench := filepath.Join(dir, "nsbench")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bench, "./cmd/nsbench")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build nsbench: %v\n%s", err, out)
	}
	for _, c := range contenders(t, dir, nil) {
		c.start(t)
		path := filepath.Join(dir, c.name+".json")
		args := []string{"run", "misses", "--target", c.addr(), "--ceiling", "0", "-q", "--json", path}
		if c.java != "" { // the JVM compiles first
			run(t, 2*soon, "nsbench", dir, append([]string{bench}, args...)...)
		}
		out, state := run(t, 2*soon, "nsbench", dir, append([]string{bench}, args...)...)
		if !state.Success() {
			t.Errorf("nsbench against %s: %v\n%s", c.name, state, out)
			continue
		}
		var res struct {
			Phases []struct {
				Name string
				Ops  []struct {
					Name      string
					Sent      int
					PerSecond float64
					Latency   struct{ P99 float64 }
				}
			}
		}
		text, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(text, &res)
		}
		if err != nil {
			t.Fatal(err)
		}
		p99, misses, sent := map[string]float64{}, 0.0, 0
		for _, p := range res.Phases {
			for _, op := range p.Ops {
				if op.Name == "route" {
					p99[p.Name], sent = op.Latency.P99, sent+op.Sent
				} else {
					misses += op.PerSecond
				}
			}
		}
		ratio := p99["misses"] / p99["quiet"]
		c.report(t, "50 producers without a topic", time.Now(), sight{lookups: sent}, ratio <= 1.2,
			fmt.Sprintf("others' p99 %.2f ms, quiet %.2f ms: %.1f×; %.0f misses/s", p99["misses"]/1e3, p99["quiet"]/1e3, ratio, misses))
		c.stop(t)
	}
}
