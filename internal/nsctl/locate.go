package nsctl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-json"
)

const (
	usualPort      = "9876"  // of name servers
	usualAdminPort = "19876" // of their APIs
)

// An admin is the HTTP API of one name server. Safe for concurrent use.
type admin struct {
	*ctl
	name  string // the address of the name server, or of the API if that was given
	addr  string // of the name server; "" if the API was given
	token string
	http  *http.Client

	mu     sync.Mutex
	at     *url.URL     // where it is; nil until it is known
	config serverConfig // what the name server says of itself, if it was asked for that already
}

// admins returns the API of each server: that of --admin, else that which the name server
// names. Where that is, is looked for when it is asked for the first time.
func (c *ctl) admins() ([]*admin, error) {
	if given := c.givenAdmins(); given != "" {
		return c.adminsAt(given)
	}
	addrs, err := c.addresses()
	if err != nil {
		return nil, err
	}
	all := make([]*admin, len(addrs))
	for i, addr := range addrs {
		if all[i], err = c.newAdmin(addr); err != nil {
			return nil, err
		}
		all[i].addr = addr
	}
	return all, nil
}

// givenAdmins returns the URLs of --admin, "" for none.
func (c *ctl) givenAdmins() string {
	if c.admin != "" {
		return c.admin
	}
	return c.env("NSCTL_ADMIN")
}

// adminsAt returns the APIs at URLs, which are divided by semicolons.
func (c *ctl) adminsAt(urls string) ([]*admin, error) {
	var all []*admin
	for text := range strings.SplitSeq(urls, ";") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if !strings.Contains(text, "://") {
			text = "http://" + text
		}
		base, err := url.Parse(text)
		if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
			return nil, usage("%q is not a URL of an HTTP API", text)
		}
		a, err := c.newAdmin(strings.TrimPrefix(base.Redacted(), "http://"))
		if err != nil {
			return nil, err
		}
		a.at = base
		all = append(all, a)
	}
	if len(all) == 0 || len(all) > maxServers {
		return nil, usage("--admin has %d URLs of HTTP APIs, must have 1 to %d", len(all), maxServers)
	}
	return all, nil
}

func (c *ctl) newAdmin(name string) (*admin, error) {
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	web, err := c.webClient()
	if err != nil {
		return nil, err
	}
	return &admin{ctl: c, name: name, token: token, http: web}, nil
}

// adminOf returns the API of a name server that has said what its configuration is, nil if
// none is known: then what only the API tells is left out.
func (c *ctl) adminOf(addr string, config serverConfig) *admin {
	admins, err := c.admins()
	addrs, err2 := c.addresses()
	i := slices.Index(addrs, addr)
	if err != nil || err2 != nil || i < 0 || i >= len(admins) {
		return nil
	}
	a := admins[i]
	if a.config = config; a.addr != "" {
		if _, err := apiOf(addr, config); err != nil {
			return nil
		}
	}
	return a
}

// base returns where the API is. A name server is asked where its own is.
func (a *admin) base(ctx context.Context) (*url.URL, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at != nil {
		return a.at, nil
	}
	at, err := a.look(ctx)
	if errors.Is(err, errNoAPI) {
		return nil, err
	}
	if err != nil {
		return nil, &unreachedError{fmt.Errorf("%w: %w", errNoAPI, err)}
	}
	a.at = at
	return at, nil
}

// forget has the API looked for again: whoever starts again may have it elsewhere.
func (a *admin) forget() {
	if a.addr != "" {
		a.mu.Lock()
		a.at, a.config = nil, nil
		a.mu.Unlock()
	}
}

// look finds the API of a name server. mu is held.
func (a *admin) look(ctx context.Context) (*url.URL, error) {
	config := a.config
	if config == nil {
		secure, err := a.tls.config()
		if err != nil {
			return nil, err
		}
		s := &server{ctl: a.ctl, addr: a.addr, tls: secure}
		defer s.close()
		// One that hangs leaves time to ask where its API usually is.
		short, cancel := context.WithTimeoutCause(ctx, a.timeout/2, fmt.Errorf("no answer within %v", a.timeout/2))
		defer cancel()
		if config, err = s.config(short); err != nil {
			if !strings.HasSuffix(a.addr, ":"+usualPort) {
				return nil, err
			}
			return &url.URL{Scheme: "http", Host: net.JoinHostPort(hostOf(a.addr), usualAdminPort)}, nil
		}
	}
	at, err := apiOf(a.addr, config)
	if err != nil {
		return nil, err
	}
	// A server that has not been told a port does without if somebody else has the usual
	// one: then that is the API of another server on this machine.
	if at.Port() == usualAdminPort {
		err = a.isOf(ctx, at, config)
	}
	return at, err
}

// apiOf returns where the API of a name server is that has this configuration.
func apiOf(addr string, config serverConfig) (*url.URL, error) {
	if config.release() == "" {
		return nil, errors.New("it is a name server of Java")
	}
	port, err := strconv.Atoi(config["adminServerPort"])
	if err != nil || port < 1 || port > 65535 {
		return nil, fmt.Errorf("its adminServerPort is %q", config["adminServerPort"])
	}
	at := &url.URL{Scheme: "http", Host: net.JoinHostPort(hostOf(addr), strconv.Itoa(port))}
	if config["adminTlsEnable"] == "true" {
		at.Scheme = "https"
	}
	return at, nil
}

// isOf returns an error if an API is not that of the name server that has this
// configuration. Where the API does not tell everybody, it is believed to be.
func (a *admin) isOf(ctx context.Context, at *url.URL, config serverConfig) error {
	reply, err := a.sendTo(ctx, at, "/v1/config", nil, "application/json")
	if err != nil {
		return err
	}
	body, err := a.bodyOf(reply)
	var p *problemError
	if errors.As(err, &p) {
		return nil
	}
	if err != nil {
		return err
	}
	defer body.Close()
	var said struct {
		Items []struct{ Key, Value string }
	}
	if err := json.NewDecoder(body).Decode(&said); err != nil {
		return err
	}
	for _, item := range said.Items {
		if (item.Key == "listenPort" || item.Key == "bindAddress") && item.Value != config[item.Key] {
			return fmt.Errorf("at %s is that of another name server: its %s is %s; give each a port of its own (adminServerPort)", at.Host, item.Key, item.Value)
		}
	}
	return nil
}
