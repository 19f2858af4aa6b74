package e2e

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	karmadaautoscaling "github.com/karmada-io/karmada/pkg/apis/autoscaling/v1alpha1"
	clusterv1alpha1 "github.com/karmada-io/karmada/pkg/apis/cluster/v1alpha1"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa"
	"github.com/argosy-dev/argosy/internal/autoscalers"
	"github.com/argosy-dev/argosy/internal/config"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// TestFedHPAClusterUnjoined: a member is unjoined while another scales. What the scheduler moves from it runs elsewhere, then load decides
// again, and nothing of the lost member is left in the books.
func TestFedHPAClusterUnjoined(t *testing.T) {
	a := deployed(t, strings.ReplaceAll(fedhpaTarget(), "[member1, member2]", "[member1, member3]"))
	a.takeOver(fedhpaObject)
	a.load("member1", 250)
	a.load("member3", 100)
	// On its way an autoscaler may find more than the load needs, which it takes back itself.
	a.g.Eventually(a.books, slow, "500ms").MustPassRepeatedly(40).Should(Equal("member1=5 member3=2"))
	join := func() {
		a.g.Eventually(func() (bool, error) {
			var cluster clusterv1alpha1.Cluster
			err := a.karmada.Get(context.Background(), client.ObjectKey{Name: "member3"}, &cluster)
			if apierrors.IsNotFound(err) {
				// Refused as long as what unjoining deletes in the member is on its way out.
				return false, a.karmadactl("join", "member3", "--cluster-kubeconfig="+a.lab.Kubeconfigs["member3"])
			}
			return meta.IsStatusConditionTrue(cluster.Status.Conditions, clusterv1alpha1.ClusterConditionReady), err
		}, slow, "1s").Should(BeTrue())
	}
	highest := a.highest("member1")
	t.Cleanup(join)
	a.g.Expect(a.karmadactl("unjoin", "member3", "--wait=8m", "--cluster-kubeconfig="+a.lab.Kubeconfigs["member3"])).To(Succeed())

	a.g.Eventually(highest.Load, slow, "200ms").Should(BeNumerically(">=", 7), "what member3 ran runs in member1")
	a.g.Eventually(a.books, slow, "500ms").Should(Equal("member1=5"), "then load decides again")
	a.g.Eventually(a.conditions, slow, "500ms").Should(Equal(allTrue))
	a.g.Eventually(func() ([]api.FedHPAClusterStatus, error) {
		fed, err := a.fed()
		return fed.Status.Clusters, err
	}, slow, "500ms").Should(HaveLen(1))
}

// highest is the most replicas that a member's Deployment asks for from now on.
func (a autoscaled) highest(member string) *atomic.Int32 {
	most := &atomic.Int32{}
	events := follow(a.t, a.t.Context(), a.planes, member, a.ns, &appsv1.DeploymentList{})
	go func() {
		for event := range events {
			if d, ok := event.Object.(*appsv1.Deployment); ok {
				most.Store(max(most.Load(), ptr.Deref(d.Spec.Replicas, 1)))
			}
		}
	}()
	return most
}

// karmadactl runs past the test's end too: it puts back what the test took away.
func (a autoscaled) karmadactl(args ...string) error {
	out, err := process.Run(context.Background(), a.lab.Programs["karmadactl"],
		append(args, "--kubeconfig="+patient)...)
	if err != nil {
		return fmt.Errorf("karmadactl %v: %w: %s", args, err, out)
	}
	return nil
}

// TestFedHPAAsksKarmadasEstimators: FedHPA's controllers, in this process, ask the estimators that Karmada ships; when those are gone, the
// Clusters' status answers. (That argosy-estimator answers is seen in the story of load.)
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
		object := strings.NewReplacer("maxReplicas: 20", fmt.Sprintf("maxReplicas: %d", highest), "$NS", a.ns).Replace(fedhpaObject)
		if err := demo.Apply(t.Context(), a.karmada, object); err != nil {
			return "", err
		}
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
	mgr, err := ctrl.NewManager(cfg, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, GracefulShutdownTimeout: ptr.To(5 * time.Minute),
	})
	a.g.Expect(err).NotTo(HaveOccurred())
	ctx, cancel := context.WithCancel(context.Background())
	a.g.Expect(autoscalers.AddIndexes(ctx, mgr.GetFieldIndexer())).To(Succeed())
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

// refusal is what karmada-apiserver answers to manifests that a webhook of ours is to refuse. That webhook's failurePolicy is Ignore: what
// passed while it was asked in vain, since the machine stood still, is deleted and asked again.
func (a autoscaled) refusal(manifests string) error {
	config, err := a.lab.Karmada()
	a.g.Expect(err).NotTo(HaveOccurred())
	var refused error
	a.g.Eventually(func(g Gomega) {
		before, err := lab.AskedInVain(a.t.Context(), config)
		g.Expect(err).NotTo(HaveOccurred())
		if refused = demo.Apply(a.t.Context(), a.karmada, manifests); refused != nil {
			return
		}
		after, err := lab.AskedInVain(a.t.Context(), config)
		g.Expect(err).NotTo(HaveOccurred())
		if maps.Equal(before, after) {
			return
		}
		objects, err := manifest.Parse([]byte(manifests))
		g.Expect(err).NotTo(HaveOccurred())
		for _, object := range objects {
			g.Expect(client.IgnoreNotFound(a.karmada.Delete(a.t.Context(), object))).To(Succeed())
		}
		g.Expect(after).To(Equal(before), "webhooks of ours that did not answer")
	}, slow, "100ms").Should(Succeed())
	return refused
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
			want: "HorizontalPodAutoscaler native of the control plane names the same target: delete it, or delete this FedHPA and annotate " +
				"that one",
		},
		"a CronHPA on the target": {
			before: cronOn("apps/v1", "Deployment", "targetReplicas: 6"),
			object: fedhpaObject,
			gone:   "cronhpa/nightly",
			want: "CronHPA nightly sets the replicas of the same target: delete it, and create one aimed at this FedHPA instead, with " +
				"targetMinReplicas and targetMaxReplicas",
		},
		"a CronHPA whose limits cross": {
			before: cronOn("autoscaling.argosy.dev/v1alpha1", "FedHPA", "targetMinReplicas: 30"),
			object: fedhpaObject,
			gone:   "cronhpa/nightly",
			want: "its rule night sets targetMinReplicas 30: with maxReplicas 20 of FedHPA web the limits would be 30..20: set " +
				"targetMaxReplicas in the rule as well",
		},
		"limits that cross the FedHPA's": {
			before: fedhpaObject,
			object: cronOn("autoscaling.argosy.dev/v1alpha1", "FedHPA", "targetMinReplicas: 30"),
			gone:   "fedhpa/web",
			want: "spec.rules[0].targetMinReplicas: Invalid value: 30: with maxReplicas 20 of FedHPA web the limits would be 30..20: set " +
				"targetMaxReplicas in the rule as well",
		},
		"a CronHPA of what a FedHPA scales": {
			before: fedhpaObject,
			object: cronOn("apps/v1", "Deployment", "targetReplicas: 6"),
			gone:   "fedhpa/web",
			want: "the replicas of Deployment web belong to FedHPA web: target that (apiVersion autoscaling.argosy.dev/v1alpha1, kind FedHPA, " +
				"name web) and set targetMinReplicas/targetMaxReplicas instead of targetReplicas",
		},
		"a kind nobody keeps the replicas of": {
			object: strings.ReplaceAll(fedhpaObject, "kind: Deployment", "kind: ReplicaSet"),
			want:   "register argosy-webhook's interpreter, or a ResourceInterpreterCustomization",
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			if tc.before != "" {
				a.apply(t, a.ns, tc.before)
			}
			g.Expect(a.refusal(strings.ReplaceAll(tc.object, "$NS", a.ns))).To(MatchError(ContainSubstring(tc.want)))
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
	}, slow, "500ms").
		Should(MatchError(ContainSubstring("set placement.replicaScheduling.replicaSchedulingType to Divided in its policy first")))
}
