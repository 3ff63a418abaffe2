//go:build interop

package interop

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A jvm says how to run a main class of one RocketMQ version with all its
// files below one directory.
type jvm struct {
	version  string
	artifact string   // whose class path to use; empty is the common one
	home     string   // also user.home and rocketmq.home.dir
	under    []string // what runs its command
}

// newJVM makes dir ready to be the home of a Java party.
func newJVM(t *testing.T, version, dir string) jvm {
	t.Helper()
	conf := filepath.Join(dir, "conf")
	if err := os.MkdirAll(conf, 0o755); err != nil {
		t.Fatal(err)
	}
	// 4.x does not start without these; 5.x brings its own.
	for _, party := range []string{"namesrv", "broker", "tools"} {
		writeFile(t, filepath.Join(conf, "logback_"+party+".xml"), logback)
	}
	return jvm{version: version, home: dir}
}

const logback = `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} %p %t %m%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="out"/></root>
</configuration>
`

// Memory and the CPU time of a start matter more to the suite than throughput.
var (
	serverMemory = []string{"-Xms64m", "-Xmx256m"}
	brokerMemory = []string{"-Xms128m", "-Xmx512m"}
	toolMemory   = []string{"-Xms64m", "-Xmx128m"}
)

// A JVM of the suite lives for a minute at most. What it compiles well, with the
// second compiler, it has no time to use; what is on its class path, a released jar,
// need not be verified; and one thread is enough to collect garbage.
var shortLived = []string{
	"-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto",
	"-XX:+UnlockDiagnosticVMOptions", "-XX:-BytecodeVerificationRemote",
}

// A server of RocketMQ makes a key and a certificate for itself when it starts, unless it
// is told that nobody will speak TLS to it: 4 s of a processor for 5.5.0, two thirds of its
// start. Who wants TLS says so with withTLS.
const (
	withoutTLS = "-Dtls.server.mode=disabled"
	withTLS    = "-Dtls.server.mode=permissive" // the default of a server
)

// Brokers of 4.x unmap files by reflection; so does the netty of 4.3.0, in
// mqadmin as well. Harmless for the others.
var openModules = []string{
	"--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
	"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
	"--add-opens=java.base/java.nio=ALL-UNNAMED",
	"--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
	"--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
}

// argv returns the command line. extraClasses is put before the class path;
// it may be empty.
func (j jvm) argv(t *testing.T, extraClasses string, flags []string, mainClass string, args ...string) []string {
	t.Helper()
	cp := classPath(t, j.artifact, j.version)
	if extraClasses != "" {
		cp = extraClasses + string(os.PathListSeparator) + cp
	}
	argv := slices.Concat(j.under, []string{"java"}, shortLived)
	argv = append(argv,
		"-Duser.home="+j.home, "-Drocketmq.home.dir="+j.home, "-Djava.io.tmpdir="+j.home)
	argv = append(argv, openModules...)
	argv = append(argv, diskFlags...) // of brokers; nobody else reads them
	argv = append(argv, withoutTLS)
	argv = append(argv, flags...) // of two that set one property the last one counts
	argv = append(argv, "-cp", cp, mainClass)
	return append(argv, args...)
}

// writeProperties writes a Java .properties file of "key=value" lines.
func writeProperties(t *testing.T, path string, lines []string) {
	t.Helper()
	writeFile(t, path, strings.Join(lines, "\n")+"\n")
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
