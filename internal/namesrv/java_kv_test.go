package namesrv_test

import (
	"path/filepath"
	"reflect"
	"testing"

	"gonamesrv/codec"
	"gonamesrv/internal/nstest"
)

// startJavaKV runs a server with an empty KV config, and connects to it.
func startJavaKV(t *testing.T) (*nstest.Client, string) {
	file := filepath.Join(t.TempDir(), "kvConfig.json")
	return startKV(t, file).dial(t), file
}

// The fields of the requests about one key, as the Java tests send them.
var (
	orderKey  = []string{"namespace", "ORDER_TOPIC_CONFIG", "key", "UnitTest"}
	sampleKey = []string{"namespace", "namespace", "key", "key"}
)

const noSampleKey = "No config item, Namespace: namespace Key: key"

// An order configuration that has been put is listed, is found by its key, and is
// in the file.
//
// Java: KVConfigManagerTest#testPutKVConfig
func TestK01_testPutKVConfig(t *testing.T) {
	c, file := startJavaKV(t)
	wantReply(t, c, putKV(append(orderKey, "value", "test")...), codec.RespSuccess, "", "", "")
	wantBody(t, c, listKV("namespace", "ORDER_TOPIC_CONFIG"), `{"table":{"UnitTest":"test"}}`)
	wantExt(t, c, getKV(orderKey...), "value", "test")
	if got, want := readFile(t, file), `{"configTable":{"ORDER_TOPIC_CONFIG":{"UnitTest":"test"}}}`; got != want {
		t.Errorf("the file is %s, want %s", got, want)
	}
}

// Deleting from a namespace that is not known makes nothing known: neither the
// namespace nor the key.
//
// Java: KVConfigManagerTest#testDeleteKVConfig
func TestK02_testDeleteKVConfig(t *testing.T) {
	c, _ := startJavaKV(t)
	wantCode(t, c.Do(deleteKV(orderKey...)), codec.RespSuccess, "")
	wantCode(t, c.Do(listKV("namespace", "ORDER_TOPIC_CONFIG")), codec.RespQueryNotFound, "No config item, Namespace: ORDER_TOPIC_CONFIG")
	wantCode(t, c.Do(getKV(orderKey...)), codec.RespQueryNotFound, "No config item, Namespace: ORDER_TOPIC_CONFIG Key: UnitTest")
}

// A KV config with three keys is read back as it was written.
//
// Java: KVConfigSerializeWrapperTest#testEncodeAndDecode
func TestK03_testEncodeAndDecode(t *testing.T) {
	want := codec.KVConfigTable{Namespaces: []codec.KVNamespace{{Name: "ORDER_TOPIC_CONFIG", Entries: []codec.Field{
		{Name: "broker-name", Value: "default-broker"},
		{Name: "cid", Value: "default-consumer-name"},
		{Name: "topic-name", Value: "default-topic"},
	}}}}
	text := want.AppendJSON(nil)
	var got codec.KVConfigTable
	if err := got.Decode(text); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s is read as\n\t%+v, %v, want\n\t%+v", text, got, err, want)
	}
}

// A value that is put can be read.
//
// Java: RequestProcessorTest#testProcessRequest_PutKVConfig
func TestQ01_testProcessRequest_PutKVConfig(t *testing.T) {
	c, file := startJavaKV(t)
	wantReply(t, c, putKV(append(sampleKey, "value", "value")...), codec.RespSuccess, "", "", "")
	wantExt(t, c, getKV(sampleKey...), "value", "value")
	if got, want := readFile(t, file), `{"configTable":{"namespace":{"key":"value"}}}`; got != want {
		t.Errorf("the file is %s, want %s", got, want)
	}
}

// A value that is there is answered in a field, without remark and body.
//
// Java: RequestProcessorTest#testProcessRequest_GetKVConfigReturnNotNull
func TestQ02_testProcessRequest_GetKVConfigReturnNotNull(t *testing.T) {
	c, _ := startJavaKV(t)
	wantCode(t, c.Do(putKV(append(sampleKey, "value", "value")...)), codec.RespSuccess, "")
	wantReply(t, c, getKV(sampleKey...), codec.RespSuccess, `{"value":"value"}`, "", "")
}

// A value that is not there is not found: the remark names it, and there is no
// field.
//
// Java: RequestProcessorTest#testProcessRequest_GetKVConfigReturnNull
func TestQ03_testProcessRequest_GetKVConfigReturnNull(t *testing.T) {
	c, _ := startJavaKV(t)
	wantReply(t, c, getKV(sampleKey...), codec.RespQueryNotFound, "{}", noSampleKey, "")
}

// A value that is deleted is not there any more.
//
// Java: RequestProcessorTest#testProcessRequest_DeleteKVConfig
func TestQ04_testProcessRequest_DeleteKVConfig(t *testing.T) {
	c, file := startJavaKV(t)
	wantCode(t, c.Do(putKV(append(sampleKey, "value", "value")...)), codec.RespSuccess, "")
	wantExt(t, c, getKV(sampleKey...), "value", "value")
	wantReply(t, c, deleteKV(sampleKey...), codec.RespSuccess, "", "", "")
	wantCode(t, c.Do(getKV(sampleKey...)), codec.RespQueryNotFound, noSampleKey)
	if got, want := readFile(t, file), `{"configTable":{"namespace":{}}}`; got != want {
		t.Errorf("the file is %s, want %s", got, want)
	}
}

// A namespace that is not known is not listed; with the first value that is put
// into it, it is.
//
// Java: RequestProcessorTest#testGetKVListByNamespace
func TestQ20_testGetKVListByNamespace(t *testing.T) {
	c, _ := startJavaKV(t)
	list := common(codec.ReqGetKVListByNamespace, "namespace", "default-namespace-1")
	wantCode(t, c.Do(list), codec.RespQueryNotFound, "No config item, Namespace: default-namespace-1")
	wantCode(t, c.Do(putKV("namespace", "default-namespace-1", "key", "key", "value", "value")), codec.RespSuccess, "")
	wantBody(t, c, list, `{"table":{"key":"value"}}`)
}
