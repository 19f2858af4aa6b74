package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/argosy-dev/argosy/fedhpa"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/owners"
	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
)

// TestFedHPAClusterUnjoined: a member is unjoined while another scales. What the scheduler moves from it runs elsewhere, then load decides again, and nothing of
// the lost member is left in the books.
func TestFedHPAClusterUnjoined(t *testing.T) {
	a := deployed(t, strings.ReplaceAll(fedhpaTarget(), "[member1, member2]", "[member1, member3]"))
	a.takeOver(fedhpaObject)
	a.load("member1", 250)
	a.load("member3", 100)
	a.g.Eventually(a.books, slow, "500ms").Should(Equal("member1=5 member3=2"))
	join := func() {
		a.karmadactl("join", "member3", "--cluster-kubeconfig="+a.lab.Kubeconfigs["member3"])
		a.g.Eventually(func() (bool, error) {
			var cluster clusterv1alpha1.Cluster
			err := a.karmada.Get(context.Background(), client.ObjectKey{Name: "member3"}, &cluster)
			return meta.IsStatusConditionTrue(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady), err
		}, slow, "500ms").Should(BeTrue())
	}
	a.karmadactl("unjoin", "member3", "--wait=3m", "--cluster-kubeconfig="+a.lab.Kubeconfigs["member3"])
	t.Cleanup(join)

	highest := int32(0)
	a.g.Eventually(func() int32 {
		highest = max(highest, a.replicas("member1"))
		return highest
	}, "60s", "200ms").Should(BeEquivalentTo(7), "what member3 ran runs in member1")
	a.g.Eventually(a.books, slow, "500ms").Should(Equal("member1=5"), "then load decides again")
	a.g.Eventually(a.conditions, "60s", "500ms").Should(Equal(allTrue))
	fed, err := a.fed()
	a.g.Expect(err).NotTo(HaveOccurred())
	a.g.Expect(fed.Status.Clusters).To(HaveLen(1), "%v", fed.Status.Clusters)
}

// karmadactl runs past the test's end too: it puts back what the test took away.
func (a autoscaled) karmadactl(args ...string) {
	a.run(context.Background(), a.lab.Programs["karmadactl"], append(args, "--kubeconfig="+a.lab.Kubeconfigs[lab.KarmadaPlaneName])...)
}

// TestFedHPAAsksKarmadasEstimators: FedHPA's controllers, in this process, ask the estimators that Karmada ships; when those are gone, the Clusters' status
// answers. (That argosy-estimator answers is seen in the story of load.)
func TestFedHPAAsksKarmadasEstimators(t *testing.T) {
	a := deployed(t, fedhpaTarget())
	stop, err := a.lab.StartStockScheduler(t.Context())
	a.g.Expect(err).NotTo(HaveOccurred())
	stop = sync.OnceFunc(stop)
	t.Cleanup(stop)
	a.g.Expect(a.lab.Stop(t.Context(), "argosy/controller-manager")).To(Succeed())
	t.Cleanup(func() {
		if err := a.lab.Start(context.Background(), "argosy/controller-manager"); err != nil {
			t.Errorf("starting argosy/controller-manager: %v", err)
		}
	})
	a.runControllers(config.Estimators{
		Mode: config.Enabled, ServiceNamespace: "karmada-system", ServicePrefix: "stock-estimator", Port: 10352, TimeoutSeconds: 3,
	})
	a.takeOver(fedhpaObject)
	says := func() (string, error) {
		fed, err := a.fed()
		if err != nil || len(fed.Status.Clusters) != 2 {
			return "", err
		}
		return fed.Status.Clusters[0].Message, nil
	}
	// The first division may come before the estimators can be reached; the next is made within two minutes.
	a.g.Eventually(says, slow, "1s").Should(MatchRegexp(`^member1 got 2\.\.10 of 4\.\.20: \d+ more fit \(estimator\), weight 1$`))
	stop()
	// An answer is used for 15 s: divide again until it is asked for anew.
	highest := 20
	a.g.Eventually(func() (string, error) {
		highest++
		a.apply(t, a.ns, strings.ReplaceAll(fedhpaObject, "maxReplicas: 20", fmt.Sprintf("maxReplicas: %d", highest)))
		return says()
	}, slow, "3s").Should(MatchRegexp(`\d+ more fit \(Cluster status\), weight 1$`))
}

// runControllers runs FedHPA in this process until the test has cleaned up.
func (a autoscaled) runControllers(estimators config.Estimators) {
	cfg, err := a.lab.Karmada()
	a.g.Expect(err).NotTo(HaveOccurred())
	scheme, err := demo.NewScheme()
	a.g.Expect(err).NotTo(HaveOccurred())
	a.g.Expect(karmadaautoscaling.Install(scheme)).To(Succeed())
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}})
	a.g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	a.g.Expect(owners.AddIndexes(ctx, mgr.GetFieldIndexer())).To(Succeed())
	section := config.DefaultControllerManager().Controllers.FedHPA
	section.Estimators = estimators
	a.g.Expect(fedhpa.AddToManager(ctx, mgr, section, prometheus.NewRegistry())).To(Succeed())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	a.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			a.t.Errorf("FedHPA's controllers: %v", err)
		}
	})
}

// cronOn is a CronHPA aimed at the story's workload or FedHPA, each night.
func cronOn(version, kind, sets string) string {
	return fmt.Sprintf(`{apiVersion: autoscaling.argosy.dev/v1alpha1, kind: CronHPA, metadata: {namespace: $NS, name: nightly}, spec: {
  scaleTargetRef: {apiVersion: %s, kind: %s, name: web}, rules: [{name: night, schedule: "0 1 * * *", %s}]}}`, version, kind, sets)
}

// refusals: what can only fail later is refused by karmada-apiserver at once, with what to do.
func refusals(t *testing.T) {
	a := deployed(t, fedhpaTarget())
	for name, tc := range map[string]struct{ before, object, want, gone string }{
		"min above max": {
			object: strings.ReplaceAll(fedhpaObject, "minReplicas: 4", "minReplicas: 40"),
			want:   "spec.minReplicas must not be above spec.maxReplicas",
		},
		"a weight for a cluster nobody knows": {
			object: strings.ReplaceAll(fedhpaObject, "maxReplicas: 20", "maxReplicas: 20\n  distribution: {clusters: [{name: member9, weight: 2}]}"),
			want:   "is no member of the federation: correct the name, or join the cluster first",
		},
		"a second autoscaler": {
			before: `{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {namespace: $NS, name: native}, spec: {maxReplicas: 5,
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}`,
			object: fedhpaObject,
			gone:   "hpa/native",
			want:   "HorizontalPodAutoscaler native of the control plane names the same target: delete it, or delete this FedHPA and annotate that one",
		},
		"a CronHPA on the target": {
			before: cronOn("apps/v1", "Deployment", "targetReplicas: 6"),
			object: fedhpaObject,
			gone:   "cronhpa/nightly",
			want:   "CronHPA nightly sets the replicas of the same target: delete it, and create one aimed at this FedHPA instead, with targetMinReplicas and targetMaxReplicas",
		},
		"a CronHPA whose limits cross": {
			before: cronOn("autoscaling.argosy.dev/v1alpha1", "FedHPA", "targetMinReplicas: 30"),
			object: fedhpaObject,
			gone:   "cronhpa/nightly",
			want:   "its rule night sets targetMinReplicas 30: with maxReplicas 20 of FedHPA web the limits would be 30..20: set targetMaxReplicas in the rule as well",
		},
		"limits that cross the FedHPA's": {
			before: fedhpaObject,
			object: cronOn("autoscaling.argosy.dev/v1alpha1", "FedHPA", "targetMinReplicas: 30"),
			gone:   "fedhpa/web",
			want:   "spec.rules[0].targetMinReplicas: Invalid value: 30: with maxReplicas 20 of FedHPA web the limits would be 30..20: set targetMaxReplicas in the rule as well",
		},
		"a CronHPA of what a FedHPA scales": {
			before: fedhpaObject,
			object: cronOn("apps/v1", "Deployment", "targetReplicas: 6"),
			gone:   "fedhpa/web",
			want:   "the replicas of Deployment web belong to FedHPA web: target that (apiVersion autoscaling.argosy.dev/v1alpha1, kind FedHPA, name web) and set targetMinReplicas/targetMaxReplicas instead of targetReplicas",
		},
		"a kind nobody keeps the replicas of": {
			object: strings.ReplaceAll(fedhpaObject, "kind: Deployment", "kind: StatefulSet"),
			want:   "register argosy-webhook's interpreter, or a ResourceInterpreterCustomization",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			if tc.before != "" {
				a.apply(t, a.ns, tc.before)
			}
			err := demo.Apply(t.Context(), a.karmada, strings.ReplaceAll(tc.object, "$NS", a.ns))
			g.Expect(err).To(MatchError(ContainSubstring(tc.want)))
			if tc.gone != "" {
				a.kubectl("delete", tc.gone)
			}
		})
	}
	a.apply(t, a.ns, strings.NewReplacer("replicaSchedulingType: Divided", "replicaSchedulingType: Duplicated",
		"replicaDivisionPreference: Weighted", "", "weightPreference: {dynamicWeight: AvailableReplicas}", "").Replace(fedhpaTarget()))
	a.g.Eventually(func() error {
		err := demo.Apply(t.Context(), a.karmada, strings.ReplaceAll(fedhpaObject, "$NS", a.ns))
		if err == nil {
			err = fmt.Errorf("admitted; deleting it again: %w", a.karmada.Delete(t.Context(), a.object()))
		}
		return err
	}, "2m", "500ms").Should(MatchError(ContainSubstring("set placement.replicaScheduling.replicaSchedulingType to Divided in its policy first")))
}
