package namesrv

import (
	"cmp"
	"errors"
	"log/slog"

	"gonamesrv/codec"
	"gonamesrv/route"
)

// What the tables may hold follows from the memory there is, unless it is
// configured. With names of usual length the tables take a tenth of the memory at
// these limits. With the longest names they may take all of it.
const (
	memoryPerTopic  = 1 << 10
	memoryPerBroker = 32 << 10
	memoryPerEntry  = 256

	mostTopics     = 4_000_000
	mostBrokers    = 100_000
	mostEntries    = 16_000_000
	leastCache     = 8 << 20
	mostCache      = 2 << 30
	cacheOfMemory  = 8 // of the memory, the part for encoded routes
	leastTopics    = 10_000
	leastBrokers   = 1_000
	leastOfEntries = 100_000
)

// routeLimits returns what the tables may hold.
func (c *Config) routeLimits() route.Limits { return c.routeLimitsFor(memoryLimit()) }

func (c *Config) routeLimitsFor(memory int64) route.Limits {
	or := func(configured int, each, least, most int64) int {
		if configured > 0 {
			return configured
		}
		return int(max(least, min(memory/each, most)))
	}
	return route.Limits{
		Topics:  or(c.MaxTopics, memoryPerTopic, leastTopics, mostTopics),
		Brokers: or(c.MaxBrokers, memoryPerBroker, leastBrokers, mostBrokers),
		Entries: or(c.MaxRouteEntries, memoryPerEntry, leastOfEntries, mostEntries),
	}
}

// routeCacheBytes returns how many bytes of encoded routes are kept.
func (c *Config) routeCacheBytes() int64 { return c.routeCacheBytesFor(memoryLimit()) }

func (c *Config) routeCacheBytesFor(memory int64) int64 {
	if c.RouteCacheBytes > 0 {
		return c.RouteCacheBytes
	}
	return max(leastCache, min(memory/cacheOfMemory, mostCache))
}

// horizonCacheBytes returns how many bytes of encoded answers are kept for horizons.
func (c *Config) horizonCacheBytes() int64 { return cmp.Or(c.HorizonCacheBytes, 64<<20) }

// beyondLimit turns a *route.LimitError into the refusal of a request, and says
// so in the log, with attrs. Any other error stays what it is.
func (s *Server) beyondLimit(r *request, err error, attrs func() []any) error {
	var full *route.LimitError
	if !errors.As(err, &full) {
		return err
	}
	s.logLimited(slog.LevelWarn, "registration refused, it would go beyond a limit", func() []any {
		return append(attrs(), "limit", full.Limit.String(), "size", full.Size, "most", full.Most,
			"code", int32(r.cmd.Code), "conn", r.conn.ID(), "remote", r.conn.RemoteAddr())
	})
	return &refusal{why: reasonTableLimit, code: codec.RespSystemError, remark: remarkBeyond(full)}
}
