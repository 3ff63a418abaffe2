//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// missing says which tool the suite lacks; empty when it has all.
var missing string

func TestMain(m *testing.M) {
	if os.Getenv(guardEnv) != "" {
		guardMain()
		return
	}
	if os.Getenv(goClientEnv) != "" {
		code := m.Run() // as one client, of a test in another process
		printFaults(os.Stdout)
		os.Exit(code)
	}
	os.Unsetenv("NAMESRV_ADDR") // what a test does not say, no process shall know; empty is a list to Java
	missing = missingTool()
	switch {
	case missing == "":
		fmt.Println("interop: the server under test is", subject())
		if err := startGuard(); err != nil {
			fmt.Fprintln(os.Stderr, "interop: start the guard of the processes:", err)
			os.Exit(1)
		}
		if err := claimPorts(); err != nil {
			fmt.Fprintln(os.Stderr, "interop: find ports:", err)
			os.Exit(1)
		}
	case os.Getenv("CI") == "true":
		fmt.Println("interop: cannot run, and CI=true forbids skipping:", missing)
	default:
		fmt.Println("interop: all tests are skipped:", missing)
	}
	code := m.Run()
	printTrials()
	spent.print(os.Stdout)
	printFaults(os.Stdout)
	if dir, err := suiteDir(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// needTools skips the test where a tool is missing, or fails it under CI=true.
func needTools(t *testing.T) {
	t.Helper()
	if missing == "" {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("cannot run, and CI=true forbids skipping: %s", missing)
	}
	t.Skip(missing)
}

// missingTool returns why the suite cannot run, or "". It runs each tool,
// because some systems carry a java that only asks for a JDK.
func missingTool() string {
	for _, tool := range [][]string{{"java", "-version"}, {"javac", "-version"}, {"mvn", "-v"}} {
		out, err := exec.Command(tool[0], tool[1:]...).CombinedOutput()
		if err != nil {
			return strings.TrimSpace(fmt.Sprintf("a JDK and Maven are needed; %s: %v %s", strings.Join(tool, " "), err, out))
		}
	}
	return ""
}
