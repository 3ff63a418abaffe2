//go:build browser

package browser

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"gonamesrv/internal/nstest"
)

// TestPictures makes the pictures of the documents, if GONAMESRV_DOC_PICTURES names the
// folder for them: `make pictures`.
func TestPictures(t *testing.T) {
	dir := os.Getenv("GONAMESRV_DOC_PICTURES")
	if dir == "" {
		t.Skip("GONAMESRV_DOC_PICTURES names no folder")
	}
	s := start(t)
	c := demo(t, s)
	p := s.open(t, browse(t))
	p.visit("/")
	p.live()
	asker := nstest.Dial(t, s.addr)
	const asks = 40 // half a second apart: that is what the charts show
	for i := range asks {
		for range 5 + i%9 {
			asker.Do(nstest.Route("ORDERS"))
			asker.Do(nstest.Route("PAYMENTS"))
		}
		if i%6 == 0 {
			asker.Do(nstest.Route("REFUNDS"))
		}
		if i == asks/2 {
			c.conns["10.0.0.5:10911"].Close()
		}
		time.Sleep(time.Second / 2)
	}
	light, dark := shape{1280, 900, "light"}, shape{1280, 900, "dark"}
	for _, picture := range []struct {
		name, path string
		shape      shape
	}{
		{"overview-light", "/", light}, {"overview-dark", "/", dark}, {"topic-light", "/topics/REFUNDS", light}, {"brokers-light", "/brokers", light},
	} {
		p.look(picture.shape)
		p.visit(picture.path)
		p.live()
		p.wait("the charts are drawn", `!document.querySelector("#charts") || document.querySelectorAll("#charts canvas").length === 8`)
		p.settle()
		ctx, cancel := context.WithTimeout(p.ctx, nstest.Patience)
		text, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		small, err := fewColours(text)
		if err != nil {
			t.Fatal(err)
		}
		if len(small) > 200<<10 {
			t.Errorf("%s has %d bytes", picture.name, len(small))
		}
		if err := os.WriteFile(filepath.Join(dir, "console-"+picture.name+".png"), small, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.noFaults("pictures")
}

// demo are three sets with a slave each.
func demo(t *testing.T, s *site) *cluster {
	c := &cluster{name: "demo", conns: map[string]*nstest.Client{}}
	topics := []string{"TBW102", "ORDERS", "PAYMENTS", "SHIPMENTS", "STOCK", "%RETRY%billing"}
	for i, name := range []string{"broker-a", "broker-b", "broker-c"} {
		own := append(slices.Clone(topics), "INVOICES", "RETURNS")
		if name == "broker-c" {
			own = append(own, "REFUNDS", "VOUCHERS")
		}
		for id := range int64(2) {
			addr := fmt.Sprintf("10.0.0.%d:10911", 2*i+int(id)+1)
			c.register(t, s, nstest.Broker{Cluster: "shop", Name: name, ID: id, Addr: addr, Topics: own})
		}
	}
	return c
}

// fewColours returns a PNG with the 256 colours that it has most of: the others are the
// edges of letters.
func fewColours(text []byte) ([]byte, error) {
	full, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	count, area := map[color.RGBA]int{}, full.Bounds()
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	most := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return cmp.Compare(count[b], count[a]) })
	var few color.Palette
	for _, c := range most[:min(len(most), 256)] {
		few = append(few, c)
	}
	small, known := image.NewPaletted(area, few), map[color.RGBA]uint8{}
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			c := at(x, y)
			i, ok := known[c]
			if !ok {
				i = uint8(few.Index(c))
				known[c] = i
			}
			small.SetColorIndex(x, y, i)
		}
	}
	var b bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, small)
	return b.Bytes(), err
}
