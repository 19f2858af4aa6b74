package migration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/internal/fixture"
	whitelists "github.com/argosy-dev/argosy/migration/whitelist"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

func sample(t *testing.T, name string, into client.Object) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../../deploy/samples", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(content, into); err != nil {
		t.Fatal(err)
	}
}

func TestSamplesAreAccepted(t *testing.T) {
	whitelist, migration := &v1alpha1.MigrationWhitelist{}, &v1alpha1.Migration{}
	sample(t, "migrationwhitelist", whitelist)
	sample(t, "migration", migration)
	namespace(t, migration.Namespace)
	for _, object := range []client.Object{whitelist, migration} {
		if err := plane.Create(t.Context(), object); err != nil {
			t.Error(err)
		}
	}
}

func namespace(t *testing.T, name string) {
	t.Helper()
	err := plane.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

func entry(name string) v1alpha1.WhitelistEntry {
	return v1alpha1.WhitelistEntry{Namespace: "rules", Environment: v1alpha1.EnvironmentTest,
		WorkloadReference: v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name}}
}

func TestDefaults(t *testing.T) {
	whitelist := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{GenerateName: "defaults-"}}
	whitelist.Spec.Entries = []v1alpha1.WhitelistEntry{entry("a")}
	if err := plane.Create(t.Context(), whitelist); err != nil {
		t.Fatal(err)
	}
	want := v1alpha1.MigrationWhitelistSpec{
		Mode: v1alpha1.ModeRun,
		Strategy: v1alpha1.MigrationStrategy{
			BatchWeights: []int32{1, 2, 7}, SoakSeconds: ptr.To[int32](300), RequiredApprovals: ptr.To[int32](2),
			StepTimeoutSeconds: ptr.To[int32](600), OnFailure: v1alpha1.OnFailureRollback,
			Health: v1alpha1.HealthGate{MaxUnavailable: ptr.To(intstr.FromInt32(0))},
		},
		Entries: []v1alpha1.WhitelistEntry{entry("a")},
	}
	want.Entries[0].Trigger = v1alpha1.TriggerImmediate
	if diff := cmp.Diff(want, whitelist.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
}

func TestRules(t *testing.T) {
	day := metav1.Now()
	window := func(window gatev1alpha1.FreezeWindow) func(*v1alpha1.MigrationWhitelistSpec) {
		window.Name = "w"
		return func(spec *v1alpha1.MigrationWhitelistSpec) {
			spec.Strategy.FreezeWindows = []gatev1alpha1.FreezeWindow{window}
		}
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.MigrationWhitelistSpec)
		want   string
	}{
		"an application twice": {
			change: func(s *v1alpha1.MigrationWhitelistSpec) { s.Entries = append(s.Entries, entry("a")) }, want: "Duplicate value",
		},
		"an environment that is none": {
			change: func(s *v1alpha1.MigrationWhitelistSpec) { s.Entries[0].Environment = "Staging" }, want: "spec.entries[0].environment",
		},
		"a batch of nothing": {
			change: func(s *v1alpha1.MigrationWhitelistSpec) { s.Strategy.BatchWeights = []int32{1, 0} }, want: "spec.strategy.batchWeights[1]",
		},
		"a soak below zero": {
			change: func(s *v1alpha1.MigrationWhitelistSpec) { s.Strategy.SoakSeconds = ptr.To[int32](-1) }, want: "spec.strategy.soakSeconds",
		},
		"more than all may be missing": {
			change: func(s *v1alpha1.MigrationWhitelistSpec) {
				s.Strategy.Health.MaxUnavailable = ptr.To(intstr.FromString("101%"))
			}, want: "maxUnavailable is a number of pods",
		},
		"Prometheus without a scheme": {
			change: func(s *v1alpha1.MigrationWhitelistSpec) {
				s.Strategy.Health.Prometheus = &gatev1alpha1.PrometheusGate{Address: "prometheus:9090", Query: "up"}
			}, want: "spec.strategy.health.prometheus.address",
		},
		"credentials in the clear": {
			change: func(s *v1alpha1.MigrationWhitelistSpec) {
				s.Strategy.Health.Prometheus = &gatev1alpha1.PrometheusGate{Address: "http://prometheus:9090", Query: "up", SecretName: "prometheus"}
			}, want: "secretName needs an address with https",
		},
		"a window of both kinds": {
			change: window(gatev1alpha1.FreezeWindow{Start: &day, End: ptr.To(metav1.NewTime(day.Add(3600e9))),
				Days: []gatev1alpha1.Weekday{"Monday"},
				From: "01:00", To: "02:00"}), want: "either start and end, or days",
		},
		"a window of no kind":     {change: window(gatev1alpha1.FreezeWindow{From: "01:00", To: "02:00"}), want: "either start and end, or days"},
		"a window without an end": {change: window(gatev1alpha1.FreezeWindow{Start: &day}), want: "start and end go together"},
		"a window backwards": {
			change: window(gatev1alpha1.FreezeWindow{Start: ptr.To(metav1.NewTime(day.Add(3600e9))), End: &day}), want: "start must be before end",
		},
		"days without times": {change: window(gatev1alpha1.FreezeWindow{Days: []gatev1alpha1.Weekday{"Monday"}}), want: "days needs from and to"},
		"a time of day that is none": {
			change: window(gatev1alpha1.FreezeWindow{Days: []gatev1alpha1.Weekday{"Monday"}, From: "25:00", To: "02:00"}),
			want:   "freezeWindows[0].from",
		},
	} {
		t.Run(name, func(t *testing.T) {
			whitelist := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{GenerateName: "rules-"}}
			whitelist.Spec.Entries = []v1alpha1.WhitelistEntry{entry("a")}
			tc.change(&whitelist.Spec)
			err := plane.Create(t.Context(), whitelist)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

func TestAMigrationIsOfOneWorkload(t *testing.T) {
	namespace(t, "rules")
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "rules", GenerateName: "one-"}}
	migration.Spec.WorkloadReference, migration.Spec.Attempt = entry("a").WorkloadReference, 2
	if err := plane.Create(t.Context(), migration); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.MigrationSpec)
		want   string
	}{
		"another name":    {change: func(s *v1alpha1.MigrationSpec) { s.Name = "b" }, want: "belongs to one workload for good"},
		"a lower attempt": {change: func(s *v1alpha1.MigrationSpec) { s.Attempt = 1 }, want: "spec.attempt can only be raised"},
		"a hash that is not": {
			change: func(s *v1alpha1.MigrationSpec) { s.Approvals = []v1alpha1.Approval{{PlanHash: "yes"}} }, want: "spec.approvals[0].planHash",
		},
	} {
		t.Run(name, func(t *testing.T) {
			next := migration.DeepCopy()
			tc.change(&next.Spec)
			if err := plane.Patch(t.Context(), next, client.MergeFrom(migration)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}

// robot is a program, with the role of CI/CD.
const robot = "system:serviceaccount:ci:robot"

// bindRoles gives each shipped role to the group of its name; publisher, to a program as well.
func bindRoles(t *testing.T, config *rest.Config, plane client.Client) {
	t.Helper()
	if err := lab.GrantPeople(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	const publisher = "argosy-migration-publisher"
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "robot"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: publisher},
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: "ci", Name: "robot"}},
	}
	if err := plane.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
}

// TestRoles binds the shipped roles to people and lets each try what is not theirs.
func TestRoles(t *testing.T) {
	bindRoles(t, config, plane)
	namespace(t, "roles")
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "roles", Name: "deployment-a"}}
	migration.Spec.WorkloadReference = entry("a").WorkloadReference
	if err := plane.Create(t.Context(), migration); err != nil {
		t.Fatal(err)
	}
	for user, tc := range map[string]struct{ look, approve, edit bool }{
		"argosy-migration-admin":    {look: true, approve: true, edit: true},
		"argosy-migration-approver": {look: true, approve: true},
		"argosy-migration-viewer":   {look: true},
		"somebody":                  {},
	} {
		t.Run(user, func(t *testing.T) {
			as, err := client.New(lab.Person(config, user, user), client.Options{Scheme: kinds, Mapper: plane.RESTMapper()})
			if err != nil {
				t.Fatal(err)
			}
			allowed := func(what string, err error, want bool) {
				t.Helper()
				if got := !apierrors.IsForbidden(err); got != want {
					t.Errorf("%s: allowed %v, want %v (%v)", what, got, want, err)
				}
			}
			NewWithT(t).Eventually(func() bool {
				return apierrors.IsForbidden(as.List(t.Context(), &v1alpha1.MigrationList{})) != tc.look
			}, machine.Patience).Should(BeTrue(), "looking is not as its role says")
			next := migration.DeepCopy()
			next.Spec.Approvals = []v1alpha1.Approval{{PlanHash: "aaaaaaaaaaaaaaaa"}}
			allowed("approving", as.Patch(t.Context(), next, client.MergeFrom(migration), client.DryRunAll), tc.approve)
			whitelist := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: "roles"}}
			allowed("editing a whitelist", as.Create(t.Context(), whitelist, client.DryRunAll), tc.edit)
		})
	}
}

// TestWhitelistMakesMigrations runs the controller of whitelists.
func TestWhitelistMakesMigrations(t *testing.T) {
	g := NewWithT(t)
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: kinds, Metrics: metricsserver.Options{BindAddress: "0"}, GracefulShutdownTimeout: ptr.To(fixture.EndsWithin),
	})
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect((&whitelists.Controller{Client: mgr.GetClient()}).SetupWithManager(mgr)).To(Succeed())
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(t.Context()) }()
	// Its context has ended by then. Another test's whitelists are none of its business.
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	whitelist := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: "makes"}}
	for _, name := range []string{"a", "b", "c"} {
		one := entry(name)
		one.Namespace = "makes"
		whitelist.Spec.Entries = append(whitelist.Spec.Entries, one)
	}
	g.Expect(plane.Create(t.Context(), whitelist)).To(Succeed())
	made := &v1alpha1.Migration{}
	g.Eventually(func() error {
		return plane.Get(t.Context(), client.ObjectKey{Namespace: "makes", Name: "deployment-c"}, made)
	}, machine.Patience).Should(Succeed())
	home := &corev1.Namespace{}
	g.Expect(plane.Get(t.Context(), client.ObjectKey{Name: "makes"}, home)).To(Succeed())
	g.Expect(home.Labels).To(HaveKeyWithValue("namespace.karmada.io/skip-auto-propagation", "true"))
	// The sum follows the applications' states.
	for name, phase := range map[string]v1alpha1.Phase{"deployment-a": v1alpha1.PhaseFederated, "deployment-b": v1alpha1.PhaseCutOff} {
		g.Eventually(func() error {
			if err := plane.Get(t.Context(), client.ObjectKey{Namespace: "makes", Name: name}, made); err != nil {
				return err
			}
			made.Status.Phase, made.Status.Whitelist, made.Status.Management = phase, "makes", v1alpha1.ManagementStatic
			if phase == v1alpha1.PhaseCutOff {
				made.Status.Failure = &v1alpha1.Failure{
					Attempt: 1, Reason: v1alpha1.ReasonUnhealthy, Message: "m", Time: metav1.Now(), Action: v1alpha1.OnFailureRollback,
				}
			}
			return plane.Status().Update(t.Context(), made)
		}, machine.Patience).Should(Succeed())
	}
	want := []v1alpha1.EnvironmentStatus{{Name: v1alpha1.EnvironmentTest, Batch: 2, Batches: 2, Applications: 3, Federated: 1, Failed: 1}}
	g.Eventually(func() []v1alpha1.EnvironmentStatus {
		if err := plane.Get(t.Context(), client.ObjectKeyFromObject(whitelist), whitelist); err != nil {
			return nil
		}
		return whitelist.Status.Environments
	}, machine.Patience).Should(Equal(want))
	g.Eventually(func() string {
		if err := plane.Get(t.Context(), client.ObjectKeyFromObject(whitelist), whitelist); err != nil || len(whitelist.Status.Conditions) == 0 {
			return ""
		}
		return whitelist.Status.Conditions[0].Reason
	}, machine.Patience).Should(Equal(v1alpha1.ReasonBatchStopped))
}
