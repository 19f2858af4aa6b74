package fit

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

func spreadOver(key string) corev1.TopologySpreadConstraint {
	return corev1.TopologySpreadConstraint{MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule,
		LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}
}

func spreading(constraints ...corev1.TopologySpreadConstraint) corev1.PodSpec {
	return corev1.PodSpec{TopologySpreadConstraints: constraints}
}

func awayFrom(app, key string) corev1.PodAffinityTerm {
	return corev1.PodAffinityTerm{TopologyKey: key, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}}
}

// TestClassify: every shape, and every reason for which no closed form counts.
func TestClassify(t *testing.T) {
	apart := func(terms ...corev1.PodAffinityTerm) *corev1.Affinity {
		return &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}}
	}
	together := func(terms ...corev1.PodAffinityTerm) *corev1.Affinity {
		return &corev1.Affinity{PodAffinity: &corev1.PodAffinity{RequiredDuringSchedulingIgnoredDuringExecution: terms}}
	}
	unparsed := spreadOver("zone")
	unparsed.LabelSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Near"}}}
	soft := spreadOver("zone")
	soft.WhenUnsatisfiable = corev1.ScheduleAnyway
	cases := map[string]struct {
		spec         corev1.PodSpec
		hardDefaults bool
		shape        Shape
		why          string
	}{
		"plain": {shape: NodeLocal},
		"a ConfigMap is no volume": {
			spec: corev1.PodSpec{Volumes: volume(corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}})}, shape: NodeLocal,
		},
		"away from others":           {spec: corev1.PodSpec{Affinity: apart(awayFrom("db", "zone"))}, shape: NodeLocal},
		"near others":                {spec: corev1.PodSpec{Affinity: together(awayFrom("db", "zone"))}, shape: NodeLocal},
		"one to a zone":              {spec: corev1.PodSpec{Affinity: apart(awayFrom("web", "zone"))}, shape: SeparateOnce},
		"one constraint":             {spec: spreading(spreadOver("zone"), soft), shape: SpreadOnce},
		"constraints beside default": {spec: spreading(spreadOver("zone")), hardDefaults: true, shape: SpreadOnce},
		"claims": {
			spec: corev1.PodSpec{ResourceClaims: []corev1.PodResourceClaim{{Name: "gpu"}}}, shape: Ordered, why: "resource claims",
		},
		"a volume": {spec: corev1.PodSpec{Volumes: volume(corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}})}, shape: Ordered, why: "volumes"},
		"defaults": {hardDefaults: true, shape: Ordered, why: "hard default constraints"},
		"two constraints": {
			spec: spreading(spreadOver("zone"), spreadOver("host")), shape: Ordered, why: "several spread constraints",
		},
		"near its own kind": {spec: corev1.PodSpec{Affinity: together(awayFrom("web", "zone"))}, shape: Ordered, why: "affinity to its own kind"},
		"one to a zone and to a host": {spec: corev1.PodSpec{Affinity: apart(awayFrom("web", "zone"), awayFrom("web", "host"))},
			shape: Ordered, why: "separate over several keys"},
		"one to a host, spread over zones": {spec: corev1.PodSpec{Affinity: apart(awayFrom("web", "host")),
			TopologySpreadConstraints: spreading(spreadOver("zone")).TopologySpreadConstraints}, shape: Ordered, why: "spread and separate"},
		"a selector of nothing known": {spec: spreading(unparsed), shape: Ordered, why: "a selector that does not parse"},
	}
	shown := map[string]bool{}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			shown[tc.why] = true
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: map[string]string{"app": "web"}}, Spec: tc.spec}
			info, err := framework.NewPodInfo(pod)
			if err != nil {
				t.Fatal(err)
			}
			rules := Classify(pod, info, tc.hardDefaults)
			if rules.Shape != tc.shape || rules.Why != tc.why {
				t.Errorf("%s because of %q, want %s because of %q", rules.Shape, rules.Why, tc.shape, tc.why)
			}
			if (rules.SeparateKey != "") != (tc.shape == SeparateOnce) || (rules.Spread != nil) != (tc.shape == SpreadOnce) {
				t.Errorf("key %q, constraint %v for shape %s", rules.SeparateKey, rules.Spread, rules.Shape)
			}
		})
	}
	for _, reason := range Reasons {
		if !shown[reason.Why] {
			t.Errorf("no case shows %q", reason.Why)
		}
	}
}

func volume(source corev1.VolumeSource) []corev1.Volume {
	return []corev1.Volume{{Name: "v", VolumeSource: source}}
}
