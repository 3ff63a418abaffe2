// What only the tests of this folder need, so that the name server's go.mod has
// what the name server needs.
module gonamesrv/internal/browser

go 1.25.7

require (
	github.com/chromedp/cdproto v0.159.0
	github.com/chromedp/chromedp v0.23.0
	gonamesrv v0.0.0
)

require (
	github.com/go-json-experiment/json v0.0.0-20260213210345-44df1a37e875 // indirect
	github.com/goccy/go-json v0.12.0 // indirect
)

replace gonamesrv => ../..
