package namesrv_test

import (
	"fmt"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// Given a server in cluster-test mode that knows nothing, and nobody to ask.
// When a request without fields comes. Then there is no such route.
//
// Java: ClusterTestRequestProcessorTest#testGetRouteInfoByTopic
func TestC01_testGetRouteInfoByTopic(t *testing.T) {
	c := underTest(t, refusing(t)).dial(t)
	reply := c.Do(nstest.Request(codec.ReqGetRouteInfoByTopic))
	wantCode(t, reply, codec.RespTopicNotExist, fmt.Sprintf(noRouteTo, "null"))
	if len(reply.Body) != 0 {
		t.Errorf("the reply has a body: %s", reply.Body)
	}
}
