package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	policyv1alpha1 "github.com/karmada-io/karmada/pkg/apis/policy/v1alpha1"
	. "github.com/onsi/gomega"
	kruisev1alpha1 "github.com/openkruise/kruise-api/apps/v1alpha1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// releasedBesides goes out with a ConfigMap, and holds overrides.
const releasedBesides = `
apiVersion: v1
kind: ConfigMap
metadata: {namespace: $NS, name: web}
data: {mode: a}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: web-configmap}
spec:
  resourceSelectors: [{apiVersion: v1, kind: ConfigMap, name: web}]
  placement: {clusterAffinity: {clusterNames: [member1, member2, member3]}}
---
apiVersion: release.argosy.dev/v1alpha1
kind: Release
metadata: {namespace: $NS, name: web}
spec:
  targetRef: {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}
  with: [{apiVersion: v1, kind: ConfigMap, name: web}]
  overrides: Hold
  stages:
  - {name: first, clusters: {names: [member1]}, gates: {approvals: 1}}
  - {name: rest}
`

const registryOverride = `
apiVersion: policy.karmada.io/v1alpha1
kind: OverridePolicy
metadata: {namespace: $NS, name: registry}
spec:
  resourceSelectors: [{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: web}]
  overrideRules:
  - overriders:
      plaintext: [{path: /spec/template/spec/containers/0/image, operator: replace, value: "mirror.example/web:v2"}]
`

// TestReleaseBesideOthers: while a change is held, a CronHPA scales, a PodScaleIn removes a pod by name and a platform team changes an
// OverridePolicy, all on the real Karmada: held members follow with what they have, and what is released is what the stages opened.
func TestReleaseBesideOthers(t *testing.T) {
	t.Parallel()
	d := newDivided(t)
	d.apply(t, d.ns, releasedBesides)
	letGoInTheEnd(t, d.planes, d.ns, "web")
	d.Eventually(d.released, slow, "200ms").Should(Equal("Complete: web:v1 a, web:v1 a, web:v1 a"))

	d.patch(d.karmada, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "web"}}, `{"data":{"mode":"b"}}`)
	d.patch(d.karmada, d.cloneSet(), `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example/web:v2",`+
		`"resources":{"requests":{"cpu":"10m","memory":"16Mi"}}}]}}}}`)
	d.Eventually(d.released, slow, "200ms").Should(Equal("AwaitingApproval: web:v2 b, web:v1 a, web:v1 a"))

	cron := &api.CronHPA{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "web"}, Spec: api.CronHPASpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps.kruise.io/v1alpha1", Kind: "CloneSet", Name: "web"},
		Rules:          []api.CronHPARule{{Name: "evening", TargetReplicas: ptr.To[int32](12)}},
	}}
	createWith(t, d.planes, cron)
	d.Eventually(d.books, slow, "200ms").Should(Equal("template 12, binding 4+4+4 of 12, members 4+4+4, pods 4+4+4"))
	d.Expect(answered(t, d.released)()).To(HaveSuffix(": web:v2 b, web:v1 a, web:v1 a"))

	before, err := answered(t, d.pods)()
	d.Expect(err).NotTo(HaveOccurred())
	out, err := d.run("scalein", "web", "--pod", "member2/"+before["member2"][0], "--reason", "bad disk")
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Eventually(d.books, slow, "200ms").Should(Equal("template 11, binding 4+3+4 of 11, members 4+3+4, pods 4+3+4"))
	after, err := answered(t, d.pods)()
	d.Expect(err).NotTo(HaveOccurred())
	d.Expect(after["member2"]).To(Equal(before["member2"][1:]), "the others of the held member are who they were")

	// A changed override is a revision: it begins at the first stage, and goes where that is open alone.
	d.apply(t, d.ns, registryOverride)
	d.Eventually(d.released, slow, "200ms").Should(Equal("AwaitingApproval: mirror.example/web:v2 b, web:v1 a, web:v1 a"))
	d.Expect(answered(t, d.pods)()).To(HaveKeyWithValue("member2", after["member2"]))

	out, err = d.run("release", "promote", "web")
	d.Expect(err).NotTo(HaveOccurred(), out)
	const all = "mirror.example/web:v2 b, mirror.example/web:v2 b, mirror.example/web:v2 b"
	d.Eventually(d.released, slow, "200ms").Should(Equal("Complete: " + all))
}

// released is why the Release stands where it does, and what each member has: its image, and what its ConfigMap says.
func (d divided) released() (string, error) {
	var of v1alpha1.Release
	if err := d.karmada.Get(d.t.Context(), d.key(), &of); err != nil {
		return "", err
	}
	why := whyOf(&of)
	var out []string
	for _, name := range slices.Sorted(slices.Values(d.lab.Members)) {
		var in kruisev1alpha1.CloneSet
		var config corev1.ConfigMap
		if err := d.members[name].Get(d.t.Context(), d.key(), &in); err != nil {
			return "", err
		}
		if err := d.members[name].Get(d.t.Context(), d.key(), &config); client.IgnoreNotFound(err) != nil {
			return "", err
		}
		image := strings.TrimPrefix(in.Spec.Template.Spec.Containers[0].Image, "registry.example/")
		out = append(out, fmt.Sprintf("%s %s", image, config.Data["mode"]))
	}
	return why + ": " + strings.Join(out, ", "), nil
}

// dependencies of two revisions of CloneSet web: each names a ConfigMap of its own.
const dependencies = `
apiVersion: v1
kind: ConfigMap
metadata: {namespace: $NS, name: settings-a}
---
apiVersion: v1
kind: ConfigMap
metadata: {namespace: $NS, name: settings-b}
`

// TestReleaseKeepsDependencies: Karmada brings what the template names, and would take from held members what their revision names alone.
func TestReleaseKeepsDependencies(t *testing.T) {
	t.Parallel()
	d := newDivided(t)
	d.apply(t, d.ns, dependencies)
	policy := &policyv1alpha1.PropagationPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: d.ns, Name: "web-cloneset"}}
	d.patch(d.karmada, policy, `{"spec":{"propagateDeps":true}}`)
	needs := func(settings string) {
		d.patch(d.karmada, d.cloneSet(), `{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example/web:v1",`+
			`"envFrom":[{"configMapRef":{"name":%q}}],"resources":{"requests":{"cpu":"10m","memory":"16Mi"}}}]}}}}`, settings)
	}
	needs("settings-a")
	d.Eventually(d.settings, slow, "200ms").Should(Equal("a, a, a"))
	d.apply(t, d.ns, strings.Replace(leakRelease, "apiVersion: apps/v1, kind: Deployment",
		"apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet", 1))
	letGoInTheEnd(t, d.planes, d.ns, "web")
	d.Eventually(d.released, slow, "200ms").Should(HavePrefix("Complete"))
	needs("settings-b")
	d.Eventually(d.released, slow, "200ms").Should(HavePrefix("AwaitingApproval"))
	// Karmada removes what is not named before it brings what is.
	d.Eventually(d.settings, slow, "200ms").Should(Equal("a+b, a+b, a+b"), "held members keep theirs")
	out, err := d.run("release", "promote", "web")
	d.Expect(err).NotTo(HaveOccurred(), out)
	d.Eventually(d.released, slow, "200ms").Should(HavePrefix("Complete"))
	d.Eventually(d.settings, slow, "200ms").Should(Equal("b, b, b"), "what no revision needs goes")
}

// settings are the ConfigMaps that each member has of those.
func (d divided) settings() (string, error) {
	var out []string
	for _, name := range slices.Sorted(slices.Values(d.lab.Members)) {
		var list corev1.ConfigMapList
		if err := d.members[name].List(d.t.Context(), &list, client.InNamespace(d.ns)); err != nil {
			return "", err
		}
		var has []string
		for i := range list.Items {
			if which, ok := strings.CutPrefix(list.Items[i].Name, "settings-"); ok {
				has = append(has, which)
			}
		}
		slices.Sort(has)
		out = append(out, strings.Join(has, "+"))
	}
	return strings.Join(out, ", "), nil
}
