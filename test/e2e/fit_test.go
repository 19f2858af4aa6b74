package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// TestFitAsksTheMembers runs argosyctl as a person would: the answer per member, on the live federation, and what it says when a member is
// not there.
func TestFitAsksTheMembers(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	const text = `apiVersion: v1
kind: Service
metadata: {name: hosts}
spec: {ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: hosts}
spec:
  template:
    metadata: {labels: {app: fit-hosts}}
    spec:
      affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [
        {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: fit-hosts}}}]}}
      containers: [{name: main, image: "registry.example/hosts:v1", resources: {requests: {cpu: 1m}}}]
`
	file := filepath.Join(t.TempDir(), "workload.yaml")
	g.Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
	programs, err := binaries.BuildOwn(t.Context(), binaries.Options{Root: shared.Root}, "argosyctl", "argosy-estimator")
	g.Expect(err).NotTo(HaveOccurred())
	fit := func(args ...string) (string, string, error) {
		command := exec.CommandContext(t.Context(), programs["argosyctl"],
			append([]string{"fit", "--kubeconfig", patient, "-f", file}, args...)...)
		var out, problems bytes.Buffer
		command.Stdout, command.Stderr = &out, &problems
		err := command.Run()
		return out.String(), problems.String(), err
	}
	g.Eventually(func(g Gomega) {
		out, problems, err := fit("-o", "json")
		g.Expect(err).NotTo(HaveOccurred(), problems)
		var fits []struct {
			Kind    string
			Members []struct {
				Cluster   string
				Fits      int
				Exact     bool
				LimitedBy map[string]int
				Nodes     []struct{ Node string }
			}
		}
		g.Expect(json.Unmarshal([]byte(out), &fits)).To(Succeed(), out)
		g.Expect(fits).To(HaveLen(1))
		g.Expect(fits[0].Members).To(HaveLen(len(shared.Members)))
		for _, member := range fits[0].Members {
			// Other stories may have cordoned nodes meanwhile: a node takes one, or says what refuses it.
			g.Expect(member.Exact).To(BeTrue(), member.Cluster)
			g.Expect(member.Fits).To(And(BeNumerically(">", 0), BeNumerically("<=", len(member.Nodes))), member.Cluster)
			g.Expect(member.LimitedBy).To(HaveKey("InterPodAffinity"), member.Cluster)
		}
	}, slow, "2s").Should(Succeed())

	g.Eventually(func(g Gomega) {
		out, problems, err := fit("--cluster", "member1")
		g.Expect(err).NotTo(HaveOccurred(), problems)
		g.Expect(out).
			To(MatchRegexp(
				`(?s)^member1: exactly [1-9]\d* fit; the next is refused by .*InterPodAffinity on \d+ nodes?.*\n  NODE +TAKES +NEXT REFUSED BY\n`))
	}, slow, "2s").Should(Succeed())

	g.Eventually(func(g Gomega) {
		_, problems, err := fit("--cluster", "member9")
		g.Expect(err).To(HaveOccurred())
		g.Expect(problems).To(ContainSubstring(`there is no Cluster "member9"`))
	}, slow, "2s").Should(Succeed())
}
