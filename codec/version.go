package codec

// Version is the MQVersion this package puts into every reply and request it
// writes: V5_3_3, the release it stands in for.
const Version = 479

// Versions that decide how bytes are read or written, and the largest one.
// The number is the ordinal in Java's MQVersion.Version.
const (
	V3_0_11       = 37  // from here on the body of REGISTER_BROKER is a RegisterBrokerBody
	V4_9_4        = 401 // from here on routes are answered in the strict dialect
	V5_0_0        = 413 // from here on a compact body ends with a mapping section
	V5_3_1        = 475 // newer clients understand GO_AWAY
	HigherVersion = 612 // what every larger number means
)
