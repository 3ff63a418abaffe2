package namesrv_test

import (
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
)

// TestAdminConfig refuses each value of the admin listener that cannot be meant, and
// lets no request change any of its keys: whoever reaches the name server must not
// open the admin listener.
func TestAdminConfig(t *testing.T) {
	for _, tt := range []struct {
		change func(*namesrv.Config)
		want   string
	}{
		{func(c *namesrv.Config) { c.AdminServerPort = 65536 }, "adminServerPort is 65536, must be from 0 to 65535"},
		{func(c *namesrv.Config) { c.AdminServerPort = -1 }, "adminServerPort is -1, must be from 0 to 65535"},
		{func(c *namesrv.Config) { c.AdminBindAddress = "" }, "adminBindAddress "},
		{func(c *namesrv.Config) { c.AdminAllowedHosts = "a.example;b.example:80" }, `adminAllowedHosts: "b.example:80" is no host name`},
		{func(c *namesrv.Config) { c.AdminAllowedHosts = "*" }, `adminAllowedHosts: "*" is no host name`},
		{func(c *namesrv.Config) { c.AdminMaxConnections = 0 }, "adminMaxConnections is 0, must be from 1 to 10000"},
		{func(c *namesrv.Config) { c.AdminMaxConnections = 10_001 }, "adminMaxConnections is 10001"},
		{func(c *namesrv.Config) { c.AdminMaxWatchers = -1 }, "adminMaxWatchers is -1, must be from 0 to 10000"},
		{func(c *namesrv.Config) { c.ReadyMinBrokers = -1 }, "readyMinBrokers is -1, must be at least 0"},
		{func(c *namesrv.Config) { c.ReadyMaxWait = -1 }, "readyMaxWaitSeconds is -1ns, must not be negative"},
	} {
		cfg := namesrv.DefaultConfig()
		tt.change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("the error is %v, want %q", err, tt.want)
		}
	}
	cfg := namesrv.DefaultConfig()
	cfg.AdminBindAddress, cfg.AdminServerPort, cfg.AdminAllowedHosts = "10.0.0.1;[::1]", 80, " a.example; b.example,"
	if got := strings.Join(cfg.AdminAddresses(), " "); cfg.Validate() != nil || got != "10.0.0.1:80 [::1]:80" {
		t.Errorf("addresses %s, %v", got, cfg.Validate())
	}
	if got := cfg.AdminHosts(); len(got) != 2 || got[0] != "a.example" || got[1] != "b.example" {
		t.Errorf("hosts %q", got)
	}
	c := start(t, func(*namesrv.Config) {}).dial(t)
	for _, line := range cfg.Properties() {
		if key, _, _ := strings.Cut(line, "="); strings.HasPrefix(key, "admin") || strings.HasPrefix(key, "ready") {
			if got := c.Do(updateConfig(line)); codec.ResponseCode(got.Code) == codec.RespSuccess {
				t.Errorf("a request may set %s", line)
			}
		}
	}
}
