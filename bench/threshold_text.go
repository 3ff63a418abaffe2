package bench

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ParseThreshold reads a threshold. Whether a run has that phase and that request
// is known when it is planned: Run refuses those that it has not.
func ParseThreshold(text string) (Threshold, error) {
	t := Threshold{Text: strings.Join(strings.Fields(text), " ")}
	what, value, err := t.cut()
	if err != nil {
		return t, err
	}
	if phase, rest, ok := strings.Cut(what, ":"); ok {
		t.Phase, what = strings.TrimSpace(phase), rest
	}
	m, err := t.name(strings.Fields(what))
	if err != nil {
		return t, err
	}
	return t, t.value(strings.TrimSpace(value), m)
}

func (t *Threshold) errorf(format string, args ...any) error {
	return fmt.Errorf("threshold %q: %w", t.Text, fmt.Errorf(format, args...))
}

// cut splits t at its sign.
func (t *Threshold) cut() (what, value string, err error) {
	if i := strings.IndexAny(t.Text, "<>"); i >= 0 {
		t.Sign, value = t.Text[i:i+1], t.Text[i+1:]
		if strings.HasPrefix(value, "=") {
			t.Sign, value = t.Sign+"=", value[1:]
		}
		return t.Text[:i], value, nil
	}
	// The short form of a change.
	if i := strings.LastIndexByte(t.Text, ' '); i >= 0 && strings.HasSuffix(t.Text, "%") {
		switch t.Text[i+1] {
		case '+':
			t.Sign = ">"
			return t.Text[:i], t.Text[i+1:], nil
		case '-':
			t.Sign = "<"
			return t.Text[:i], t.Text[i+1:], nil
		}
	}
	return "", "", t.errorf("has no comparison; such as: route p99 > 5ms")
}

// name finds out which figure the words mean.
func (t *Threshold) name(words []string) (measure, error) {
	if len(words) == 0 {
		return 0, t.errorf("names no figure; such as: route p99 > 5ms")
	}
	if words[0] == ofMilestone {
		t.Request, t.Figure = ofMilestone, strings.Join(words[1:], " ")
		if t.Figure == "" {
			return 0, t.errorf("names no milestone; such as: milestone every route back > 2s")
		}
		return lapse, nil
	}
	t.Request, t.Figure = strings.Join(words[:len(words)-1], " "), words[len(words)-1]
	known := figuresOf(t.Request)
	i := slices.IndexFunc(known, func(f figureName) bool { return f.name == t.Figure })
	if i < 0 {
		var names []string
		for _, f := range known {
			names = append(names, f.name)
		}
		of := t.Request
		if of != ofServer && of != ofLookups {
			of = "a request"
		}
		return 0, t.errorf("%q is no figure of %s; there are %s", t.Figure, of, strings.Join(names, ", "))
	}
	return known[i].of, nil
}

var valuePattern = regexp.MustCompile(`^([+-]?)(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(\D.*)?$`)

// value reads the limit of a figure that counts m.
func (t *Threshold) value(text string, m measure) error {
	parts := valuePattern.FindStringSubmatch(text)
	if parts == nil {
		return t.errorf("%q is no value; such as 5ms, 30000/s, 150MB, 1%%, 2x undisturbed or +10%%", text)
	}
	v, err := strconv.ParseFloat(parts[2], 64)
	if err != nil {
		return t.errorf("%q is no number", parts[2])
	}
	unit, of, _ := strings.Cut(parts[3], " ")
	switch {
	case parts[1] != "":
		if unit != "%" || of != "" {
			return t.errorf("%q is no change; such as +10%%", text)
		}
		if parts[1] == "-" {
			v = -v
		}
		t.Limit, t.Unit, t.Change = 1+v/100, "×", true
		if t.Limit < 0 {
			return t.errorf("%q is more than there can be", text)
		}
		return nil
	case unit == "x" || unit == "×":
		if t.Of = strings.TrimSpace(of); t.Of == "" {
			return t.errorf("%q is a ratio to nothing; such as 2x undisturbed", text)
		}
		t.Limit, t.Unit = v, "×"
		return nil
	case of != "":
		return t.errorf("%q is no value: what does %q mean?", text, of)
	}
	if t.Limit, t.Unit, err = inUnit(v, unit, m); err != nil {
		return t.errorf("%w", err)
	}
	return nil
}
