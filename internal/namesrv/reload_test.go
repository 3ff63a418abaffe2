package namesrv_test

import (
	"errors"
	"strings"
	"testing"

	"gonamesrv/internal/namesrv"
)

// TestReloadIsAllOrNothing: what the file says may be right by itself and wrong with
// what stays, or not be there. Then nothing changes and nobody is told; the Snapshot
// says why, until a file is in force again.
func TestReloadIsAllOrNothing(t *testing.T) {
	told := 0
	s, log := startLogging(t, nil, func(s *namesrv.Server) { s.OnUpdate(func(namesrv.Config) { told++ }) })
	reload := func(err error, change func(*namesrv.Config), notes ...namesrv.Note) {
		s.ReloadConfig(func() (namesrv.Config, []namesrv.Note, error) {
			cfg := s.Config()
			cfg.EnableTopicList = false
			change(&cfg)
			return cfg, notes, err
		})
	}
	unchanged := func(*namesrv.Config) {}
	reload(nil, func(c *namesrv.Config) { c.ListenPort = 70_000 })
	reload(nil, func(c *namesrv.Config) { c.WriteBufferHighWaterMark, c.WriteBufferLowWaterMark = 10, 20 })
	reload(errors.New("no such file"), unchanged)
	reload(nil, unchanged, namesrv.Note{Msg: "odd", Bad: errors.New("no truth value")})
	if cfg := s.Config(); !cfg.EnableTopicList || told != 0 {
		t.Errorf("something has changed, %d were told; the log is\n%s", told, log)
	}
	if st := s.Snapshot().Reloads; st.Failures != 4 || st.Reloads != 0 || st.LastError != "no truth value" {
		t.Errorf("the Snapshot has %+v; the log is\n%s", st, log)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 4 || log.has("key of the") {
		t.Errorf("%d failures are logged:\n%s", n, log)
	}
	reload(nil, func(c *namesrv.Config) { c.MaxTopics = 77_777 })
	if cfg := s.Config(); cfg.EnableTopicList || cfg.MaxTopics != 77_777 || told != 1 {
		t.Errorf("nothing has changed, %d were told", told)
	}
	if st := s.Snapshot().Reloads; st.Failures != 4 || st.Reloads != 1 || st.LastError != "" || st.Restart != "maxTopics" {
		t.Errorf("then the Snapshot has %+v", st)
	}
}
