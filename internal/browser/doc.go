// Package browser looks at the console as people do: with a browser, at a server that
// runs. Its tests need Chromium, Node's npm for axe-core, and the build tag browser.
//
// It is a Go module of its own, so that the name server's go.mod does not list the
// modules that drive a browser.
package browser
