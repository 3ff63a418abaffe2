package namesrv_test

import (
	"net"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAddressServerOneSegment asks the kernel in how many segments the longest
// answer has come.
func TestAddressServerOneSegment(t *testing.T) {
	list := strings.Repeat("10.0.0.1:9876;", 72) + "10.0.0.10:9876"
	s := addressing(t, list)
	c := rawHTTP(t, s, "").(*net.TCPConn)
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if _, err := c.Write([]byte("GET /rocketmq/nsaddr HTTP/1.1\r\nHost: h\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 4096)
		n, err := c.Read(buf)
		if err != nil || !strings.HasSuffix(string(buf[:n]), list) || n > 1220 {
			t.Fatalf("answer of %d bytes %q, error %v", n, buf[:n], err)
		}
		var info *unix.TCPInfo
		raw.Control(func(fd uintptr) { info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
		if err != nil {
			t.Skipf("the kernel does not tell: %v", err)
		}
		if got := int(info.Data_segs_in); got != i+1 {
			t.Fatalf("%d answers came in %d segments", i+1, got)
		}
	}
}
