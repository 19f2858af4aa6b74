package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// InstalledPackage is a package found on the machine.
type InstalledPackage struct {
	// name of the package.
	// +kubebuilder:validation:MaxLength=253
	// +required
	Name string `json:"name"`

	// version found.
	// +kubebuilder:validation:MaxLength=128
	// +required
	Version string `json:"version"`
}

// DeployedRelease is the code found on the machine.
type DeployedRelease struct {
	// version found.
	// +kubebuilder:validation:MaxLength=128
	// +required
	Version string `json:"version"`

	// checksum found.
	// +kubebuilder:validation:MaxLength=135
	// +optional
	Checksum string `json:"checksum,omitempty"`

	// hash of all of the release that was deployed, its artifact and params too; "unfinished" where bringing it up was cut off. What was
	// deployed before hashes were written gets that of spec.release once, and is not deployed again for it.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Hash string `json:"hash,omitempty"`
}

// MachineState is what the driver says of a machine.
// +kubebuilder:validation:Enum=Absent;Creating;Running;Stopped;Gone;Unknown
type MachineState string

const (
	// MachineAbsent was never made.
	MachineAbsent MachineState = "Absent"
	// MachineCreating is being made.
	MachineCreating MachineState = "Creating"
	// MachineRunning runs.
	MachineRunning MachineState = "Running"
	// MachineStopped exists and does not run.
	MachineStopped MachineState = "Stopped"
	// MachineGone existed, and the driver has surely no such machine any more.
	MachineGone MachineState = "Gone"
	// MachineUnknown could not be asked about.
	MachineUnknown MachineState = "Unknown"
)

// MachineStatus is what the driver last said.
type MachineStatus struct {
	// state of the machine.
	// +required
	State MachineState `json:"state"`

	// bootID changes with every boot, so that a quick restart is seen.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	BootID string `json:"bootID,omitempty"`

	// hostKeys are the machine's SSH host keys, in the format of known_hosts without the host.
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=2048
	// +optional
	HostKeys []string `json:"hostKeys,omitempty"`

	// observedAt is when the driver was asked.
	// +optional
	ObservedAt *metav1.Time `json:"observedAt,omitempty"`
}

// CreationState is how far the making of a machine is.
// +kubebuilder:validation:Enum=Pending;Done;Ambiguous
type CreationState string

const (
	// CreationPending was written before the driver was called: the call may or may not have been made.
	CreationPending CreationState = "Pending"
	// CreationDone has its machine.
	CreationDone CreationState = "Done"
	// CreationAmbiguous is a call whose outcome is unknown, of a driver that cannot find a machine by its key: a person must look.
	CreationAmbiguous CreationState = "Ambiguous"
)

// Creation records the making of a machine before it is asked for, so that nobody asks for a second one.
type Creation struct {
	// key by which the driver knows the machine: the same key never makes two.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	// +required
	Key string `json:"key"`

	// state of the creation.
	// +required
	State CreationState `json:"state"`

	// at is when the state began.
	// +optional
	At *metav1.Time `json:"at,omitempty"`
}
