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

// TestReloadNamesSources: where a key has its value from follows the value. One that
// must not change keeps both.
func TestReloadNamesSources(t *testing.T) {
	s, _ := startLogging(t, nil)
	reload := func(lines string) {
		t.Helper()
		s.ReloadConfig(func() (namesrv.Config, []namesrv.Note, error) {
			cfg := namesrv.DefaultConfig()
			notes, err := cfg.LoadProperties(writeProperties(t, lines))
			return cfg, notes, err
		})
	}
	wantItem := func(when, key, value string, source namesrv.Source) {
		t.Helper()
		for _, it := range s.ConfigItems() {
			if it.Key == key && (it.Value != value || it.Source != source || !it.HasDefault && source != namesrv.SourceDefault) {
				t.Errorf("%s: %+v, want %s from %s", when, it, value, source)
			}
			if it.Key == key && it.Default != "true" && key == "enableTopicList" {
				t.Errorf("%s: the default of %s is %s", when, key, it.Default)
			}
		}
	}
	hosts := s.Config().ProxyProtocolTrusted
	reload("enableTopicList=false\nmaxTopics=77777\nproxyProtocolTrusted=10.0.0.1\nmine=1\n")
	wantItem("it is in the file", "enableTopicList", "false", namesrv.SourceFile)
	wantItem("it is in the file", "maxTopics", "77777", namesrv.SourceFile)
	wantItem("it never changes", "proxyProtocolTrusted", hosts, namesrv.SourceDefault)
	reload("maxTopics=77777\n")
	wantItem("it is not in the file any more", "enableTopicList", "true", namesrv.SourceDefault)
	wantItem("it still is", "maxTopics", "77777", namesrv.SourceFile)
}
