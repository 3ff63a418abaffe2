package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"gonamesrv/internal/nstest"
)

// TestFewFiles starts the program with ever more file descriptors. It says that it
// has booted only if it serves; else it ends, and says in one line why and what
// to do.
func TestFewFiles(t *testing.T) {
	failed, served := map[int]bool{}, false
	for limit := 8; limit < 64 && !served; limit++ {
		var stdout, stderr output
		// What make leaves open in its children would count.
		child := exec.Command("sh", "-c", fmt.Sprintf(`exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n %d; exec "$0" "$@"`, limit),
			os.Args[0], "-c", properties(t, "bindAddress=127.0.0.1", "listenPort=0", "serverSelectorThreads=3"))
		child.Env = append(os.Environ(), "NAMESRV_TEST_CHILD=1")
		child.Stdout, child.Stderr = &stdout, &stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { child.Wait(); close(ended) }()
		nstest.Eventually(t, "it has booted or ended", func() bool {
			select {
			case <-ended:
				return true
			default:
				return booted.MatchString(stdout.String())
			}
		})
		if served = booted.MatchString(stdout.String()); served {
			select {
			case <-ended:
				t.Errorf("with %d files it has booted, and ends with %s", limit, &stderr)
			default:
				child.Process.Kill()
				<-ended
			}
			break
		}
		failed[limit] = true
		lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
		if last := lines[len(lines)-1]; child.ProcessState.ExitCode() != exitFailed || !strings.HasPrefix(last, "namesrv: ") || strings.HasPrefix(last, "namesrv: engine: ") ||
			!strings.HasSuffix(last, ": too many open files; raise the limit of open files (ulimit -n)") {
			t.Errorf("with %d files it ends with %d, stderr\n%s", limit, child.ProcessState.ExitCode(), &stderr)
		}
	}
	if !failed[12] || !served {
		t.Errorf("it has failed with %v files, and then served: %v", failed, served)
	}
}
