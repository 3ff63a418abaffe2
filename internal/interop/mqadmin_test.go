//go:build interop

package interop

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An mqadmin is the real admin tool of one version, aimed at one name server.
type mqadmin struct {
	jvm
	namesrv string
}

func newMQAdmin(t *testing.T, dir, version, namesrv string) mqadmin {
	t.Helper()
	return mqadmin{jvm: newJVM(t, version, filepath.Join(dir, "mqadmin")), namesrv: namesrv}
}

// run runs one command and returns what it printed. mqadmin exits with 0 even
// when it fails, so the caller judges the text. What has timed out is run again:
// a JVM that starts on a busy machine may need longer than mqadmin waits.
func (m mqadmin) run(t *testing.T, command string, args ...string) string {
	t.Helper()
	args = append([]string{command, "-n", m.namesrv}, args...)
	argv := m.argv(t, "", toolMemory, "org.apache.rocketmq.tools.command.MQAdminStartup", args...)
	for tries := 3; ; tries-- {
		out, _ := run(t, 2*soon, "mqadmin "+m.version+" "+command, m.home, argv...)
		if tries == 1 || !strings.Contains(out, "RemotingTimeoutException") {
			return out
		}
		t.Logf("mqadmin %s has timed out", command)
	}
}

// listsBrokers fails the test unless clusterList prints a row for each broker
// of the set. Cluster, name, id and address come from the name server and must
// be there the first time. The version comes from the broker found with them,
// and a broker that has just started may need another try.
func (m mqadmin) listsBrokers(t *testing.T, brokers ...*broker) {
	t.Helper()
	waitFor(t, 2*soon, "mqadmin clusterList prints all brokers with their versions", func() error {
		out := m.run(t, "clusterList")
		for _, b := range brokers {
			row := []string{cluster, b.name, fmt.Sprint(b.id), b.addr()}
			if !hasRow(out, row) {
				return hopeless{fmt.Errorf("no row that begins with %q in:\n%s", row, out)}
			}
			row = append(row, "V"+strings.ReplaceAll(b.version, ".", "_"))
			if !hasRow(out, row) {
				return fmt.Errorf("no row that begins with %q in:\n%s", row, out)
			}
		}
		return nil
	})
}

// hasRow reports whether some line of a table begins with these columns.
func hasRow(table string, columns []string) bool {
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) >= len(columns) && slices.Equal(f[:len(columns)], columns) {
			return true
		}
	}
	return false
}
