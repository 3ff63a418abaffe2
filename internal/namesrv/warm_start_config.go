package namesrv

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// The words of warmStart.
const (
	warmStartOff    = "off"
	warmStartShadow = "shadow"
	warmStartOn     = "on"
)

// maxIdentity bounds warmStartIdentity in bytes: it has to fit a stamp.
const maxIdentity = 255

// besideKVConfig returns where the snapshot of the routes is when nothing is said
// of it: in the folder of the KV config; "" if that is in memory only.
func besideKVConfig(kvConfigPath string) string {
	if kvConfigPath == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(kvConfigPath), "routes.snap")
}

// keepsSnapshot reports whether the routes are written to a file.
func (c *Config) keepsSnapshot() bool {
	return c.RouteSnapshotPath != "" && c.WarmStart != warmStartOff
}

// identity returns whose snapshot a server goes on with. By default that is the
// address that peers know it by, as far as it knows it itself: two servers of one
// machine, perhaps of two clusters, must not take the routes of one another.
func (c *Config) identity() string {
	if c.WarmStartIdentity != "" {
		return c.WarmStartIdentity
	}
	host := hostName()
	if most := maxIdentity - len(":65535"); len(host) > most {
		host = host[:most]
	}
	return net.JoinHostPort(host, strconv.Itoa(c.ListenPort))
}

// hostName returns the name of the machine, "" if nobody knows.
func hostName() string {
	host, _ := os.Hostname()
	return host
}

// warmStartFaults is the share of the warm start in Validate, but for words.
func (c *Config) warmStartFaults() (faults []error) {
	if n := len(c.WarmStartIdentity); n > maxIdentity {
		faults = append(faults, fmt.Errorf("namesrv: warmStartIdentity has %d bytes, must have at most %d", n, maxIdentity))
	}
	if c.WarmStartMaxAge <= 0 {
		faults = append(faults, fmt.Errorf("namesrv: warmStartMaxAgeSeconds is %v, must be positive", c.WarmStartMaxAge))
	}
	if c.WarmStartLoadTime <= 0 {
		faults = append(faults, fmt.Errorf("namesrv: warmStartLoadMillis is %v, must be positive", c.WarmStartLoadTime))
	}
	return faults
}
