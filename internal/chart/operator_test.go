package chart

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
)

// A release is all documents of the chart.
type release struct {
	set      *apps.StatefulSet
	pod      *core.PodSpec   // of set
	server   *core.Container // of pod, its only one
	services map[string]*core.Service
	config   *core.ConfigMap
	budget   *policy.PodDisruptionBudget
	policy   *networking.NetworkPolicy // nil if there is none
	monitor  *serviceMonitor           // nil if there is none
}

// read renders the chart and decodes it.
func read(t *testing.T, values string) release {
	t.Helper()
	r := release{services: map[string]*core.Service{}}
	for _, d := range render(t, values) {
		object, err := decode([]byte(d))
		if err != nil {
			t.Fatalf("%v:\n%s", err, d)
		}
		switch o := object.(type) {
		case *apps.StatefulSet:
			r.set = o
		case *core.Service:
			r.services[o.Name] = o
		case *core.ConfigMap:
			r.config = o
		case *policy.PodDisruptionBudget:
			r.budget = o
		case *networking.NetworkPolicy:
			r.policy = o
		case *serviceMonitor:
			r.monitor = o
		}
	}
	if r.set == nil || r.config == nil || r.budget == nil || len(r.set.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("not all documents are there: %+v", r)
	}
	r.pod = &r.set.Spec.Template.Spec
	r.server = &r.pod.Containers[0]
	return r
}

// within reports whether all labels are among others, and whether there are any.
func within(some, all map[string]string) bool {
	for k, v := range some {
		if all[k] != v {
			return false
		}
	}
	return len(some) >= 2
}

// TestFitsTogether: what refers to something by its name or label finds it.
func TestFitsTogether(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := read(t, c.values)
			selectors := map[string]map[string]string{
				"StatefulSet":         r.set.Spec.Selector.MatchLabels,
				"PodDisruptionBudget": r.budget.Spec.Selector.MatchLabels,
			}
			ports := map[string]int32{}
			for _, p := range r.server.Ports {
				ports[p.Name] = p.ContainerPort
			}
			for name, s := range r.services {
				selectors["Service "+name] = s.Spec.Selector
				for _, p := range s.Spec.Ports {
					if ports[p.TargetPort.StrVal] != p.Port {
						t.Errorf("%s: its port %d is %d of the container", name, p.Port, ports[p.TargetPort.StrVal])
					}
				}
			}
			if r.policy != nil {
				selectors["NetworkPolicy"] = r.policy.Spec.PodSelector.MatchLabels
				for _, rule := range r.policy.Spec.Ingress {
					for _, p := range rule.Ports {
						if ports[p.Port.StrVal] == 0 {
							t.Errorf("NetworkPolicy: no port %v", p.Port)
						}
					}
				}
			}
			if a := r.pod.Affinity.PodAntiAffinity; a != nil {
				selectors["affinity"] = a.PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchLabels
			}
			for what, s := range selectors {
				if !within(s, r.set.Spec.Template.Labels) {
					t.Errorf("%s: %v does not select pods with %v", what, s, r.set.Spec.Template.Labels)
				}
			}
			if r.monitor != nil {
				var found []*core.Service
				for _, s := range r.services {
					if within(r.monitor.Spec.Selector.MatchLabels, s.Labels) {
						found = append(found, s)
					}
				}
				if len(found) != 1 {
					t.Fatalf("ServiceMonitor: it finds %d services", len(found))
				}
				for _, e := range r.monitor.Spec.Endpoints {
					if !slices.ContainsFunc(found[0].Spec.Ports, func(p core.ServicePort) bool { return p.Name == e.Port }) {
						t.Errorf("ServiceMonitor: no port %s", e.Port)
					}
				}
			}
			for _, probe := range []*core.Probe{r.server.StartupProbe, r.server.LivenessProbe, r.server.ReadinessProbe} {
				if ports[probe.HTTPGet.Port.StrVal] == 0 {
					t.Errorf("%s: no port %v", probe.HTTPGet.Path, probe.HTTPGet.Port)
				}
			}

			volumes := map[string]int{}
			for _, v := range r.pod.Volumes {
				volumes[v.Name]++
				if v.Projected != nil && v.Projected.Sources[0].ConfigMap.Name != r.config.Name {
					t.Errorf("no ConfigMap %s", v.Projected.Sources[0].ConfigMap.Name)
				}
			}
			for _, v := range r.set.Spec.VolumeClaimTemplates {
				volumes[v.Name]++
			}
			for _, m := range r.server.VolumeMounts {
				if volumes[m.Name] != 1 {
					t.Errorf("there are %d volumes %s", volumes[m.Name], m.Name)
				}
				delete(volumes, m.Name)
			}
			if len(volumes) > 0 {
				t.Errorf("nothing mounts %v", volumes)
			}
		})
	}
}

// TestAsAnOperatorReadsIt: what a name server needs from Kubernetes, it has, whatever the
// values.
func TestAsAnOperatorReadsIt(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := read(t, c.values)
			holds := func(what string, is bool) {
				t.Helper()
				if !is {
					t.Errorf("not true: %s", what)
				}
			}
			is := func(p *bool, want bool) bool { return p != nil && *p == want }

			all, ready := r.services[r.set.Spec.ServiceName], r.services[r.set.Name]
			if len(r.services) != 2 || all == nil || ready == nil || all == ready {
				t.Fatalf("the services are %v", r.services)
			}
			holds("brokers find each name server by its own name", all.Spec.ClusterIP == core.ClusterIPNone)
			holds("brokers find those that are not ready", all.Spec.PublishNotReadyAddresses)
			holds("clients find those that are ready", ready.Spec.ClusterIP == "" && !ready.Spec.PublishNotReadyAddresses)
			holds("the HTTP API is not offered to clients", len(ready.Spec.Ports) == 1 && ready.Spec.Ports[0].Name == "main")

			spec := r.set.Spec
			holds("they start at the same time", spec.PodManagementPolicy == apps.ParallelPodManagement)
			stays := r.server.Lifecycle.PreStop.Sleep.Seconds
			// Seen with Kubernetes 1.33: minReadySeconds means nothing in an update of a set that is
			// Parallel, and Java's brokers took up to 55 s to find a pod with another address.
			holds("in a rolling update brokers have registered with one before the next one goes",
				stays >= 60 || !strings.Contains(r.config.Data["namesrv.properties"], "readyMinBrokers=0"))
			holds("one is evicted at a time", r.budget.Spec.MaxUnavailable.IntValue() == 1)
			holds("one that cannot become ready does not hold up a drain",
				*r.budget.Spec.UnhealthyPodEvictionPolicy == policy.AlwaysAllow)

			startup, live, readiness := r.server.StartupProbe, r.server.LivenessProbe, r.server.ReadinessProbe
			holds("it has a minute to start", startup.HTTPGet.Path == "/startupz" && startup.PeriodSeconds*startup.FailureThreshold == 60)
			holds("it is ended after half a minute without life", live.HTTPGet.Path == "/livez" && live.PeriodSeconds*live.FailureThreshold == 30)
			holds("clients come after 5 s at most", readiness.HTTPGet.Path == "/readyz" && readiness.PeriodSeconds == 5)
			holds("readiness is asked after the end has begun, too", stays >= 5)
			// preStop, and at most 35 s of the server's own end.
			holds("it is not killed while it drains", *r.pod.TerminationGracePeriodSeconds >= stays+35)

			user := r.pod.SecurityContext
			holds("it is not root", is(user.RunAsNonRoot, true) && *user.RunAsUser == 3000 && *user.RunAsGroup == 3000 && *user.FSGroup == 3000)
			holds("system calls are filtered", user.SeccompProfile.Type == core.SeccompProfileTypeRuntimeDefault)
			holds("it gets no more rights", is(r.server.SecurityContext.AllowPrivilegeEscalation, false))
			holds("it has no capabilities", reflect.DeepEqual(r.server.SecurityContext.Capabilities, &core.Capabilities{Drop: []core.Capability{"ALL"}}))
			holds("the root is read-only", is(r.server.SecurityContext.ReadOnlyRootFilesystem, true))
			holds("it has no account", is(r.pod.AutomountServiceAccountToken, false))
			holds("it has a limit of memory, by which it sets its own", !r.server.Resources.Limits.Memory().IsZero())
			writable := map[string]bool{}
			for _, m := range r.server.VolumeMounts {
				writable[m.MountPath] = !m.ReadOnly
			}
			for _, dir := range []string{"/home/rocketmq/config", "/home/rocketmq/namesrv", "/home/rocketmq/logs", "/tmp"} {
				holds(dir+" can be written", writable[dir])
				delete(writable, dir)
			}
			for dir, yes := range writable {
				holds(dir+" cannot be written", !yes)
			}
			command := strings.Join(r.server.Command, " ")
			holds("it has a configuration of its own", strings.Contains(command, " -c /home/rocketmq/config/namesrv.properties"))
			holds("the shell does not stand between it and signals", strings.Contains(command, " exec "))

			config := r.config.Data["namesrv.properties"]
			for _, line := range []string{"listenPort=9876", "adminServerPort=19876", "adminBindAddress=0.0.0.0"} {
				holds("the configuration has "+line, strings.Contains("\n"+config, "\n"+line+"\n"))
			}
		})
	}
}

// TestValues: what the values say is where Kubernetes looks for it.
func TestValues(t *testing.T) {
	for _, tc := range []struct {
		name, values string
		holds        func(r release) bool
	}{
		{"two", ``, func(r release) bool { return *r.set.Spec.Replicas == 2 }},
		{"one", `replicas: 1`, func(r release) bool { return *r.set.Spec.Replicas == 1 }},
		{"three", `replicas: 3`, func(r release) bool { return *r.set.Spec.Replicas == 3 }},
		{"no policy and no monitor", ``, func(r release) bool { return r.policy == nil && r.monitor == nil }},
		{"not on one node", ``, func(r release) bool {
			terms := r.pod.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution
			return len(terms) == 1 && terms[0].PodAffinityTerm.TopologyKey == core.LabelHostname
		}},
		{"another affinity", all, func(r release) bool {
			return r.pod.Affinity.PodAntiAffinity == nil && r.pod.Affinity.NodeAffinity != nil
		}},
		{"a volume", ``, func(r release) bool {
			claims := r.set.Spec.VolumeClaimTemplates
			return len(claims) == 1 && claims[0].Spec.StorageClassName == nil && claims[0].Spec.Resources.Requests.Storage().String() == "1Gi"
		}},
		{"a volume of a class", all, func(r release) bool {
			claims := r.set.Spec.VolumeClaimTemplates
			return *claims[0].Spec.StorageClassName == "fast" && claims[0].Spec.Resources.Requests.Storage().String() == "2Gi"
		}},
		{"no volume", `persistence: {enabled: false}`, func(r release) bool { return len(r.set.Spec.VolumeClaimTemplates) == 0 }},
		{"an image", all, func(r release) bool {
			return r.server.Image == "registry.example.com/gonamesrv:1.2.3" && r.server.ImagePullPolicy == core.PullAlways && r.pod.ImagePullSecrets[0].Name == "secret"
		}},
		{"places", all, func(r release) bool {
			return r.pod.NodeSelector["disk"] == "ssd" && len(r.pod.Tolerations) == 1 && r.pod.PriorityClassName == "high"
		}},
		{"labels", all, func(r release) bool {
			return r.set.Spec.Template.Labels["c"] == "d" && r.set.Spec.Template.Annotations["a"] == "b" && r.set.Spec.Selector.MatchLabels["c"] == ""
		}},
		{"options of Java", all, func(r release) bool {
			return reflect.DeepEqual(r.server.Env, []core.EnvVar{{Name: "JAVA_OPT_EXT", Value: "-Dcom.rocketmq.remoting.frameMaxLength=33554432"}})
		}},
		{"policy for all", `networkPolicy: {enabled: true}`, func(r release) bool {
			in := r.policy.Spec.Ingress
			return len(in) == 2 && in[0].From == nil && in[1].From == nil
		}},
		{"policy", all, func(r release) bool {
			in := r.policy.Spec.Ingress
			return reflect.DeepEqual(r.policy.Spec.PolicyTypes, []networking.PolicyType{networking.PolicyTypeIngress}) && len(in) == 2 &&
				in[0].Ports[0].Port.StrVal == "main" && in[0].From[0].NamespaceSelector != nil &&
				in[1].Ports[0].Port.StrVal == "admin" && in[1].From[0].IPBlock.CIDR == "10.0.0.0/8"
		}},
		{"monitor", all, func(r release) bool {
			e := r.monitor.Spec.Endpoints[0]
			return r.monitor.Metadata.Labels["release"] == "prometheus" && e.Path == "/metrics" && e.Interval == "30s" && e.Scheme == ""
		}},
		{"TLS", `{config: {adminTlsEnable: true}, serviceMonitor: {enabled: true}}`, func(r release) bool {
			return r.monitor.Spec.Endpoints[0].Scheme == "https" && r.server.LivenessProbe.HTTPGet.Scheme == core.URISchemeHTTPS &&
				r.server.StartupProbe.HTTPGet.Scheme == core.URISchemeHTTPS && r.server.ReadinessProbe.HTTPGet.Scheme == core.URISchemeHTTPS
		}},
		{"no TLS", `config: {adminTlsEnable: "false"}`, func(r release) bool { return r.server.LivenessProbe.HTTPGet.Scheme == core.URISchemeHTTP }},
		{"tokens", all, func(r release) bool {
			s := r.pod.Volumes[0].Projected.Sources
			return len(s) == 2 && s[1].Secret.Name == "people" && reflect.DeepEqual(s[1].Secret.Items, []core.KeyToPath{{Key: "tokens", Path: "tokens"}}) &&
				strings.Contains(r.config.Data["namesrv.properties"], "\nadminTokenFile=/home/rocketmq/config/tokens\n")
		}},
		{"secrets", all, func(r release) bool {
			return slices.ContainsFunc(r.server.VolumeMounts, func(m core.VolumeMount) bool { return m.MountPath == "/etc/gonamesrv-secrets/tls" && m.ReadOnly }) &&
				slices.ContainsFunc(r.pod.Volumes, func(v core.Volume) bool {
					return v.Secret != nil && v.Secret.SecretName == "tls" && *v.Secret.DefaultMode == 0o440
				})
		}},
		{"another configuration restarts", ``, func(r release) bool {
			const sum = "checksum/config"
			mine, other := r.set.Spec.Template.Annotations[sum], read(t, `brokers: 1`).set.Spec.Template.Annotations[sum]
			return mine != "" && mine != other
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !tc.holds(read(t, tc.values)) {
				t.Errorf("it does not hold of %s", strings.Join(render(t, tc.values), "---\n"))
			}
		})
	}
}

// TestConfig: keys of the values are in the configuration as they were given, before those
// that the chart sets.
func TestConfig(t *testing.T) {
	const want = `maxTopics=1000000
orderMessageEnable=true
selfProtection=on
warmStart=shadow
readyMinBrokers=4
listenPort=9876
adminServerPort=19876
adminBindAddress=0.0.0.0
adminTokenFile=/home/rocketmq/config/tokens
`
	if got := read(t, all).config.Data["namesrv.properties"]; got != want {
		t.Errorf("the configuration is\n%swant\n%s", got, want)
	}
}

// TestServerTakesConfig: the server has nothing to complain of in the configurations.
func TestServerTakesConfig(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "namesrv")
	build := exec.Command("go", "build", "-o", program, "./cmd/namesrv")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tokens := filepath.Join(dir, "tokens")
	if err := os.WriteFile(tokens, []byte("read somebody 0123456789abcdef0123456789abcdef\n"), 0o400); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if c.name == "TLS" {
			continue // its certificate is nowhere
		}
		file := filepath.Join(dir, "namesrv.properties")
		text := strings.ReplaceAll(read(t, c.values).config.Data["namesrv.properties"], "/home/rocketmq/config/tokens", tokens)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		check := exec.Command(program, "config", "check", "-c", file)
		var stderr strings.Builder
		check.Stderr = &stderr
		if out, err := check.Output(); err != nil || stderr.Len() > 0 {
			t.Errorf("%s: %v: %s%s", c.name, err, out, &stderr)
		}
	}
}

// TestNotes: who installs the chart is told the name of each name server.
func TestNotes(t *testing.T) {
	notes := renderAll(t, `replicas: 3`)["gonamesrv/templates/NOTES.txt"]
	for _, want := range []string{
		"gonamesrv.rocketmq:9876\n",
		"gonamesrv-0.gonamesrv-all.rocketmq:9876;gonamesrv-1.gonamesrv-all.rocketmq:9876;gonamesrv-2.gonamesrv-all.rocketmq:9876\n",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes are\n%s", notes)
		}
	}
}
