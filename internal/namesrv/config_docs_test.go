package namesrv

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var updateConfiguration = flag.Bool("update-configuration", false, "write docs/CONFIGURATION.md anew")

const configurationFile = "../../docs/CONFIGURATION.md"

// keyColumns returns what the code knows of a key, as columns of CONFIGURATION.md:
// default, unit, limits, whether it is Java's, and how it changes.
func keyColumns(k configKey) []string {
	code := func(s string) string {
		if s == "" {
			return ""
		}
		return "`" + s + "`"
	}
	cfg := DefaultConfig()
	cfg.SetHome("~")
	byDefault := code(k.get(&cfg))
	switch k.name {
	case "warmStartIdentity", "rocketmqHome":
		byDefault = "" // of the machine
	}
	_, unit, _ := strings.Cut(k.want, " of ")
	switch {
	case unit == "milliseconds":
		unit = "ms"
	case unit == "seconds":
		unit = "s"
	case strings.HasSuffix(k.name, "Megabytes"):
		unit = "MiB"
	}
	return []string{byDefault, unit, keyLimits(k, unit), keyOrigin(k), [...]string{"at once", "next start", "file only"}[k.update]}
}

// keyOrigin says whether Java has a key, and where.
func keyOrigin(k configKey) string {
	lastOfJava := slices.IndexFunc(configKeys, func(k configKey) bool { return k.name == "useEpollNativeSelector" })
	if slices.IndexFunc(configKeys, func(o configKey) bool { return o.name == k.name }) <= lastOfJava {
		return "yes"
	}
	for _, option := range slices.Sorted(maps.Keys(javaOptionKeys)) {
		switch {
		case option == k.name:
			return "`-D`"
		case javaOptionKeys[option] == k.name:
			return "`-D" + option + "`"
		}
	}
	return "no"
}

// keyLimits finds out which values a start takes.
func keyLimits(k configKey, unit string) string {
	switch {
	case k.words != nil:
		return "`" + strings.Join(k.words, "` `") + "`"
	case k.want == "true or false":
		return "`true` `false`"
	case k.want == "":
		return ""
	}
	// On a machine with little memory frameMaxLength would have another limit.
	base := DefaultConfig()
	base.MemoryBudget = 1 << 40
	base.AddressServerList = "192.0.2.1:9876" // without one its port must be 0
	takes := func(n int64) bool {
		c := base
		return k.take(&c, strconv.FormatInt(n, 10)) == nil && c.Validate() == nil
	}
	now, _ := strconv.ParseInt(k.get(&base), 10, 64)
	least, most := int64(math.MinInt64), int64(math.MaxInt64)
	var r *rangeError
	c := base
	if errors.As(k.set(&c, strconv.FormatInt(math.MaxInt64, 10)), &r) {
		least, most = r.least, r.most
	}
	if k.name == "memoryBudget" { // whose 0 stands apart
		return "0, or from " + amount(first(1, most, takes), unit)
	}
	from, to := least, most
	if !takes(least) {
		from = first(least, now, takes)
	}
	if !takes(most) {
		to = first(now, most, func(n int64) bool { return !takes(n) }) - 1
	}
	switch {
	case from == least && to == most:
		return ""
	case to == most:
		return "from " + amount(from, unit)
	default:
		return amount(from, unit) + " to " + amount(to, unit)
	}
}

// first returns the smallest number for which ok holds: it does not hold for from, and
// does for to, and there is one border between them.
func first(from, to int64, ok func(int64) bool) int64 {
	for from+1 < to {
		middle := from/2 + to/2 + (from%2+to%2)/2
		if ok(middle) {
			to = middle
		} else {
			from = middle
		}
	}
	return to
}

// amount writes a number so that people can read it.
func amount(n int64, unit string) string {
	if unit == "bytes" && n > 0 {
		for _, u := range []struct {
			size int64
			name string
		}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
			if n%u.size == 0 {
				return fmt.Sprintf("%d %s", n/u.size, u.name)
			}
		}
	}
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

var keyRow = regexp.MustCompile("^\\| `([^`]+)`.*\\| ([^|]*) \\|$")

// configuration returns CONFIGURATION.md as it is to be: its text, with all columns of
// the tables of keys but the last as the code has them.
func configuration(t *testing.T, text string) string {
	t.Helper()
	const unusedLine = "The server keeps and shows them: "
	var lines []string
	listed := map[string]bool{}
	last := 0 // line of the last row
	row := func(k configKey, meaning string) string {
		return fmt.Sprintf("| `%s` | %s | %s |", k.name, strings.Join(keyColumns(k), " | "), meaning)
	}
	inTable := false
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "| Key | Default | "):
			inTable = true
		case !strings.HasPrefix(line, "|"):
			inTable = false
		}
		if strings.HasPrefix(line, unusedLine) {
			var unused []string
			for _, k := range configKeys {
				if k.unused {
					unused = append(unused, "`"+k.name+"`")
				}
			}
			line = unusedLine + strings.Join(unused, ", ") + "."
		}
		if m := keyRow.FindStringSubmatch(line); inTable && m != nil {
			k, known := knownKeys[m[1]]
			switch {
			case !known || k.unused:
				t.Errorf("there is no key %s", m[1])
				continue
			case listed[k.name]:
				t.Errorf("the key %s is there twice", k.name)
			case strings.TrimSpace(m[2]) == "":
				t.Errorf("the key %s has no meaning", k.name)
			}
			listed[k.name] = true
			line = row(k, strings.TrimSpace(m[2]))
			last = len(lines)
		}
		lines = append(lines, line)
	}
	for _, k := range configKeys {
		if !listed[k.name] && !k.unused {
			t.Errorf("the key %s is not there; write its row into one of the groups", k.name)
			last++
			lines = slices.Insert(lines, last, row(k, ""))
		}
	}
	return strings.Join(lines, "\n")
}

// TestConfigurationFile makes sure that CONFIGURATION.md has each key once, with what the
// code knows of it and a meaning. With -update-configuration it writes what does not take
// a person.
func TestConfigurationFile(t *testing.T) {
	text, err := os.ReadFile(configurationFile)
	if err != nil {
		t.Fatal(err)
	}
	want := configuration(t, string(text))
	if *updateConfiguration {
		if err := os.WriteFile(configurationFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("%s is not what the code says; run make configuration", configurationFile)
	}
}

// TestReadmeKeys makes sure that the keys which README.md shows exist and have the
// default that it says.
func TestReadmeKeys(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "| Key | Default | Set it to |\n|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := 0
	for line := range strings.SplitSeq(table, "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			t.Fatalf("%q is no row", line)
		}
		k, known := knownKeys[strings.Trim(cells[1], " `")]
		if !known {
			t.Errorf("README.md has a key %s", cells[1])
			continue
		}
		rows++
		if want := keyColumns(k)[0]; strings.TrimSpace(cells[2]) != want {
			t.Errorf("README.md says that %s is %s by default, it is %s", k.name, cells[2], want)
		}
	}
	if rows != 10 {
		t.Errorf("README.md has %d keys", rows)
	}
}

// TestKeyLimits makes sure that limits are found: of each kind one.
func TestKeyLimits(t *testing.T) {
	for key, want := range map[string]string{
		"listenPort":              "0 to 65,535",
		"addressServerPort":       "0 to 65,535",
		"closeHoldMillis":         "0 to 2,000",
		"frameMaxLength":          "1 KiB to 1 GiB",
		"memoryBudget":            "0, or from 8 MiB",
		"peerCheckSeconds":        "10 to 86,400",
		"frameTimeoutMillis":      "from 1",
		"waitSecondsForService":   "",
		"kvConfigPath":            "",
		"warmStart":               "`off` `shadow` `on`",
		"clusterTest":             "`true` `false`",
		"writeBufferLowWaterMark": "0 to 64 KiB",
	} {
		if got := keyColumns(knownKeys[key])[2]; got != want {
			t.Errorf("the limits of %s are %q, want %q", key, got, want)
		}
	}
}
