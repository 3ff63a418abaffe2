package engine

import (
	"bytes"
	"crypto/tls"
	"reflect"
	"unsafe"
)

// keptTLSInput is how large an input buffer a TLS connection keeps while it is
// silent: that of a small request, so that its next one allocates none.
const keptTLSInput = 1 << 10

// tlsInput is where a tls.Conn has its two input buffers: that of records, which grows
// to the largest record that has ever come (16 KiB), and that of handshake messages,
// which grows to the client's first (1.5 KB and more with a post-quantum key).
// crypto/tls keeps both for as long as the connection lives, empty most of the time,
// and has no way to give them back.
//
// They are found by name and type. A release of Go that has them no more costs memory
// and nothing else; TestTLSInputIsFound says so.
var tlsInput = func() (offsets []uintptr) {
	for _, name := range []string{"rawInput", "hand"} {
		f, ok := reflect.TypeFor[tls.Conn]().FieldByName(name)
		if ok && f.Type == reflect.TypeFor[bytes.Buffer]() {
			offsets = append(offsets, f.Offset)
		}
	}
	return offsets
}()

// dropTLSInput lets the collector have the input buffers of c that are empty and larger
// than keep. An empty bytes.Buffer and a zero one are the same for who uses it. Only
// for the goroutine that reads c: crypto/tls uses both buffers in its Handshake and its
// Read only.
func dropTLSInput(c *tls.Conn, keep int) {
	for _, offset := range tlsInput {
		b := (*bytes.Buffer)(unsafe.Add(unsafe.Pointer(c), offset))
		if b.Len() == 0 && b.Cap() > keep {
			*b = bytes.Buffer{}
		}
	}
}
