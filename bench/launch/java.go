package launch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// ServerMemory are the JVM flags of the Java project's own bin/runserver.sh
// for JDK 9 and newer.
const ServerMemory = "-server -Xms4g -Xmx4g -XX:+UseG1GC -XX:G1HeapRegionSize=16m -XX:G1ReservePercent=25 " +
	"-XX:InitiatingHeapOccupancyPercent=30 -XX:SoftRefLRUPolicyMSPerMB=0 -XX:-OmitStackTraceInFastThrow -XX:-UseLargePages"

// openModules are what releases of 4.x need on a JDK of today; harmless to others.
var openModules = []string{
	"--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
	"--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
	"--add-opens=java.base/java.nio=ALL-UNNAMED",
	"--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
	"--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
}

var versionForm = regexp.MustCompile(`^\d+(\.\d+)+(-[0-9A-Za-z.]+)?$`)

// Java is the NameServer of that RocketMQ release, such as 5.5.0, resolved by
// Maven. flags are JVM flags instead of ServerMemory; "" means those.
func Java(version, flags string) (Spec, error) {
	if !versionForm.MatchString(version) {
		return Spec{}, fmt.Errorf("%q is no release of RocketMQ, such as 5.5.0", version)
	}
	if flags == "" {
		flags = ServerMemory
	}
	return Spec{Name: "java " + version, JVM: true, within: 2 * time.Minute, prepare: func(ctx context.Context, dir string, port int) ([]string, error) {
		java, err := exec.LookPath("java")
		if err != nil {
			return nil, errors.New("there is no java on the PATH; a JDK or JRE 8 or newer runs the Java NameServer")
		}
		cp, err := classPath(ctx, version)
		if err != nil {
			return nil, err
		}
		return javaCommand(java, cp, strings.Fields(flags), dir, port)
	}}, nil
}

func javaCommand(java, classPath string, flags []string, dir string, port int) ([]string, error) {
	conf, err := writeConf(dir, port)
	if err != nil {
		return nil, err
	}
	// 4.x does not start without its file, 5.x looks for one of another name.
	// Both log warnings only, which saves Java some work.
	if err := os.MkdirAll(filepath.Join(dir, "conf"), 0o700); err != nil {
		return nil, err
	}
	for _, name := range []string{"logback_namesrv.xml", "rmq.namesrv.logback.xml"} {
		if err := os.WriteFile(filepath.Join(dir, "conf", name), []byte(logback), 0o600); err != nil {
			return nil, err
		}
	}
	argv := append([]string{java}, flags...)
	argv = append(argv, openModules...)
	argv = append(argv,
		"-Duser.home="+dir, "-Drocketmq.home.dir="+dir, "-Djava.io.tmpdir="+dir,
		"-Drmq.logback.configurationFile="+filepath.Join(dir, "conf", "rmq.namesrv.logback.xml"),
		"-cp", classPath, "org.apache.rocketmq.namesrv.NamesrvStartup", "-c", conf)
	return argv, nil
}

const logback = `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} %p %t %m%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
`

const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>gonamesrv</groupId>
  <artifactId>nsbench-classpath</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.rocketmq</groupId>
      <artifactId>rocketmq-namesrv</artifactId>
      <version>%s</version>
    </dependency>
  </dependencies>
  <build>
    <plugins>
      <plugin>
        <groupId>org.apache.maven.plugins</groupId>
        <artifactId>maven-dependency-plugin</artifactId>
        <version>3.6.1</version>
      </plugin>
    </plugins>
  </build>
</project>
`

// classPath asks Maven, and keeps the answer as long as all its jars are there.
func classPath(ctx context.Context, version string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "gonamesrv-nsbench")
	file := filepath.Join(dir, "classpath-"+version+".txt")
	if cp, err := readClassPath(file); err == nil {
		return cp, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", errors.New("there is no mvn on the PATH; Maven fetches the Java NameServer from Maven Central")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp("", "nsbench-maven-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), fmt.Appendf(nil, pom, version), 0o600); err != nil {
		return "", err
	}
	found := filepath.Join(work, "classpath.txt")
	const tries = 3 // Maven Central is far away
	for try := 1; ; try++ {
		cmd := exec.CommandContext(ctx, mvn, "-B", "-q", "-U", "-f", filepath.Join(work, "pom.xml"),
			"-Dmdep.outputFile="+found, "dependency:build-classpath")
		out, err := cmd.CombinedOutput()
		if err == nil {
			break
		}
		if try == tries || ctx.Err() != nil {
			return "", fmt.Errorf("fetch RocketMQ %s with Maven: %w\n%s", version, errors.Join(err, ctx.Err()), out)
		}
	}
	cp, err := readClassPath(found)
	if err != nil {
		return "", fmt.Errorf("class path of RocketMQ %s: %w", version, err)
	}
	// The next run asks Maven again when this cannot be kept.
	_ = os.WriteFile(file, []byte(cp), 0o644)
	return cp, nil
}

// readClassPath returns the class path in file if all its jars are there.
func readClassPath(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	cp := strings.TrimSpace(string(b))
	if cp == "" {
		return "", errors.New("the class path is empty")
	}
	for _, jar := range filepath.SplitList(cp) {
		if _, err := os.Stat(jar); err != nil {
			return "", err
		}
	}
	return cp, nil
}
