package namesrv_test

import (
	"slices"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// TestMissingFields leaves out, or empty, each field that a request must have.
// It is refused by name, and nothing has happened; what need not be there is
// not asked for.
func TestMissingFields(t *testing.T) {
	query := func() *codec.Command {
		return nstest.Request(codec.ReqQueryDataVersion, "brokerName", "a", "brokerAddr", brokerA.Addr, "clusterName", "C", "brokerId", "0")
	}
	for _, tc := range []struct {
		request  func() *codec.Command
		must     []string
		optional []string
	}{
		{brokerA.Unregister, []string{"clusterName", "brokerName", "brokerAddr"}, []string{"brokerId"}},
		{query, []string{"clusterName", "brokerAddr"}, []string{"brokerName", "brokerId"}},
	} {
		without := func(field string, empty bool) *codec.Command {
			r := tc.request()
			i := slices.IndexFunc(r.Ext, func(f codec.ExtField) bool { return string(f.Name) == field })
			if empty {
				r.Ext[i].Value = []byte{}
			} else {
				r.Ext = slices.Delete(r.Ext, i, i+1)
			}
			return r
		}
		s := start(t, nil)
		c := s.dial(t)
		for _, empty := range []bool{false, true} {
			wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
			for _, field := range tc.must {
				reply := c.Do(without(field, empty))
				wantCode(t, reply, codec.RespSystemError, "missing or malformed field "+field)
				if len(reply.Ext) > 0 || len(reply.Body) > 0 {
					t.Errorf("%v without %s: answered with %v and %q", codec.RequestCode(tc.request().Code), field, reply.Ext, reply.Body)
				}
				wantCode(t, c.Do(nstest.Route("T")), codec.RespSuccess, "")
			}
			for _, field := range tc.optional {
				wantCode(t, c.Do(brokerA.Register()), codec.RespSuccess, "")
				wantCode(t, c.Do(without(field, empty)), codec.RespSuccess, "")
			}
		}
	}
}
