//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAttackJava sends the two frames of CVE-2023-37582 to Java name servers that they work
// on (of 4.9.6 too, which Maven Central does not have), to one that was mended, and to ours. The first says where the configuration is
// stored, the second what is written there. Ours lets everybody do everything, so that no
// preset stands between.
func TestAttackJava(t *testing.T) {
	needTools(t)
	t.Parallel()
	for _, tc := range []struct {
		name, java string
		conf       []string
		written    bool
	}{
		{"Java 4.9.5", "4.9.5", nil, true},
		{"Java 5.1.1", "5.1.1", nil, true},
		{"Java 4.9.7", "4.9.7", nil, false},
		{"ours", "", []string{"accessPreset=open"}, false},
	} {
		step(t, tc.name, func(t *testing.T) {
			dir := workDir(t)
			s := newSide(tc.name, startNamesrvOf(t, filepath.Join(dir, "subject"), tc.java, tc.conf...))
			outside := filepath.Join(dir, "written")
			for _, body := range []string{"configStorePath=" + outside, "productEnvName=export JAVA_OPT=attack"} {
				reply, err := s.send(0, request{code: requestCodes["set"], body: []byte(body)})
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s is answered %s", body, reply.head)
			}
			text, err := os.ReadFile(outside)
			if written := err == nil; written != tc.written || written && !strings.Contains(string(text), "JAVA_OPT=attack") {
				t.Errorf("the file is written: %v, %.200q", written, text)
			}
		})
	}
}
