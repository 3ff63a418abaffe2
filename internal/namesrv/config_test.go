package namesrv_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
)

func writeProperties(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "namesrv.properties")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestLoadProperties reads what an operator of the Java server may have
// written.
func TestLoadProperties(t *testing.T) {
	cfg := namesrv.DefaultConfig()
	notes, err := cfg.LoadProperties(writeProperties(t, strings.Join([]string{
		"# a comment",
		"! another",
		"listenPort=19876",
		"  bindAddress :  127.0.0.1",
		"rocketmqHome /opt/${rocketmq}",
		"supportActingMaster=TRUE",
		"enableAllTopicList=False ", // blanks behind a value are an editor's
		"enableTopicList=no",
		"clientRequestThreadPoolNums=4 \t",
		"defaultThreadPoolNums=2\\",
		"    4",
		"scanNotActiveBrokerInterval=1500",
		"serverChannelMaxIdleTimeSeconds=0",
		"somethingElse=1",
	}, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := namesrv.DefaultConfig()
	want.ListenPort, want.BindAddress, want.RocketMQHome = 19876, "127.0.0.1", "/opt/${rocketmq}"
	want.SupportActingMaster, want.EnableAllTopicList = true, false
	want.ClientRequestThreadPoolNums = 4
	want.DefaultThreadPoolNums, want.ScanNotActiveBrokerInterval, want.ServerChannelMaxIdle = 24, 1500*time.Millisecond, 0
	want.Unknown = []codec.Field{{Name: "somethingElse", Value: "1"}}
	if from := cfg.Sources; from["listenPort"] != namesrv.SourceFile || from["somethingElse"] != namesrv.SourceFile || from["enableTopicList"] != "" || from["maxTopics"] != "" {
		t.Errorf("where values come from: %v", from)
	}
	cfg.Sources = nil
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("configuration is\n%+v, want\n%+v", cfg, want)
	}
	if got := noted(notes); len(got) != 2 ||
		!strings.HasPrefix(got[0], `WARN msg="value in the configuration does not parse" key=enableTopicList value=no expected="true or false" stays=true`) ||
		got[1] != `WARN msg="unknown key in the configuration" key=somethingElse` {
		t.Errorf("notes: %q", got)
	}
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
	if _, err := cfg.LoadProperties("no/such/file"); err == nil || !strings.Contains(err.Error(), "no/such/file") {
		t.Errorf("a missing file gives %v", err)
	}
}

func TestPropertiesRoundTrip(t *testing.T) {
	cfg := namesrv.DefaultConfig()
	cfg.ListenPort, cfg.SupportActingMaster, cfg.WriteBufferHighWaterMark = 1, true, 12345
	back := namesrv.DefaultConfig()
	back.EnableAllTopicList = false
	if _, err := back.LoadProperties(writeProperties(t, strings.Join(cfg.Properties(), "\n"))); err != nil {
		t.Fatal(err)
	}
	back.Sources = nil
	if !reflect.DeepEqual(back, cfg) {
		t.Errorf("what -p prints reads back as\n%+v, want\n%+v", back, cfg)
	}
	if !slices.Contains(cfg.Properties(), "serverChannelMaxIdleTimeSeconds=120") {
		t.Errorf("properties are %q", cfg.Properties())
	}
}

// TestValidate reports every fault at once.
func TestValidate(t *testing.T) {
	var cfg namesrv.Config
	cfg.ListenPort, cfg.ServerSelectorThreads, cfg.ServerChannelMaxIdle = 65536, -1, -time.Second
	err := cfg.Validate()
	if err == nil {
		t.Fatal("no fault found")
	}
	for _, key := range []string{
		"bindAddress", "listenPort is 65536", "clientRequestThreadPoolNums", "defaultThreadPoolNums",
		"clientRequestThreadPoolQueueCapacity", "defaultThreadPoolQueueCapacity", "scanNotActiveBrokerInterval",
		"serverSelectorThreads is -1", "serverChannelMaxIdleTimeSeconds",
	} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("the fault of %s is not reported in: %v", key, err)
		}
	}
}

// noted shows notes as log lines, without the file.
func noted(notes []namesrv.Note) []string {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "file" {
			return slog.Attr{}
		}
		return a
	}}))
	for _, n := range notes {
		log.Log(context.Background(), n.Level, n.Msg, n.Attrs...)
	}
	var lines []string
	for line := range strings.Lines(out.String()) {
		lines = append(lines, strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "level="))
	}
	return lines
}
