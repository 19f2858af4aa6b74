package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/publish"
)

// What publish says at the end is what happened.
func TestPublishSaysWhatItDid(t *testing.T) {
	written := []publish.Written{{Where: "a", Object: "deployment/web"}}
	changing := fmt.Errorf("%w: it was Static when the release began", publish.ErrChanging)
	type attempt struct {
		result publish.Result
		err    error
	}
	for name, tc := range map[string]struct {
		attempts   []attempt
		out, fails string
	}{
		"published": {
			attempts: []attempt{{result: publish.Result{Written: written, Answer: publish.Answer{Management: v1alpha1.ManagementStatic}}}},
			out:      "a: deployment/web\npublished; managed: Static\n",
		},
		"never begun": {
			attempts: []attempt{{err: changing}},
			fails:    "nothing was published",
		},
		"overtaken, and never again": {
			attempts: []attempt{{result: publish.Result{Written: written}, err: changing}, {err: changing}},
			out:      "a: deployment/web\n",
			fails:    "1 objects, named above, were written before it began",
		},
		"broke in the middle": {
			attempts: []attempt{{result: publish.Result{Written: written}, err: errors.New("no such host")}},
			out:      "a: deployment/web\n",
			fails:    "no such host",
		},
		"held back": {
			attempts: []attempt{{result: publish.Result{
				Written: []publish.Written{{Where: "control plane", Object: "configmap/shared"}},
				Held:    []publish.Written{{Where: "b", Object: "configmap/shared", Note: "PropagationPolicy configmap-shared is suspended there"}},
				Answer:  publish.Answer{Management: v1alpha1.ManagementFederated},
			}}},
			out: "control plane: configmap/shared\nHELD BACK in b: configmap/shared (PropagationPolicy configmap-shared is suspended there)\n" +
				"published, but for what is held back; managed: Federated\n",
		},
		"left the folder": {
			attempts: []attempt{{result: publish.Result{
				Written: written,
				Left: []publish.Left{
					{Where: "a", Object: "configmap/old"}, {Where: "a", Object: "secret/old", Note: "it is owned by ExternalSecret old"},
					{Where: "b", Object: "configmap/old", Pruned: true},
					{Where: publish.ControlPlane, Object: "service/old", Pruned: true, Note: "and with it from a, b"},
				},
				Answer: publish.Answer{Management: v1alpha1.ManagementStatic},
			}}},
			out: "a: deployment/web\na: configmap/old left the folder and stays: --prune deletes it\n" +
				"a: secret/old left the folder and stays: it is owned by ExternalSecret old\nb: configmap/old left the folder and was deleted\n" +
				"control plane: service/old left the folder and is being deleted there, and with it from a, b\npublished; managed: Static\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			n := 0
			streams := genericiooptions.IOStreams{Out: &out}
			o := publishOptions{wait: 3 * time.Second, output: "text"}
			err := o.release(t.Context(), streams, func(context.Context) (publish.Result, error) {
				one := tc.attempts[min(n, len(tc.attempts)-1)]
				n++
				return one.result, one.err
			})
			if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
				t.Errorf("error %v, want %q", err, tc.fails)
			}
			if out.String() != tc.out {
				t.Errorf("printed %q, want %q", out.String(), tc.out)
			}
		})
	}
}

// A dry run ends as kubectl diff does: what it shows is what would change, and an error is no difference.
func TestADryRunShowsWhatWouldChange(t *testing.T) {
	same := publish.Written{Where: "a", Object: "configmap/web"}
	changed := publish.Written{Where: "control plane", Object: "deployment/web", Changes: []v1alpha1.FieldChange{
		{Path: "spec.template.spec.containers[0].image", Live: `"web:1"`, Planned: `"web:2"`}, {Path: "spec.paused", Live: "true"}}}
	fresh := publish.Written{Where: "b", Object: "service/web", New: true}
	for name, tc := range map[string]struct {
		written []publish.Written
		left    []publish.Left
		err     error
		out     string
		code    int
	}{
		"nothing": {written: []publish.Written{same}, out: "dry run; managed: Static; 0 of 1 objects would change\n"},
		"something": {written: []publish.Written{same, changed, fresh}, code: 1, out: "control plane: deployment/web\n" +
			"  - spec.template.spec.containers[0].image: \"web:1\"\n  + spec.template.spec.containers[0].image: \"web:2\"\n  - spec.paused: true\n" +
			"b: service/web is new\ndry run; managed: Static; 2 of 3 objects would change\n"},
		"what left stays": {written: []publish.Written{same}, left: []publish.Left{{Where: "a", Object: "configmap/old"}},
			out: "a: configmap/old left the folder and stays: --prune deletes it\ndry run; managed: Static; 0 of 2 objects would change\n"},
		"what left would go": {written: []publish.Written{same}, code: 1,
			left: []publish.Left{{Where: "a", Object: "configmap/old", Pruned: true}},
			out:  "a: configmap/old left the folder and would be deleted\ndry run; managed: Static; 1 of 2 objects would change\n"},
		"an error": {written: []publish.Written{fresh}, err: errors.New("no such host"), code: 2, out: "b: service/web is new\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			answer := publish.Answer{Management: v1alpha1.ManagementStatic}
			err := writeDryRun(&out, publish.Result{Written: tc.written, Left: tc.left, Answer: answer}, tc.err)
			var ended exitError
			if errors.As(err, &ended); ended.code != tc.code {
				t.Errorf("ended with %d (%v), want %d", ended.code, err, tc.code)
			}
			if out.String() != tc.out {
				t.Errorf("printed %q, want %q", out.String(), tc.out)
			}
		})
	}
}
