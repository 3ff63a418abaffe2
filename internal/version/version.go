// Package version says which version the programs are. It is written here and nowhere
// else: packages, images and archives take it from this file.
package version

import (
	"runtime/debug"
	"sync"
)

// Release is the version that a build is of, or leads to, as semver.org has it.
const Release = "0.1.0-dev"

// String returns the release and, as far as the build knows it, the revision that it was
// built from: 0.1.0-dev+0123456789ab.
var String = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(Release, info)
})

// versionOf returns the version of a build, in the form of semver.org.
func versionOf(release string, info *debug.BuildInfo) string {
	const digits = 12 // of the revision, enough to find it
	var revision, modified string
	if info != nil {
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				revision = s.Value
			case "vcs.modified":
				modified = s.Value
			}
		}
	}
	if revision == "" {
		return release
	}
	version := release + "+" + revision[:min(digits, len(revision))]
	if modified == "true" {
		version += ".modified"
	}
	return version
}
