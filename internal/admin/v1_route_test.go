package admin

import (
	"net"
	"net/url"
	"slices"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestRawRoute: raw=1 is byte for byte what a client is answered who asks for the route:
// of each version, zone, address, with acting masters and without.
func TestRawRoute(t *testing.T) {
	f := newWorld(t)
	n := 0
	for _, acting := range []string{"true", "false"} {
		set := nstest.Request(codec.ReqUpdateNamesrvConfig)
		set.Body = []byte("supportActingMaster=" + acting + "\n")
		f.do(set)
		for _, from := range []string{"127.0.0.1", "127.0.0.7", "127.0.0.8", "127.0.0.9"} {
			client := nstest.DialFrom(t, f.addr, net.ParseIP(from)) // all of 127.0.0.0/8 is loopback on Linux
			for _, topic := range []string{"ORDERS", "PAYMENTS", "ACTING", "STATIC", "%RETRY%g", "a/b", "größe", "broker-a", "none"} {
				for _, version := range []struct {
					as     string
					number int32
				}{{"V4_9_3", 399}, {"4.9.4", codec.V4_9_4}, {"V4_9_4_SNAPSHOT", codec.V4_9_4 - 1}, {"400", 400}, {"", codec.Version}} {
					for _, zone := range []string{"", "zone-1", "zone-2", "ZONE-1", "elsewhere"} {
						for _, standard := range []string{"0", "1"} {
							ask := nstest.Route(topic)
							ask.Version = version.number
							if zone != "" {
								ask.Ext = append(ask.Ext, codec.ExtField{Name: []byte("__ZONE_MODE"), Value: []byte("true")}, codec.ExtField{Name: []byte("__ZONE_NAME"), Value: []byte(zone)})
							}
							if standard == "1" {
								ask.Ext = append(ask.Ext, codec.ExtField{Name: []byte("acceptStandardJsonOnly"), Value: []byte("true")})
							}
							reply := client.Do(ask)
							query := url.Values{"raw": {"1"}, "from": {from}, "standardJson": {standard}, "as": {version.as + "," + zone}}
							w := f.get("/v1/topics/" + url.PathEscape(topic) + "/route?" + query.Encode())
							want := map[codec.ResponseCode]int{codec.RespSuccess: 200, codec.RespTopicNotExist: 404, codec.RespSystemError: 503}[codec.ResponseCode(reply.Code)]
							if w.Code != want || want == 200 && w.Body.String() != string(reply.Body) {
								t.Fatalf("topic %s as %s,%s from %s, standard %s, acting %s: %d\n%s\nthe client is told %d\n%s", topic, version.as, zone, from, standard, acting, w.Code, w.Body, reply.Code, reply.Body)
							}
							if want == 200 {
								n++
							}
						}
					}
				}
			}
		}
	}
	if n < 1000 {
		t.Errorf("only %d routes were compared", n)
	}
}

// TestRouteIsGated: while needWaitForService keeps clients waiting the route says so.
func TestRouteIsGated(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) { c.NeedWaitForService, c.WaitSecondsForService = true, 3600 })
	var got routeAnswer
	f.want(200, "/v1/topics/T/route", &got)
	if got.Code != 1 || got.Remark == nil || *got.Remark != "name server not ready" || got.Route != nil {
		t.Errorf("the route is %+v", got)
	}
	if w := f.get("/v1/topics/T/route?raw=1"); w.Code != 503 || w.Header().Get("Retry-After") != "1" {
		t.Errorf("raw: %d %s", w.Code, w.Body)
	}
	var st statusAnswer
	f.want(200, "/v1/status", &st)
	if st.State != "notReady" || !slices.Equal(st.Reasons, []string{"gate"}) || len(st.Attention) == 0 || st.Attention[0].Code != "routes.gated" {
		t.Errorf("status %+v", st)
	}
}

// TestClientVersions: what may stand for a version, and what may not.
func TestClientVersions(t *testing.T) {
	for text, want := range map[string]int32{
		"V4_9_3": 400, "4.9.3": 400, "V4_9_4": 401, "4.9.4": 401, "V4_9_4_SNAPSHOT": 400, "V5_3_3": 401, "V3_0_0_SNAPSHOT": 400, "479": 479,
	} {
		if got, ok := clientVersion(text); !ok || got != want {
			t.Errorf("%s is %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"V", "4.9", "V4_9_4_", "4..9.4", "-1", "V4_9_999", "99999999", "x", "4.9.4.1", "+4.9.4"} {
		if got, ok := clientVersion(text); ok {
			t.Errorf("%q is %d", text, got)
		}
	}
}
