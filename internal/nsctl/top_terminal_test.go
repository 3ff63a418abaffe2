//go:build unix

package nsctl

import (
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"go.uber.org/goleak"
	"golang.org/x/term"

	"gonamesrv/internal/nstest"
)

// A terminal is a real one, with somebody who reads what is on its screen.
type terminal struct {
	t       testing.TB
	ours    *os.File       // of who types and looks
	theirs  *os.File       // of the program
	reader  sync.WaitGroup // of the screen
	answers sync.WaitGroup // of the terminal

	mu     sync.Mutex
	screen *vt.Emulator
	raw    strings.Builder // all that was written
}

func openTerminal(t testing.TB, width, height int) *terminal {
	t.Helper()
	ours, theirs, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	tm := &terminal{t: t, ours: ours, theirs: theirs, screen: vt.NewEmulator(width, height)}
	tm.setSize(width, height)
	tm.reader.Go(func() {
		b := make([]byte, 32<<10)
		for {
			n, err := ours.Read(b)
			tm.mu.Lock()
			tm.raw.Write(b[:n])
			tm.screen.Write(b[:n])
			tm.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	tm.answers.Go(func() { io.Copy(ours, tm.screen) }) // a terminal answers questions
	return tm
}

func (tm *terminal) setSize(width, height int) {
	if err := pty.Setsize(tm.ours, &pty.Winsize{Rows: uint16(height), Cols: uint16(width)}); err != nil {
		tm.t.Fatal(err)
	}
	tm.mu.Lock()
	defer tm.mu.Unlock()
	tm.screen.Resize(width, height)
}

// text is what is on the screen.
func (tm *terminal) text() string {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	return tm.screen.String()
}

func (tm *terminal) press(keys string) {
	if _, err := tm.ours.WriteString(keys); err != nil {
		tm.t.Fatal(err)
	}
}

// wait waits until the screen is as wanted.
func (tm *terminal) wait(what string, ok func(screen string) bool) {
	tm.t.Helper()
	for deadline := time.Now().Add(nstest.Patience); !ok(tm.text()); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tm.t.Fatalf("not within %v: %s; the screen is\n%s", nstest.Patience, what, tm.text())
		}
	}
}

// close ends the terminal once all that the program wrote has been read.
func (tm *terminal) close() {
	tm.theirs.Close()
	tm.reader.Wait()                          // until the other end is closed and nothing is left
	tm.screen.InputPipe().(io.Closer).Close() // Close would race with who reads the answers
	tm.ours.Close()
	tm.answers.Wait()
}

func shows(texts ...string) func(string) bool {
	return func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	}
}

// TestTopOnATerminal runs the program with a server, from its start to its end.
func TestTopOnATerminal(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	t.Setenv("NO_COLOR", "")
	r := startReal(t)
	b := r.register("broker-b", "10.0.0.2:10911", "ORDERS", "PAYMENTS")
	r.register("broker-a", "10.0.0.1:10911", "ORDERS", "PAYMENTS")
	before := goleak.IgnoreCurrent()

	tm := openTerminal(t, 100, 30)
	was, err := term.GetState(int(tm.theirs.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	go func() {
		ended <- Run(context.Background(), []string{"top", "--admin", r.url, "-w", "100ms"}, tm.theirs, tm.theirs, tm.theirs)
	}()

	tm.wait("both brokers", shows("ready", "brokers 2/2", "broker-a", "10.0.0.2:10911", "2 rows"))
	b.Close()
	tm.wait("a killed broker goes", func(s string) bool {
		return shows("brokers 1/1", "broker-a", "broker.connectionLost", "1 row")(s) && !strings.Contains(s, "broker-b    ")
	})

	tm.press("e")
	tm.wait("events, those of before too", shows("broker.registered", "broker.connectionLost", "TIME▼", "[E]VENTS"))
	tm.press("b")
	tm.wait("brokers again", shows("[B]ROKERS", "1 row"))
	tm.press("\r")
	tm.wait("why a broker is as it is", shows("broker-a is routed on", "member"))
	tm.press("\x1b")
	tm.wait("the table", shows("1 row"))
	tm.press("/zzz\r")
	tm.wait("a filter", shows("0 of 1 row", "no row has this text"))
	tm.press("/\x15a\r")
	tm.wait("another filter", shows(`1 of 1 row with "a"`, "broker-a"))

	for _, size := range [][2]int{{40, 12}, {250, 80}, {80, 24}} {
		tm.setSize(size[0], size[1])
		if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil {
			t.Fatal(err)
		}
		tm.wait("another size", func(s string) bool {
			lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
			return shows("broker-a", "1 of 1 row", "q end")(s) && strings.Contains(lines[len(lines)-1], "q end") && strings.HasPrefix(s, strings.TrimPrefix(r.url, "http://"))
		})
	}

	r.stop()
	tm.wait("a server that is gone", shows("not updated since", "broker-a"))

	tm.press("q")
	select {
	case code := <-ended:
		if code != exitYes {
			t.Errorf("exit %d", code)
		}
	case <-time.After(nstest.Patience):
		t.Fatal("q does not end it")
	}
	if is, err := term.GetState(int(tm.theirs.Fd())); err != nil || *is != *was {
		t.Errorf("the terminal is not as it was: %v", err)
	}
	tm.close()
	wrote := tm.raw.String()
	for _, pair := range [][2]string{{"\x1b[?1049h", "\x1b[?1049l"}, {"\x1b[?25l", "\x1b[?25h"}, {"\x1b[?2004h", "\x1b[?2004l"}} {
		if at := strings.LastIndex(wrote, pair[0]); at < 0 || strings.LastIndex(wrote, pair[1]) < at {
			t.Errorf("%q is not said, or not taken back", pair[0])
		}
	}
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// TestTopEndsBySignal makes sure that the terminal is restored then too. Meanwhile nothing has
// a color, as NO_COLOR demands, and the terminal obeys no name.
func TestTopEndsBySignal(t *testing.T) {
	t.Setenv("TERM", "xterm-256color")
	t.Setenv("NO_COLOR", "1")
	r := startReal(t)
	// The screen has room for the newest event only, and that of the broker has its name.
	nstest.Eventually(t, "the server has said that it is ready", func() bool {
		reply, err := http.Get(r.url + "/v1/events")
		if err != nil {
			return false
		}
		defer reply.Body.Close()
		text, err := io.ReadAll(reply.Body)
		return err == nil && strings.Contains(string(text), "server.ready")
	})
	r.register("b\x1b]0;title\a\x1b[2J日本", "10.0.0.1:10911", "ORDERS", "PAYMENTS")
	before := goleak.IgnoreCurrent()
	tm := openTerminal(t, 80, 24)
	was, err := term.GetState(int(tm.theirs.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, signal := context.WithCancel(context.Background())
	defer signal()
	ended := make(chan int, 1)
	go func() { ended <- Run(ctx, []string{"top", "--admin", r.url}, tm.theirs, tm.theirs, tm.theirs) }()
	tm.wait("the broker", shows("ready", `b\u001b]0;title\u0007\u001b[2J日本`, "live"))
	signal()
	select {
	case code := <-ended:
		if code != exitYes {
			t.Errorf("exit %d", code)
		}
	case <-time.After(nstest.Patience):
		t.Fatal("a signal does not end it")
	}
	if is, err := term.GetState(int(tm.theirs.Fd())); err != nil || *is != *was {
		t.Errorf("the terminal is not as it was: %v", err)
	}
	tm.close()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
	if colors := regexp.MustCompile(`\x1b\[[0-9;]+m|\x1b\][02];`).FindAllString(tm.raw.String(), -1); colors != nil {
		t.Errorf("the terminal was told %q", colors)
	}
}

// TestTopOnADumbTerminal makes sure that a terminal which cannot show a screen is told so.
func TestTopOnADumbTerminal(t *testing.T) {
	t.Setenv("TERM", "dumb")
	tm := openTerminal(t, 120, 24)
	defer tm.close()
	if code := Run(t.Context(), []string{"top", "--admin", "127.0.0.1:1"}, tm.theirs, tm.theirs, tm.theirs); code != exitUsage {
		t.Errorf("exit %d", code)
	}
	tm.wait("why, and what to do", shows("TERM=dumb", "top --once"))
}
