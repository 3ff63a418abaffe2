package launch

import (
	"errors"
	"fmt"
	"net"

	"gonamesrv/codec"
)

// askOpaque has ten digits, as a server that only echoes replaces so many.
const askOpaque = 1_000_000_001

// askOver sends one request and reads its reply.
func askOver(conn net.Conn) error {
	request := codec.Command{Code: codec.ReqGetBrokerClusterInfo, Opaque: askOpaque, Language: codec.LanguageJava, Version: codec.Version}
	if _, err := conn.Write(codec.AppendRequest(nil, codec.SerializeJSON, &request)); err != nil {
		return err
	}
	var in []byte
	chunk := make([]byte, 64<<10)
	for {
		n, err := conn.Read(chunk)
		in = append(in, chunk[:n]...)
		size, cutErr := codec.SplitFrame(in)
		switch {
		case cutErr != nil:
			return cutErr
		case size > 0 && size <= len(in):
			var reply codec.Command
			if err := reply.Decode(in[:size]); err != nil {
				return err
			}
			if reply.Opaque != askOpaque {
				return fmt.Errorf("the reply has opaque %d, want %d", reply.Opaque, askOpaque)
			}
			return nil
		case err != nil:
			return errors.Join(errors.New("no reply"), err)
		}
	}
}
