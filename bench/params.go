package bench

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"gonamesrv/codec"
)

// Params are the numbers of a scenario. A scenario reads those that it says it
// uses; the others are zero. In files and on the command line each is called
// by its JSON name.
type Params struct {
	Brokers         int      `json:"brokers,omitempty" about:"brokers that register before the load"`
	Topics          int      `json:"topics,omitempty" about:"topics of all brokers together; in scenario miss also the unknown ones"`
	BrokersPerTopic int      `json:"brokers-per-topic,omitempty" about:"brokers that have each topic"`
	Connections     int      `json:"connections,omitempty" about:"connections that read, beat or idle"`
	Registrars      int      `json:"registrars,omitempty" about:"connections that register the brokers again"`
	SlowReaders     int      `json:"slow-readers,omitempty" about:"connections that ask and do not read"`
	Depth           int      `json:"depth,omitempty" about:"unanswered requests per connection, in a closed loop"`
	Rate            float64  `json:"rate,omitempty" about:"requests per second of all connections, whatever the server does; 0 is a closed loop"`
	Arrivals        string   `json:"arrivals,omitempty" about:"of requests that have a rate: regular, or poisson: at random moments"`
	Popularity      string   `json:"popularity,omitempty" about:"of topics: uniform, zipf or zipf:EXPONENT (1 when not given): the i-th is asked for 1/i^EXPONENT as often as the first"`
	Requests        int      `json:"requests,omitempty" about:"end after so many requests, or when the duration is over, without warm-up; 0 goes by time"`
	Warmup          Warmup   `json:"warmup,omitempty" about:"load before anything is measured: a time, or 'still': until three windows in a row are within 5 % and do not all go one way"`
	WarmupMost      Duration `json:"warmup-most,omitempty" about:"the longest warm-up until the figure stands still"`
	Duration        Duration `json:"duration,omitempty" about:"length of each phase"`
	Bump            bool     `json:"bump,omitempty" about:"each registration has a new data version"`
	Changed         float64  `json:"changed,omitempty" about:"percent of its topics that each registration changes"`
	PauseUpTo       Duration `json:"pause-up-to,omitempty" about:"registrars rest up to so long between two registrations"`
	Form            string   `json:"form,omitempty" about:"of registrations: plain, compressed or split"`
	LongNames       bool     `json:"long-names,omitempty" about:"topics are called by 32 random letters and a number, as in the Java project's benchmarks"`
	Header          string   `json:"header,omitempty" about:"of requests: JSON or ROCKETMQ"`
	Code            string   `json:"code,omitempty" about:"of heartbeats: 904, 322 or both"`
	Oneway          bool     `json:"oneway,omitempty" about:"heartbeats want no answer"`
	Hz              float64  `json:"hz,omitempty" about:"heartbeats of each broker per second"`
	Period          Duration `json:"period,omitempty" about:"each broker registers so often, over a connection of its own; 0 in restart: all register when the server is back"`
	Away            Duration `json:"away,omitempty" about:"how long the server stands still, or brokers are silent or stay away"`
	Share           float64  `json:"share,omitempty" about:"percent of the brokers that fall silent"`
	BrokerTimeout   Duration `json:"broker-timeout,omitempty" about:"heartbeat timeout that brokers ask for, of servers since 5.0; 0 leaves it to the server: two minutes"`
	Producers       int      `json:"producers,omitempty" about:"producers whose topic does not exist"`
	Death           string   `json:"death,omitempty" about:"how brokers die: close, kill, silence or all"`
	Steps           int      `json:"steps,omitempty" about:"steps in which the connections are opened"`
	Speed           float64  `json:"speed,omitempty" about:"how many times as fast as it was recorded"`
	Timeout         Duration `json:"timeout,omitempty" about:"how long to wait for each connection, for each answer of the preload, for last answers and for milestones"`
}

// A Duration is written as Go writes it: 1m30s.
type Duration time.Duration

// MarshalText writes d.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads d.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

func (p Params) header() codec.SerializeType {
	st, _ := codec.ParseSerializeType(p.Header) // validated
	return st
}

// poisson reports whether requests leave at random moments.
func (p Params) poisson() bool { return p.Arrivals == arrivalsPoisson }

// The ways in which requests of an open loop leave.
const (
	arrivalsRegular = "regular"
	arrivalsPoisson = "poisson"
)

// field returns the field with that key.
func (p *Params) field(key string) (reflect.Value, reflect.StructField, bool) {
	v := reflect.ValueOf(p).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == key {
			return v.Field(i), f, true
		}
	}
	return reflect.Value{}, reflect.StructField{}, false
}

// Set changes one parameter from its text. Validate checks whether the scenario
// knows the parameter and accepts the value.
func (p *Params) Set(key, text string) error {
	v, _, ok := p.field(key)
	if !ok {
		return fmt.Errorf("there is no parameter %q", key)
	}
	var err error
	switch to := v.Addr().Interface().(type) {
	case *int:
		*to, err = strconv.Atoi(text)
	case *float64:
		*to, err = strconv.ParseFloat(text, 64)
		if err == nil && (math.IsNaN(*to) || math.IsInf(*to, 0)) {
			*to, err = 0, strconv.ErrRange
		}
	case *bool:
		*to, err = strconv.ParseBool(text)
	case *string:
		*to = text
	case encoding.TextUnmarshaler:
		err = to.UnmarshalText([]byte(text))
	default:
		panic(fmt.Sprintf("bench: parameter %s is a %T", key, to))
	}
	if err != nil {
		return fmt.Errorf("%s is %q, which is no %s", key, text, valueNames[v.Type()])
	}
	return nil
}

var valueNames = map[reflect.Type]string{
	reflect.TypeFor[int](): "whole number", reflect.TypeFor[float64](): "number", reflect.TypeFor[bool](): "true or false",
	reflect.TypeFor[Duration](): "duration such as 10s", reflect.TypeFor[Warmup](): "duration such as 10s, and not still",
}

// Get returns the text of one parameter, "" if there is no such parameter.
func (p *Params) Get(key string) string {
	v, _, ok := p.field(key)
	if !ok {
		return ""
	}
	if d, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, _ := d.MarshalText() // durations have one
		return string(text)
	}
	return fmt.Sprint(v.Interface())
}

// AboutParam says in a line what a parameter means.
func AboutParam(key string) string {
	_, f, _ := new(Params).field(key)
	return f.Tag.Get("about")
}
