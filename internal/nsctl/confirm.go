package nsctl

import (
	"bufio"
	"fmt"
	"strings"
)

// confirm asks whether to do something. Without a terminal nobody is asked: whoever runs a
// script has decided. It returns an error if the answer is no.
func (c *ctl) confirm(format string, args ...any) error {
	if c.yes || !c.answers {
		return nil
	}
	fmt.Fprintf(c.stderr, format+" [y/N] ", args...)
	said := make(chan string, 1)
	go func() { // it ends with the program: nobody can take back a read of a terminal
		line, _ := bufio.NewReader(c.stdin).ReadString('\n')
		said <- line
	}()
	select {
	case line := <-said:
		switch strings.ToLower(strings.TrimSpace(line)) {
		case "y", "yes":
			return nil
		}
	case <-c.ended:
		fmt.Fprintln(c.stderr)
	}
	return no("nothing was changed")
}
