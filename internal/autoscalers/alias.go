package autoscalers

import (
	"context"
	"fmt"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
)

// Ref to an object of the kind.
func (a Autoscaler) Ref(name string) autoscalingv2.CrossVersionObjectReference {
	return autoscalingv2.CrossVersionObjectReference{APIVersion: a.APIVersion, Kind: a.Kind, Name: name}
}

// Alias is the other name of an autoscaler: an HPA annotated to be federated and the FedHPA made from it hold one pair of limits. ok is
// false for an autoscaler, or any other target, that has none.
func Alias(ctx context.Context, reader client.Reader, namespace string,
	ref autoscalingv2.CrossVersionObjectReference) (other autoscalingv2.CrossVersionObjectReference, ok bool, err error) {
	kinds := Kinds()
	fedKind, hpaKind := kinds[0], kinds[1]
	switch TargetKey(ref) {
	case TargetKey(fedKind.Ref(ref.Name)):
		other = hpaKind.Ref(ref.Name)
	case TargetKey(hpaKind.Ref(ref.Name)):
		other = fedKind.Ref(ref.Name)
	default:
		return other, false, nil
	}
	key := client.ObjectKey{Namespace: namespace, Name: ref.Name}
	hpa, fed := &autoscalingv2.HorizontalPodAutoscaler{}, &v1alpha1.FedHPA{}
	if err := reader.Get(ctx, key, hpa); apierrors.IsNotFound(err) {
		return other, false, nil
	} else if err != nil {
		return other, false, fmt.Errorf("reading HorizontalPodAutoscaler %s: %w", key, err)
	}
	if err := reader.Get(ctx, key, fed); apierrors.IsNotFound(err) {
		// The FedHPA is about to be made.
		return other, hpa.Annotations[v1alpha1.FederateAnnotation] == "true", nil
	} else if err != nil {
		return other, false, fmt.Errorf("reading FedHPA %s: %w", key, err)
	}
	return other, metav1.IsControlledBy(fed, hpa), nil
}
