package workloads

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/yaml"
)

// values is an object as JSON decoders produce it.
type values = map[string]any

// violation is one way to break a rule.
type violation struct {
	sample string
	// before is accepted at create; after is refused: at create when before is empty, else at update.
	before []change
	update bool
	after  []change
	// rule is the CEL message, or for schema rules a part of the apiserver's own.
	rule string
}

var violations = map[string]violation{
	"kubevirt machine outside a pod": {sample: "vmreplicaset",
		after: []change{set("External", "spec", "template", "spec", "machine", "hosting")},
		rule:  "a kubevirt machine runs in a pod: set hosting: Pod"},
	"machine in a pod without a size": {sample: "vmreplicaset",
		after: []change{set(values{"cpu": "4"}, "spec", "template", "spec", "machine", "resources")},
		rule:  "hosting Pod needs resources.cpu and resources.memory, or the scheduler would take the machine for free"},
	"two health checks": {sample: "vmreplicaset",
		after: []change{set(values{"port": int64(22)}, "spec", "template", "spec", "healthCheck", "tcpSocket")},
		rule:  "set exactly one of httpGet, tcpSocket and grpc"},
	"no health check": {sample: "vmreplicaset",
		after: []change{set(nil, "spec", "template", "spec", "healthCheck", "httpGet")},
		rule:  "set exactly one of httpGet, tcpSocket and grpc"},
	"a package from the web that nobody vouches for": {sample: "vmreplicaset",
		after: []change{
			set([]any{values{"name": "p", "version": "1", "installer": "archive", "source": "https://example.com/p.tar.gz"}}, "spec", "template",
				"spec", "packages"),
		},
		rule: "a source over http(s) needs a checksum"},
	"an archive from nowhere": {sample: "vmreplicaset",
		after: []change{set([]any{values{"name": "p", "version": "1", "installer": "archive"}}, "spec", "template", "spec", "packages")},
		rule:  "installers archive and script need a source"},
	"a package with a malformed checksum": {sample: "vmreplicaset",
		after: []change{
			set([]any{values{"name": "p", "version": "1", "source": "bookworm", "checksum": "sha256:abc"}}, "spec", "template", "spec", "packages"),
		},
		rule: "should match '^(sha256:"},
	"a login as nobody could be called": {sample: "vmreplicaset",
		after: []change{set("root; rm -rf", "spec", "template", "spec", "machine", "access", "user")},
		rule:  "should match '^[a-z_]"},
	"a gate named as one of the system's": {sample: "vmreplicaset",
		after: []change{set([]any{values{"name": "removal", "stage": "Offline"}}, "spec", "gates")},
		rule:  "batch and removal are gates of the system's own: choose another name"},
	"a set whose servers' names would be too long": {sample: "vmreplicaset",
		after: []change{set(strings.Repeat("x", 53), "metadata", "name")},
		rule:  "metadata.name must be no more than 52 characters: each server's name is this one with a number, and a label holds it"},
	"unknown removal policy": {sample: "vmreplicaset",
		after: []change{set("Sometimes", "spec", "removalPolicy")},
		rule:  "Unsupported value"},
	"timeout longer than period": {sample: "vmreplicaset",
		after: []change{set(int64(11), "spec", "template", "spec", "healthCheck", "timeoutSeconds")},
		rule:  "timeoutSeconds must not be longer than periodSeconds"},
	"webhook gate without webhook": {sample: "vmreplicaset",
		after: []change{set([]any{values{"name": "g", "stage": "Code", "mode": "Webhook"}}, "spec", "gates")},
		rule:  "webhook is set exactly when mode is Webhook"},
	"manual gate with webhook": {sample: "vmreplicaset",
		after: []change{set([]any{values{"name": "g", "stage": "Code", "webhook": values{"url": "https://gate.example.com"}}}, "spec", "gates")},
		rule:  "webhook is set exactly when mode is Webhook"},
	"webhook without TLS": {sample: "vmreplicaset",
		after: []change{
			set([]any{values{"name": "g", "stage": "Code", "mode": "Webhook", "webhook": values{"url": "http://gate.example.com"}}}, "spec",
				"gates"),
		},
		rule: "should match '^https://'"},
	"rejection without a reason": {sample: "vmreplicaset",
		after: []change{set([]any{values{"gate": "g", "operationID": "1", "decision": "Reject"}}, "spec", "approvals")},
		rule:  "a rejection needs a reason"},
	"partition with OnDelete": {sample: "vmreplicaset",
		after: []change{set("OnDelete", "spec", "updateStrategy", "type"), set(int64(2), "spec", "updateStrategy", "partition")},
		rule:  "partition needs type RollingUpdate"},
	"negative partition": {sample: "vmreplicaset",
		after: []change{set(int64(-1), "spec", "updateStrategy", "partition")},
		rule:  "partition must be 0 or more, or a percentage"},
	"partition that is no percentage": {sample: "vmreplicaset",
		after: []change{set("most", "spec", "updateStrategy", "partition")},
		rule:  "should match '^(100|[0-9]{1,2})%$'"},
	"nothing may be unavailable": {sample: "vmreplicaset",
		after: []change{set(int64(0), "spec", "updateStrategy", "maxUnavailable")},
		rule:  "maxUnavailable must be 1 or more, or a percentage above 0%: nothing would ever be updated"},
	"0% may be unavailable": {sample: "vmreplicaset",
		after: []change{set("0%", "spec", "updateStrategy", "maxUnavailable")},
		rule:  "should match '^(100|[1-9][0-9]?)%$'"},
	"negative maxUnhealthy": {sample: "vmreplicaset",
		after: []change{set(int64(-1), "spec", "failover", "maxUnhealthy")},
		rule:  "maxUnhealthy must be 0 or more, or a percentage"},
	"template without the selector's labels": {sample: "vmreplicaset",
		after: []change{set("orders", "spec", "template", "metadata", "labels", "app")},
		rule:  "template.metadata.labels must match selector.matchLabels"},
	"empty selector": {sample: "vmreplicaset",
		after: []change{set(values{}, "spec", "selector")},
		rule:  "selector must not be empty: it would match every server"},
	"another selector": {sample: "vmreplicaset", update: true,
		after: []change{set("orders", "spec", "selector", "matchLabels", "app"), set("orders", "spec", "template", "metadata", "labels", "app")},
		rule:  "selector is immutable: make another VMReplicaSet"},
	"negative replicas": {sample: "vmreplicaset",
		after: []change{set(int64(-1), "spec", "replicas")},
		rule:  "should be greater than or equal to 0"},
	"a package twice": {sample: "vmreplicaset",
		after: []change{
			set([]any{values{"name": "a", "version": "1"}, values{"name": "a", "version": "2"}}, "spec", "template", "spec", "packages"),
		},
		rule: "Duplicate value"},
	"a server to delete twice": {sample: "vmreplicaset",
		after: []change{set([]any{"a", "a"}, "spec", "serversToDelete")},
		rule:  "Duplicate value"},
	"unknown failover policy": {sample: "vmreplicaset",
		after: []change{set("Sometimes", "spec", "failover", "policy")},
		rule:  "Unsupported value"},

	"another target": {sample: "vmdeployment", update: true,
		after: []change{set("orders", "spec", "targetRef", "name")},
		rule:  "targetRef is immutable: make another VMDeployment"},
	"empty batch": {sample: "vmdeployment",
		after: []change{set([]any{int64(0)}, "spec", "strategy", "batches")},
		rule:  "a batch must be at least 1 server, or a percentage above 0%"},
	"nothing may be unavailable in a release": {sample: "vmdeployment",
		after: []change{set(int64(0), "spec", "strategy", "maxUnavailable")},
		rule:  "maxUnavailable must be 1 or more, or a percentage above 0%: nothing would ever be deployed"},
	"pause without its seconds": {sample: "vmdeployment",
		after: []change{set("Seconds", "spec", "strategy", "pauseBetween")},
		rule:  "pauseSeconds is set exactly when pauseBetween is Seconds"},
	"seconds without their pause": {sample: "vmdeployment",
		after: []change{set(int64(60), "spec", "strategy", "pauseSeconds")},
		rule:  "pauseSeconds is set exactly when pauseBetween is Seconds"},
	"checksum of no known kind": {sample: "vmdeployment",
		after: []change{set("md5:d41d8cd98f00b204e9800998ecf8427e", "spec", "release", "checksum")},
		rule:  "should match '^(sha256:"},

	"another machine behind a server": {sample: "server", update: true,
		before: []change{set("openstack:///1", "spec", "providerID")},
		after:  []change{set("openstack:///2", "spec", "providerID")},
		rule:   "providerID is set once: a machine is replaced, never exchanged"},
	"no machine behind a server any more": {sample: "server", update: true,
		before: []change{set("openstack:///1", "spec", "providerID")},
		after:  []change{set(nil, "spec", "providerID")},
		rule:   "providerID is set once: a machine is replaced, never exchanged"},
	"override to what could not be seen": {sample: "server",
		after: []change{set("Unknown", "spec", "override", "state")},
		rule:  "Unsupported value"},
	"override that is over before it begins": {sample: "server",
		after: []change{set("2031-01-01T00:00:00Z", "spec", "override", "at")},
		rule:  "expiresAt must be later than the decision"},
	"override without a reason": {sample: "server",
		after: []change{set("", "spec", "override", "reason")},
		rule:  "should be at least 1 chars long"},

	"another workload type": {sample: "component", update: true,
		after: []change{set("StatefulSet", "spec", "workloadType")},
		rule:  "workloadType is immutable: make another Component and move the traffic"},
	"unknown workload type": {sample: "component",
		after: []change{set("DaemonSet", "spec", "workloadType")},
		rule:  "Unsupported value"},
	"no port": {sample: "component",
		after: []change{set(nil, "spec", "port")},
		rule:  "spec.port: Required value"},
	"port out of range": {sample: "component",
		after: []change{set(int64(65536), "spec", "port")},
		rule:  "should be less than or equal to 65535"},
	"ingress without a Service": {sample: "component",
		after: []change{set("None", "spec", "svc", "type"), set(values{"host": "demo.example.com"}, "spec", "ingress")},
		rule:  "ingress needs a Service: svc.type must not be None"},
	"neither a type nor a provider": {sample: "component",
		after: []change{set("clusterip", "spec", "svc", "type")},
		rule:  "svc.type must be ClusterIP, NodePort, LoadBalancer, None, or the name of a load balancer provider such as aliyun-slb"},
	"adopted under another name": {sample: "component", update: true,
		before: []change{
			set("aliyun-slb", "spec", "svc", "type"), set(values{"workload": "old", "selector": values{"app": "old"}}, "spec", "adopt"),
		},
		after: []change{set("older", "spec", "adopt", "workload")},
		rule:  "adopt is set once: other names would be other objects"},
	"adopted no more": {sample: "component", update: true,
		before: []change{set(values{"workload": "old", "selector": values{"app": "old"}}, "spec", "adopt")},
		after:  []change{set(nil, "spec", "adopt")},
		rule:   "adopt is set once: other names would be other objects"},
	"neither surge nor unavailable": {sample: "component",
		after: []change{set(values{"maxUnavailable": "0%", "maxSurge": int64(0)}, "spec", "strategy", "rolling")},
		rule:  "maxUnavailable and maxSurge must not both be 0: nothing would ever be replaced"},
	"negative unavailable": {sample: "component",
		after: []change{set(int64(-1), "spec", "strategy", "rolling", "maxUnavailable")},
		rule:  "maxUnavailable must be 0 or more, or a percentage"},
	"negative surge": {sample: "component",
		after: []change{set(int64(-1), "spec", "strategy", "rolling", "maxSurge")},
		rule:  "maxSurge must be 0 or more, or a percentage"},
	"canary without steps": {sample: "component",
		after: []change{set("Canary", "spec", "strategy", "type")},
		rule:  "canary is set exactly when type is Canary"},
	"steps without canary": {sample: "component",
		after: []change{set([]any{values{"replicas": "10%"}}, "spec", "strategy", "canary", "steps")},
		rule:  "canary is set exactly when type is Canary"},
	"canary with a rolling pace": {sample: "component",
		after: []change{
			set("Canary", "spec", "strategy", "type"), set([]any{values{"replicas": "10%"}}, "spec", "strategy", "canary", "steps"),
			set(values{}, "spec", "strategy", "rolling"),
		},
		rule: "rolling needs type Rolling"},
	"negative canary step": {sample: "component",
		after: []change{
			set("Canary", "spec", "strategy", "type"), set([]any{values{"replicas": int64(-1)}}, "spec", "strategy", "canary", "steps"),
		},
		rule: "replicas of a step must be 0 or more, or a percentage above 0%"},
	"timed step without seconds": {sample: "component",
		after: []change{
			set("Canary", "spec", "strategy", "type"),
			set([]any{values{"replicas": "10%", "pause": "Seconds"}}, "spec", "strategy", "canary", "steps"),
		},
		rule: "pauseSeconds is set exactly when pause is Seconds"},
	"a variable twice": {sample: "component",
		after: []change{set([]any{values{"name": "A"}, values{"name": "A"}}, "spec", "env")},
		rule:  "Duplicate value"},
	"patch of a kind that is not rendered": {sample: "component",
		after: []change{set([]any{values{"target": values{"kind": "Secret"}, "patch": values{}}}, "spec", "patches")},
		rule:  "Unsupported value"},
	"template of a workload type without one": {sample: "componenttemplate",
		after: []change{set("WorkloadType", "spec", "level")},
		rule:  "a template of level WorkloadType must name match.workloadTypes"},
	"template of a language without one": {sample: "componenttemplate",
		after: []change{set("Language", "spec", "level")},
		rule:  "a template of level Language must name match.languages"},
	"template of a run type without one": {sample: "componenttemplate",
		after: []change{set("RunType", "spec", "level"), set(values{"languages": []any{"go"}}, "spec", "match")},
		rule:  "a template of level RunType must name match.runTypes"},
	"template with a second workload": {sample: "componenttemplate",
		after: []change{set([]any{values{"kind": "Deployment", "name": "second", "object": values{}}}, "spec", "objects")},
		rule:  "name cannot be given for a Deployment or StatefulSet: a component has one workload"},
	"template of a kind that gives rights": {sample: "componenttemplate",
		after: []change{set([]any{values{"kind": "RoleBinding", "object": values{}}}, "spec", "objects")},
		rule:  "Unsupported value"},
	"wave that falls": {sample: "componenttemplate",
		after: []change{set([]any{int64(50), int64(10), int64(100)}, "spec", "wave", "batchPercents")},
		rule:  "batchPercents must rise and end at 100"},
	"patch that is no object": {sample: "component",
		after: []change{set([]any{values{"target": values{"kind": "Service"}, "patch": "text"}}, "spec", "patches")},
		rule:  "must be of type object"},
}

func TestRules(t *testing.T) {
	for name, tc := range violations {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			obj := sample(t, tc.sample)
			for _, c := range tc.before {
				c.apply(t, obj)
			}
			if tc.update {
				if err := apiserver.Create(ctx, obj); err != nil {
					t.Fatalf("creating what should be valid: %v", err)
				}
			}
			for _, c := range tc.after {
				c.apply(t, obj)
			}
			write := func() error { return apiserver.Create(ctx, obj) }
			if tc.update {
				write = func() error { return apiserver.Update(ctx, obj) }
			}
			err := write()
			if !apierrors.IsInvalid(err) {
				t.Fatalf("want a refusal as invalid, have %v", err)
			}
			if !strings.Contains(err.Error(), tc.rule) {
				t.Errorf("refused for another reason\n have: %v\n want: %s", err, tc.rule)
			}
		})
	}
}

// TestEveryRuleIsBroken holds the table above to the CRDs: a new CEL rule without a violation fails here.
func TestEveryRuleIsBroken(t *testing.T) {
	var broken []string
	for _, tc := range violations {
		broken = append(broken, tc.rule)
	}
	for _, file := range []string{
		"component.luojilab.com_components.yaml", "component.luojilab.com_componenttemplates.yaml", "vm.argosy.dev_servers.yaml",
		"vm.argosy.dev_vmdeployments.yaml", "vm.argosy.dev_vmreplicasets.yaml",
	} {
		content, err := os.ReadFile(filepath.Join(repository, "deploy/crds", file))
		if err != nil {
			t.Fatal(err)
		}
		crd := apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(content, &crd); err != nil {
			t.Fatal(err)
		}
		messages := celMessages(crd.Spec.Versions[0].Schema.OpenAPIV3Schema)
		if len(messages) == 0 {
			t.Errorf("%s: no CEL rules found", file)
		}
		for _, message := range messages {
			if message == "" {
				t.Errorf("%s: a rule has no message", file)
			}
			if !slices.Contains(broken, message) {
				t.Errorf("%s: no test breaks the rule %q", file, message)
			}
		}
	}
}

func celMessages(schema *apiextensionsv1.JSONSchemaProps) []string {
	var out []string
	for _, rule := range schema.XValidations {
		out = append(out, rule.Message)
	}
	for name := range schema.Properties {
		property := schema.Properties[name]
		out = append(out, celMessages(&property)...)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		out = append(out, celMessages(schema.Items.Schema)...)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		out = append(out, celMessages(schema.AdditionalProperties.Schema)...)
	}
	return out
}
