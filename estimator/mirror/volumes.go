package mirror

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	storagehelpers "k8s.io/component-helpers/storage/volume"
	"k8s.io/utils/ptr"
)

// Bind makes of claims that name their volume what the member's volume controller would, before any pod of theirs is scheduled: bound,
// where the member has the volume to give. Others stay as they are, and keep their pods waiting.
func (m *Member) Bind(claims []corev1.PersistentVolumeClaim) {
	for i := range claims {
		claim := &claims[i]
		if claim.Spec.VolumeName == "" {
			continue
		}
		volume, err := m.Informers.Core().V1().PersistentVolumes().Lister().Get(claim.Spec.VolumeName)
		if err == nil && bindable(volume, claim) {
			metav1.SetMetaDataAnnotation(&claim.ObjectMeta, storagehelpers.AnnBindCompleted, "yes")
			claim.Status.Phase = corev1.ClaimBound
		}
	}
}

// bindable is the volume controller's rule for a claim that names the volume (Kubernetes' pkg/controller/volume/persistentvolume,
// syncUnboundClaim).
func bindable(volume *corev1.PersistentVolume, claim *corev1.PersistentVolumeClaim) bool {
	if volume.Spec.ClaimRef != nil {
		return storagehelpers.IsVolumeBoundToClaim(volume, claim)
	}
	asked, has := claim.Spec.Resources.Requests[corev1.ResourceStorage], volume.Spec.Capacity[corev1.ResourceStorage]
	return volume.DeletionTimestamp == nil && has.Value() >= asked.Value() &&
		storagehelpers.GetPersistentVolumeClass(volume) == storagehelpers.GetPersistentVolumeClaimClass(claim) &&
		ptr.Deref(volume.Spec.VolumeAttributesClassName, "") == ptr.Deref(claim.Spec.VolumeAttributesClassName, "") &&
		!storagehelpers.CheckVolumeModeMismatches(&claim.Spec, &volume.Spec) && storagehelpers.CheckAccessModes(claim, volume)
}
