package rollout

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"
)

func TestHealthy(t *testing.T) {
	well := State{Generation: 2, ObservedGeneration: 2, Updated: 3, Expected: 3, Available: 5, Needed: 5}
	for name, tc := range map[string]struct {
		change func(*State)
		want   bool
	}{
		"well":                         {func(*State) {}, true},
		"generation not seen":          {func(s *State) { s.ObservedGeneration = 1 }, false},
		"generation not seen, held":    {func(s *State) { s.ObservedGeneration, s.Held = 1, true }, false},
		"a newer generation seen":      {func(s *State) { s.ObservedGeneration = 3 }, true},
		"fewer updated than expected":  {func(s *State) { s.Updated = 2 }, false},
		"the same, held":               {func(s *State) { s.Updated, s.Held = 2, true }, true},
		"more updated than expected":   {func(s *State) { s.Updated = 5 }, true},
		"fewer available, though held": {func(s *State) { s.Available, s.Held = 4, true }, false},
		"nothing asked, nothing there": {func(s *State) { *s = State{} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			state := well
			tc.change(&state)
			if have := state.Healthy(); have != tc.want {
				t.Errorf("%+v is healthy %v, want %v", state, have, tc.want)
			}
		})
	}
}

func TestPartAndNeeded(t *testing.T) {
	quarter := intstr.FromString("25%")
	for name, tc := range map[string]struct {
		value      any
		replicas   int32
		up         bool
		byDefault  *intstr.IntOrString
		want, need int32
	}{
		"absent":                        {nil, 10, true, nil, 0, 10},
		"absent, with a default":        {nil, 10, true, &quarter, 3, 8},
		"a number":                      {int64(4), 10, true, nil, 4, 6},
		"more than there are":           {int64(40), 10, true, nil, 10, 1},
		"a percentage rounded up":       {"25%", 10, true, nil, 3, 8},
		"a percentage rounded down":     {"25%", 10, false, nil, 2, 8},
		"all of one may be missing":     {"100%", 1, true, nil, 1, 1},
		"of nothing nothing is missing": {"50%", 0, true, nil, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			object := map[string]any{"spec": map[string]any{"number": tc.value}}
			have, err := Part(object, tc.replicas, tc.up, tc.byDefault, "spec", "number")
			if err != nil || have != tc.want {
				t.Errorf("part %d, %v; want %d", have, err, tc.want)
			}
			have, err = Needed(object, tc.replicas, tc.byDefault, "spec", "number")
			if err != nil || have != tc.need {
				t.Errorf("needed %d, %v; want %d", have, err, tc.need)
			}
		})
	}
	_, err := Part(map[string]any{"spec": map[string]any{"number": "most"}}, 1, true, nil, "spec", "number")
	if err == nil || !strings.HasPrefix(err.Error(), "spec.number: ") {
		t.Errorf("have %v, want an error that names the field", err)
	}
}
