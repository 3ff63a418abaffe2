package bench

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Kind is a built-in scenario.
type Kind struct {
	Name  string
	About string // one line
	// Uses names the parameters that mean something to it, beside those that
	// all have: warmup, warmup-most, duration, requests, timeout, header.
	Uses     []string
	Defaults Params
	// NeedsServer says that it kills and starts or stops the server:
	// Options.Server.
	NeedsServer bool

	beside bool     // the server has more to do than the requests that are counted
	only   []string // parameters, instead of common ones and Uses
	check  func(p *Params) error
	plan   func(r *run) error
}

var (
	common   = []string{"warmup", "warmup-most", "duration", "requests", "timeout", "header"}
	layout   = []string{"brokers", "topics", "brokers-per-topic", "form", "long-names"}
	readers  = []string{"connections", "depth", "rate", "arrivals", "popularity"}
	changing = []string{"bump", "changed"}
	living   = []string{"period", "broker-timeout"} // brokers that register on their own
)

func uses(groups ...any) (names []string) {
	for _, g := range groups {
		switch g := g.(type) {
		case string:
			names = append(names, g)
		case []string:
			names = append(names, g...)
		}
	}
	return names
}

const (
	seconds5  = Duration(5 * time.Second)
	seconds10 = Duration(10 * time.Second)
)

// defaults are the same for all scenarios, where they say nothing else.
var defaults = Params{
	Brokers: 8, Topics: 1000, BrokersPerTopic: 2, Connections: 64, Depth: 1, Warmup: UntilStill, WarmupMost: Duration(2 * time.Minute), Duration: seconds10,
	Form: formPlain, Header: "JSON", Timeout: seconds10, Code: "904", Oneway: true, Hz: 1, Death: "all", Steps: 5,
	Arrivals: arrivalsRegular, Popularity: popularityUniform,
}

// livingWith are 8 brokers, four of which have each topic.
func livingWith(change func(*Params)) Params {
	p := Params{
		Brokers: 8, Topics: 1000, BrokersPerTopic: 4, Connections: 16, Rate: 2000, Period: Duration(30 * time.Second), Timeout: Duration(time.Minute),
	}
	change(&p)
	return p
}

var kinds = []*Kind{
	{
		Name: "route", About: "steady reads of routes", Uses: uses(layout, readers), plan: planRoute,
	},
	{
		Name: "miss", About: "steady reads of unknown topics", Uses: uses(layout, readers), plan: planMiss,
	},
	{
		Name: "heartbeat", About: "every broker says that it is alive, hz times a second; probes tell how long the answer takes",
		Uses:     uses(layout, "connections", "code", "oneway", "hz"),
		Defaults: Params{Brokers: 1000, Topics: 1000, BrokersPerTopic: 1, Connections: 1000},
		plan:     planHeartbeat,
	},
	{
		Name: "register", About: "brokers register again and again: the same, with a new data version, or with changed topics",
		Uses:     uses(layout, changing, "registrars", "rate", "arrivals", "pause-up-to"),
		Defaults: Params{Brokers: 8, Topics: 8000, BrokersPerTopic: 1, Registrars: 8},
		plan:     planRegister,
	},
	{
		Name: "registrations", About: "a broker registers in each way there is, one at a time: first, returning, unchanged, bumped, 1 % changed, all changed",
		Uses:     uses(layout),
		Defaults: Params{Brokers: 4, Topics: 20_000, BrokersPerTopic: 2, Duration: seconds5},
		check:    checkRegistrations,
		plan:     planRegistrations,
	},
	{
		Name: "storm", About: "all brokers register again, over and over, while others read",
		Uses:     uses(layout, changing, readers, "registrars", "pause-up-to"),
		Defaults: Params{Brokers: 32, Topics: 40_000, BrokersPerTopic: 8, Registrars: 32, Connections: 16, Rate: 2000, Bump: true},
		plan:     planStorm,
	},
	{
		Name: "churn", About: "brokers die by close, by kill (RST) and by silence, and come back, while others read",
		Uses:     uses(layout, readers, "death"),
		Defaults: Params{Brokers: 16, Topics: 1600, BrokersPerTopic: 2, Connections: 16, Rate: 2000, Duration: Duration(30 * time.Second)},
		check:    checkChurn,
		beside:   true, plan: planChurn,
	},
	{
		Name: "restart", About: "the server is killed and started under full load: when is every route back?",
		Uses:        uses(layout, readers, "period"),
		Defaults:    Params{Brokers: 32, Topics: 10_000, BrokersPerTopic: 2, Connections: 16, Rate: 2000, Timeout: Duration(time.Minute)},
		NeedsServer: true,
		beside:      true, plan: planRestart,
	},
	{
		Name: "pause", About: "the server stands still for a while (SIGSTOP), and goes on: which routes does it lose?",
		Uses: uses(layout, readers, living, "away"), Defaults: livingWith(func(p *Params) { p.Away = Duration(130 * time.Second) }),
		NeedsServer: true, check: checkPeriod, beside: true, plan: planPause,
	},
	{
		Name: "massclose", About: "all connections of brokers are reset at once, and brokers come back on their period",
		Uses: uses(layout, readers, living), Defaults: livingWith(func(*Params) {}), check: checkPeriod, beside: true, plan: planMassClose,
	},
	{
		Name: "partition", About: "some brokers are not heard for a while, and their connections stay open",
		Uses: uses(layout, readers, living, "away", "share"), Defaults: livingWith(func(p *Params) { p.Away, p.Share = Duration(200*time.Second), 50 }),
		check: checkPartition, beside: true, plan: planPartition,
	},
	{
		Name: "returning", About: "every other broker closes its connection and returns with all its topics, over and over",
		Uses:     uses(layout, readers, "away"),
		Defaults: Params{Brokers: 8, Topics: 8000, BrokersPerTopic: 2, Connections: 16, Rate: 2000, Away: Duration(time.Second)},
		beside:   true, plan: planReturning,
	},
	{
		Name: "misses", About: "producers ask for topics that do not exist, and for TBW102, as fast as they are answered, while others read",
		Uses: uses(layout, readers, "producers"), Defaults: Params{Connections: 16, Rate: 2000, Producers: 50}, plan: planMisses,
	},
	{
		Name: "connections", About: "idle connections, opened in steps: memory of each",
		Uses:     uses(layout, "connections", "steps"),
		Defaults: Params{Connections: 10_000, Duration: Duration(time.Second)},
		beside:   true, plan: planConnections,
	},
	{
		Name: "slowreader", About: "clients that ask and do not read, beside others that do",
		Uses:     uses(layout, readers, "slow-readers"),
		Defaults: Params{Brokers: 16, Topics: 1000, BrokersPerTopic: 16, Connections: 16, Rate: 2000, SlowReaders: 16},
		plan:     planSlowReader,
	},
	{
		Name: "mixed", About: "reads, misses, heartbeats and registrations together",
		Uses:     uses(layout, changing, readers, "registrars", "pause-up-to", "code", "oneway", "hz"),
		Defaults: Params{Brokers: 64, Topics: 6400, BrokersPerTopic: 2, Connections: 32, Registrars: 8, Rate: 5000, Changed: 1, Bump: true, PauseUpTo: Duration(time.Second)},
		plan:     planMixed,
	},
	{
		Name: "beside", About: "reads beside registrations, with no rest before",
		Uses:     uses(layout, changing, readers, "registrars", "pause-up-to"),
		Defaults: Params{Brokers: 32, Topics: 3200, BrokersPerTopic: 8, Registrars: 8, Connections: 4, Bump: true, PauseUpTo: Duration(100 * time.Millisecond)},
		plan:     planReadersAndRegistrars,
	},
}

// Kinds are the built-in scenarios, in the order to show them.
func Kinds() []*Kind { return kinds }

// FindKind returns the built-in scenario of that name.
func FindKind(name string) (*Kind, error) {
	for _, k := range append(kinds[:len(kinds):len(kinds)], replayKind) {
		if k.Name == name {
			return k, nil
		}
	}
	var names []string
	for _, k := range kinds {
		names = append(names, k.Name)
	}
	return nil, fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(names, ", "))
}

// onFloor reports whether k can be run against a server that only echoes: one
// kind of request, all of them answered.
func (k *Kind) onFloor() bool {
	return slices.Contains([]string{"route", "miss", "register"}, k.Name)
}

// WarmsUp reports whether the warm-up of a run carries on until the server is as
// warm as it gets: until the figure stands still, under all that the scenario does.
func (sc *Scenario) WarmsUp() bool {
	return sc.Params.Warmup == UntilStill &&
		slices.Contains([]string{"route", "miss", "heartbeat", "register", "registrations", "mixed"}, sc.Kind)
}

// WarmUp is the scenario to warm a server up with, apart from the run that is measured and for
// so long: the same load, and nothing happens to the server or to its brokers.
func (sc Scenario) WarmUp(lasts time.Duration) Scenario {
	sc.fix("warmup", "0s") // even where its user wrote warmup-most
	sc.Params.Duration, sc.Params.Requests = Duration(lasts), 0
	sc.Stages, sc.FailIf, sc.calm = nil, nil, true
	return sc
}

// Happens is what happens to the server or to its brokers in the scenario, as its name: restart,
// pause, massclose, …; "" for nothing.
func (sc *Scenario) Happens() string {
	if slices.Contains([]string{"restart", "pause", "massclose", "partition", "returning"}, sc.Kind) {
		return sc.Kind
	}
	return ""
}

// Keys are the parameters that mean something to k, in alphabetical order.
func (k *Kind) Keys() []string {
	if k.only != nil {
		return slices.Sorted(slices.Values(k.only))
	}
	return slices.Sorted(slices.Values(append(slices.Clone(common), k.Uses...)))
}

// Params returns the defaults of k.
func (k *Kind) Params() Params {
	merged := toMap(defaults)
	maps.Copy(merged, toMap(k.Defaults))
	for key := range merged {
		if !slices.Contains(k.Keys(), key) {
			delete(merged, key)
		}
	}
	var p Params
	fromMap(merged, &p)
	return p
}

// Scenario returns k with its defaults.
func (k *Kind) Scenario() Scenario { return Scenario{Name: k.Name, Kind: k.Name, Params: k.Params()} }

func toMap(p Params) map[string]json.RawMessage {
	m := map[string]json.RawMessage{}
	b, err := json.Marshal(p)
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		panic(err) // Params is numbers and texts
	}
	return m
}

func fromMap(m map[string]json.RawMessage, p *Params) {
	b, err := json.Marshal(m)
	if err == nil {
		err = json.Unmarshal(b, p)
	}
	if err != nil {
		panic(err) // it came from toMap
	}
}

// Limits keep a slip of the keyboard from filling a machine.
const (
	maxBrokers     = 65_536
	maxTopics      = 10_000_000
	maxConnections = 100_000
	maxDepth       = 65_536
	maxRate        = 1e8 // requests per second
)

// Validate says what is wrong with a scenario, and fills in what follows from
// the rest.
func (sc *Scenario) Validate() error {
	k, err := FindKind(sc.Kind)
	if err != nil {
		return err
	}
	p := &sc.Params
	for key := range toMap(*p) {
		if !slices.Contains(k.Keys(), key) {
			return fmt.Errorf("%s: the parameter %s means nothing to it; it knows %s", k.Name, key, strings.Join(k.Keys(), ", "))
		}
	}
	sc.fit(k)
	if err := p.validate(k); err != nil {
		return fmt.Errorf("%s: %w", k.Name, err)
	}
	if err := sc.idle(); err != nil {
		return fmt.Errorf("%s: %w", k.Name, err)
	}
	if k.check != nil {
		if err := k.check(p); err != nil {
			return fmt.Errorf("%s: %w", k.Name, err)
		}
	}
	if err := sc.validateStages(k); err != nil {
		return fmt.Errorf("%s: %w", k.Name, err)
	}
	_, err = sc.Thresholds()
	return err
}

func (p *Params) validate(k *Kind) error {
	has := func(key string) bool { return slices.Contains(k.Keys(), key) }
	within := func(key string, v, from, to int) error {
		if has(key) && (v < from || v > to) {
			return fmt.Errorf("%s is %d, it must be from %d to %d", key, v, from, to)
		}
		return nil
	}
	if p.Requests > 0 {
		p.Warmup = 0 // what is counted is counted from the first
	}
	if p.Changed > 0 {
		p.Bump = true // else the server need not look
	}
	switch {
	case has("duration") && p.Duration <= 0:
		return fmt.Errorf("duration is %v, it must be more than 0", time.Duration(p.Duration))
	case (p.Warmup < 0 && p.Warmup != UntilStill) || p.WarmupMost < 0 || p.Timeout <= 0 || p.PauseUpTo < 0 || p.Away < 0 || p.Period < 0 || p.BrokerTimeout < 0:
		return fmt.Errorf("warmup, warmup-most, timeout, pause-up-to, away, period and broker-timeout must not be negative, and timeout not 0")
	case p.Rate < 0 || p.Rate > maxRate:
		return fmt.Errorf("rate is %g, it must be from 0 (a closed loop) to 1e8", p.Rate)
	case has("speed") && (p.Speed <= 0 || p.Speed > 1e6):
		return fmt.Errorf("speed is %g, it must be more than 0 and at most 1e6", p.Speed)
	case p.Requests < 0:
		return fmt.Errorf("requests is %d, it must not be negative", p.Requests)
	case p.Changed < 0 || p.Changed > 100:
		return fmt.Errorf("changed is %g, it is a percentage", p.Changed)
	case !slices.Contains([]string{"", arrivalsRegular, arrivalsPoisson}, p.Arrivals):
		return fmt.Errorf("arrivals is %q, it must be regular or poisson", p.Arrivals)
	case has("hz") && (p.Hz <= 0 || p.Hz > 1e4):
		return fmt.Errorf("hz is %g, it must be more than 0 and at most 10000", p.Hz)
	case !slices.Contains([]string{"JSON", "ROCKETMQ"}, p.Header):
		return fmt.Errorf("header is %q, it must be JSON or ROCKETMQ", p.Header)
	case has("form") && !slices.Contains([]string{formPlain, formCompressed, formSplit}, p.Form):
		return fmt.Errorf("form is %q, it must be plain, compressed or split", p.Form)
	case p.Form == formSplit && p.Changed > 0:
		return fmt.Errorf("a split registration cannot change topics: all its parts have one data version, and Java takes only the first of a version")
	case has("code") && !slices.Contains([]string{"904", "322", "both"}, p.Code):
		return fmt.Errorf("code is %q, it must be 904, 322 or both", p.Code)
	}
	if _, err := zipfOf(p.Popularity); err != nil {
		return err
	}
	for _, err := range []error{
		within("brokers", p.Brokers, 1, maxBrokers),
		within("topics", p.Topics, 1, maxTopics),
		within("brokers-per-topic", p.BrokersPerTopic, 1, p.Brokers),
		within("connections", p.Connections, 1, maxConnections),
		within("depth", p.Depth, 1, maxDepth),
		within("registrars", p.Registrars, 1, p.Brokers),
		within("slow-readers", p.SlowReaders, 1, maxConnections),
		within("steps", p.Steps, 1, 1000),
		within("producers", p.Producers, 1, maxConnections),
	} {
		if err != nil {
			return err
		}
	}
	if has("topics") && p.Topics*p.BrokersPerTopic > maxTopics {
		return fmt.Errorf("%d topics on %d brokers each are more than %d", p.Topics, p.BrokersPerTopic, maxTopics)
	}
	return nil
}
