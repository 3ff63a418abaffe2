package namesrv_test

import (
	"fmt"
	"strings"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// A request that nobody knows is answered that it is not supported.
//
// Java: RequestProcessorTest#testProcessRequest_UnSupportedRequest
func TestQ05_testProcessRequest_UnSupportedRequest(t *testing.T) {
	c := start(t, nil).dial(t)
	wantReply(t, c, nstest.Request(99999), codec.RespRequestCodeNotSupported, "", " request type 99999 not supported", "")
}

// A key may be changed, unless it is one of those that say where things are kept
// and what may not be changed: then nothing changes.
//
// Java: RequestProcessorTest#testProcessRequest_UpdateConfigPath
func TestQ06_testProcessRequest_UpdateConfigPath(t *testing.T) {
	c := start(t, nil).dial(t)
	wantCode(t, c.Do(updateConfig("enableTopicList=false\n")), codec.RespSuccess, "")
	off := strings.Replace(defaultConfigText, "enableTopicList=true", "enableTopicList=false", 1)
	wantBody(t, c, nstest.Request(codec.ReqGetNamesrvConfig), off)
	wantCode(t, c.Do(updateConfig("enableTopicList=true\n")), codec.RespSuccess, "")
	wantBody(t, c, nstest.Request(codec.ReqGetNamesrvConfig), defaultConfigText)
	for _, text := range []string{"configStorePath=test/path\n", "kvConfigPath=test/path\n", "configBlackList=test;path\n", "enableTopicList=false\nkvConfigPath=test/path\n"} {
		wantCode(t, c.Do(updateConfig(text)), codec.RespNoPermission, "Can not update config in black list.")
		wantBody(t, c, nstest.Request(codec.ReqGetNamesrvConfig), defaultConfigText)
	}
}

// Changing a key that nobody knows changes nothing. (The Java test sends a map's
// text, which is no properties file, and expects SUCCESS; here what was not done
// is not answered so.)
//
// Java: RequestProcessorTest#testUpdateConfig
func TestQ26_testUpdateConfig(t *testing.T) {
	c := start(t, nil).dial(t)
	for _, text := range []string{"{key=value}", "key=value\n"} {
		r := common(codec.ReqUpdateNamesrvConfig, "cluster", "default-cluster")
		r.Body = []byte(text)
		name, _, _ := strings.Cut(text, "=")
		wantCode(t, c.Do(r), codec.RespSystemError, fmt.Sprintf("namesrv: %q is no key", name))
		wantBody(t, c, nstest.Request(codec.ReqGetNamesrvConfig), defaultConfigText)
	}
}

// The whole configuration is given out.
//
// Java: RequestProcessorTest#testGetConfig
func TestQ27_testGetConfig(t *testing.T) {
	c := start(t, nil).dial(t)
	wantBody(t, c, common(codec.ReqGetNamesrvConfig, "cluster", "default-cluster"), defaultConfigText)
}
