package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"time"

	"gonamesrv/bench/group"
)

// A Command is a server that is started by a command and listens on a known
// address. It implements Server.
type Command struct {
	Name    string        // what it is called in results
	Argv    []string      // program and arguments
	Address string        // host:port that it will listen on
	Output  io.Writer     // what it writes; nil discards it
	Within  time.Duration // how long it may take to listen; 0 is a minute

	cmd   *exec.Cmd
	ended chan struct{}
}

// Start starts the process and waits until it accepts connections. It fails
// when somebody else listens on the address already, and then leaves no process
// behind.
func (c *Command) Start(ctx context.Context) error {
	if len(c.Argv) == 0 {
		return errors.New("no command")
	}
	if conn, err := net.DialTimeout("tcp", c.Address, time.Second); err == nil {
		conn.Close()
		return fmt.Errorf("%s: somebody listens on %s already", c.Argv[0], c.Address)
	}
	cmd := exec.Command(c.Argv[0], c.Argv[1:]...)
	cmd.Stdout, cmd.Stderr = c.Output, c.Output
	group.Own(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // killed, as a rule
		close(ended)
	}()
	c.cmd, c.ended = cmd, ended
	within := c.Within
	if within == 0 {
		within = time.Minute
	}
	var dialer net.Dialer
	for deadline := time.Now().Add(within); ; time.Sleep(poll) {
		if conn, err := dialer.DialContext(ctx, "tcp", c.Address); err == nil {
			conn.Close()
			return nil
		}
		select {
		case <-ended:
			// A script may have started the server and ended.
			if !group.Alive(cmd.Process.Pid) {
				return fmt.Errorf("%s ended before it listened on %s: %v", c.Argv[0], c.Address, cmd.ProcessState)
			}
		default:
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("%s does not listen on %s within %v", c.Argv[0], c.Address, within), ctx.Err(), c.Kill())
		}
	}
}

// Kill ends the process and all that it has started, and waits until they are
// gone. One that was never started is gone.
func (c *Command) Kill() error {
	if c.cmd == nil {
		return nil
	}
	if err := group.Kill(c.cmd.Process.Pid); err != nil {
		return err
	}
	<-c.ended
	return nil
}

// Pause stops the process, and what it has started, until Resume.
func (c *Command) Pause() error {
	if c.cmd == nil {
		return errNotStarted
	}
	return group.Pause(c.cmd.Process.Pid)
}

// Resume lets the process go on.
func (c *Command) Resume() error {
	if c.cmd == nil {
		return errNotStarted
	}
	return group.Resume(c.cmd.Process.Pid)
}

var errNotStarted = errors.New("the server was not started")

// Target describes the process.
func (c *Command) Target() Target {
	t := Target{Name: c.Name, Address: c.Address, Command: c.Argv}
	if c.cmd != nil {
		t.PID = c.cmd.Process.Pid
	}
	return t
}
