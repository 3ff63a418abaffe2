// Package chart holds no code: its tests keep the Helm chart and the manifests for
// Kubernetes true.
package chart

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write deploy/kubernetes anew")

const (
	source    = "../../deploy/helm/gonamesrv"
	manifests = "../../deploy/kubernetes/gonamesrv.yaml"
)

// manifestsHead stands above the manifests.
const manifestsHead = `# Two name servers of RocketMQ for Kubernetes, without Helm:
#   kubectl apply -n rocketmq -f gonamesrv.yaml
# after you have put the name of your registry in front of the image. It is the chart with its
# defaults, written by: make kubernetes
`

// A serviceMonitor is what the chart uses of those of Prometheus's operator.
type serviceMonitor struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Spec struct {
		Selector struct {
			MatchLabels map[string]string `json:"matchLabels"`
		} `json:"selector"`
		Endpoints []struct {
			Port      string         `json:"port"`
			Path      string         `json:"path"`
			Interval  string         `json:"interval"`
			Scheme    string         `json:"scheme"`
			TLSConfig map[string]any `json:"tlsConfig"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// kinds makes what a document is decoded into, by its version and kind.
var kinds = map[string]func() any{
	"v1 ConfigMap":                            func() any { return new(core.ConfigMap) },
	"v1 Service":                              func() any { return new(core.Service) },
	"apps/v1 StatefulSet":                     func() any { return new(apps.StatefulSet) },
	"policy/v1 PodDisruptionBudget":           func() any { return new(policy.PodDisruptionBudget) },
	"networking.k8s.io/v1 NetworkPolicy":      func() any { return new(networking.NetworkPolicy) },
	"monitoring.coreos.com/v1 ServiceMonitor": func() any { return new(serviceMonitor) },
}

// all are values of which each part of the templates is used.
const all = `
replicas: 3
brokers: 4
image: {repository: registry.example.com/gonamesrv, tag: 1.2.3, pullPolicy: Always}
imagePullSecrets: [{name: secret}]
config: {warmStart: shadow, maxTopics: 1000000, selfProtection: "on", orderMessageEnable: true}
adminTokenSecret: people
secrets: [rights, tls]
persistence: {enabled: true, size: 2Gi, storageClassName: fast}
javaOptExt: -Dcom.rocketmq.remoting.frameMaxLength=33554432
networkPolicy:
  enabled: true
  clients: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: rocketmq}}}]
  monitoring: [{ipBlock: {cidr: 10.0.0.0/8}}]
serviceMonitor: {enabled: true, interval: 30s, labels: {release: prometheus}}
podAnnotations: {a: b}
podLabels: {c: d}
nodeSelector: {disk: ssd}
tolerations: [{key: k, operator: Exists, effect: NoSchedule}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: z, operator: Exists}]}]}}}
priorityClassName: high
`

// cases are values that people give the chart.
var cases = []struct{ name, values string }{
	{"defaults", ``},
	{"all", all},
	{"one", `replicas: 1`},
	{"three", `replicas: 3`},
	{"without a volume", `persistence: {enabled: false}`},
	{"tokens", `adminTokenSecret: people`},
	{"everybody may connect", `networkPolicy: {enabled: true}`},
	{"serviceMonitor", `serviceMonitor: {enabled: true}`},
	{"TLS", `
config: {adminTlsEnable: true}
secrets: [tls]
serviceMonitor: {enabled: true, tlsConfig: {insecureSkipVerify: true}}
`},
}

// renderAll makes all files of the chart, by their names.
func renderAll(t *testing.T, values string) map[string]string {
	t.Helper()
	chart, err := loader.Load(source)
	if err != nil {
		t.Fatal(err)
	}
	given, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(chart, given, chartutil.ReleaseOptions{
		Name: "gonamesrv", Namespace: "rocketmq", Revision: 1, IsInstall: true,
	}, chartutil.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := engine.Render(chart, all)
	if err != nil {
		t.Fatal(err)
	}
	return rendered
}

// render makes the documents of the chart, in the order of their files.
func render(t *testing.T, values string) []string {
	t.Helper()
	rendered := renderAll(t, values)
	var documents []string
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if path.Ext(name) != ".yaml" {
			continue
		}
		for d := range strings.SplitSeq("\n"+rendered[name], "\n---\n") {
			if d = strings.TrimSpace(d); d != "" {
				documents = append(documents, d+"\n")
			}
		}
	}
	return documents
}

// decode reads a document as Kubernetes's API server does, and refuses fields that are not
// known, also those in other case, and those that are there twice.
func decode(document []byte) (any, error) {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, err
	}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.UnmarshalCaseSensitivePreserveInts(text, &head); err != nil {
		return nil, err
	}
	create, ok := kinds[head.APIVersion+" "+head.Kind]
	if !ok {
		return nil, fmt.Errorf("no kind %s %s is known", head.APIVersion, head.Kind)
	}
	object := create()
	strict, err := json.UnmarshalStrict(text, object)
	return object, errors.Join(append(strict, err)...)
}

// TestLint: helm lint has nothing to say, whatever the values.
func TestLint(t *testing.T) {
	for _, c := range cases {
		values, err := chartutil.ReadValues([]byte(c.values))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range lint.All(source, values, "rocketmq", true).Messages {
			if !strings.Contains(m.Err.Error(), "icon is recommended") {
				t.Errorf("%s: %v", c.name, m)
			}
		}
	}
}

// TestDocuments: each document is one that Kubernetes takes, whatever the values, and all
// kinds come up.
func TestDocuments(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases {
		for _, d := range render(t, c.values) {
			object, err := decode([]byte(d))
			if err != nil {
				t.Errorf("%s: %v:\n%s", c.name, err, d)
			}
			seen[fmt.Sprintf("%T", object)] = true
		}
	}
	if len(seen) != len(kinds) {
		t.Errorf("only %v came up", seen)
	}
}

// free are the fields whose keys people choose.
var free = []string{"annotations", "data", "labels", "limits", "matchLabels", "nodeSelector", "requests", "tlsConfig"}

// TestDecodeIsStrict misspells each field of each document once, and once writes it in
// another case: all are found.
func TestDecodeIsStrict(t *testing.T) {
	fields := 0
	for _, d := range render(t, all) {
		var document map[string]any
		if err := yaml.Unmarshal([]byte(d), &document); err != nil {
			t.Fatal(err)
		}
		var misspell func(at string, node any)
		misspell = func(at string, node any) {
			switch n := node.(type) {
			case []any:
				for _, v := range n {
					misspell(at, v)
				}
			case map[string]any:
				for _, name := range slices.Sorted(maps.Keys(n)) {
					value := n[name]
					delete(n, name)
					for _, wrong := range []string{name + "x", name[1:], strings.ToUpper(name[:1]) + name[1:]} {
						n[wrong] = value
						text, err := yaml.Marshal(document)
						if err != nil {
							t.Fatal(err)
						}
						if _, err := decode(text); err == nil {
							t.Errorf("%s.%s is taken", at, wrong)
						}
						delete(n, wrong)
					}
					n[name] = value
					fields++
					if at := at + "." + name; !slices.Contains(free, name) && at != "Service.spec.selector" {
						misspell(at, value)
					}
				}
			}
		}
		misspell(document["kind"].(string), document)
	}
	if fields < 200 {
		t.Errorf("only %d fields have been misspelt", fields)
	}
}

// TestWrongValues: values that are misspelt are refused.
func TestWrongValues(t *testing.T) {
	chart, err := loader.Load(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range []string{
		"replica: 3", "replicas: 0", "image: {repo: x}", "brokers: many", "persistence: {enabled: maybe}",
		"config: {listenPort: 1}", "config: {adminTokenFile: /x}", "config: {adminAnonymousRemote: none}",
		`config: {warmStart: "on\nlistenPort=1"}`, `config: {"a\nb": 1}`, "config: {maxTopics: 1.5}", "secrets: [../x]",
	} {
		given, err := chartutil.ReadValues([]byte(values))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := chartutil.ToRenderValues(chart, given, chartutil.ReleaseOptions{}, chartutil.DefaultCapabilities); err == nil {
			t.Errorf("%s is taken", values)
		}
	}
}

// TestManifests makes sure that the manifests are the chart's, with its defaults. With
// -update it writes them, and the version into the chart.
func TestManifests(t *testing.T) {
	if *update {
		writeVersion(t)
	}
	want := manifestsHead
	for _, d := range render(t, "") {
		want += "---\n" + d
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(manifests), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(manifests, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(manifests)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what make kubernetes makes: %v", filepath.Base(manifests), err)
	}
}

// TestArchive: Helm reads the archive of the release in the folder GONAMESRV_DIST, and it is
// this chart.
func TestArchive(t *testing.T) {
	dist := os.Getenv("GONAMESRV_DIST")
	if dist == "" {
		t.Skip("GONAMESRV_DIST names no folder with a release")
	}
	files := func(place string) map[string]string {
		t.Helper()
		chart, err := loader.Load(place)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"version": chart.Metadata.Version}
		for _, f := range chart.Raw {
			files[f.Name] = string(f.Data)
		}
		return files
	}
	want := files(source)
	if got := files(filepath.Join(dist, "gonamesrv-chart-"+want["version"]+".tgz")); !maps.Equal(got, want) {
		t.Errorf("the archive has other files: %v", slices.Sorted(maps.Keys(got)))
	}
}

// writeVersion writes the version of the programs into the chart.
func writeVersion(t *testing.T) {
	t.Helper()
	code, err := os.ReadFile("../version/version.go")
	if err != nil {
		t.Fatal(err)
	}
	release := regexp.MustCompile(`(?m)^const Release = "(.*)"$`).FindSubmatch(code)
	if release == nil {
		t.Fatal("version.go has no version")
	}
	file := source + "/Chart.yaml"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^(version|appVersion): .*$`).ReplaceAll(text, []byte("${1}: "+string(release[1])))
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
