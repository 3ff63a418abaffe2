//go:build interop

package interop

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"
)

// A generator draws the steps of one random history.
type generator struct {
	*rand.Rand
	old      bool // for a 4.x name server
	ordered  bool // some topics are
	compact  bool // some bodies are compressed, which loses the unit flags
	clusters []string
	names    []string
	addrs    []string
	topics   []string
	home     map[string]string   // broker name -> the cluster it mostly registers under
	flags    map[string][]string // broker name -> what it mostly says of acting and zone
	static   map[string]bool     // names with a static topic of their own
	silent   int                 // brokers that have come and expired
	sent     []command
}

func newGenerator(seed, history uint64, setup setup, old bool) *generator {
	var key [32]byte
	copy(key[:], fmt.Sprintf("%d %d %s", seed, history, setup.name))
	g := &generator{Rand: rand.New(rand.NewChaCha8(key)), old: old, ordered: setup.order}
	g.clusters = []string{"c1", "c2", "c3"}[:1+g.IntN(3)]
	g.names = []string{"b1", "b2", "b3", "b4"}[:1+g.IntN(4)]
	g.addrs = []string{"a1", "a2", "a3", "a4", "a5", "a6"}[:2+g.IntN(5)]
	g.topics = []string{"T0", "T1", "T2", "T/ü", syncTopic + "b1"}
	if old {
		g.clusters = g.clusters[:1]
	}
	g.compact = g.often(30) && !old // 4.x cannot read the attributes of a topic
	g.home = make(map[string]string)
	g.flags = make(map[string][]string)
	g.static = make(map[string]bool)
	for _, n := range g.names {
		g.home[n] = one(g, g.clusters)
		g.flags[n] = []string{one(g, []string{"", "false", "true", "true"}), one(g, []string{"", "", "z1", "z2"})}
		g.static[n] = !old && g.often(40)
	}
	return g
}

func one[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// often is true in so many of a hundred cases.
func (g *generator) often(percent int) bool { return g.IntN(100) < percent }

// history draws 50 to 500 steps, about 80 on average, and then asks for
// everything there is.
func (g *generator) history() []command {
	n := 50 + min(450, int(g.ExpFloat64()*30))
	var steps []command
	for range n {
		s := g.step()
		steps = append(steps, *s)
	}
	return append(steps, g.questions()...)
}

// A choice is a kind of step with its weight.
type choice struct {
	weight int
	draw   func(*generator) *command
}

var choices = []choice{
	{30, (*generator).register},
	{12, (*generator).again},
	{9, (*generator).unregister},
	{2, (*generator).expire},
	{5, func(g *generator) *command { return (&command{cmd: "close"}).with("conn", strconv.Itoa(1+g.IntN(4))) }},
	{3, func(g *generator) *command { return g.maybeOneway(g.member("heartbeat")) }},
	{6, func(g *generator) *command { return g.maybeOneway(g.member("query").with("version", g.version())) }},
	{14, (*generator).route},
	{4, func(*generator) *command { return &command{cmd: "clusters"} }},
	{2, func(*generator) *command { return &command{cmd: "topics"} }},
	{4, func(g *generator) *command {
		return (&command{cmd: "members"}).with("cluster", one(g, g.clusters)).with("broker", one(g, g.names))
	}},
	{1, func(g *generator) *command { return (&command{cmd: "raw"}).with("code", strconv.Itoa(1000+g.IntN(50))) }},
	{3, func(g *generator) *command { return (&command{cmd: "wipe"}).with("broker", one(g, g.names)) }},
	{2, func(g *generator) *command { return (&command{cmd: "add"}).with("broker", one(g, g.names)) }},
	{4, (*generator).delete},
	{4, (*generator).topic},
	{2, func(g *generator) *command { return (&command{cmd: "topics-of"}).with("cluster", one(g, g.clusters)) }},
	{1, func(*generator) *command { return (&command{cmd: "system-topics"}).with("any-broker") }},
	{2, func(g *generator) *command {
		return (&command{cmd: "units"}).with("code", one(g, []string{"311", "312", "313"}))
	}},
	{2, func(g *generator) *command {
		return g.kv("kv-put").with("value", one(g, []string{"b1:4", "b1:8;b2:8", ""}))
	}},
	{2, func(g *generator) *command { return g.kv("kv-get") }},
	{1, func(g *generator) *command { return g.kv("kv-delete") }},
	{3, func(g *generator) *command {
		return g.order("kv-put").with("value", one(g, []string{"b1:4", "b1:8;b2:8", ""}))
	}},
	{2, func(g *generator) *command { return g.order("kv-delete") }},
	{1, func(g *generator) *command {
		return (&command{cmd: "kv-list"}).with("namespace", one(g, []string{"n1", "n2"}))
	}},
}

func (g *generator) step() *command {
	total := 0
	for _, c := range choices {
		total += c.weight
	}
	at := g.IntN(total)
	for _, c := range choices {
		if at -= c.weight; at < 0 {
			s := c.draw(g)
			if g.often(10) && !g.old {
				s.with("binary")
			}
			return s
		}
	}
	panic("unreachable: the weights add up to the total")
}

// member names a cluster and an address.
func (g *generator) member(cmd string) *command {
	return (&command{cmd: cmd}).with("cluster", one(g, g.clusters)).with("addr", one(g, g.addrs))
}

func (g *generator) maybeOneway(s *command) *command {
	if g.often(25) {
		s.with("oneway")
	}
	return s
}

func (g *generator) version() string {
	if g.old {
		// With the same version 4.x passes over what it has not got.
		return fmt.Sprintf("0/%d", len(g.sent)+1)
	}
	return fmt.Sprintf("%d/%d", one(g, []int{0, 0, 0, 1, 2}), g.IntN(3))
}

func (g *generator) conn() string { return strconv.Itoa(g.IntN(5)) }

func (g *generator) register() *command {
	name := one(g, g.names)
	cluster := g.home[name]
	if g.often(7) {
		cluster = one(g, g.clusters)
	}
	s := (&command{cmd: "register"}).with("cluster", cluster).with("broker", name).with("id", one(g, []string{"0", "0", "0", "1", "1", "2", "10", "200"}))
	s.with("addr", one(g, g.addrs)).with("ha", one(g, []string{"ha1", "ha2"})).with("conn", g.conn()).with("version", g.version())
	flags := g.flags[name]
	if g.often(8) && !g.static[name] {
		flags = []string{one(g, []string{"", "false", "true"}), one(g, []string{"", "z1", "z2"})}
	}
	if !g.old {
		if flags[0] != "" {
			s.with("acting", flags[0])
		}
		if flags[1] != "" {
			s.with("zone", flags[1])
		}
		if g.often(20) {
			s.with("timeout", one(g, []string{"120000", "600000"}))
		}
	}
	topics := g.queues()
	if g.static[name] {
		topics = append(topics, staticTopic(name)+":1/1/6")
		s.with("static", fmt.Sprintf("%s:%s/%d", staticTopic(name), name, 1+g.IntN(3)))
	}
	if len(topics) > 0 && !(g.old && len(topics) == 1) {
		s.with("topics", topics...)
	}
	if filters := [][]string{nil, {}, {}, {"f1"}, {"f2", "f1"}}[g.IntN(5)]; filters != nil {
		s.with("filters", filters...)
	}
	if g.compact && g.often(50) {
		s.with("compact")
	}
	if g.often(30) {
		s.with("crc", one(g, []string{"good", "good", "good", "bad"}))
	}
	g.sent = append(g.sent, *s)
	return s
}

// staticTopic is the name of a static topic that only brokers of this name
// have, and have in each registration: Java never forgets a mapping, difference
// 10, but then nobody sees it.
func staticTopic(name string) string { return "S-" + name }

// expire registers a broker that falls silent at once, over a connection of its
// own.
func (g *generator) expire() *command {
	g.silent++
	s := g.register()
	g.sent = g.sent[:len(g.sent)-1]
	s.cmd = "expire"
	s.args = slices.DeleteFunc(s.args, func(a datadriven.CmdArg) bool { return a.Key == "timeout" || a.Key == "crc" })
	for i, a := range s.args {
		switch a.Key {
		case "addr":
			s.args[i].Vals = []string{fmt.Sprintf("silent%d", g.silent)}
		case "conn":
			s.args[i].Vals = []string{"9"}
		}
	}
	return s
}

// queues draws the topics of a registration.
func (g *generator) queues() []string {
	var all []string
	for _, t := range g.topics {
		if g.often(50) {
			n := 1 + g.IntN(2)
			all = append(all, fmt.Sprintf("%s:%d/%d/%d/%d", t, n, n, one(g, []int{6, 6, 6, 4, 7, 0}), g.unit(t)))
		}
	}
	return all
}

// unit is the same for all brokers of a topic: where they disagree, Java's unit
// lists depend on hash order.
func (g *generator) unit(topic string) int {
	if g.compact {
		return 0
	}
	return slices.Index(g.topics, topic) % 4
}

// again repeats a registration, over whatever connection.
func (g *generator) again() *command {
	if len(g.sent) == 0 {
		return g.register()
	}
	old := one(g, g.sent)
	s := &command{cmd: "register"}
	for _, a := range old.args {
		if a.Key == "conn" && g.often(50) {
			a.Vals = []string{g.conn()}
		}
		s.args = append(s.args, a)
	}
	return s
}

func (g *generator) unregister() *command {
	if len(g.sent) == 0 || g.often(15) {
		return g.member("unregister").with("broker", one(g, g.names)).with("id", "0")
	}
	r := one(g, g.sent)
	s := &command{cmd: "unregister"}
	for _, key := range []string{"cluster", "broker", "addr", "id"} {
		s.with(key, r.arg(key))
	}
	return s
}

func (g *generator) route() *command {
	s := (&command{cmd: "route"}).with("topic", one(g, append(g.staticTopics(), g.topics...)))
	switch {
	case g.often(50):
		s.with("strict")
	case g.often(10):
		s.with("standard")
	case g.often(30) && !g.old:
		s.with("zone", one(g, []string{"z1", "Z1", "z3"}))
	}
	return s
}

func (g *generator) delete() *command {
	s := (&command{cmd: "delete"}).with("topic", one(g, g.topics))
	if g.often(50) {
		s.with("cluster", one(g, g.clusters))
	}
	return s
}

func (g *generator) topic() *command {
	topic := one(g, g.topics)
	s := (&command{cmd: "topic"}).with("topic", topic)
	var queues []string
	for _, n := range g.names {
		if g.often(60) {
			queues = append(queues, fmt.Sprintf("%s:3/3/%d/%d", n, one(g, []int{6, 4}), g.unit(topic)))
		}
	}
	return s.with("queues", queues...)
}

// staticTopics returns the names of all static topics there may be.
func (g *generator) staticTopics() []string {
	var all []string
	for _, n := range g.names {
		if g.static[n] {
			all = append(all, staticTopic(n))
		}
	}
	return all
}

func (g *generator) order(cmd string) *command {
	if !g.ordered {
		return g.kv(cmd)
	}
	return (&command{cmd: cmd}).with("namespace", orderNamespace).with("key", one(g, g.topics))
}

func (g *generator) kv(cmd string) *command {
	return (&command{cmd: cmd}).with("namespace", one(g, []string{"n1", "n2"})).with("key", one(g, []string{"k1", "k2", "ü"}))
}

// questions ask for all there is.
func (g *generator) questions() []command {
	var steps []command
	ask := func(s *command) { steps = append(steps, *s) }
	for _, t := range append(g.staticTopics(), g.topics...) {
		ask((&command{cmd: "route"}).with("topic", t))
		ask((&command{cmd: "route"}).with("topic", t).with("strict"))
	}
	ask(&command{cmd: "clusters"})
	ask(&command{cmd: "topics"})
	for _, n := range g.names {
		ask((&command{cmd: "members"}).with("cluster", "c1").with("broker", n))
	}
	for _, c := range g.clusters {
		for _, a := range g.addrs {
			ask((&command{cmd: "query"}).with("cluster", c).with("addr", a).with("version", "0/1"))
		}
		ask((&command{cmd: "topics-of"}).with("cluster", c))
	}
	ask((&command{cmd: "system-topics"}).with("any-broker"))
	for _, code := range []string{"311", "312", "313"} {
		ask((&command{cmd: "units"}).with("code", code))
	}
	return steps
}

// A disagreement is a history and how it ended.
type disagreement struct {
	steps []command // as drawn
	told  []command // as told: with what the player has added, without what it has left out
	last  answers
	err   error
}

// tell plays a history on both servers and returns the first disagreement. It
// leaves out the steps that would run into a listed difference and counts them.
func (d *duel) tell(steps []command) *disagreement {
	p := d.newPlayer("")
	var drawn, told []command
	failed := func(a answers, err error) *disagreement {
		p.cleanUp() // what fails here has failed before
		return &disagreement{drawn, told, a, err}
	}
	for _, s := range steps {
		if !d.release.knows(s.cmd) {
			continue
		}
		if n := p.shadow.difference(s); n != 0 {
			d.leftOut[n]++
			continue
		}
		drawn = append(drawn, s)
		with := []command{s}
		if leave := p.shadow.displaced(s); leave != nil {
			with = append(with, *leave)
		}
		for _, s := range with {
			told = append(told, s)
			a, err := p.play(s)
			if err != nil || !a.agree() {
				return failed(a, err)
			}
		}
	}
	d.compared += p.compared
	if err := p.cleanUp(); err != nil {
		return &disagreement{drawn, told, answers{}, err}
	}
	return nil
}

// shrink deletes steps for as long as the servers still disagree, and for a
// minute at most.
func (d *duel) shrink(found *disagreement) *disagreement {
	d.patience = time.Second
	deadline := time.Now().Add(time.Minute)
	for size := len(found.steps) / 2; size > 0; size /= 2 {
		before := len(found.steps)
		for from := 0; from+size <= len(found.steps) && time.Now().Before(deadline); {
			shorter := slices.Delete(slices.Clone(found.steps), from, from+size)
			if again := d.tell(shorter); again != nil {
				found = again
			} else {
				from += size
			}
		}
		if size == 1 && len(found.steps) < before {
			size = 2 // once more
		}
	}
	return found
}

// String tells the history as a story, with what each server said at its end.
func (f *disagreement) String() string {
	var b strings.Builder
	for _, s := range f.told {
		fmt.Fprintln(&b, s)
	}
	if f.err != nil {
		return fmt.Sprintf("%s----\n%v", b.String(), f.err)
	}
	return fmt.Sprintf("%s----\nours: %s\njava: %s", b.String(), f.last.ours, f.last.java)
}
