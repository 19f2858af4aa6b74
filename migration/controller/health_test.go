package controller

import (
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestAllowance(t *testing.T) {
	number, percent, bad := intstr.FromInt32(2), intstr.FromString("25%"), intstr.FromString("many")
	for name, tc := range map[string]struct {
		value    *intstr.IntOrString
		replicas int32
		want     int32
	}{
		"unset allows none":                {replicas: 10},
		"a number":                         {value: &number, replicas: 10, want: 2},
		"a number above the replicas":      {value: &number, replicas: 1, want: 1},
		"a percentage is rounded down":     {value: &percent, replicas: 7, want: 1},
		"what cannot be read allows none.": {value: &bad, replicas: 10},
	} {
		t.Run(name, func(t *testing.T) {
			if got := allowance(tc.value)(tc.replicas); got != tc.want {
				t.Errorf("%d may be missing of %d, want %d", got, tc.replicas, tc.want)
			}
		})
	}
}
