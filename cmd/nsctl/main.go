// Command nsctl looks into name servers of RocketMQ, ours and Java's, and changes what
// they hold.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"gonamesrv/internal/nsctl"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	run := nsctl.Run
	if nsctl.IsMQAdmin(os.Args[0]) {
		run = nsctl.RunMQAdmin
	}
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
