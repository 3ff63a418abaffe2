//go:build interop

package interop

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The stories that route plays on its table are told to both servers as well.
// testdata/5.5.0/carried holds them as requests and replies; this file says
// which requests a step becomes and what our reply must say, given the outcome
// in the story.

const routeStories = "../../route/testdata/stories"

// notCarried names the stories of route that cannot be told over TCP, and why.
// The clock steps are told as registrations that time out.
var notCarried = map[string]string{
	"liveness.txt": "a request cannot make us close its connection, or our queue full",

	"warm_fencing.txt": noRestart, "warm_ghost.txt": noRestart, "warm_power.txt": noRestart, "warm_query.txt": noRestart,
	"warm_split.txt": noRestart, "warm_trap.txt": noRestart, "warm_window.txt": noRestart,
}

const noRestart = "a request cannot restart us"

// A carriedStep is a request that tells a step of a story of route.
type carriedStep struct {
	command
	pos  string            // of the step in the story
	want func(reply) error // nil: nothing but what the file says
}

// A reply is what our server answered, its header and its body.
type reply struct{ head, body string }

// carriedSteps translates a story of route.
func carriedSteps(t *testing.T, path string) []carriedStep {
	c := &carrier{last: make(map[member]command), conf: make(map[string]string)}
	datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
		c.pos = td.Pos
		if err := c.carry(command{cmd: td.Cmd, args: td.CmdArgs}, td.Expected); err != nil {
			td.Fatalf(t, "%v", err)
		}
		return td.Expected
	})
	return c.steps
}

// A carrier translates the steps of one story.
type carrier struct {
	steps []carriedStep
	pos   string
	last  map[member]command // the latest registration of each broker
	conf  map[string]string  // what the servers have been set to
}

func (c *carrier) tell(s command, want func(reply) error) {
	c.steps = append(c.steps, carriedStep{s, c.pos, want})
}

// set makes a switch of the configuration, which a story of route gives with
// the step that needs it, what the step says, and takes it out of the step.
func (c *carrier) set(s *command, arg, key string) {
	value := fmt.Sprint(s.has(arg))
	s.args = without(s.args, arg)
	if value != c.conf[key] && (value == "true" || c.conf[key] != "") {
		c.conf[key] = value
		c.tell(*(&command{cmd: "set"}).with(key, value), nil)
	}
}

func without(args []datadriven.CmdArg, keys ...string) []datadriven.CmdArg {
	return slices.DeleteFunc(slices.Clone(args), func(a datadriven.CmdArg) bool { return slices.Contains(keys, a.Key) })
}

// carry translates one step, whose outcome ends with what has happened: lines
// that begin with a star. Where something has, all brokers are asked for.
func (c *carrier) carry(s command, outcome string) error {
	var events []event
	var answer string
	for line := range strings.Lines(outcome) {
		line = strings.TrimSuffix(line, "\n")
		switch e, ok := newEvent(line); {
		case ok:
			events = append(events, e)
		case !strings.HasPrefix(line, "* "):
			answer += line
		}
	}
	late := false // Java acts some time after it has answered
	switch s.cmd {
	case "register":
		c.last[member{s.arg("cluster"), s.arg("broker"), s.arg("addr")}] = s
		c.set(&s, "delete", "deleteTopicWithBrokerRegistration")
		c.tell(s, wantRegistered(answer))
	case "unregister", "heartbeat":
		c.tell(s, wantHead(`{"code":0}`))
	case "query":
		c.tell(s, wantQuery(answer))
	case "close":
		late = true
		c.tell(s, nil)
	case "advance":
		// Time passes only for those who expire by it: they say once more what
		// they have said before, and that it holds for a millisecond.
		late = true
		for _, e := range events {
			if e.kind == "expired" {
				s := c.last[e.member()]
				c.tell(command{cmd: "expire", args: without(s.args, "timeout", "delete")}, nil)
			}
		}
	case "route":
		c.set(&s, "acting", "supportActingMaster")
		c.tell(s, wantRoute(answer))
	case "clusters", "topics":
		c.tell(s, wantReply(`{"code":0}`, answer))
	case "members":
		c.tell(s, wantReply(`{"code":0,"remark":"not set any response code"}`, answer))
	default:
		return fmt.Errorf("no request tells %s; translate it, or name the story in notCarried", s.cmd)
	}
	for i, e := range events {
		if e.kind == "registered" {
			continue
		}
		delete(c.last, e.member())
		for k := range c.last {
			events[i].stays = events[i].stays || k.addr == e.addr && k.broker == e.broker
		}
	}
	if len(events) > 0 {
		look := command{cmd: "clusters"}
		if late {
			look.with("await")
		}
		c.tell(look, wantEvents(events))
	}
	return nil
}

// An event says what has become of a broker.
type event struct {
	kind, broker, id, addr, cluster string

	stays bool // another cluster keeps it in its place
}

func (e event) member() member { return member{e.cluster, e.broker, e.addr} }

var eventLine = regexp.MustCompile(`^\* ([a-z ]+): (\S+) (\d+) at (\S+) of (\S+)$`)

func newEvent(line string) (event, bool) {
	m := eventLine.FindStringSubmatch(line)
	if m == nil {
		return event{}, false
	}
	return event{kind: m[1], broker: m[2], id: m[3], addr: m[4], cluster: m[5]}, true
}

func wantHead(head string) func(reply) error { return wantReply(head, "") }

func wantReply(head, body string) func(reply) error {
	return func(got reply) error {
		if got.head != head || got.body != body {
			return fmt.Errorf("want %s\n%s", head, body)
		}
		return nil
	}
}

func wantRegistered(answer string) func(reply) error {
	head := `{"code":0,"extFields":{}}`
	if answer == "refused: single topic" {
		head = `{"code":1,"extFields":{},"remark":"register broker failed"}`
	}
	var master, ha string
	if n, _ := fmt.Sscanf(answer, "master=%s ha=%s", &master, &ha); n > 0 {
		head = `{"code":0,"extFields":{"masterAddr":` + quote(master) + `}}`
		if ha != "" {
			head = `{"code":0,"extFields":{"haServerAddr":` + quote(ha) + `,"masterAddr":` + quote(master) + `}}`
		}
	}
	return wantHead(head)
}

func wantQuery(answer string) func(reply) error {
	changed, version, _ := strings.Cut(strings.TrimPrefix(answer, "changed="), " ")
	return wantReply(`{"code":0,"extFields":{"changed":`+quote(changed)+`}}`, version)
}

func wantRoute(answer string) func(reply) error {
	if answer != "TOPIC_NOT_EXIST" {
		return wantReply(`{"code":0}`, answer)
	}
	return func(got reply) error {
		if !strings.HasPrefix(got.head, `{"code":17,`) {
			return fmt.Errorf("want code 17")
		}
		return nil
	}
}

// wantEvents looks at all brokers: those that have come are there, and those
// that have gone are not.
func wantEvents(events []event) func(reply) error {
	return func(got reply) error {
		n, err := parseJSON(got.body)
		if err != nil {
			return err
		}
		sets := n.member("brokerAddrTable")
		for _, e := range events {
			holder := sets.member(e.broker).member("brokerAddrs").member(e.id)
			there := holder != nil && holder.raw == quote(e.addr)
			if there != (e.kind == "registered" || e.stays) {
				return fmt.Errorf("%s: ID %s of %s at %s: %v", e.kind, e.id, e.broker, e.addr, there)
			}
		}
		return nil
	}
}

// carried plays the stories of route as testdata has them, which must be just
// what they translate to, and compares our replies with the outcome there.
func (d *duel) carried(t *testing.T, dir string) {
	stories, err := filepath.Glob(filepath.Join(routeStories, "*.txt"))
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories in %s: %v", routeStories, err)
	}
	names := make(map[string]bool)
	for _, path := range stories {
		name := filepath.Base(path)
		names[name] = true
		if reason := notCarried[name]; reason != "" {
			t.Logf("%s is not carried: %s", name, reason)
			continue
		}
		t.Run(strings.TrimSuffix(name, ".txt"), func(t *testing.T) {
			var steps []carriedStep
			t.Run("translate", func(t *testing.T) { steps = carriedSteps(t, path) })
			d.carriedStory(t, filepath.Join(dir, name), steps)
		})
	}
	told, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(slices.Collect(maps.Keys(notCarried)), told...) {
		if !names[filepath.Base(name)] {
			t.Errorf("%s: there is no such story in %s", name, routeStories)
		}
	}
}

func (d *duel) carriedStory(t *testing.T, file string, steps []carriedStep) {
	if _, err := os.Stat(file); err != nil {
		var all []string
		for _, s := range steps {
			all = append(all, s.String()+"\n----\n")
		}
		t.Fatalf("%v; make it of these steps, and let -rewrite add the answers:\n%s", err, strings.Join(all, "\n"))
	}
	at := 0
	p := d.newPlayer(file)
	p.wild = true // in some steps
	d.script(t, file, p, func(s command, a answers) error {
		if at == len(steps) {
			return fmt.Errorf("the story in %s has no such step", routeStories)
		}
		want := steps[at]
		at++
		s.args = without(s.args, "differs", "exact", "await")
		look := command{cmd: want.cmd, args: without(want.args, "await")}
		if s.String() != look.String() {
			return fmt.Errorf("%s wants another step here:\n%s", want.pos, want.String())
		}
		if want.want == nil {
			return nil
		}
		head, body, _ := strings.Cut(a.ours, "\n")
		if err := want.want(reply{head, body}); err != nil {
			return fmt.Errorf("our server says otherwise than %s: %w\ngot %s", want.pos, err, a.ours)
		}
		return nil
	})
	d.stories++
	if !t.Failed() && at < len(steps) {
		t.Errorf("%s ends before %s: the next step is\n%s", file, steps[at].pos, steps[at].String())
	}
}
