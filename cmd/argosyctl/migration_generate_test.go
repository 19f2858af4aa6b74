package main

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// TestGenerateWritesWhatRuns: of a member that lacks OpenKruise, with what belongs to others, what Karmada brought, what is listed already,
// and what runs in two members.
func TestGenerateWritesWhatRuns(t *testing.T) {
	scheme, control := runtime.NewScheme(), runtime.NewScheme()
	for _, err := range []error{appsv1.AddToScheme(scheme), v1alpha1.AddToScheme(control)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		mapper.Add(appsv1.SchemeGroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "shop", Name: name} }
	owned := &appsv1.DaemonSet{ObjectMeta: named("agent")}
	owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "x/v1", Kind: "Operator", Name: "all", Controller: ptr.To(true)}}
	federated := &appsv1.Deployment{ObjectMeta: named("brought")}
	federated.Labels = map[string]string{managedByKarmada: "true"}
	elsewhere := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "web"}}
	member := fake.NewClientBuilder().WithScheme(scheme).WithRESTMapper(mapper).WithObjects(
		&appsv1.StatefulSet{ObjectMeta: named("db")}, &appsv1.Deployment{ObjectMeta: named("web")},
		&appsv1.Deployment{ObjectMeta: named("listed")}, owned, federated, elsewhere,
	).Build()
	whitelist := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: "first"}}
	listed := v1alpha1.WorkloadReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "listed"}
	whitelist.Spec.Entries = []v1alpha1.WhitelistEntry{
		{Namespace: "shop", WorkloadReference: listed}, {Namespace: "other", WorkloadReference: listed},
	}
	plane := fake.NewClientBuilder().WithScheme(control).WithObjects(whitelist).Build()

	on, err := onWhitelists(t.Context(), plane, "shop")
	if err != nil {
		t.Fatal(err)
	}
	var found []foundWorkload
	for _, cluster := range []string{"member1", "member2"} {
		some, err := workloadsOf(t.Context(), client.Reader(member), cluster, "shop")
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, some...)
	}
	o := generateOptions{from: []string{"member1", "member2"}, environment: "Test", trigger: "Immediate"}
	draft, leftOut := o.draft("shop", found, on)
	var out bytes.Buffer
	if err := (&migrationCommands{out: &out}).printWhitelist(draft, "yaml"); err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: migration.argosy.dev/v1alpha1
kind: MigrationWhitelist
metadata:
  name: shop
spec:
  entries:
  - apiVersion: apps/v1
    environment: Test
    kind: Deployment
    name: web
    namespace: shop
    trigger: Immediate
  - apiVersion: apps/v1
    environment: Test
    kind: StatefulSet
    name: db
    namespace: shop
    trigger: Immediate
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +printed)\n%s", diff)
	}
	wantLeftOut := []string{
		"deployment/brought of member1: left out: Karmada brought it there",
		"deployment/listed of member1: left out: it is on MigrationWhitelist first",
		"daemonset/agent of member1: left out: it belongs to operator/all",
		"deployment/brought of member2: left out: Karmada brought it there",
		"deployment/listed of member2: left out: it is on MigrationWhitelist first",
		"daemonset/agent of member2: left out: it belongs to operator/all",
	}
	if diff := cmp.Diff(wantLeftOut, leftOut); diff != "" {
		t.Errorf("(-want +left out)\n%s", diff)
	}
}

func TestGenerateRefusesBadFlags(t *testing.T) {
	for name, tc := range map[string]struct {
		options generateOptions
		want    string
	}{
		"no member": {generateOptions{environment: "Test", trigger: "Immediate"}, "name the member to look in, such as --from member1"},
		"an environment": {
			generateOptions{from: []string{"a"}, environment: "prod"}, `--environment "prod": want Test, PreRelease or Production`,
		},
		"a trigger": {
			generateOptions{from: []string{"a"}, environment: "Test", trigger: "Now"}, `--trigger "Now": want OnRelease or Immediate`,
		},
	} {
		if err := tc.options.validate(); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v, want %s", name, err, tc.want)
		}
	}
}
