package nsctl

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gonamesrv/codec"
	api "gonamesrv/internal/admin"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
	"gonamesrv/route"
)

var updateAPI = flag.Bool("update-api", false, "write the golden files of testdata/api anew")

// An apiServer is a name server that runs, with its API behind an address that stays: it
// may be started again, and may be out of reach.
type apiServer struct {
	t      testing.TB
	url    string
	change func(*namesrv.Config)
	dir    string

	api  atomic.Pointer[api.Admin]
	down atomic.Bool
	web  *httptest.Server
	addr string // of the name server
	stop func()
}

// newAPIServer starts one.
func newAPIServer(t testing.TB, change func(*namesrv.Config)) *apiServer {
	t.Helper()
	s := &apiServer{t: t, change: change, dir: t.TempDir()}
	s.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.down.Load() {
			panic(http.ErrAbortHandler)
		}
		s.api.Load().ServeHTTP(w, r)
	}))
	s.web.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.web.Start()
	t.Cleanup(func() { s.web.CloseClientConnections(); s.web.Close() })
	s.url = s.web.URL
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

func (s *apiServer) start() {
	s.t.Helper()
	for tries := 0; ; tries++ {
		err := s.tryStart()
		if err == nil {
			return
		}
		if tries == 10 || !errors.Is(err, syscall.EADDRINUSE) {
			s.t.Fatal(err)
		}
	}
}

func (s *apiServer) tryStart() error {
	s.t.Helper()
	l, err := launch(s.t, s.dir, func(c *namesrv.Config) {
		c.WarmStart = "off"
		c.AdminAnonymousLocal = "debug"
		if s.change != nil {
			s.change(c)
		}
		if c.AdminTokenFile == "" {
			return
		}
		// It reads the tokens when it listens.
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.t.Fatal(err)
		}
		c.AdminServerPort = free.Addr().(*net.TCPAddr).Port
		free.Close() // somebody else may have it now: then start tries again
	})
	if err != nil {
		return err
	}
	s.stop, s.addr = l.stop, l.addr
	s.api.Store(l.api)
	nstest.Eventually(s.t, "the journal says that the server is ready, which it is before", func() bool {
		return len(l.Journal().Last(&route.JournalFilter{Types: []route.JournalType{route.JournalServerReady}}, 1)) > 0
	})
	return nil
}

// cut takes it out of reach.
func (s *apiServer) cut() {
	s.down.Store(true)
	s.web.CloseClientConnections()
}

// do sends a request over a connection of its own, which stays, and demands success.
func (s *apiServer) do(r *codec.Command) {
	s.t.Helper()
	if reply := nstest.Dial(s.t, s.addr).Do(r); codec.ResponseCode(reply.Code) != codec.RespSuccess {
		s.t.Fatalf("request %d is answered %d: %s", r.Code, reply.Code, reply.Remark)
	}
}

func (s *apiServer) register(cluster, name, addr string, id int64, topics ...string) {
	s.t.Helper()
	s.do(nstest.Broker{Cluster: cluster, Name: name, Addr: addr, ID: id, Counter: 1, Topics: topics}.Register())
}

// newAPIWorld has some of everything.
func newAPIWorld(t testing.TB) *apiServer {
	s := newAPIServer(t, nil)
	s.register("c1", "broker-a", "10.0.0.1:10911", 0, "ORDERS", "PAYMENTS", "a/b")
	s.register("c1", "broker-a", "10.0.0.2:10911", 1, "ORDERS", "PAYMENTS", "a/b")
	s.register("c2", "broker c", "10.0.0.4:10911", 0, "WIPED", "ALSO")
	s.do(nstest.Request(codec.ReqWipeWritePermOfBroker, "brokerName", "broker c"))
	return s
}

// moving is what is another one each time.
var moving = []struct {
	what *regexp.Regexp
	is   string
}{
	{regexp.MustCompile(`http://127\.0\.0\.1:\d+|127\.0\.0\.1:\d+`), "ADDR"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[ T][\d:.]+ ?(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-z]{8}\.\d+(\.\d+)?\b`), "GENERATION"},
	{regexp.MustCompile(`#\d+ `), "#N "},
	{regexp.MustCompile(`version=\S+`), "version=V"},
	{regexp.MustCompile(`(?m)((?:"?(?:ageMs|idleMs|seq|conn|id|parent|since|requests)"?): )[^,\n]+`), "${1}MOVES"},
	{regexp.MustCompile(`silent for [\d.]+ s`), "silent for N s"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ms|s)\b`), "AGE"},
}

var blanks = regexp.MustCompile(` {2,}`)

// still replaces what moves. Columns of a table may be of another width then.
func still(format, text string) string {
	for _, m := range moving {
		text = m.what.ReplaceAllString(text, m.is)
	}
	if format == "table" || format == "wide" {
		text = blanks.ReplaceAllString(text, "  ")
	}
	return text
}

// compareAPI compares a text with a golden file.
func compareAPI(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "api", name+".txt")
	if *updateAPI {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is\n%s\nwant\n%s", name, got, want)
	}
}

// profiling is held by who asks for profiles: the servers of a test share its process,
// which has one profile of its CPU at a time.
var profiling sync.Mutex

// runWith runs the program with an environment until ctx ends.
func runWith(ctx context.Context, stdout, stderr io.Writer, env map[string]string, args ...string) int {
	if slices.Contains(args, "bundle") || slices.Contains(args, "profile") {
		profiling.Lock()
		defer profiling.Unlock()
	}
	c := &ctl{
		stdin: strings.NewReader(""), stdout: stdout, stderr: stderr, env: func(key string) string { return env[key] },
		now: func() time.Time { return time.Now().UTC() }, bundleSeconds: 1,
	}
	return c.run(ctx, append([]string{"--timeout", "60s"}, args...))
}

// runAPI runs the program as somebody who is no terminal.
func runAPI(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = runWith(t.Context(), &out, &errs, nil, args...)
	return code, out.String(), errs.String()
}

// A safeText is written by a program that runs, and read by a test.
type safeText struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *safeText) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *safeText) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// A background is a command that runs until it is ended.
type background struct {
	t        *testing.T
	out, err safeText
	ctrlC    func()
	code     chan int
}

func startAPI(t *testing.T, args ...string) *background {
	ctx, ctrlC := context.WithCancel(t.Context())
	b := &background{t: t, ctrlC: ctrlC, code: make(chan int, 1)}
	go func() { b.code <- runWith(ctx, &b.out, &b.err, nil, args...) }()
	t.Cleanup(func() { ctrlC(); b.wait() })
	return b
}

// wait returns the exit code.
func (b *background) wait() int {
	b.t.Helper()
	select {
	case code := <-b.code:
		b.code <- code
		return code
	case <-time.After(nstest.Patience):
		b.t.Fatalf("it does not end: %s%s", b.out.String(), b.err.String())
		return -1
	}
}

// sees waits until stdout, or stderr, has a text.
func (b *background) sees(text string) {
	b.t.Helper()
	for late := time.Now().Add(nstest.Patience); ; time.Sleep(5 * time.Millisecond) {
		if strings.Contains(b.out.String()+b.err.String(), text) {
			return
		}
		if time.Now().After(late) {
			b.t.Fatalf("it does not say %q:\n%s\n%s", text, b.out.String(), b.err.String())
		}
	}
}
