package main

import "runtime/debug"

// revision is set by -ldflags where go build does not note it.
var revision string

// version is what --version says: what the build knows.
func version() string {
	v := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	if c := commit(); c != "" {
		v += " (commit " + c + ")"
	}
	return v
}

// commit is the commit this program was built from, as far as go build noted it.
func commit() string {
	if revision != "" {
		return revision
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var revision, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	return revision + dirty
}
