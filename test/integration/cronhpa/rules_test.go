package cronhpa

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/cronhpa"
)

func fedRef(name string) autoscalingv2.CrossVersionObjectReference {
	return autoscalingv2.CrossVersionObjectReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "FedHPA", Name: name}
}

// TestRulesOfTheKind are those the API server enforces by itself.
func TestRulesOfTheKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := replicasAt("out", "0 9 * * *", 3)
	rule := func(change func(*v1alpha1.CronHPARule)) []v1alpha1.CronHPARule {
		r := *good.DeepCopy()
		change(&r)
		return []v1alpha1.CronHPARule{r}
	}
	for name, tc := range map[string]struct {
		target   autoscalingv2.CrossVersionObjectReference
		rules    []v1alpha1.CronHPARule
		wantSays string
	}{
		"replicas of a workload": {workloadRef("a"), []v1alpha1.CronHPARule{good}, ""},
		"bounds of an HPA":       {hpaRef("b"), []v1alpha1.CronHPARule{boundsAt("out", "0 9 * * *", 1, 2)}, ""},
		"bounds of a FedHPA":     {fedRef("c"), []v1alpha1.CronHPARule{boundsAt("out", "0 9 * * *", 1, 2)}, ""},
		"replicas of an HPA":     {hpaRef("d"), []v1alpha1.CronHPARule{good}, "set targetMinReplicas and/or targetMaxReplicas instead"},
		"bounds of a workload":   {workloadRef("e"), []v1alpha1.CronHPARule{boundsAt("out", "0 9 * * *", 1, 2)}, "set targetReplicas"},
		"both": {
			workloadRef("f"), rule(func(r *v1alpha1.CronHPARule) { r.TargetMinReplicas = ptr.To[int32](1) }), "either targetReplicas, or",
		},
		"neither":             {workloadRef("g"), rule(func(r *v1alpha1.CronHPARule) { r.TargetReplicas = nil }), "either targetReplicas, or"},
		"min above max":       {fedRef("h"), []v1alpha1.CronHPARule{boundsAt("out", "0 9 * * *", 3, 2)}, "must not be above"},
		"no rules":            {workloadRef("i"), []v1alpha1.CronHPARule{}, "spec.rules"},
		"a name twice":        {workloadRef("j"), []v1alpha1.CronHPARule{good, good}, "Duplicate value"},
		"a name that is none": {workloadRef("k"), rule(func(r *v1alpha1.CronHPARule) { r.Name = "Out!" }), "spec.rules[0].name"},
		"no apiVersion": {
			autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "l"}, []v1alpha1.CronHPARule{good}, "apiVersion is required",
		},
		"a negative number": {
			workloadRef("m"), rule(func(r *v1alpha1.CronHPARule) { r.TargetReplicas = ptr.To[int32](-1) }), "targetReplicas",
		},
		"a deadline too short": {
			workloadRef("n"), rule(func(r *v1alpha1.CronHPARule) { r.StartingDeadlineSeconds = ptr.To[int32](1) }), "startingDeadlineSeconds",
		},
		"a date of other form": {workloadRef("o"), rule(func(r *v1alpha1.CronHPARule) { r.ExcludeDates = []string{"Dec 25"} }), "excludeDates"},
	} {
		t.Run(name, func(t *testing.T) {
			cron := &v1alpha1.CronHPA{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, GenerateName: "rules-"},
				Spec:       v1alpha1.CronHPASpec{ScaleTargetRef: tc.target, Rules: tc.rules},
			}
			err := apiserver.Create(t.Context(), cron)
			if tc.wantSays == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				if cron.Spec.Rules[0].TimeZone != "UTC" || ptr.Deref(cron.Spec.SuccessfulHistoryLimit, 0) != 3 {
					t.Errorf("defaults: %+v", cron.Spec)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.wantSays) {
				t.Errorf("error %v, want one that says %q", err, tc.wantSays)
			}
		})
	}
}

func TestTheTargetCannotBeChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cron := w.cron("web", workloadRef("web"), replicasAt("out", "0 9 * * *", 3))
	cron.Spec.ScaleTargetRef.Name = "other"
	err := apiserver.Update(w.ctx, cron)
	if err == nil || !strings.Contains(err.Error(), "cannot be changed") {
		t.Errorf("error %v, want one that says it cannot be changed", err)
	}
}

// TestAdmission is what the webhook refuses beyond the kind's own rules.
func TestAdmission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hpa("owner", "owned", 2, 8)
	w.cron("first", workloadRef("taken"), replicasAt("out", "0 9 * * *", 3))
	w.Expect(apiserver.Create(w.ctx, &v1alpha1.FedHPA{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "fed"},
		Spec:       v1alpha1.FedHPASpec{ScaleTargetRef: workloadRef("fedowned"), MinReplicas: 4, MaxReplicas: 20},
	})).To(gomega.Succeed())
	onlyMin := func(n int32) v1alpha1.CronHPARule {
		return v1alpha1.CronHPARule{Name: "out", Schedule: "0 9 * * *", TargetMinReplicas: &n}
	}
	onlyMax := func(n int32) v1alpha1.CronHPARule {
		return v1alpha1.CronHPARule{Name: "out", Schedule: "0 9 * * *", TargetMaxReplicas: &n}
	}
	with := func(change func(*v1alpha1.CronHPARule)) v1alpha1.CronHPARule {
		r := replicasAt("out", "0 9 * * *", 3)
		change(&r)
		return r
	}
	for name, tc := range map[string]struct {
		target      autoscalingv2.CrossVersionObjectReference
		rule        v1alpha1.CronHPARule
		wantSays    []string
		wantWarning string
	}{
		"good":           {target: workloadRef("web"), rule: replicasAt("out", "0 9 * * *", 3)},
		"its target HPA": {target: hpaRef("owner"), rule: boundsAt("out", "0 9 * * *", 3, 9)},
		"cron syntax": {
			target: workloadRef("web"), rule: with(func(r *v1alpha1.CronHPARule) { r.Schedule = "0 25 * * *" }), wantSays: []string{
				"spec.rules[0].schedule", "above maximum",
			},
		},
		"zone": {
			target: workloadRef("web"), rule: with(func(r *v1alpha1.CronHPARule) { r.TimeZone = "Asia/Atlantis" }),
			wantSays: []string{"spec.rules[0].timeZone", "IANA"},
		},
		"date": {
			target: workloadRef("web"), rule: with(func(r *v1alpha1.CronHPARule) { r.ExcludeDates = []string{"2026-02-30"} }),
			wantSays: []string{"spec.rules[0].excludeDates[0]"},
		},
		"never fires": {
			target: workloadRef("web"), rule: with(func(r *v1alpha1.CronHPARule) { r.Schedule = "0 0 30 2 *" }),
			wantSays: []string{"spec.rules[0].schedule", "never fires"},
		},
		"owned by an HPA": {
			target: workloadRef("owned"), rule: replicasAt("out", "0 9 * * *", 3), wantSays: []string{
				"HorizontalPodAutoscaler owner", "targetMinReplicas",
			},
		},
		"owned by a FedHPA": {
			target: workloadRef("fedowned"), rule: replicasAt("out", "0 9 * * *", 3), wantSays: []string{"FedHPA fed", "targetMinReplicas"},
		},
		"limits of a FedHPA": {target: fedRef("fed"), rule: boundsAt("out", "0 9 * * *", 30, 40)},
		"a FedHPA to come":   {target: fedRef("later"), rule: onlyMin(30)},
		"above its max": {target: fedRef("fed"), rule: onlyMin(30), wantSays: []string{
			"spec.rules[0].targetMinReplicas: Invalid value: 30",
			"with maxReplicas 20 of FedHPA fed the limits would be 30..20: set targetMaxReplicas in the rule as well, or raise spec.maxReplicas " +
				"of the FedHPA first"}},
		"below its min": {target: fedRef("fed"), rule: onlyMax(2), wantSays: []string{
			"spec.rules[0].targetMaxReplicas: Invalid value: 2",
			"with minReplicas 4 of FedHPA fed the limits would be 4..2: set targetMinReplicas in the rule as well"}},
		"a lower limit of zero": {
			target: fedRef("fed"), rule: onlyMin(0), wantSays: []string{"spec.rules[0].targetMinReplicas: Invalid value: 0", "at least 1"},
		},
		"more than is divided": {
			target: fedRef("fed"), rule: onlyMax(2_000_000_000), wantSays: []string{"spec.rules[0].targetMaxReplicas", "at most 100000"},
		},
		"taken": {
			target: workloadRef("taken"), rule: replicasAt("out", "0 9 * * *", 3), wantSays: []string{"CronHPA first", "add the rules there"},
		},
		"a wrong group": {
			target:   autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "FedHPA", Name: "x"},
			rule:     boundsAt("out", "0 9 * * *", 1, 2),
			wantSays: []string{"spec.scaleTargetRef.apiVersion", "autoscaling.argosy.dev/v1alpha1"},
		},
		"to zero": {target: workloadRef("web"), rule: replicasAt("out", "0 9 * * *", 0), wantWarning: "--enable-empty-workload-propagation"},
	} {
		t.Run(name, func(t *testing.T) {
			g := gomega.NewWithT(t)
			cron := &v1alpha1.CronHPA{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "new"},
				Spec:       v1alpha1.CronHPASpec{ScaleTargetRef: tc.target, Rules: []v1alpha1.CronHPARule{tc.rule}},
			}
			got := w.ask(cron)
			g.Expect(got.Allowed).To(gomega.Equal(len(tc.wantSays) == 0), "%v", got.Result)
			for _, part := range tc.wantSays {
				g.Expect(got.Result.Message).To(gomega.ContainSubstring(part))
			}
			g.Expect(strings.Join(got.Warnings, "\n")).To(gomega.ContainSubstring(tc.wantWarning))
		})
	}
}

// ask puts the creation of an object before the webhook's handler.
func (w *world) ask(cron *v1alpha1.CronHPA) admission.Response {
	w.t.Helper()
	return w.askOf(admissionv1.AdmissionRequest{Operation: admissionv1.Create, Object: raw(w, cron)})
}

// askUpdate puts an update before it.
func (w *world) askUpdate(old, cron *v1alpha1.CronHPA) admission.Response {
	w.t.Helper()
	return w.askOf(admissionv1.AdmissionRequest{Operation: admissionv1.Update, OldObject: raw(w, old), Object: raw(w, cron)})
}

func (w *world) askOf(request admissionv1.AdmissionRequest) admission.Response {
	request.Namespace = w.namespace
	handler := &cronhpa.Validator{Reader: apiserver, Decoder: admission.NewDecoder(scheme), Clock: w.clock}
	return handler.Handle(w.ctx, admission.Request{AdmissionRequest: request})
}

func raw(w *world, cron *v1alpha1.CronHPA) runtime.RawExtension {
	w.t.Helper()
	text, err := json.Marshal(cron)
	if err != nil {
		w.t.Fatal(err)
	}
	return runtime.RawExtension{Raw: text}
}

// TestAdmissionOfUpdates: the spec is judged when it changes. What has come to scale the target since is no reason to refuse a
// label, the controller's finalizer or a deletion.
func TestAdmissionOfUpdates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cron := w.cron("web", workloadRef("web"), replicasAt("out", "0 9 * * *", 3))
	labelled, rescheduled, rivalled := cron.DeepCopy(), cron.DeepCopy(), cron.DeepCopy()
	labelled.Labels = map[string]string{"team": "shop"}
	rescheduled.Spec.Rules[0].Schedule = "0 8 * * *"
	rivalled.Spec.Rules[0].Schedule = "0 7 * * *"
	w.Expect(w.askUpdate(cron, rescheduled).Allowed).To(gomega.BeTrue(), "it is the only CronHPA of its target")
	w.hpa("owner", "web", 2, 8)
	w.Expect(w.askUpdate(cron, labelled).Allowed).To(gomega.BeTrue())
	got := w.askUpdate(cron, rivalled)
	w.Expect(got.Allowed).To(gomega.BeFalse())
	w.Expect(got.Result.Message).To(gomega.ContainSubstring("HorizontalPodAutoscaler owner"))
	rivalled.DeletionTimestamp = &metav1.Time{Time: w.start}
	w.Expect(w.askUpdate(cron, rivalled).Allowed).To(gomega.BeTrue())
}

// TestSamples are accepted as they are, by the kind's rules and by admission.
func TestSamples(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"cronhpa", "cronhpa-bounds"} {
		text, err := os.ReadFile("../../../deploy/samples/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		cron := &v1alpha1.CronHPA{}
		if err := yaml.UnmarshalStrict(text, cron); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		cron.Namespace = w.namespace
		w.create(cron)
		if got := w.ask(cron); !got.Allowed {
			t.Errorf("%s: admission refuses it: %v", name, got.Result)
		}
	}
}
