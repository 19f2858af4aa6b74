package fedhpa

import (
	"encoding/json"
	"fmt"
	"strings"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/util"
	"github.com/karmada-io/karmada/pkg/util/names"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	hpadefaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	"k8s.io/utils/ptr"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	migration "github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/fedhpa/decide"
	"github.com/argosy-dev/argosy/fedhpa/split"
	"github.com/argosy-dev/argosy/internal/binding"
)

const hpaKind = "HorizontalPodAutoscaler"

// workKey is where the Work of a member's autoscaler is. The name follows Karmada's rule: by it Karmada finds the Work again when the
// member's object was deleted.
func workKey(cluster string, fed types.NamespacedName) types.NamespacedName {
	return types.NamespacedName{
		Namespace: names.GenerateExecutionSpaceName(cluster),
		Name:      names.GenerateWorkName(hpaKind, fed.Name, fed.Namespace),
	}
}

// newWork is the Work that delivers a member's autoscaler.
func newWork(cluster string, fed *api.FedHPA, r split.Range) (*workv1alpha1.Work, error) {
	key := workKey(cluster, types.NamespacedName{Namespace: fed.Namespace, Name: fed.Name})
	manifest, err := manifestOf(key, fed, r)
	if err != nil {
		return nil, err
	}
	return &workv1alpha1.Work{
		ObjectMeta: metav1.ObjectMeta{
			Name: key.Name, Namespace: key.Namespace,
			// Karmada deletes the member's object before the Work goes.
			Finalizers:  []string{util.ExecutionControllerFinalizer},
			Labels:      map[string]string{api.FedHPAManagedLabel: "true"},
			Annotations: map[string]string{api.FedHPAOwnerAnnotation: fed.Namespace + "/" + fed.Name},
		},
		Spec: workv1alpha1.WorkSpec{Workload: workv1alpha1.WorkloadTemplate{
			Manifests: []workv1alpha1.Manifest{{RawExtension: runtime.RawExtension{Raw: manifest}}},
		}},
	}, nil
}

// manifestOf is the member's autoscaler. An autoscaler of the same name that somebody else made in the member is not overwritten:
// Karmada then reports that it could not be applied.
func manifestOf(work types.NamespacedName, fed *api.FedHPA, r split.Range) ([]byte, error) {
	hpa := autoscalingv2.HorizontalPodAutoscaler{
		TypeMeta: metav1.TypeMeta{APIVersion: autoscalingv2.SchemeGroupVersion.String(), Kind: hpaKind},
		ObjectMeta: metav1.ObjectMeta{
			Name: fed.Name, Namespace: fed.Namespace,
			Labels: map[string]string{util.ManagedByKarmadaLabel: util.ManagedByKarmadaLabelValue},
			Annotations: map[string]string{
				workv1alpha2.WorkNamespaceAnnotation:              work.Namespace,
				workv1alpha2.WorkNameAnnotation:                   work.Name,
				workv1alpha2.ResourceConflictResolutionAnnotation: workv1alpha2.ResourceConflictResolutionAbort,
			},
		},
		Spec: specOf(fed, r),
	}
	raw, err := json.Marshal(hpa)
	if err != nil {
		return nil, fmt.Errorf("encoding the autoscaler of FedHPA %s/%s: %w", fed.Namespace, fed.Name, err)
	}
	return raw, nil
}

// specOf is a member autoscaler's spec with Kubernetes' defaults filled in: what the member's API server would add anyway, so that
// Karmada sees no difference it would have to write again and again. The shares of metrics that all members see are those of the division
// in the FedHPA's status.
func specOf(fed *api.FedHPA, r split.Range) autoscalingv2.HorizontalPodAutoscalerSpec {
	hpa := autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: fed.Spec.ScaleTargetRef,
		MinReplicas:    ptr.To(r.Min),
		MaxReplicas:    r.Max,
		Metrics:        fed.DeepCopy().Spec.Metrics,
		Behavior:       fed.Spec.Behavior.DeepCopy(),
	}}
	if fed.Spec.MetricScope == api.MetricScopeFederation {
		shared(hpa.Spec.Metrics, part{Range: r, of: together(&fed.Status)})
	}
	hpadefaults.SetDefaults_HorizontalPodAutoscaler(&hpa)
	return hpa.Spec
}

// reported is a member autoscaler's status as deploy/controller-manager/member-status.yaml makes Karmada reflect it. Without that
// customization Karmada reflects the two counts only.
type reported struct {
	CurrentReplicas int32                                            `json:"currentReplicas"`
	DesiredReplicas int32                                            `json:"desiredReplicas"`
	MinReplicas     *int32                                           `json:"minReplicas"`
	MaxReplicas     *int32                                           `json:"maxReplicas"`
	Conditions      []autoscalingv2.HorizontalPodAutoscalerCondition `json:"conditions"`
}

// autoscalerIn reads a member's autoscaler out of its Work.
func autoscalerIn(work *workv1alpha1.Work, fed *api.FedHPA) *decide.Autoscaler {
	out := &decide.Autoscaler{
		Owned:    work.Annotations[api.FedHPAOwnerAnnotation] == fed.Namespace+"/"+fed.Name,
		Deleting: !work.DeletionTimestamp.IsZero(),
	}
	var sent autoscalingv2.HorizontalPodAutoscaler
	if len(work.Spec.Workload.Manifests) == 1 && json.Unmarshal(work.Spec.Workload.Manifests[0].Raw, &sent) == nil {
		out.Sent = split.Range{Min: ptr.Deref(sent.Spec.MinReplicas, 1), Max: sent.Spec.MaxReplicas}
		// Without the label the Work's watch does not see it: it is written again, as if it said something else.
		out.SpecCurrent = equality.Semantic.DeepEqual(sent.Spec, specOf(fed, out.Sent)) && work.Labels[api.FedHPAManagedLabel] == "true"
	}
	answer := binding.AnswerOf(work)
	out.Applied, out.Message, out.Refused = answer.Taken, answer.Failure, answer.Refused
	out.Withheld = ptr.Deref(work.Spec.SuspendDispatching, false) && work.Annotations[migration.AnnotationCutOff] != ""
	out.Confirmed = out.Withheld && meta.IsStatusConditionFalse(work.Status.Conditions, workv1alpha1.WorkDispatching)
	var status reported
	if s := work.Status.ManifestStatuses; len(s) == 1 && s[0].Status != nil && json.Unmarshal(s[0].Status.Raw, &status) == nil {
		out.Current, out.Desired = status.CurrentReplicas, status.DesiredReplicas
		out.Fault, out.Lost, out.Ambiguous = faultOf(status)
		if status.MaxReplicas != nil {
			out.Judged = true
			out.InForce = &split.Range{Min: ptr.Deref(status.MinReplicas, 1), Max: *status.MaxReplicas}
		} else if out.Applied && !suspended(work) {
			// Karmada reflects only the counts: what it says it applied is all there is to go by, unless it stopped applying.
			sent := out.Sent
			out.InForce = &sent
		}
	}
	return out
}

// faultOf is why a member's autoscaler cannot scale, empty when it can; lost is set when it does not find its workload, so
// that its counts are those of before, and ambiguous when another one selects the same pods.
func faultOf(status reported) (fault string, lost, ambiguous bool) {
	var out []string
	for _, c := range status.Conditions {
		if c.Status != corev1.ConditionFalse || c.Type != autoscalingv2.ScalingActive && c.Type != autoscalingv2.AbleToScale {
			continue
		}
		message := c.Message
		if c.Reason == "ScalingDisabled" {
			message = "the workload stands at zero there, which switches its autoscaler off: scale it to one or more in the member"
		}
		out = append(out, fmt.Sprintf("%s (%s)", message, c.Reason))
		lost = lost || c.Reason == "FailedGetScale"
		ambiguous = ambiguous || c.Reason == "AmbiguousSelector"
	}
	return strings.Join(out, "; "), lost, ambiguous
}
