package nsctl

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// How tables show what there is.

// dashed is a text as a table shows it. What is not known is never shown as nothing or 0.
func dashed(s string) string { return cmp.Or(s, "–") }

// textOf is a value as a table shows it.
func textOf(s *string) string {
	switch {
	case s == nil:
		return "–"
	case *s == "":
		return `""`
	}
	return *s
}

// deref is what s points to, "" for nil.
func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// number is a number as a table shows it, if it is known.
func number[T any](n *T, format string) string {
	if n == nil {
		return "–"
	}
	return fmt.Sprintf(format, *n)
}

// uptime is how long a server runs, in its largest unit.
func uptime(seconds *int64) string {
	if seconds == nil {
		return "–"
	}
	switch n := *seconds; {
	case n >= 24*3600:
		return fmt.Sprintf("%dd", n/(24*3600))
	case n >= 3600:
		return fmt.Sprintf("%dh", n/3600)
	case n >= 60:
		return fmt.Sprintf("%dm", n/60)
	default:
		return fmt.Sprintf("%ds", n)
	}
}

// clip returns some names, and how many more there are.
func clip(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// shownTime is a moment as it is shown: local, for people who have a clock on the wall,
// with its zone.
func shownTime(t time.Time) string { return t.Format("2006-01-02 15:04:05.000 Z07:00") }

// shownAge is a time that has passed.
func shownAge(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
