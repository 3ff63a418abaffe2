//go:build interop

package interop

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// javaProduceConsume sends count messages with a Java producer and receives
// them with a Java consumer, both of the given version. Without a name server,
// flags of the JVM have to say where to find one.
func javaProduceConsume(t *testing.T, dir, version, namesrv, topic string, count int, flags ...string) {
	t.Helper()
	j := newJVM(t, version, filepath.Join(dir, "javaclient"))
	out, state := runJavaClient(t, j, namesrv, topic, count, flags...)
	checkTalk(t, "the Java client", topic, count, out, state)
}

// runJavaClient runs java/ProduceConsume.java and returns what it has printed.
func runJavaClient(t *testing.T, j jvm, namesrv, topic string, count int, flags ...string) (string, *os.ProcessState) {
	t.Helper()
	classes := compileJava(t, j, "ProduceConsume")

	const wait = 2 * soon
	argv := j.argv(t, classes, slices.Concat(toolMemory, flags), "ProduceConsume",
		namesrv, topic, "java-"+topic, strconv.Itoa(count), strconv.Itoa(int(wait.Seconds())))
	return run(t, 2*wait, "Java client "+j.version, j.home, argv...)
}

// compiled holds what each program was compiled to, by its name and class path.
var compiled struct {
	mu     sync.Mutex
	byName map[string]func() (string, error)
}

// compileJava compiles one program of the directory java against the class path of j,
// once for the whole suite, and returns the directory with its classes.
func compileJava(t *testing.T, j jvm, program string) string {
	t.Helper()
	cp := classPath(t, j.artifact, j.version)
	name := strings.Join([]string{program, j.artifact, j.version}, "-")
	compiled.mu.Lock()
	compile := compiled.byName[name]
	if compile == nil {
		compile = sync.OnceValues(func() (string, error) {
			dir, err := suiteDir()
			if err != nil {
				return "", err
			}
			classes := filepath.Join(dir, "classes-"+name)
			if err := os.Mkdir(classes, 0o755); err != nil {
				return "", err
			}
			javac := exec.Command("javac", "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC",
				"-nowarn", "-proc:none", "-cp", cp, "-sourcepath", "java", "-d", classes, filepath.Join("java", program+".java"))
			if out, err := javac.CombinedOutput(); err != nil {
				return "", fmt.Errorf("%w\n%s", err, out)
			}
			return classes, nil
		})
		if compiled.byName == nil {
			compiled.byName = make(map[string]func() (string, error))
		}
		compiled.byName[name] = compile
	}
	compiled.mu.Unlock()
	classes, err := compile()
	if err != nil {
		t.Fatalf("compile %s.java against RocketMQ %s: %v", program, j.version, err)
	}
	return classes
}

// A javaClients is a JVM with clients that do what they are told; see
// java/Client.java.
type javaClients struct {
	*process
	conn    net.Conn
	answers *bufio.Reader
}

// startJavaClients starts the JVM and waits until it asks what to do.
func startJavaClients(t *testing.T, dir, version string) *javaClients {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	j := newJVM(t, version, filepath.Join(dir, "javaclients"))
	classes := compileJava(t, j, "Client")
	argv := j.argv(t, classes, toolMemory, "Client", strconv.Itoa(ln.Addr().(*net.TCPAddr).Port))
	c := &javaClients{process: startProcess(t, t, "Java clients "+version, j.home, nil, argv...)}
	ln.(*net.TCPListener).SetDeadline(time.Now().Add(2 * soon))
	if c.conn, err = ln.Accept(); err != nil {
		t.Fatalf("wait for the Java clients: %v; their output ends with:\n%s", err, tail(c.output, 20))
	}
	t.Cleanup(func() { c.conn.Close() })
	c.answers = bufio.NewReader(c.conn)
	return c
}

// tell gives one order and returns an error unless the answer is ok.
func (c *javaClients) tell(words ...string) error {
	order := strings.Join(words, " ")
	c.conn.SetDeadline(time.Now().Add(2 * soon))
	if _, err := fmt.Fprintln(c.conn, order); err != nil {
		return hopeless{err}
	}
	answer, err := c.answers.ReadString('\n')
	if err != nil {
		return hopeless{fmt.Errorf("%s: %w", order, err)}
	}
	if answer != "ok\n" {
		return fmt.Errorf("%s: %s", order, strings.TrimSpace(answer))
	}
	return nil
}

// hasReceived returns nil if the consumer has printed that it has the message.
func (c *javaClients) hasReceived(consumer, body string) error {
	line := fmt.Sprintf("received %s %s\n", consumer, body)
	if !strings.Contains(c.text(), line) {
		return fmt.Errorf("no line %q", line)
	}
	return nil
}
