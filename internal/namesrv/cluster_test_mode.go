package namesrv

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"gonamesrv/codec"
	"gonamesrv/engine"
	"gonamesrv/route"
)

// Cluster-test mode: every request is answered as one for a route; a route
// that is not known here is asked for in the product environment.
//
// Asked by  clients under test, whose name server this is
// Runs      in the default pool, for 3 s at most; no more questions are on
//           their way at a time than the pool has workers
// Java      ClusterTestRequestProcessor
// Replies   SUCCESS + TopicRouteData, in the legacy dialect | TOPIC_NOT_EXIST
// Differs   a question that comes from another server in this mode is not
//           passed on, so that two of them cannot ask each other for ever

// productTimeout is for one request: the list, and the route. Tests have more
// patience.
var productTimeout = 3 * time.Second

const (
	productListAge     = 2 * time.Minute  // Java: MQClientInstance, fetchNameServerAddr
	productListRetry   = 10 * time.Second // after a list could not be fetched
	productListBytes   = 64 << 10
	productTopicBytes  = 1024 // a longer topic is not asked for; Java: TOPIC_MAX_LENGTH is 255
	productDefaultPort = ":8080"
	// productQuestion is the ext field that marks our questions. Others ignore it.
	productQuestion = "fromClusterTest"
)

var (
	errNoProductServers = errors.New("namesrv: no name servers of the product environment are known")
	errProductReply     = errors.New("namesrv: unusable reply from the product environment")
)

// clusterTestRoute serves every request.
func clusterTestRoute(s *Server, r *request) (codec.Reply, error) {
	var h codec.GetRouteInfoRequestHeader
	h.Decode(r.cmd.Ext)
	v := s.table.View()
	var data codec.TopicRouteData
	if e, ok := v.Topic(h.Topic); ok {
		data = v.PickupTopicRouteData(e, s.config().SupportActingMaster)
		// Whatever orderMessageEnable says, as Java does.
		data.OrderTopicConf, data.HasOrderTopicConf = s.kv.get(orderTopicConfig, string(h.Topic))
	} else {
		_, asked := r.cmd.Ext.Get(productQuestion)
		if len(h.Topic) == 0 || len(h.Topic) > productTopicBytes || asked || s.product.route(h.Topic, &data) != nil {
			return codec.Reply{}, &refusal{code: codec.RespTopicNotExist, remark: remarkNoRoute(h.Topic)}
		}
	}
	// Java: ZoneRouteRPCHook, which looks at the code.
	if r.cmd.Code == codec.ReqGetRouteInfoByTopic && h.ZoneMode && !isBlank(h.ZoneName) {
		route.FilterByZone(&data, string(h.ZoneName))
	}
	return codec.Reply{Body: data.AppendJSON(nil, codec.DialectLegacy)}, nil
}

// clusterTestFaults is the share of cluster-test mode in Validate.
func (c *Config) clusterTestFaults() (faults []error) {
	switch {
	case !c.ClusterTest:
	case c.ProductNamesrvAddr != "":
		if err := checkAddressList(c.ProductNamesrvAddr); err != nil {
			faults = append(faults, fmt.Errorf("namesrv: productNamesrvAddr: %w", err))
		}
	case c.NamesrvDomain == "":
		faults = append(faults, errors.New("namesrv: rocketmq.namesrv.domain is empty"))
	default:
		if _, err := url.Parse(c.productListURL()); err != nil {
			faults = append(faults, fmt.Errorf("namesrv: address server of the product environment: %w", err))
		}
	}
	return faults
}

// productListURL returns where the product environment's name servers are
// listed. Java: MixAll#getWSAddr, DefaultTopAddressing#fetchNSAddr.
func (c *Config) productListURL() string {
	u := "http://" + c.NamesrvDomain
	if !strings.Contains(c.NamesrvDomain, ":") {
		u += productDefaultPort
	}
	u += addressPathPrefix + c.NamesrvDomainSubgroup
	if unit := strings.TrimSpace(c.ProductEnvName); unit != "" {
		u += "-" + unit + "?nofix=1"
	}
	return u
}

// A productEnv is the product environment, as far as we ask it. Each question
// has its own connection: a client asks for a topic twice a minute, and only
// while it is under test.
type productEnv struct {
	url     string // of the list; "" when it is configured
	http    http.Client
	timeout time.Duration               // productTimeout
	secure  func() (*tls.Config, error) // how to speak to name servers, nil without TLS
	split   engine.SplitFunc
	ctx     context.Context // ends with Stop
	cancel  context.CancelFunc

	// fetching is held, by its one place, by who fetches the list. The others
	// wait for it, no longer than they have time.
	fetching chan struct{}
	mu       sync.Mutex
	addrs    []string  // in the order in which they are asked
	next     time.Time // when to fetch them again
}

// newProductEnv returns the product environment of a validated configuration.
func newProductEnv(cfg *Config, secure func() (*tls.Config, error)) *productEnv {
	p := &productEnv{timeout: productTimeout, secure: secure, split: codec.NewSplitFunc(cfg.FrameMaxLength), fetching: make(chan struct{}, 1)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if cfg.ProductNamesrvAddr != "" {
		p.addrs = strings.Split(cfg.ProductNamesrvAddr, ";")
		return p
	}
	p.url = cfg.productListURL()
	p.http.Transport = &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: addressHeaderBytes}
	return p
}

// Start implements component.Component: questions may be asked from the beginning.
func (p *productEnv) Start(context.Context) error { return nil }

// Stop gives up every question, those that are asked later included. Its askers are
// in the pools, which wait for them.
func (p *productEnv) Stop(context.Context) { p.cancel() }

// route asks for the route of a topic, of one name server after the other
// until one answers; that one is asked first next time. Any answer but a route
// is an error.
func (p *productEnv) route(topic []byte, data *codec.TopicRouteData) error {
	ctx, cancel := context.WithTimeout(p.ctx, p.timeout)
	defer cancel()
	addrs, err := p.nameServers(ctx)
	if err != nil {
		return err
	}
	err = errNoProductServers
	for i, addr := range addrs {
		var reply []byte
		if reply, err = p.ask(ctx, addr, topic, len(addrs)-i); err == nil {
			p.prefer(addr)
			return decodeProductReply(reply, data)
		}
	}
	return err
}

// ask asks one name server, in its share of the time that is left.
func (p *productEnv) ask(ctx context.Context, addr string, topic []byte, serversLeft int) ([]byte, error) {
	if end, ok := ctx.Deadline(); ok {
		share, cancel := context.WithTimeout(ctx, time.Until(end)/time.Duration(serversLeft))
		defer cancel()
		ctx = share
	}
	question := codec.AppendRequest(nil, codec.SerializeJSON, &codec.Command{
		Code:    codec.ReqGetRouteInfoByTopic,
		Version: codec.Version,
		Ext: codec.ExtFields{
			{Name: []byte(productQuestion), Value: []byte("true")},
			{Name: []byte("topic"), Value: topic},
		},
	})
	secure, err := p.secure()
	if err != nil {
		return nil, err
	}
	return engine.Ask(ctx, addr, secure, question, p.split)
}

func decodeProductReply(frame []byte, data *codec.TopicRouteData) error {
	var reply codec.Command
	if err := reply.Decode(frame); err != nil {
		return err
	}
	if code := codec.ResponseCode(reply.Code); !reply.Flag.IsResponse() || code != codec.RespSuccess || reply.Body == nil {
		return fmt.Errorf("%w: %v", errProductReply, code)
	}
	return data.Decode(reply.Body)
}

// prefer puts the name server that has answered first.
func (p *productEnv) prefer(addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.addrs) < 2 || p.addrs[0] == addr {
		return
	}
	order := []string{addr} // a new one: askers go through the old one
	for _, a := range p.addrs {
		if a != addr {
			order = append(order, a)
		}
	}
	p.addrs = order
}

// nameServers returns the list, which it fetches if that is due. A list that
// cannot be fetched again stays in force.
func (p *productEnv) nameServers(ctx context.Context) ([]string, error) {
	if addrs, due := p.known(); !due {
		return addrs, nil
	}
	select {
	case p.fetching <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.fetching }()
	addrs, due := p.known()
	if !due {
		return addrs, nil // somebody else has fetched it meanwhile
	}
	fetched, err := p.fetch(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = time.Now().Add(productListAge)
	if err != nil {
		p.next = time.Now().Add(productListRetry)
		if addrs == nil {
			return nil, err
		}
		return addrs, nil
	}
	p.addrs = fetched
	return fetched, nil
}

// known returns the list and whether it is due to be fetched.
func (p *productEnv) known() (addrs []string, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addrs, p.url != "" && time.Now().After(p.next)
}

// fetch asks the address server, and leaves half of the time for the question
// itself. Only the first line of the answer counts.
// Java: DefaultTopAddressing#fetchNSAddr.
func (p *productEnv) fetch(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout/2)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := p.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: %s says %s", errNoProductServers, p.url, answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, productListBytes))
	if err != nil {
		return nil, err
	}
	line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	list := strings.TrimSpace(string(line))
	if err := checkAddressList(list); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", errNoProductServers, p.url, err)
	}
	return strings.Split(list, ";"), nil
}
