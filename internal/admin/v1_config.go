package admin

import (
	"net/url"
	"strings"

	"gonamesrv/internal/namesrv"
)

type configAnswer struct {
	Hash  string       `json:"hash"`
	Items []configItem `json:"items"`
}

type configItem struct {
	Key     string  `json:"key"`
	Value   string  `json:"value"`
	Default *string `json:"default"`
	Source  string  `json:"source"`
	Effect  string  `json:"effect"`
}

// config shows the configuration, or what of it is not the default.
func (a *Admin) config(q *query) (any, error) {
	changed := q.flag("changed")
	if err := q.fault(); err != nil {
		return nil, err
	}
	answer := configAnswer{Hash: configHash(a.server.Snapshot().Config), Items: []configItem{}}
	for _, it := range a.server.ConfigItems() {
		if changed && (it.HasDefault && it.Value == it.Default || it.Source == namesrv.SourceDefault) {
			continue
		}
		item := configItem{Key: it.Key, Value: it.Value, Source: string(it.Source), Effect: it.Effect}
		if it.HasDefault {
			item.Default = &it.Default
		}
		answer.Items = append(answer.Items, item)
	}
	return answer, nil
}

type kvEntry struct {
	Namespace string `json:"namespace"`
	Key       string `json:"key"`
	Value     string `json:"value"`
}

// kv lists the KV config, or one namespace of it.
func (a *Admin) kv(q *query) (any, error) {
	limit := q.limit(largestPage)
	only := q.PathValue("ns")
	namespace, key := only, ""
	if after := q.text("after"); q.values.Has("after") {
		ns, k, ok := strings.Cut(after, "/")
		nsText, err1 := url.QueryUnescape(ns)
		keyText, err2 := url.QueryUnescape(k)
		if !ok || err1 != nil || err2 != nil || only != "" && nsText != only {
			q.refuse("after is %s, must be the next of a page", quoted(after))
		}
		namespace, key = nsText, keyText+"\x00" // the first key behind it
	}
	if err := q.fault(); err != nil {
		return nil, err
	}
	if only != "" && !a.server.HasKVNamespace(only) {
		return nil, &fault{kind: kindNotFound, detail: "there is no namespace " + quoted(only)}
	}
	l := listing[kvEntry]{Generation: a.generation(a.server.View()), Items: []kvEntry{}}
	for ns, f := range a.server.KVConfig(namespace, key) {
		if only != "" && ns != only {
			break
		}
		if len(l.Items) == limit {
			last := l.Items[limit-1]
			l.Next = url.QueryEscape(last.Namespace) + "/" + url.QueryEscape(last.Key)
			break
		}
		l.Items = append(l.Items, kvEntry{ns, f.Name, f.Value})
	}
	return l, nil
}
