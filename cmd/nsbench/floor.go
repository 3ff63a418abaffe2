package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"gonamesrv/bench"
	"gonamesrv/bench/launch"
	"gonamesrv/codec"
)

// newFloorCommand is the server that only echoes. No server on this machine can be
// faster.
func newFloorCommand() *cobra.Command {
	var size int
	var reply bool
	cmd := &cobra.Command{
		Use:   "floor",
		Short: "Serve as the server that only echoes, on a free port of the loopback",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			frame := fillerReply(size)
			if reply {
				text, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
				if err == nil {
					frame, err = base64.StdEncoding.DecodeString(strings.TrimSpace(text))
				}
				if err != nil {
					return fmt.Errorf("read the reply: %w", err)
				}
			}
			addr, stop, err := bench.ListenEcho(cmd.Context(), frame)
			if err != nil {
				return err
			}
			defer stop()
			fmt.Fprintln(cmd.OutOrStdout(), "address", addr)
			<-cmd.Context().Done()
			return nil
		},
	}
	cmd.Flags().IntVar(&size, "size", 500, "bytes in the body of each reply")
	cmd.Flags().BoolVar(&reply, "reply", false, "read the reply to give from stdin: a whole frame in base64 on one line")
	return cmd
}

func fillerReply(size int) []byte {
	return codec.AppendReply(nil, codec.SerializeJSON, &codec.Reply{Opaque: 1_000_000_000, Body: make([]byte, max(0, size))})
}

// startFloor starts this program as the echo server, so that its CPU is not
// the generator's.
func startFloor(ctx context.Context, reply []byte) (addr string, pid int, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, nil, err
	}
	server, err := launch.New(ctx, launch.Floor(base64.StdEncoding.EncodeToString(reply)+"\n", self, "floor", "--reply"))
	if err != nil {
		return "", 0, nil, err
	}
	stop = func() { _ = server.Close() } // it only echoes: it has nothing to lose
	if err := server.Start(ctx); err != nil {
		stop()
		return "", 0, nil, err
	}
	return server.Target().Address, server.Target().PID, stop, nil
}
