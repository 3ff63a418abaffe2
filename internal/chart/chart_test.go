// Package chart holds no code: its tests keep the Helm chart and the manifests for
// Kubernetes true.
package chart

import (
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
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
			Port     string `json:"port"`
			Path     string `json:"path"`
			Interval string `json:"interval"`
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

// cases are values that people give the chart: each part of the templates is used by one.
var cases = []struct{ name, values string }{
	{"defaults", ``},
	{"all", `
replicas: 3
brokers: 4
image: {repository: registry.example.com/gonamesrv, tag: 1.2.3, pullPolicy: Always}
imagePullSecrets: [{name: secret}]
config: {warmStart: shadow, maxTopics: 1000000, selfProtection: "on", orderMessageEnable: true, listenPort: 1}
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
`},
	{"without a volume", `
persistence: {enabled: false}
networkPolicy: {enabled: true}
serviceMonitor: {enabled: true}
`},
}

// render makes the documents of the chart, as helm template does, in their order.
func render(t *testing.T, values string) []string {
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
	var names []string
	for name := range rendered {
		if path.Ext(name) == ".yaml" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var documents []string
	for _, name := range names {
		for d := range strings.SplitSeq("\n"+rendered[name], "\n---\n") {
			if d = strings.TrimSpace(d); d != "" {
				documents = append(documents, d+"\n")
			}
		}
	}
	return documents
}

// decode reads a document as Kubernetes's API server would, and refuses what is misspelt.
func decode(document string) (any, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal([]byte(document), &head); err != nil {
		return nil, err
	}
	make, ok := kinds[head.APIVersion+" "+head.Kind]
	if !ok {
		return nil, fmt.Errorf("no kind %s %s is known", head.APIVersion, head.Kind)
	}
	object := make()
	return object, yaml.UnmarshalStrict([]byte(document), object)
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
			object, err := decode(d)
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

// TestDecodeIsStrict: a field that Kubernetes does not know is found, wherever it stands.
func TestDecodeIsStrict(t *testing.T) {
	for _, field := range []string{"podManagementPolicy", "terminationGracePeriodSeconds", "readOnlyRootFilesystem", "failureThreshold"} {
		found := false
		for _, d := range render(t, "") {
			if strings.Contains(d, field) {
				found = true
				if _, err := decode(strings.Replace(d, field, field+"x", 1)); err == nil {
					t.Errorf("%sx is taken", field)
				}
			}
		}
		if !found {
			t.Errorf("no document has %s", field)
		}
	}
}

// TestFitsTogether: what refers to something by its name or label finds it.
func TestFitsTogether(t *testing.T) {
	for _, c := range cases {
		var set *apps.StatefulSet
		services, configs := map[string]*core.Service{}, map[string]*core.ConfigMap{}
		var selectors []map[string]string
		for _, d := range render(t, c.values) {
			object, _ := decode(d)
			switch o := object.(type) {
			case *apps.StatefulSet:
				set = o
				selectors = append(selectors, o.Spec.Selector.MatchLabels)
			case *core.Service:
				services[o.Name] = o
				selectors = append(selectors, o.Spec.Selector)
			case *core.ConfigMap:
				configs[o.Name] = o
			case *policy.PodDisruptionBudget:
				selectors = append(selectors, o.Spec.Selector.MatchLabels)
			case *networking.NetworkPolicy:
				selectors = append(selectors, o.Spec.PodSelector.MatchLabels)
			case *serviceMonitor:
				if all := services["gonamesrv-all"]; all != nil && !within(o.Spec.Selector.MatchLabels, all.Labels) {
					t.Errorf("%s: the ServiceMonitor does not find the service: %v", c.name, o.Spec.Selector)
				}
			}
		}
		pod := set.Spec.Template
		for _, s := range selectors {
			if len(s) < 2 || !within(s, pod.Labels) {
				t.Errorf("%s: %v does not select pods with %v", c.name, s, pod.Labels)
			}
		}
		if s := services[set.Spec.ServiceName]; s == nil || s.Spec.ClusterIP != core.ClusterIPNone || !s.Spec.PublishNotReadyAddresses {
			t.Errorf("%s: the service of the set is %+v", c.name, s)
		}
		if s := services["gonamesrv"]; s == nil || s.Spec.PublishNotReadyAddresses {
			t.Errorf("%s: the service of clients is %+v", c.name, s)
		}
		volumes := map[string]bool{}
		for _, v := range pod.Spec.Volumes {
			volumes[v.Name] = true
			if v.ConfigMap != nil && configs[v.ConfigMap.Name] == nil {
				t.Errorf("%s: no ConfigMap %s", c.name, v.ConfigMap.Name)
			}
		}
		for _, v := range set.Spec.VolumeClaimTemplates {
			if volumes[v.Name] {
				t.Errorf("%s: the volume %s is there twice", c.name, v.Name)
			}
			volumes[v.Name] = true
		}
		for _, m := range pod.Spec.Containers[0].VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s: no volume %s", c.name, m.Name)
			}
		}
		ports := map[string]bool{}
		for _, p := range pod.Spec.Containers[0].Ports {
			ports[p.Name] = true
		}
		for _, s := range services {
			for _, p := range s.Spec.Ports {
				if !ports[p.TargetPort.StrVal] {
					t.Errorf("%s: no port %v", c.name, p.TargetPort)
				}
			}
		}
	}
}

// within reports whether all labels are among others.
func within(some, all map[string]string) bool {
	for k, v := range some {
		if all[k] != v {
			return false
		}
	}
	return true
}

// TestConfig: keys of the values are in the configuration as they were given, and those
// that the chart depends upon have the last word.
func TestConfig(t *testing.T) {
	for _, d := range render(t, cases[1].values) {
		object, _ := decode(d)
		if m, ok := object.(*core.ConfigMap); ok {
			want := `listenPort=1
maxTopics=1000000
orderMessageEnable=true
selfProtection=on
warmStart=shadow
readyMinBrokers=4
listenPort=9876
adminServerPort=19876
adminBindAddress=0.0.0.0
`
			if got := m.Data["namesrv.properties"]; got != want {
				t.Errorf("the configuration is\n%swant\n%s", got, want)
			}
			return
		}
	}
	t.Error("no ConfigMap")
}

// TestWrongValues: values that are misspelt are refused.
func TestWrongValues(t *testing.T) {
	chart, err := loader.Load(source)
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range []string{"replica: 3", "replicas: 0", "image: {repo: x}", "brokers: many", "persistence: {enabled: maybe}"} {
		given, err := chartutil.ReadValues([]byte(values))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := chartutil.ToRenderValues(chart, given, chartutil.ReleaseOptions{}, chartutil.DefaultCapabilities); err == nil {
			t.Errorf("%s is taken", values)
		}
	}
}

// TestManifests makes sure that the manifests are the chart's, with its defaults.
func TestManifests(t *testing.T) {
	want := manifestsHead
	for _, d := range render(t, "") {
		want += "---\n" + d
	}
	if *update {
		if err := os.WriteFile(manifests, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(manifests)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what make kubernetes makes: %v", filepath.Base(manifests), err)
	}
}
