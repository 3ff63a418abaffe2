package codec

// A KVConfigRequestHeader goes with PUT_KV_CONFIG, GET_KV_CONFIG,
// DELETE_KV_CONFIG and GET_KVLIST_BY_NAMESPACE; each uses as many fields as it
// needs. Slices are borrowed from the frame; nil means absent.
// Java: PutKVConfigRequestHeader, GetKVConfigRequestHeader,
// DeleteKVConfigRequestHeader, GetKVListByNamespaceRequestHeader.
type KVConfigRequestHeader struct {
	Namespace []byte
	Key       []byte
	Value     []byte
}

// Decode fills h from ext.
func (h *KVConfigRequestHeader) Decode(ext ExtFields) {
	h.Namespace = ext.text("namespace")
	h.Key = ext.text("key")
	h.Value = ext.text("value")
}
