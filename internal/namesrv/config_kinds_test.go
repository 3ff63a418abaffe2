package namesrv

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"gonamesrv/codec"
)

// wordKeys are the keys that are one of a few words, and one that is none of them.
var wordKeys = map[string]string{
	"tls.server.mode": "enforced", "tls.server.need.client.auth": "required", "logLevel": "loud", "logFormat": "xml",
	"requestRateMode": "off", "missDamping": "on", "selfProtection": "yes", "warmStart": "hot", "horizonMode": "watch",
	"adminAnonymousLocal": "all", "adminAnonymousRemote": "write",
	"accessPreset": "closed", "accessMode": "off",
}

// unparsable returns values that a key cannot have, "number", "word", "truth" or
// "guard", a truth value that guards something; none for texts.
func unparsable(k configKey) (kind string, values []string) {
	cfg := DefaultConfig()
	value := k.get(&cfg)
	_, notNumber := strconv.Atoi(value)
	switch {
	case wordKeys[k.name] != "":
		return "word", []string{wordKeys[k.name], "", value + " # as it was", value + "," + value}
	case notNumber == nil:
		return "number", []string{"98x", "9876   # comment", "5s", "1GiB", "", "1.5", "0x10", "1_000", "1 000", "9223372036854775808", "-9223372036854775809", "99999999999999999999999"}
	case value != "true" && value != "false":
		return "text", nil
	case strings.HasPrefix(k.name, "tls."), k.name == "adminTlsEnable", k.name == "trustLoopback", k.name == "auditChain", k.name == "auditSync", k.name == "auditRequired":
		kind = "guard"
	default:
		kind = "truth"
	}
	return kind, []string{"yes", "1", "tru", "", "on", "no", "0", "true # on", "true,false"}
}

func inFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "namesrv.properties")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestValuesThatDoNotParse gives every key of the file every value that it cannot
// have. None becomes another value in silence.
func TestValuesThatDoNotParse(t *testing.T) {
	kinds := map[string]int{}
	for _, k := range configKeys {
		kind, values := unparsable(k)
		kinds[kind]++
		for _, value := range values {
			cfg := DefaultConfig()
			notes, err := cfg.LoadProperties(inFile(t, k.name+"="+value+"\n"))
			said := fmt.Sprint(err)
			if kind == "truth" {
				if err != nil || len(notes) != 1 || notes[0].Level != slog.LevelWarn {
					t.Errorf("%s=%s: notes %v, %v", k.name, value, notes, err)
				}
				said = fmt.Sprint(notes)
			} else if err == nil || len(notes) != 0 {
				t.Errorf("%s=%s: notes %v, %v", k.name, value, notes, err)
			}
			if !strings.Contains(said, k.name) || !strings.Contains(said, value) || strings.Contains(said, "strconv") {
				t.Errorf("%s=%s: it says %s", k.name, value, said)
			}
			if !reflect.DeepEqual(cfg, DefaultConfig()) {
				t.Errorf("%s=%s: the configuration is\n%+v", k.name, value, cfg)
			}
		}
	}
	if kinds["number"] < 30 || kinds["truth"] < 15 || kinds["guard"] != 9 || kinds["word"] != len(wordKeys) {
		t.Errorf("the kinds of keys are %v", kinds)
	}
}

// TestUpdatesThatDoNotParse sends the same by UPDATE_NAMESRV_CONFIG, beside a key
// that could be changed. It does not answer SUCCESS, and changes nothing.
func TestUpdatesThatDoNotParse(t *testing.T) {
	cfg := DefaultConfig()
	cfg.KVConfigPath, cfg.ConfigStorePath = "", ""
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	before := string(s.config().text())
	for _, k := range configKeys {
		_, values := unparsable(k)
		for _, value := range values {
			err := s.UpdateConfig("productEnvName=changed\n" + k.name + "=" + value)
			says := k.name
			if k.update == updateNever {
				says = remarkBlackList
			}
			if err == nil || !strings.Contains(err.Error(), says) || k.update != updateNever && !strings.Contains(err.Error(), strconv.Quote(value)) {
				t.Errorf("%s=%s: %v", k.name, value, err)
			}
		}
	}
	if got := string(s.config().text()); got != before {
		t.Errorf("the configuration is\n%s", got)
	}
}

// TestAllFaultsAtOnce has one fault in every key that can have one.
func TestAllFaultsAtOnce(t *testing.T) {
	var lines []string
	for _, k := range configKeys {
		if _, values := unparsable(k); values != nil {
			lines = append(lines, k.name+"="+values[0])
		}
	}
	cfg := DefaultConfig()
	notes, err := cfg.LoadProperties(inFile(t, strings.Join(lines, "\n")))
	said := fmt.Sprint(notes, err)
	for _, line := range lines {
		name, _, _ := strings.Cut(line, "=")
		if !strings.Contains(said, name+" is ") && !strings.Contains(said, "key "+name+" ") {
			t.Errorf("nothing is said of %s", name)
		}
	}
	if cfg := DefaultConfig(); said == "" || cfg.Validate() != nil {
		t.Errorf("the default is %v", cfg.Validate())
	}
}

// TestBlanksAroundValues: what an editor leaves behind values matters to no key.
func TestBlanksAroundValues(t *testing.T) {
	plain, blank := "", "\xef\xbb\xbf"
	for _, k := range configKeys {
		value := "text"
		switch kind, _ := unparsable(k); kind {
		case "number":
			value = "17"
		case "truth", "guard":
			value = "TRUE"
		case "word":
			value = strings.ToUpper(k.words[len(k.words)-1])
		}
		plain += k.name + "=" + value + "\n"
		blank += k.name + " = " + value + " \t\r\n"
	}
	var want, got Config
	if notes, err := want.LoadProperties(inFile(t, plain)); err != nil || len(notes) != 1 { // those without meaning
		t.Fatal(notes, err)
	}
	if notes, err := got.LoadProperties(inFile(t, blank)); err != nil || len(notes) != 1 {
		t.Fatal(notes, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("with blanks\n%+v, without\n%+v", got, want)
	}
}

// TestWordsInTheConfiguration refuses unknown words wherever they come from.
func TestWordsInTheConfiguration(t *testing.T) {
	for _, k := range configKeys {
		if k.words == nil {
			continue
		}
		for _, word := range append([]string{wordKeys[k.name], ""}, k.words...) {
			cfg := DefaultConfig()
			cfg.KVConfigPath = ""
			switch k.name {
			case "tls.server.mode":
				cfg.TLS.ServerMode = word
			case "tls.server.need.client.auth":
				cfg.TLS.ServerNeedClientAuth = word
			case "logLevel":
				cfg.LogLevel = word
			case "logFormat":
				cfg.LogFormat = word
			case "requestRateMode":
				cfg.RequestRateMode = word
			case "missDamping":
				cfg.MissDamping = word
			case "selfProtection":
				cfg.SelfProtection = word
			case "warmStart":
				cfg.WarmStart = word
			case "horizonMode":
				cfg.HorizonMode = word
			case "adminAnonymousLocal":
				cfg.AdminAnonymousLocal = word
			case "adminAnonymousRemote":
				cfg.AdminAnonymousRemote = word
			case "accessPreset":
				cfg.AccessPreset = word
			case "accessMode":
				cfg.AccessMode = word
			default:
				t.Fatalf("%s is not in this test", k.name)
			}
			_, err := New(cfg, slog.New(slog.DiscardHandler))
			known := word != "" && word != wordKeys[k.name]
			if known && err != nil {
				t.Errorf("%s=%s: %v", k.name, word, err)
			}
			want := fmt.Sprintf("namesrv: %s is %q, must be %s", k.name, word, k.want)
			if !known && (err == nil || err.Error() != want) {
				t.Errorf("%s=%s: %v, want %s", k.name, word, err, want)
			}
		}
	}
}

// TestUnknownKeys names keys that nobody knows with the nearest one, keys that
// only Java knows together, and no more than there is room for.
func TestUnknownKeys(t *testing.T) {
	for name, want := range map[string]string{
		"listenPrt": "listenPort", "listenProt": "listenPort", "lsitenProt": "listenPort", "listen_port": "listenPort", "LISTENPORT": "listenPort", "ListenPort": "listenPort",
		"tls.server.mod": "tls.server.mode", "memorybudget": "memoryBudget", "kvConfigPth": "kvConfigPath", "needWaitForServices": "needWaitForService",
		"com.rocketmq.remoting.frameMaxLength": "frameMaxLength",
		"somethingElse":                        "", "x": "", "": "", "brokerName": "", strings.Repeat("listenPort", 1<<17): "",
	} {
		if got := nearestKey(name); got != want {
			t.Errorf("the nearest of %.40q is %q, want %q", name, got, want)
		}
	}
	cfg := DefaultConfig()
	notes, err := cfg.LoadProperties(inFile(t, "listenPrt=1\nuseTLS=true\ncontrollerType=jRaft\nserverWorkerThreads=7\nversion=0\n"))
	if got := fmt.Sprint(notes); err != nil || len(notes) != 2 ||
		!strings.Contains(got, "key listenPrt nearest listenPort") || !strings.Contains(got, "keys useTLS, controllerType, serverWorkerThreads") {
		t.Errorf("notes %v, %v", notes, err)
	}
	if notes[0].Level != slog.LevelWarn || notes[1].Level != slog.LevelInfo {
		t.Errorf("levels %v and %v", notes[0].Level, notes[1].Level)
	}
	for name := range javaOnly {
		if _, known := knownKeys[name]; known || strings.Contains(name, "=") {
			t.Errorf("%s is known, or no key", name)
		}
	}
}

// TestManyKeys loads 20,000 keys that nobody knows, and changes all of them by
// request. What that allocates grows with their text, about 100 MiB, and twice
// that with the race detector, and not with its square, which would be 6 GiB.
func TestManyKeys(t *testing.T) {
	const n = 20_000
	var text strings.Builder
	for i := n; i > 0; i-- {
		fmt.Fprintf(&text, "unknownKey%d=%d\n", i*7%n, i)
	}
	file := inFile(t, text.String())
	cfg := DefaultConfig()
	cfg.KVConfigPath = ""
	var notes []Note
	allocates(t, "LoadProperties", func() (err error) {
		notes, err = cfg.LoadProperties(file)
		return err
	})
	if len(cfg.Unknown) != n || len(notes) != maxNoted+1 {
		t.Fatalf("%d keys, %d notes", len(cfg.Unknown), len(notes))
	}
	s, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	allocates(t, "UPDATE_NAMESRV_CONFIG", func() error { return s.UpdateConfig(strings.ReplaceAll(text.String(), "=", "=1")) })
	allocates(t, "a refused UPDATE_NAMESRV_CONFIG", func() error {
		if err := s.UpdateConfig(strings.ReplaceAll(text.String(), "unknown", "strange")); err == nil || len(err.Error()) > 10_000 {
			return fmt.Errorf("it says %.300v", err)
		}
		return nil
	})
	if got := s.config().Unknown[0]; got != (codec.Field{Name: "unknownKey0", Value: "120000"}) || len(s.config().Unknown) != n {
		t.Errorf("%d keys, the first is %v", len(s.config().Unknown), got)
	}
}

// allocates fails if f allocates more than 1 GiB.
func allocates(t *testing.T, what string, f func() error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := f(); err != nil {
		t.Errorf("%s: %v", what, err)
	}
	runtime.ReadMemStats(&after)
	if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 1024 {
		t.Errorf("%s allocates %d MiB", what, mib)
	}
}

// TestWithFields merges as withField does, one after the other.
func TestWithFields(t *testing.T) {
	names := func(s string) (fields []codec.Field) {
		for i, name := range strings.Fields(s) {
			fields = append(fields, codec.Field{Name: name, Value: fmt.Sprint(s, i)})
		}
		return fields
	}
	for _, fields := range []string{"", "b", "b d", "a b c d e"} {
		for _, others := range []string{"", "a", "b", "e", "d b", "c a e", "e d c b a", "b b", "f b f a b"} {
			want := names(fields)
			for _, f := range names(others) {
				want = withField(want, f.Name, f.Value)
			}
			if got := withFields(names(fields), names(others)); !reflect.DeepEqual(got, want) {
				t.Errorf("%q with %q is %v, want %v", fields, others, got, want)
			}
		}
	}
}
