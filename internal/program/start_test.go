package program

import (
	"flag"
	"io"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		args    []string
		want    int
		wantErr string
	}{
		"flags":                           {args: []string{"--port=3", "--loose"}, want: 3},
		"a file without its flag":         {args: []string{"webhook.yaml"}, wantErr: `"webhook.yaml" is no flag: write --name=value`},
		"a switch with a word of its own": {args: []string{"--loose", "false", "--port=3"}, wantErr: `"false" is no flag`},
		"a flag that is none":             {args: []string{"--prot=3"}, wantErr: "flag provided but not defined: -prot"},
	} {
		t.Run(name, func(t *testing.T) {
			flags := flag.NewFlagSet("program", flag.ContinueOnError)
			flags.SetOutput(io.Discard)
			port := flags.Int("port", 0, "")
			flags.Bool("loose", false, "")
			err := Parse(flags, tc.args)
			if (err != nil) != (tc.wantErr != "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Fatalf("got %v, want %q", err, tc.wantErr)
			}
			if *port != tc.want && tc.wantErr == "" {
				t.Errorf("port %d, want %d", *port, tc.want)
			}
		})
	}
}

// TestReachOutsideAPod: who starts a program by hand is told which flag is missing, not which variable of Kubernetes.
func TestReachOutsideAPod(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	_, err := Reach("karmada-apiserver", "--kubeconfig", "")
	if err == nil || err.Error() != "--kubeconfig is needed: the kubeconfig of karmada-apiserver; only a pod there can do without" {
		t.Errorf("got %v", err)
	}
	if _, err := Reach("karmada-apiserver", "--kubeconfig", "nosuch"); err == nil ||
		!strings.Contains(err.Error(), "reading the kubeconfig of karmada-apiserver (--kubeconfig): stat nosuch") {
		t.Errorf("got %v", err)
	}
}
