package namesrv

import (
	"gonamesrv/internal/nsdiff"
	"gonamesrv/internal/version"
)

// versionKey is shown by GET_NAMESRV_CONFIG among the keys; nobody can set it.
// Not a Java key.
const versionKey = nsdiff.VersionKey

// Version returns the release and, as far as the build knows it, the revision
// that it was built from.
func Version() string { return version.String() }
