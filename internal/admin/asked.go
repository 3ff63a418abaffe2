package admin

import (
	"maps"
	"net/http"
	"sync"
)

// An askedKey is what is counted together: there are as many as rows and statuses.
type askedKey struct {
	handler string // path of the row
	status  int
}

// asked counts the requests that were answered.
type asked struct {
	mu     sync.Mutex
	counts map[askedKey]uint64
}

// noHandler stands for the path of a request that no row has answered.
const noHandler = "other"

// note counts an answer that has ended.
func (c *asked) note(w *answer) {
	k := askedKey{w.handler, w.status}
	if k.handler == "" {
		k.handler = noHandler
	}
	if k.status == 0 {
		k.status = http.StatusOK // as net/http says for who writes nothing
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[askedKey]uint64{}
	}
	c.counts[k]++
}

func (c *asked) all() map[askedKey]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}
