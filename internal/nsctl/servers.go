package nsctl

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/pflag"

	"gonamesrv/codec"
	"gonamesrv/internal/client"
)

const (
	defaultServer = "127.0.0.1:9876"
	maxServers    = 64
)

// addresses returns the name servers to ask, in the order they were given, each once.
func (c *ctl) addresses() ([]string, error) {
	text := c.servers
	for _, key := range []string{"NSCTL_NAMESRV", "NAMESRV_ADDR"} {
		if text == "" {
			text = c.env(key)
		}
	}
	if text == "" {
		text = defaultServer
	}
	var addrs []string
	for addr := range strings.SplitSeq(text, ";") {
		addr = strings.TrimSpace(addr)
		if addr == "" || slices.Contains(addrs, addr) {
			continue
		}
		if i := strings.LastIndexByte(addr, ':'); i < 1 || i == len(addr)-1 {
			return nil, usage("%q is not host:port", addr)
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 || len(addrs) > maxServers {
		return nil, usage("%d name servers are given, must be 1 to %d", len(addrs), maxServers)
	}
	return addrs, nil
}

// An answer is what became of asking one server.
type answer[T any] struct {
	server string // its address, as given
	value  T
	err    error
}

// askAll asks all name servers at once, each over a connection of its own that lives as
// long as ask. The answers have the order of the servers.
func askAll[T any](ctx context.Context, c *ctl, ask func(ctx context.Context, conn *server) (T, error)) ([]answer[T], error) {
	addrs, err := c.addresses()
	if err != nil {
		return nil, err
	}
	secure, err := c.tls.config()
	if err != nil {
		return nil, err
	}
	keys, err := c.keys.read()
	if err != nil {
		return nil, err
	}
	answers := make([]answer[T], len(addrs))
	var all sync.WaitGroup
	for i, addr := range addrs {
		all.Go(func() {
			a := &answers[i]
			a.server = addr
			s := &server{ctl: c, addr: addr, tls: secure, signs: keys}
			defer s.close()
			a.value, a.err = ask(ctx, s)
		})
	}
	all.Wait()
	return answers, nil
}

// A server is one name server that is asked. For one goroutine.
type server struct {
	*ctl
	addr   string
	tls    *tls.Config
	signs  client.Keys
	conn   *client.Conn
	speaks int32 // the version of its last answer, 0 before it
}

// close ends the connection. The next question makes another one.
func (s *server) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// call asks one thing, for at most the time of --timeout, connecting included. An answer
// other than SUCCESS is a *client.ReplyError.
func (s *server) call(ctx context.Context, code codec.RequestCode, ext codec.ExtFields, body []byte) (*codec.Command, error) {
	reply, err := s.ask(ctx, &codec.Command{Code: code, Version: codec.Version, Ext: ext, Body: body})
	if err != nil {
		return nil, err
	}
	if is := codec.ResponseCode(reply.Code); is != codec.RespSuccess {
		return nil, &client.ReplyError{Code: is, Remark: string(reply.Remark)}
	}
	return reply, nil
}

// ask is call for a request of the caller's, and returns any answer.
func (s *server) ask(ctx context.Context, request *codec.Command) (*codec.Command, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("no answer within %v", s.timeout))
	defer cancel()
	if s.conn == nil {
		conn, err := client.Dial(ctx, s.addr, client.Options{TLS: s.tls, MaxReply: maxAnswer, Keys: s.signs})
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			return nil, &unreachedError{err}
		}
		s.conn = conn
	}
	reply, err := s.conn.Do(ctx, request)
	if err != nil {
		return nil, &unreachedError{err}
	}
	s.speaks = reply.Version
	return reply, nil
}

// An unreachedError means that a server could not be asked, or did not answer.
type unreachedError struct{ error }

func (e *unreachedError) Unwrap() error { return e.error }

// A refusedError means that a server was asked, and what was wanted is not so: it said no,
// or yes without doing it, or is too old to be asked.
type refusedError struct{ text string }

func (e *refusedError) Error() string { return e.text }

// errorText is the text of an error as it is told: one line, without the name of the package
// in front of an answer.
func errorText(err error) string {
	var r *client.ReplyError
	if !errors.As(err, &r) {
		return clean(err.Error())
	}
	text := strings.TrimSpace(r.Remark)
	if text == "" {
		return r.Code.String()
	}
	return clean(r.Code.String() + ": " + strings.ReplaceAll(text, "\n", "; "))
}

// outcome tells on stderr of the servers that failed, and returns how the program ends: nil
// if none did.
func outcome[T any](c *ctl, answers []answer[T]) error {
	for _, a := range answers {
		if a.err != nil {
			fmt.Fprintf(c.stderr, "nsctl: %s: %s\n", clean(a.server), errorText(a.err))
		}
	}
	return ending(answers)
}

// ending returns how the program ends after asking servers: nil if none failed.
func ending[T any](answers []answer[T]) error {
	failed, unreached, refused := 0, 0, 0
	for _, a := range answers {
		if a.err == nil {
			continue
		}
		failed++
		var u *unreachedError
		var r *client.ReplyError
		var n *refusedError
		var p *problemError
		switch {
		case errors.As(a.err, &u):
			unreached++
		case errors.As(a.err, &r), errors.As(a.err, &n), errors.As(a.err, &p) && !p.isNo():
			refused++
		}
	}
	switch {
	case failed == 0:
		return nil
	case failed < len(answers):
		return &exitError{code: exitSome}
	case unreached == failed:
		return &exitError{code: exitNobody}
	case refused > 0:
		return &exitError{code: exitRefused}
	}
	return &exitError{code: exitNo}
}

// tlsFlags are the flags for TLS, which name servers speak on the same port.
type tlsFlags struct {
	on, insecure  bool
	ca, cert, key string
}

func (t *tlsFlags) add(fl *pflag.FlagSet) {
	fl.BoolVar(&t.on, "tls", false, "speak TLS with the name servers")
	fl.StringVar(&t.ca, "tls-ca", "", "PEM file of those who may sign a server's certificate")
	fl.StringVar(&t.cert, "tls-cert", "", "PEM file of our certificate")
	fl.StringVar(&t.key, "tls-key", "", "PEM file of its key")
	fl.BoolVar(&t.insecure, "tls-insecure", false, "believe any certificate, as clients of RocketMQ do")
}

// config returns nil for no TLS.
func (t *tlsFlags) config() (*tls.Config, error) {
	if !t.on {
		if t.ca != "" || t.cert != "" || t.key != "" || t.insecure {
			return nil, usage("--tls-… without --tls")
		}
		return nil, nil
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.insecure}
	if t.ca != "" {
		pem, err := os.ReadFile(t.ca)
		if err != nil {
			return nil, usage("%v", err)
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, usage("%s: no certificate in it", t.ca)
		}
	}
	if t.cert != "" || t.key != "" {
		cert, err := tls.LoadX509KeyPair(t.cert, t.key)
		if err != nil {
			return nil, usage("%v", err)
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// keyFlags are the flags for what requests are signed with.
type keyFlags struct {
	access, secretFile string
	fresh              bool
}

func (k *keyFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&k.access, "access-key", "", "key to sign requests with, of an account of the accessFile")
	fl.StringVar(&k.secretFile, "secret-key-file", "", "file with its secret")
	fl.BoolVar(&k.fresh, "fresh", true, "sign code and time too, in nsSign; false where clocks differ by more than a minute")
}

// maxSecret is how many bytes a secret may have, as in an accessFile.
const maxSecret = 4 << 10

// read returns what to sign with, without what ends the line of the file.
func (k *keyFlags) read() (client.Keys, error) {
	if (k.access == "") != (k.secretFile == "") {
		return client.Keys{}, usage("--access-key and --secret-key-file need each other")
	}
	if k.access == "" {
		return client.Keys{}, nil
	}
	f, err := os.Open(k.secretFile)
	if err != nil {
		return client.Keys{}, usage("%v", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return client.Keys{}, usage("%v", err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" || len(secret) > maxSecret {
		return client.Keys{}, usage("%s: must have a secret of 1 to %d bytes", k.secretFile, maxSecret)
	}
	return client.Keys{Access: k.access, Secret: secret, Fresh: k.fresh}, nil
}

// hostOf returns the host of host:port, without brackets.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr[:strings.LastIndexByte(addr, ':')]
}
