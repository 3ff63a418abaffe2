//go:build browser

package browser

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gonamesrv/internal/nstest"
)

// pages are all pages of the console; topic and broker are of the cluster.
func pages(c *cluster) map[string]string {
	return map[string]string{
		"overview": "/", "brokers": "/brokers", "topics": "/topics", "clients": "/clients", "events": "/events", "config": "/config", "peers": "/peers",
		"topic": "/topics/" + url.PathEscape(c.topic), "broker": "/brokers/" + url.PathEscape(c.broker),
	}
}

// TestPages looks at each page of servers without brokers, with a few, with bad names and
// with many, at a desk and on a phone, by day and by night: nothing goes wrong, nothing is
// asked of others, nothing is wider than the screen, axe-core has nothing to say, and no
// name becomes markup. axe-core looks at a desk by day and at a phone by night: that is each
// layout and each set of colours.
func TestPages(t *testing.T) {
	t.Parallel()
	browser := browse(t)
	for _, kind := range clusters {
		t.Run(kind.name, func(t *testing.T) {
			t.Parallel()
			other := start(t) // it knows no broker; nobody is at the port beside it
			s := start(t, fmt.Sprintf("peerNamesrvAddr=%s;127.0.0.1:1", other.addr), "peerCheckSeconds=10")
			c := kind.register(t, s)
			p := s.open(t, browser)
			for name, path := range pages(c) {
				p.visit(path)
				p.live()
				for _, shape := range shapes {
					where := fmt.Sprintf("%s-%s-%v", kind.name, name, shape)
					p.look(shape)
					p.settle()
					if wide := eval[int64](p, `document.documentElement.scrollWidth`); wide > shape.width {
						t.Errorf("%s is %d wide", where, wide)
					}
					if (shape.width > 600) == (shape.scheme == "light") {
						p.axe(where)
					}
					p.shoot(where)
					p.noFaults(where)
				}
				if n := eval[int](p, `document.querySelectorAll("main img, main script, main bdi > *, td b, th b").length`); n > 0 {
					t.Errorf("%s has %d elements that are none of its own", name, n)
				}
			}
		})
	}
}

// TestWithoutJavaScript looks at each page as a browser does that runs no script: it says
// what it has to say.
func TestWithoutJavaScript(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := threeBrokers(t, s)
	p := s.open(t, browse(t))
	p.scripts(false)
	for name, path := range pages(c) {
		p.visit(path)
		if len(eval[string](p, `document.querySelector("main").innerText`)) < 40 {
			t.Errorf("%s says nothing", name)
		}
		p.noFaults(name)
	}
}

// TestBrokerIsKilled kills a broker: its row on the page changes by itself.
func TestBrokerIsKilled(t *testing.T) {
	t.Parallel()
	s := start(t)
	c := threeBrokers(t, s)
	p := s.open(t, browse(t))
	p.visit("/brokers")
	p.live()
	const there = `document.querySelector("#broker-list").innerText.includes("10.0.0.3:10911")`
	if !eval[bool](p, there) {
		t.Fatal("the broker is not on the page")
	}
	before := eval[string](p, `window.name = "same"; window.name`)
	killed := time.Now()
	c.conns["10.0.0.3:10911"].Close()
	nstest.Eventually(t, "the row is gone", func() bool { return !eval[bool](p, there) })
	t.Logf("the row is gone after %v", time.Since(killed).Round(time.Millisecond))
	if after := eval[string](p, `window.name`); after != before {
		t.Error("the page was loaded again")
	}
	p.noFaults("brokers")
}

// TestHiddenTab puts another tab before the one with a page: it holds no stream then, and has one again when it is
// looked at.
func TestHiddenTab(t *testing.T) {
	t.Parallel()
	s := start(t)
	threeBrokers(t, s)
	browser := browse(t)
	p := s.open(t, browser, chromedp.WithNewWindow(false))
	p.visit("/")
	p.live()
	other := s.open(t, browser, chromedp.WithNewWindow(false)) // an empty one
	other.front()
	nstest.Eventually(t, "the hidden tab holds no stream", func() bool { return s.watchers() == "0" })
	p.front()
	nstest.Eventually(t, "the tab holds a stream again", func() bool { return s.watchers() == "1" })
	p.noFaults("overview")
}

// TestServerIsGone stops the server: the page says since when it is not up to date.
func TestServerIsGone(t *testing.T) {
	t.Parallel()
	s := start(t)
	p := s.open(t, browse(t))
	p.visit("/")
	p.live()
	s.stop()
	nstest.Eventually(t, "the page says so", func() bool {
		return eval[bool](p, `document.body.innerText.includes("not updated since")`)
	})
}
