package bench

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A ParamGroup is some parameters that belong together, for a person to read.
type ParamGroup struct {
	Title string
	Keys  []string
}

// ParamGroups are all parameters of all scenarios, each once.
func ParamGroups() []ParamGroup {
	groups := []ParamGroup{
		{"Length", []string{"warmup", "warmup-most", "duration", "requests", "timeout"}},
		{"Brokers and their topics", []string{"brokers", "topics", "brokers-per-topic", "long-names", "period", "broker-timeout"}},
		{"Clients", []string{"connections", "rate", "arrivals", "popularity", "depth", "producers", "slow-readers", "steps"}},
		{"Registrations", []string{"registrars", "pause-up-to", "bump", "changed", "form"}},
		{"Heartbeats", []string{"hz", "code", "oneway"}},
		{"What happens", []string{"away", "share", "death"}},
		{"Bytes", []string{"header"}},
		{"Captures", []string{"speed"}},
	}
	var others []string
	for _, key := range paramKeys() {
		if !slices.ContainsFunc(groups, func(g ParamGroup) bool { return slices.Contains(g.Keys, key) }) {
			others = append(others, key)
		}
	}
	if len(others) > 0 {
		groups = append(groups, ParamGroup{"Others", others})
	}
	return groups
}

// paramKeys are the parameters that some scenario knows.
func paramKeys() (keys []string) {
	for _, k := range append(kinds[:len(kinds):len(kinds)], replayKind) {
		for _, key := range k.Keys() {
			if !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// ParamType says in a word what the values of a parameter are; "" for one that is
// true or false.
func ParamType(key string) string {
	v, _, ok := new(Params).field(key)
	if !ok {
		return ""
	}
	switch v.Interface().(type) {
	case Duration, Warmup:
		return "duration"
	case bool:
		return ""
	}
	switch v.Kind() {
	case reflect.Int:
		return "int"
	case reflect.Float64:
		return "number"
	}
	return "word"
}

// ParamWords are the words that a parameter of words may be; nil of others.
func ParamWords(key string) []string {
	return map[string][]string{
		"form": {formPlain, formCompressed, formSplit}, "header": {"JSON", "ROCKETMQ"}, "code": {"904", "322", "both"},
		"arrivals": {arrivalsRegular, arrivalsPoisson}, "popularity": {popularityUniform, popularityZipf},
		"death": {deathClose, deathKill, deathSilence, deathAll},
	}[key]
}

// ParamDefaults says what a parameter is where nobody says anything: the usual
// value, and which scenarios have another.
func ParamDefaults(key string) string {
	usual := defaults.Get(key)
	var values []string // in order of appearance, the usual one first
	of := map[string][]string{}
	if key == "speed" { // only a replay has it
		p := replayKind.Params()
		return p.Get(key)
	}
	for _, k := range kinds {
		if !slices.Contains(k.Keys(), key) {
			continue
		}
		p := k.Params()
		v := p.Get(key)
		if of[v] == nil {
			values = append(values, v)
		}
		of[v] = append(of[v], k.Name)
	}
	if len(values) == 1 {
		return values[0]
	}
	if i := slices.Index(values, usual); i > 0 {
		values[0], values[i] = values[i], values[0]
	}
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = fmt.Sprintf("%s in %s", v, strings.Join(of[v], ", "))
		if v == usual {
			parts[i] = v
		}
	}
	return strings.Join(parts, "; ")
}

// ParamKeys are the names of all parameters, in alphabetical order.
func ParamKeys() []string {
	t := reflect.TypeFor[Params]()
	var keys []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	slices.Sort(keys)
	return keys
}
