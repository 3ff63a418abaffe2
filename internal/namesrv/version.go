package namesrv

import (
	"runtime/debug"
	"sync"

	"gonamesrv/internal/nsdiff"
)

// release is the version that a build is of, or leads to.
const release = "0.1.0-dev"

// versionKey is shown by GET_NAMESRV_CONFIG among the keys; nobody can set it.
// Not a Java key.
const versionKey = nsdiff.VersionKey

// Version returns the release and, as far as the build knows it, the revision
// that it was built from: 0.1.0-dev+0123456789ab.
var Version = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(release, info)
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
