package e2e

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/internal/application"
	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// TestStatusSaysWhereItIs runs argosyctl status and trace as a person would, on an application that arrives everywhere, and then on
// one whose next pods have room nowhere.
func TestStatusSaysWhereItIs(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p := federation(t)
	namespace := newNamespace(t, p)
	const workload = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: $NS}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "registry.example/web:IMAGE", resources: {requests: {cpu: CPU}}}]
`
	p.apply(t, namespace, `
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {name: web-deployment, namespace: $NS}
spec:
  resourceSelectors: [{apiVersion: apps/v1, kind: Deployment, name: web}]
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference:
        staticWeightList:
        - {targetCluster: {clusterNames: [member1]}, weight: 1}
        - {targetCluster: {clusterNames: [member2]}, weight: 1}
---`+strings.NewReplacer("IMAGE", "v1", "CPU", "1m").Replace(workload))
	programs, err := binaries.BuildOwn(t.Context(), binaries.Options{Root: shared.Root}, "argosyctl")
	g.Expect(err).NotTo(HaveOccurred())
	ask := func(g Gomega, args ...string) string {
		command := exec.CommandContext(t.Context(), programs["argosyctl"], append(args, "-n", namespace, "--kubeconfig",
			patient)...)
		var out, problems bytes.Buffer
		command.Stdout, command.Stderr = &out, &problems
		g.Expect(command.Run()).To(Succeed(), problems.String())
		return out.String()
	}
	seen := ""
	g.Eventually(func(g Gomega) {
		var view application.View
		g.Expect(json.Unmarshal([]byte(ask(g, "status", "deploy/web", "-o", "json")), &view)).To(Succeed())
		g.Expect(view.Problems).To(BeEmpty())
		g.Expect(view.Policy).To(Equal("PropagationPolicy " + namespace + "/web-deployment"))
		g.Expect(view.Clusters).To(HaveLen(2))
		for _, row := range view.Clusters {
			g.Expect(row.Source).To(Equal(application.SourceMember))
			g.Expect([]int64{*row.Assigned, *row.Current, *row.Updated, *row.Ready, *row.Waiting}).To(Equal([]int64{2, 2, 2, 2, 0}), row.Cluster)
			g.Expect(row.Images).To(Equal([]string{"registry.example/web:v1"}))
			g.Expect(*row.Generation).To(Equal(view.Generation))
		}
		seen = ask(g, "trace", "deployments.apps/web")
		g.Expect(seen).To(ContainSubstring("It has arrived everywhere."))
	}, slow, "1s").Should(Succeed())
	t.Log("\n" + seen)

	p.apply(t, namespace, strings.NewReplacer("IMAGE", "v2", "CPU", `"1000"`).Replace(workload))
	g.Eventually(func(g Gomega) {
		out := ask(g, "status", "deploy/web")
		g.Expect(out).To(MatchRegexp(`Broken: member1: 1 of its pods wait.*Unschedulable.*Insufficient cpu`))
		seen = out + "\n" + ask(g, "trace", "deploy/web")
		g.Expect(seen).To(MatchRegexp(`Stands at member1, running: 1 of 2 replicas are updated.*Insufficient cpu`))
	}, slow, "1s").Should(Succeed())
	t.Log("\n" + seen)
}
