//go:build interop

package interop

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
)

// recordEnv names a file that TestSigned writes the signed requests to that it has seen:
// internal/namesrv/testdata/signed_frames.txt was made so.
const recordEnv = "GONAMESRV_INTEROP_RECORD"

// The keys of TestSigned. None of them is a secret.
const (
	opsKey, opsSecret         = "ops-eu", "interop-ops-secret"
	brokersKey, brokersSecret = "brokers", "interop-brokers-secret"
	sampleKey, sampleSecret   = "rocketmq2", "12345678" // of the tools.yml that RocketMQ ships
)

// TestSigned lets brokers and mqadmin show who they are by their keys, to a name server
// that gives their address nothing but routes.
func TestSigned(t *testing.T) {
	needTools(t)
	t.Parallel()
	dir := workDir(t)
	over, adminPort := adminListener(t)
	n := startSigned(t, dir, adminPort)
	front := startTap(t, n.addr())
	const right, wrong, topic = "broker-right", "broker-wrong", "TopicSigned"
	t.Cleanup(func() { record(t, front) })
	credentials := func(key, secret string) []string {
		return []string{
			fmt.Sprintf(`innerClientAuthenticationCredentials={"accessKey":%q,"secretKey":%q}`, key, secret),
			// Without one, a broker with credentials does not start.
			"authenticationMetadataProvider=org.apache.rocketmq.auth.authentication.provider.LocalAuthenticationMetadataProvider",
		}
	}
	b := startBroker(t, dir, brokerSpec{
		version: "5.5.0", name: right, namesrv: front.addr(),
		conf: append(credentials(brokersKey, brokersSecret), "forceRegister=false"),
	})
	step(t, "a broker with the right key registers", func(t *testing.T) {
		waitFor(t, brokerUp, "the broker is registered", func() error { return registered(n.addr(), right, b) })
	})
	admin := func(version, key, secret string, flags ...string) mqadmin {
		m := mqadmin{namesrv: front.addr()}
		m.jvm = newJVM(t, version, filepath.Join(dir, "tool-"+version+"-"+key))
		m.under = append(m.under, "env", "JAVA_TOOL_OPTIONS="+strings.Join(flags, " "))
		if key != "" {
			writeFile(t, filepath.Join(m.home, "conf", "tools.yml"), fmt.Sprintf("accessKey: %s\nsecretKey: %s\n", key, secret))
		}
		return m
	}
	const refused = "CODE: 16  DESC: No permission: "
	zone := []string{"-Drocketmq.zone=interop", "-Drocketmq.zone.mode=true"}
	for _, tool := range []struct {
		mqadmin
		may bool
	}{
		{admin("5.5.0", opsKey, opsSecret, zone...), true},
		{admin("4.9.7", opsKey, opsSecret, "-Drocketmq.serialize.type=ROCKETMQ"), true},
		{admin("5.5.0", sampleKey, sampleSecret), false},
		{admin("4.9.7", sampleKey, sampleSecret), false},
	} {
		step(t, fmt.Sprintf("mqadmin %s in %s", tool.version, filepath.Base(tool.home)), func(t *testing.T) {
			if out := tool.run(t, "clusterList"); !strings.Contains(out, right) {
				t.Errorf("clusterList does not show the broker:\n%s", out)
			}
			for _, line := range []string{
				"updateKvConfig -s interop -k key -v value", "wipeWritePerm -b " + right, "updateNamesrvConfig -k productEnvName -v interop",
			} {
				verb := strings.Fields(line)
				out := tool.run(t, verb[0], verb[1:]...)
				if got := strings.Contains(out, refused); got == tool.may || tool.may && strings.Contains(out, "CODE:") {
					t.Errorf("%s prints:\n%s", line, out)
				}
			}
		})
	}
	step(t, "a broker with a wrong key does not register", func(t *testing.T) {
		before := len(front.asked(103))
		w := startBroker(t, dir, brokerSpec{
			version: "5.5.0", name: wrong, namesrv: front.addr(),
			conf: credentials(brokersKey, "another secret"),
		})
		waitFor(t, brokerUp, "its registration is refused", func() error {
			if err := w.stillRuns(); err != nil {
				return err
			}
			for _, x := range front.asked(103)[before:] {
				if x.answered && strings.Contains(string(x.body), wrong) || x.sent["brokerName"] == wrong {
					if x.answered && x.reply == 16 {
						return nil
					}
				}
			}
			return fmt.Errorf("no registration of %s that was answered 16", wrong)
		})
		if registered(n.addr(), wrong, w) == nil {
			t.Error("it is registered")
		}
	})
	step(t, "clients with keys", func(t *testing.T) {
		admin("5.5.0", opsKey, opsSecret).run(t, "addWritePerm", "-b", right)
		signedGoClient(t, dir, front.addr(), right)
		if out := admin("5.5.0", opsKey, opsSecret).run(t, "updateTopic", "-b", b.addr(), "-t", topic); strings.Contains(out, "CODE:") {
			t.Fatalf("the topic is not made:\n%s", out)
		}
		waitFor(t, brokerUp, "the topic is there", func() error {
			_, err := askRoute(n.addr(), topic)
			return err
		})
		under := []string{"env", "ACCESS_KEY=" + opsKey, "SECRET_KEY=" + opsSecret}
		out, state := runNodeClient(t, under, dir, front.addr(), topic, 2)
		checkTalk(t, "ali-ons", topic, 2, out, state)
	})
	step(t, "what a broker repeats is not verified again", func(t *testing.T) {
		// So far it has asked first whether it must register.
		if out := admin("5.5.0", opsKey, opsSecret).run(t, "updateBrokerConfig", "-b", b.addr(), "-k", "forceRegister", "-v", "true"); strings.Contains(out, "CODE:") {
			t.Fatalf("the broker is not changed:\n%s", out)
		}
		waitFor(t, brokerUp, "it has registered and been recognised", func() error {
			times, err := over.metric(`access_signatures_total{outcome="unchanged"}`)
			if err == nil && times == 0 {
				err = errors.New("it was not")
			}
			return err
		})
	})
}

func startSigned(t *testing.T, dir string, conf ...string) *namesrv {
	t.Helper()
	file := filepath.Join(dir, "access.yaml")
	writeFile(t, file, fmt.Sprintf(`accounts:
  - { accessKey: %s, secretKey: %s, rights: all }
  - { accessKey: %s, secretKey: %s, rights: broker-control }
`, opsKey, opsSecret, brokersKey, brokersSecret))
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	n := newNamesrv(t, dir, "", append(conf, "trustLoopback=false", "accessPreset=strict", "accessFile="+file)...)
	n.env = append(n.env, "KUBERNETES_SERVICE_HOST=127.0.0.1") // so that loopback is one of the site
	n.start(t)
	return n
}

// signedGoClient sends a message to the broker's own topic.
func signedGoClient(t *testing.T, dir, namesrv, topic string) {
	t.Helper()
	p, err := rocketmq.NewProducer(
		producer.WithNsResolver(primitive.NewPassthroughResolver([]string{namesrv})),
		producer.WithInstanceName(fmt.Sprintf("signed-%d", time.Now().UnixNano())),
		producer.WithGroupName("go-signed"),
		producer.WithCredentials(primitive.Credentials{AccessKey: opsKey, SecretKey: opsSecret}),
		producer.WithSendMsgTimeout(30*time.Second),
	)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	defer p.Shutdown()
	if res, err := p.SendSync(context.Background(), primitive.NewMessage(topic, []byte("signed"))); err != nil {
		t.Logf("the Go producer sends: %v %v", res, err) // the broker's own topic; all that counts is that it asks
	}
}

// record writes one signed request of each party and code.
func record(t *testing.T, front *tap) {
	t.Helper()
	path := os.Getenv(recordEnv)
	if path == "" {
		return
	}
	front.mu.Lock()
	defer front.mu.Unlock()
	var text strings.Builder
	seen := map[string]bool{}
	for _, x := range front.exchanges {
		if !strings.Contains(string(x.frame), "Signature") {
			continue
		}
		id := fmt.Sprintf("code %d version %d form %d %v", x.code, x.version, x.frame[0], x.sent["AccessKey"])
		if lang := strings.Index(string(x.frame), `"language":"`); lang >= 0 {
			id += " " + strings.SplitN(string(x.frame[lang+12:]), `"`, 2)[0]
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		frame := binary.BigEndian.AppendUint32(nil, uint32(len(x.frame)))
		fmt.Fprintf(&text, "%s\n%s\n", id, base64.StdEncoding.EncodeToString(append(frame, x.frame...)))
	}
	if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
