//go:build browser

package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"gonamesrv/internal/nstest"
)

// A shape is how somebody looks at a page.
type shape struct {
	width, height int64
	scheme        string // light or dark
}

// shapes are a desk and a phone, by day and by night.
var shapes = []shape{{1280, 900, "light"}, {1280, 900, "dark"}, {390, 844, "light"}, {390, 844, "dark"}}

func (s shape) String() string { return fmt.Sprintf("%d-%s", s.width, s.scheme) }

// A tab is one tab of a browser, which notes whatever is wrong with what it shows.
type tab struct {
	t    *testing.T
	ctx  context.Context
	site *site

	mu     sync.Mutex
	faults []string // under mu
}

// browse starts a browser, which ends with the test.
func browse(t *testing.T) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(nstest.Patience),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	return ctx
}

// chromium returns where the browser is. Without it the test fails: a check that is not
// made is not passed.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium; install Debian's package chromium")
	return ""
}

// open opens a tab, in a window of its own unless an option says otherwise.
func (s *site) open(t *testing.T, browser context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, options...)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx, site: s}
	host := strings.TrimPrefix(s.url, "http://")
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	err := chromedp.Listen(ctx, func(e any) {
		switch e := e.(type) {
		case *runtime.EventExceptionThrown:
			p.fault("exception: %s", e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			for _, arg := range e.Args {
				p.fault("console.%s: %s", e.Type, arg.Value)
			}
		case *log.EventEntryAdded: // also what the Content-Security-Policy has stopped
			p.fault("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		case *page.EventJavascriptDialogOpening:
			p.fault("dialog: %s", e.Message)
		case *network.EventRequestWillBeSent:
			if u, err := url.Parse(e.Request.URL); err == nil && u.Scheme != "data" && u.Host != host {
				p.fault("asks another host: %s", e.Request.URL)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(p, network.Enable, network.EnableParams{})
	call(p, log.Enable, cdp.Empty{})
	call(p, runtime.Enable, cdp.Empty{})
	call(p, page.Enable, page.EnableParams{})
	return p
}

func (p *tab) fault(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// noFaults fails the test if the page did what it must not.
func (p *tab) noFaults(where string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.faults {
		p.t.Errorf("%s: %s", where, f)
	}
	p.faults = nil
}

// do takes steps, one after the other.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, nstest.Patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatal(err)
	}
}

// call lets the browser do one thing of its protocol.
func call[P, R any](p *tab, cmd cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, nstest.Patience)
	defer cancel()
	r, err := chromedp.Call(ctx, cmd, params)
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// look makes the tab one of a shape.
func (p *tab) look(s shape) {
	p.t.Helper()
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: s.width, Height: s.height, DeviceScaleFactor: 1, Mobile: s.width < 600,
	})
	call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: s.scheme}},
	})
}

// visit opens a path and waits until the page is there.
func (p *tab) visit(path string) {
	p.t.Helper()
	p.do(chromedp.Navigate(p.site.url+path), chromedp.WaitReady(chromedp.CSS("main")))
}

// settle waits until the page is drawn as it is.
func (p *tab) settle() {
	p.t.Helper()
	eval[bool](p, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
}

// eval returns the value of an expression. What is a promise is waited for.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, nstest.Patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// live waits until the page's script runs, and the tab holds a stream, and the only one.
func (p *tab) live() {
	p.t.Helper()
	p.wait("the script runs", `document.documentElement.dataset.live === "open"`)
	nstest.Eventually(p.t, "the tab holds a stream", func() bool { return p.site.watchers() == "1" })
}

// scripts lets pages run scripts, or not.
func (p *tab) scripts(on bool) {
	p.t.Helper()
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
}

// front puts the tab before the other ones of its window, which nobody sees then.
func (p *tab) front() {
	p.t.Helper()
	call(p, page.BringToFront, cdp.Empty{})
}

// press presses keys, one after the other.
func (p *tab) press(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// slash presses the key /. What it writes, if the page lets it, comes with the key.
func (p *tab) slash() {
	p.t.Helper()
	key := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "/", Code: "Slash", Text: "/"}
	call(p, input.DispatchKeyEvent, key)
	key.Type, key.Text = input.DispatchKeyEventTypeKeyUp, ""
	call(p, input.DispatchKeyEvent, key)
}

// click clicks on what a selector finds first.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.do(chromedp.Click(chromedp.CSS(selector)))
}

// fill writes a text into what a selector finds first.
func (p *tab) fill(selector, text string) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`document.querySelector(%q).value = "", true`, selector))
	p.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// wait waits until an expression is true, on whichever page that is.
func (p *tab) wait(what, expression string) {
	p.t.Helper()
	nstest.Eventually(p.t, what, func() bool {
		ctx, cancel := context.WithTimeout(p.ctx, nstest.Patience)
		defer cancel()
		is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		return err == nil && is // while a page is left there is none to ask
	})
}

// A violation is what axe-core finds.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML           string
		FailureSummary string
	}
}

// axe fails the test if somebody could not use the page.
func (p *tab) axe(where string) {
	p.t.Helper()
	call(p, runtime.Evaluate, runtime.EvaluateParams{Expression: axeSource(p.t)})
	text := eval[string](p, `axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations))`)
	var found []violation
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		p.t.Fatal(err)
	}
	for _, v := range found {
		for _, n := range v.Nodes {
			p.t.Errorf("%s: %s (%s): %s\n%s\n%s", where, v.ID, v.Impact, v.Help, n.HTML, n.FailureSummary)
		}
	}
}

// axeSource returns axe-core, which npm fetches once.
var (
	axeOnce sync.Once
	axeText string
)

func axeSource(t *testing.T) string {
	t.Helper()
	axeOnce.Do(func() {
		text, err := os.ReadFile(filepath.Join(modules, "node_modules", "axe-core", "axe.min.js"))
		if err != nil {
			t.Error(err)
		}
		axeText = string(text)
	})
	if axeText == "" {
		t.Fatal("there is no axe-core")
	}
	return axeText
}

// shoot keeps a picture of the page, if GONAMESRV_PICTURES names a folder for them.
func (p *tab) shoot(name string) {
	p.t.Helper()
	dir := os.Getenv("GONAMESRV_PICTURES")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(p.ctx, nstest.Patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
