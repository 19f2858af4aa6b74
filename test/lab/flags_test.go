package lab

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/test/lab/process"
)

func TestFurtherFlags(t *testing.T) {
	units := []unit{{Name: "karmada/scheduler", Process: &process.Spec{Args: []string{"--v=2"}}}, {Name: "karmada/cluster-api"}}
	if err := addFlags(units, map[string][]string{"karmada/scheduler": {"--feature-gates=A=true"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"--v=2", "--feature-gates=A=true"}, units[0].Process.Args); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, name := range []string{"karmada/schedular", "karmada/cluster-api"} {
		if err := addFlags(units, map[string][]string{name: {"--x"}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one that names it", name, err)
		}
	}
}

func TestOptionsOfKarmada(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"the base":                {func(*Options) {}, ""},
		"an older one":            {func(o *Options) { o.Karmada = "1.16" }, ""},
		"one that is not served":  {func(o *Options) { o.Karmada = "1.15" }, "--karmada 1.15: there are 1.16, 1.17, 1.18"},
		"older members":           {func(o *Options) { o.MemberKubernetes = "1.33" }, ""},
		"members not to be had":   {func(o *Options) { o.MemberKubernetes = "1.20" }, "--member-kubernetes 1.20: there are 1.33, 1.35"},
		"no estimators to be had": {func(o *Options) { o.Descheduler, o.Stock = true, true }, "--descheduler"},
	} {
		o := DefaultOptions()
		tc.change(&o)
		err := o.Validate()
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", name, err, tc.want)
		}
	}
}
