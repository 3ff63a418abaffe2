package admin

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"sync"
)

// consoleFiles are the templates and the assets of the console. uPlot is version 1.6.32,
// as its authors publish it; uPlot.LICENSE.txt is its licence.
//
//go:embed console
var consoleFiles embed.FS

// An asset is a file that pages load. Its name has a hash of what is in it, so that
// browsers may keep it.
type asset struct{ contentType, file string }

// assetTypes are the files that are assets, and of which type they are.
var assetTypes = map[string]string{
	"console.css": "text/css; charset=utf-8",
	"console.js":  "text/javascript; charset=utf-8",
	"uPlot.css":   "text/css; charset=utf-8",
	"uPlot.js":    "text/javascript; charset=utf-8",
	"favicon.svg": "image/svg+xml",

	"uPlot.LICENSE.txt": "text/plain; charset=utf-8",
}

// assets are by hashed name, and assetURLs the addresses by file.
var assets = sync.OnceValues(func() (byName map[string]asset, urls map[string]string) {
	byName, urls = map[string]asset{}, map[string]string{}
	for file, contentType := range assetTypes {
		b, err := consoleFiles.ReadFile("console/" + file)
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(b)
		ext := path.Ext(file)
		name := strings.TrimSuffix(file, ext) + "-" + hex.EncodeToString(sum[:6]) + ext
		byName[name], urls[file] = asset{contentType, "console/" + file}, "/assets/"+name
	}
	return byName, urls
})

// assetURL is where a file is.
func assetURL(file string) string {
	_, urls := assets()
	return urls[file]
}

func (a *Admin) asset(w http.ResponseWriter, r *http.Request) {
	byName, _ := assets()
	as, ok := byName[r.PathValue("name")]
	if !ok {
		writeProblem(w, r, kindNotFound, "there is no such asset")
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	a.writeAsset(w, as)
}

// favicon is for browsers that show something else than a page: these name it.
func (a *Admin) favicon(w http.ResponseWriter, _ *http.Request) {
	a.writeAsset(w, asset{assetTypes["favicon.svg"], "console/favicon.svg"})
}

func (a *Admin) writeAsset(w http.ResponseWriter, as asset) {
	b, err := consoleFiles.ReadFile(as.file)
	if err != nil {
		panic(err) // it is in the program
	}
	w.Header().Set("Content-Type", as.contentType)
	_, _ = w.Write(b)
}
