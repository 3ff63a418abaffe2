package codec

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nowMillis is the clock of all tests.
const nowMillis = 1700000009999

// loadFrame returns the bytes of testdata/frames/name.txt, a hex dump with
// the text beside it.
func loadFrame(t testing.TB, name string) []byte {
	t.Helper()
	dump, err := os.ReadFile(filepath.Join("testdata", "frames", name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(dump)) {
		line, _, _ = strings.Cut(line, "|")
		_, line, _ = strings.Cut(line, " ")
		digits.WriteString(strings.ReplaceAll(strings.TrimSpace(line), " ", ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

// frameOf returns the frame with the given header and body.
func frameOf(st SerializeType, header, body []byte) []byte {
	b := beginFrame(nil)
	b = append(b, header...)
	end := len(b)
	b = append(b, body...)
	endFrame(b, 0, end, st)
	return b
}

// extFields returns name, value, name, value... as ExtFields.
func extFields(pairs ...string) ExtFields {
	var e ExtFields
	for i := 0; i < len(pairs); i += 2 {
		e = append(e, ExtField{Name: []byte(pairs[i]), Value: []byte(pairs[i+1])})
	}
	return e
}

// show returns e as name=value pairs in their order.
func show(e ExtFields) string {
	var parts []string
	for _, f := range e {
		parts = append(parts, string(f.Name)+"="+string(f.Value))
	}
	return strings.Join(parts, " ")
}

// showCommand returns all of c's header in one line.
func showCommand(c *Command) string {
	remark := "null"
	if c.Remark != nil {
		remark = string(appendString(nil, c.Remark, DialectStrict))
	}
	return fmt.Sprintf("code %d language %s version %d opaque %d flag %d remark %s ext %s",
		c.Code, c.Language, c.Version, c.Opaque, c.Flag, remark, show(c.Ext))
}

// showMap returns the entries of m in a fixed order.
func showMap(m map[string]string) string { return fmt.Sprintf("%q", m) }

// decodeCompact is decodePieces of what is inflated already.
func (b *RegisterBrokerBody) decodeCompact(p []byte, withMappings bool, nowMillis int64) error {
	s := pieces{src: bytes.NewReader(p), buf: make([]byte, inflateStep), limit: len(p), memory: &b.memory}
	return b.decodePieces(&s, withMappings, nowMillis)
}
