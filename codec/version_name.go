package codec

import "fmt"

// firstVersions are the names of the first ordinals. All later ones follow a rule.
var firstVersions = [...]string{
	"V3_0_0_SNAPSHOT", "V3_0_0_ALPHA1", "V3_0_0_BETA1", "V3_0_0_BETA2", "V3_0_0_BETA3", "V3_0_0_BETA4", "V3_0_0_BETA5",
	"V3_0_0_BETA6_SNAPSHOT", "V3_0_0_BETA6", "V3_0_0_BETA7_SNAPSHOT", "V3_0_0_BETA7", "V3_0_0_BETA8_SNAPSHOT", "V3_0_0_BETA8",
	"V3_0_0_BETA9_SNAPSHOT", "V3_0_0_BETA9", "V3_0_0_FINAL",
}

// VersionName returns Java's name of a version, as V5_3_3, and its minor version, as
// 5.3. Of what is larger than Java knows these are HIGHER_VERSION and "higher"; of what
// is negative, UNKNOWN and "unknown". Java: MQVersion.Version.
func VersionName(version int32) (name, minor string) {
	switch {
	case version < 0:
		return "UNKNOWN", "unknown"
	case version >= HigherVersion:
		return "HIGHER_VERSION", "higher"
	case int(version) < len(firstVersions):
		return firstVersions[version], "3.0"
	}
	// Each release comes behind its snapshot.
	n := int(version) - len(firstVersions)
	a, b, c := 3, 0, 0
	suffix := "_SNAPSHOT"
	if n%2 == 1 {
		suffix = ""
	}
	switch n /= 2; {
	case n < 15: // 3.0.1 to 3.0.15
		c = n + 1
	case n < 15+20: // 3.1.0 to 3.2.9
		n -= 15
		b, c = 1+n/10, n%10
	case n < 15+20+63: // 3.3.1 to 3.9.9, without zeros
		n -= 15 + 20
		b, c = 3+n/9, 1+n%9
	default: // from 4.0.0 on
		n -= 15 + 20 + 63
		a, b, c = 4+n/100, n/10%10, n%10
	}
	return fmt.Sprintf("V%d_%d_%d%s", a, b, c, suffix), fmt.Sprintf("%d.%d", a, b)
}
