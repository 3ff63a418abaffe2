//go:build interop

package interop

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
)

// The guard is this test binary run a second time. It reads from a pipe which
// process groups live and, when the pipe closes, kills the ones left. So no JVM
// outlives a test binary that panics, times out or is killed.

const guardEnv = "GONAMESRV_INTEROP_GUARD"

var guard struct {
	mu   sync.Mutex
	pipe io.WriteCloser
}

func startGuard() error {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), guardEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for the tests, not for their guard
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	guard.pipe = pipe
	return nil
}

// guardTell reports that the process group pgid was born ('+') or died ('-').
func guardTell(sign byte, pgid int) {
	guard.mu.Lock()
	defer guard.mu.Unlock()
	fmt.Fprintf(guard.pipe, "%c%d\n", sign, pgid)
}

func guardMain() {
	alive := make(map[int]bool)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		line := lines.Text()
		if len(line) < 2 {
			continue
		}
		pgid, err := strconv.Atoi(line[1:])
		if err != nil || pgid <= 1 {
			continue
		}
		if line[0] == '+' {
			alive[pgid] = true
		} else {
			delete(alive, pgid)
		}
	}
	for pgid := range alive {
		syscall.Kill(-pgid, syscall.SIGKILL)
	}
}
