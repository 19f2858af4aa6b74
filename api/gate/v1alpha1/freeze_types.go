package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Weekday is a day's English name.
// +kubebuilder:validation:Enum=Monday;Tuesday;Wednesday;Thursday;Friday;Saturday;Sunday
type Weekday string

// FreezeWindow is a time in which nothing is opened. It repeats on the given days, or is one span of time.
// +kubebuilder:validation:XValidation:rule="has(self.start) == has(self.end)",message="start and end go together"
// +kubebuilder:validation:XValidation:rule="has(self.start) != (has(self.days) && size(self.days) > 0)",message="a freeze window has either start and end, or days with from and to"
// +kubebuilder:validation:XValidation:rule="!has(self.start) || self.start < self.end",message="start must be before end"
// +kubebuilder:validation:XValidation:rule="!(has(self.days) && size(self.days) > 0) || (has(self.from) && has(self.to))",message="days needs from and to, such as 18:00 and 09:00"
type FreezeWindow struct {
	// name is shown to whoever waits for its end.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`
	// start of a single window.
	// +optional
	Start *metav1.Time `json:"start,omitempty"`
	// end of a single window.
	// +optional
	End *metav1.Time `json:"end,omitempty"`
	// days on which a repeating window begins.
	// +listType=set
	// +kubebuilder:validation:MaxItems=7
	// +optional
	Days []Weekday `json:"days,omitempty"`
	// from is the time of day a repeating window begins, such as 18:00.
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
	// +optional
	From string `json:"from,omitempty"`
	// to is the time of day it ends; at or before from, it ends on the next day.
	// +kubebuilder:validation:Pattern=`^([01][0-9]|2[0-3]):[0-5][0-9]$`
	// +optional
	To string `json:"to,omitempty"`
	// timeZone of from and to, from the IANA database. Default UTC.
	// +kubebuilder:validation:MaxLength=63
	// +optional
	TimeZone string `json:"timeZone,omitempty"`
}
