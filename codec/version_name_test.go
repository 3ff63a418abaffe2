package codec

import "testing"

func TestVersionName(t *testing.T) {
	for version, want := range map[int32][2]string{
		-1:            {"UNKNOWN", "unknown"},
		0:             {"V3_0_0_SNAPSHOT", "3.0"},
		15:            {"V3_0_0_FINAL", "3.0"},
		16:            {"V3_0_1_SNAPSHOT", "3.0"},
		17:            {"V3_0_1", "3.0"},
		V3_0_11:       {"V3_0_11", "3.0"},
		45:            {"V3_0_15", "3.0"},
		46:            {"V3_1_0_SNAPSHOT", "3.1"},
		138:           {"V3_5_9_SNAPSHOT", "3.5"},
		140:           {"V3_6_1_SNAPSHOT", "3.6"},
		V4_9_4:        {"V4_9_4", "4.9"},
		V5_0_0 - 1:    {"V5_0_0_SNAPSHOT", "5.0"},
		V5_0_0:        {"V5_0_0", "5.0"},
		V5_3_1:        {"V5_3_1", "5.3"},
		Version:       {"V5_3_3", "5.3"},
		611:           {"V5_9_9", "5.9"},
		HigherVersion: {"HIGHER_VERSION", "higher"},
		1<<31 - 1:     {"HIGHER_VERSION", "higher"},
	} {
		if name, minor := VersionName(version); name != want[0] || minor != want[1] {
			t.Errorf("%d is %s, %s, want %v", version, name, minor, want)
		}
	}
	names := map[string]bool{}
	for version := range int32(HigherVersion) {
		name, _ := VersionName(version)
		if names[name] {
			t.Errorf("two versions are called %s", name)
		}
		names[name] = true
	}
}
