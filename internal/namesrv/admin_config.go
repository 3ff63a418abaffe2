package namesrv

import (
	"fmt"
	"strings"
)

// AdminRoles are the words for what somebody may ask of the admin listener. Each may
// also what those before it may.
var AdminRoles = []string{"none", "probes", "metrics", "read", "debug"}

const (
	// DefaultAdminPort is where the admin listener is unless adminServerPort says
	// something else. Nobody has asked for it, so it stops no start.
	DefaultAdminPort = 19876

	// DefaultAdminAddress is its address: nobody but the machine itself sees it.
	DefaultAdminAddress = "127.0.0.1"

	// mostAdminConns bounds adminMaxConnections: the engine leaves so many more
	// descriptors alone.
	mostAdminConns = 10_000
)

// AdminAddresses returns where the admin listener is to listen.
func (c Config) AdminAddresses() []string {
	return addressesOf(c.AdminBindAddress, c.AdminServerPort)
}

// adminFiles returns how many file descriptors the admin listener needs at most.
func (c *Config) adminFiles() int {
	if c.AdminServerPort == 0 {
		return 0
	}
	return c.AdminMaxConnections
}

// AdminHosts returns the names of adminAllowedHosts.
func (c Config) AdminHosts() (hosts []string) {
	for _, host := range strings.FieldsFunc(c.AdminAllowedHosts, func(r rune) bool { return r == ';' || r == ',' }) {
		if host = strings.TrimSpace(host); host != "" {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// adminFaults is the share of the admin listener in Validate, but for words.
func (c *Config) adminFaults() (faults []error) {
	within := func(key string, got, least, most int) {
		if got < least || got > most {
			faults = append(faults, fmt.Errorf("namesrv: %s is %d, must be from %d to %d", key, got, least, most))
		}
	}
	within("adminServerPort", c.AdminServerPort, 0, 65535)
	if err := checkBindAddress(c.AdminBindAddress); err != nil {
		faults = append(faults, fmt.Errorf("namesrv: adminBindAddress %w", err))
	}
	for _, host := range c.AdminHosts() {
		if strings.ContainsFunc(host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("/:@*?#[]", r) }) {
			faults = append(faults, fmt.Errorf("namesrv: adminAllowedHosts: %q is no host name without port", clip(host)))
		}
	}
	within("adminMaxConnections", c.AdminMaxConnections, 1, mostAdminConns)
	within("adminMaxWatchers", c.AdminMaxWatchers, 0, mostAdminConns)
	if c.ReadyMinBrokers < 0 {
		faults = append(faults, fmt.Errorf("namesrv: readyMinBrokers is %d, must be at least 0", c.ReadyMinBrokers))
	}
	if c.ReadyMaxWait < 0 {
		faults = append(faults, fmt.Errorf("namesrv: readyMaxWaitSeconds is %v, must not be negative", c.ReadyMaxWait))
	}
	return faults
}
