package admin

import (
	"net/netip"
	"testing"
	"time"

	"gonamesrv/codec"
	"gonamesrv/internal/namesrv"
	"gonamesrv/internal/nstest"
)

// TestAccessAnswer: each kind of refusal comes once with its count, as openapi.json says.
func TestAccessAnswer(t *testing.T) {
	f := newFixture(t, func(c *namesrv.Config) { c.AccessPreset, c.AccessMode = "strict", "monitor" })
	r := nstest.Request(codec.ReqUpdateNamesrvConfig)
	r.Body = []byte("enableTopicList=true\n")
	f.do(r)
	f.do(r)
	var got accessAnswer
	f.want(200, "/v1/access", &got)
	if got.Preset != "strict" || got.Mode != "monitor" || got.Beyond != 0 || len(got.Items) != 1 {
		t.Fatalf("%+v", got)
	}
	it := got.Items[0]
	if it.From == nil || *it.From != "127.0.0.0/24" {
		t.Errorf("it comes from %v", it.From)
	}
	it.From, it.First, it.Last = nil, stamp{}, stamp{}
	if want := (accessItem{Outcome: "would-refuse", Who: "loopback", Code: 318, Request: "UPDATE_NAMESRV_CONFIG", Right: "config", Reason: "noRight", Count: 2}); it != want {
		t.Errorf("%+v, want %+v", it, want)
	}
	newJudge(t).check(t, "/v1/access", "GET /v1/access", f.get("/v1/access"))
}

// TestAccessItem: what is not known is null, and a refusal is not one that would be.
func TestAccessItem(t *testing.T) {
	r := namesrv.AccessRefusal{Who: "public", Code: 205, Count: 7, First: time.Unix(1, 0), Last: time.Unix(2, 0)}
	if it := accessItemOf(&r); it.From != nil || it.Outcome != "refused" || it.Code != 205 || it.Count != 7 {
		t.Errorf("%+v", it)
	}
	r.From, r.Monitored = netip.MustParsePrefix("10.0.0.0/24"), true
	if it := accessItemOf(&r); it.From == nil || *it.From != "10.0.0.0/24" || it.Outcome != "would-refuse" {
		t.Errorf("%+v", it)
	}
}
