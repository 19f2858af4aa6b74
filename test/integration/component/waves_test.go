package component

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
	"github.com/argosy-dev/argosy/member/component/render"
)

// env is a template that gives every pod the variable A; its waves are a third at a time, without a pause.
func (w *world) env(value string) *v1alpha1.ComponentTemplate {
	w.t.Helper()
	t := w.template("env", envObjects(value))
	t.Spec.Wave = &v1alpha1.Wave{BatchPercents: []int32{1, 66, 100}, IntervalSeconds: ptr.To[int32](0)}
	return t
}

func envObjects(value string) string {
	return `[{kind: Deployment, object: {spec: {template: {spec: {containers: [{name: main, env: [{name: A, value: "` + value + `"}]}]}}}}}]`
}

// reword gives the template another value.
func (w *world) reword(value string) {
	w.t.Helper()
	next := w.env(value)
	change(w, w.env(value), func(t *v1alpha1.ComponentTemplate) { t.Spec.Objects = next.Spec.Objects })
}

// values are A of each Deployment.
func (w *world) values(names ...string) string {
	w.t.Helper()
	var out []string
	for _, name := range names {
		env := w.deployment(name).Spec.Template.Spec.Containers[0].Env
		if len(env) == 0 {
			out = append(out, "-")
			continue
		}
		out = append(out, env[0].Value)
	}
	return strings.Join(out, " ")
}

// wave is what the template says of its change.
func (w *world) wave() string {
	w.t.Helper()
	t := w.env("")
	w.get(t)
	if len(t.Status.Waves) == 0 {
		return ""
	}
	now := t.Status.Waves[0]
	return fmt.Sprintf("%s %d/%d", now.State, now.Updated, now.Components)
}

var abc = []string{"a", "b", "c"}

// serving makes three Components that serve with the template at "1".
func (w *world) serving() {
	w.t.Helper()
	w.create(w.env("1"))
	for _, name := range abc {
		w.create(w.five(name))
		w.serves(name, 0)
		w.says(name, v1alpha1.ConditionReady, "True ReplicasReady")
	}
	w.Expect(w.values(abc...)).To(gomega.Equal("1 1 1"))
}

// TestWave: a change of a template comes to one component, to the next when that one serves, and to no other when one does not; its
// undoing comes to those that had it, at once.
func TestWave(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	w.serving()
	w.reword("2")
	w.Eventually(func() string { return w.values(abc...) }).Should(gomega.Equal("2 1 1"))
	w.Eventually(w.wave).Should(gomega.Equal("RollingOut 1/3"))
	w.Consistently(func() string { return w.values(abc...) }, "3s").Should(gomega.Equal("2 1 1"), "the first is not well yet")
	w.Expect(w.says("b", v1alpha1.ConditionRendered, "True Rendered")).To(gomega.ContainSubstring("has not reached this component yet"))

	// An edit goes through meanwhile, with the templates of before.
	change(w, w.five("c"), func(c *v1alpha1.Component) { c.Spec.Image = "python-demo:2" })
	w.runsImage("c", "python-demo:2")
	w.serves("c", 0)
	w.Expect(w.values(abc...)).To(gomega.Equal("2 1 1"))

	w.serves("a", 0)
	w.Eventually(func() string { return w.values(abc...) }).Should(gomega.Equal("2 2 1"))
	// b does not come up: its controller says that it is stuck.
	w.serves("b", 1, appsv1.DeploymentCondition{
		Type: appsv1.DeploymentProgressing, Status: "False", Reason: "ProgressDeadlineExceeded", Message: "it takes too long",
	})
	w.Eventually(func() error {
		d := w.deployment("b")
		d.Status.UpdatedReplicas = 0
		return api.Status().Update(w.ctx, d)
	}).Should(gomega.Succeed())
	w.Eventually(w.wave).Should(gomega.Equal("Stopped 2/3"))
	// Templates have no namespaces: a manager of another test, which knows none of these Components, says that all have it.
	w.Eventually(func() string {
		template := w.env("")
		w.get(template)
		return template.Status.Waves[0].Message
	}).Should(gomega.ContainSubstring(w.namespace + "/b"))
	w.Consistently(func() string { return w.values(abc...) }, "3s").Should(gomega.Equal("2 2 1"))

	w.reword("1")
	// b is mended at once; a comes with it, or, where its grant met another write of its status, when b is well.
	w.Eventually(func() string { return w.values("b") }).Should(gomega.Equal("1"))
	w.serves("b", 0)
	w.Eventually(func() string { return w.values(abc...) }).Should(gomega.Equal("1 1 1"))
	w.serves("a", 0)
	w.Eventually(w.wave).Should(gomega.Equal("RolledOut 2/2"))
}

// TestWaveThatNoTemplateTells: deleting a template is a wave, too. Where it stops, no template is there to say so: the Component that stops
// it does.
func TestWaveThatNoTemplateTells(t *testing.T) {
	w := newWorld(t)
	w.lead(nil)
	w.serving()
	w.Expect(api.Delete(w.ctx, w.env("1"))).To(gomega.Succeed())
	w.Eventually(func() string { return w.values(abc...) }).Should(gomega.Equal("- 1 1"))
	w.Expect(w.events(v1alpha1.ReasonWaveStopped)).To(gomega.BeEmpty(), "it goes on still")
	w.serves("a", 1, appsv1.DeploymentCondition{
		Type: appsv1.DeploymentProgressing, Status: "False", Reason: "ProgressDeadlineExceeded", Message: "it takes too long",
	})
	w.Eventually(func() []string { return w.events(v1alpha1.ReasonWaveStopped) }).Should(gomega.ContainElement(gomega.And(
		gomega.ContainSubstring("The wave stopped of the deletion of ComponentTemplate "+w.namespace+"-env."),
		gomega.ContainSubstring(w.namespace+"/a"))))
	w.Consistently(func() string { return w.values(abc...) }, "3s").Should(gomega.Equal("- 1 1"))
}

// TestTemplateThatChangesNoByte restarts nobody: not one Deployment is written.
func TestTemplateThatChangesNoByte(t *testing.T) {
	w := newWorld(t)
	var writes atomic.Int32
	w.lead(&interceptor.Funcs{
		Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			writes.Add(1)
			return c.Apply(ctx, o, opts...)
		},
	})
	w.serving()
	before := writes.Load()
	change(w, w.env("1"), func(t *v1alpha1.ComponentTemplate) {
		t.Spec.Objects[0].Object.Raw = []byte(strings.Replace(string(t.Spec.Objects[0].Object.Raw), `{"spec":`,
			`{"metadata":{"labels":{"app.kubernetes.io/managed-by":"argosy"}},"spec":`, 1))
	})
	for _, name := range abc {
		w.Eventually(func() int64 {
			c := w.five(name)
			w.get(c)
			return c.Status.Templates[0].Generation
		}).Should(gomega.BeEquivalentTo(2), "the change was seen")
	}
	w.Expect(writes.Load()).To(gomega.Equal(before))
	w.Expect(w.wave()).To(gomega.BeEmpty())
}

// TestControllerThatRendersOtherwise: a new version of the controller, which makes other bytes of the same, changes nothing by its
// start: it brings them as a wave.
func TestControllerThatRendersOtherwise(t *testing.T) {
	w := newWorld(t)
	kill := w.lead(nil)
	w.serving()
	kill()
	// As if another version had made them: other bytes, and a copy that says so.
	revisions := &appsv1.ControllerRevisionList{}
	w.Expect(api.List(w.ctx, revisions, client.InNamespace(w.namespace))).To(gomega.Succeed())
	for i := range revisions.Items {
		old := &revisions.Items[i]
		w.Expect(api.Delete(w.ctx, old)).To(gomega.Succeed())
		raw := strings.Replace(string(old.Data.Raw), fmt.Sprintf(`"renderVersion":%d`, render.Version), `"renderVersion":0`, 1)
		next := &appsv1.ControllerRevision{ObjectMeta: w.meta("of-before-" + old.Name), Data: runtime.RawExtension{Raw: []byte(raw)}}
		next.Labels = old.Labels
		w.create(next)
	}
	for _, name := range abc {
		change(w, w.deployment(name), func(d *appsv1.Deployment) {
			d.Annotations[v1alpha1.AnnotationRenderedHash] = "other"
			d.Spec.Template.Spec.Containers[0].Env[0].Value = "0"
		})
		w.serves(name, 0)
		w.Eventually(func() error {
			c := w.five(name)
			w.get(c)
			for i := range c.Status.Resources {
				if c.Status.Resources[i].Kind == "Deployment" {
					c.Status.Resources[i].Hash = "other"
				}
			}
			c.Status.TemplateRevision.Name = "of-before-" + c.Status.TemplateRevision.Name
			c.Status.TemplateRevision.Applied = c.Status.TemplateRevision.Name
			return api.Status().Update(w.ctx, c)
		}).Should(gomega.Succeed())
	}
	w.lead(nil)
	w.Eventually(func() string { return w.values(abc...) }).Should(gomega.Equal("1 0 0"))
	w.Consistently(func() string { return w.values(abc...) }, "3s").Should(gomega.Equal("1 0 0"), "the first is not well yet")
	w.Expect(w.says("b", v1alpha1.ConditionRendered, "True Rendered")).To(gomega.ContainSubstring("another version of the controller"))
	// One that somebody deletes is made again meanwhile: nothing that runs is harmed by that.
	w.Expect(api.Delete(w.ctx, w.deployment("c"))).To(gomega.Succeed())
	w.Eventually(func() string { return w.values("c") }).Should(gomega.Equal("1"))
	w.serves("a", 0)
	w.serves("c", 0)
	w.Eventually(func() string { return w.values(abc...) }, time.Minute*3).Should(gomega.Equal("1 1 1"))
}

// TestWaveKilled: a controller that is killed at each of its writes, one after the other, goes on where it was: never two components
// have a change of which the first is not well.
func TestWaveKilled(t *testing.T) {
	w := newWorld(t)
	kill := w.lead(nil)
	w.serving()
	kill()
	w.reword("2")
	for dies := 1; ; dies++ {
		var n atomic.Int32
		died := make(chan struct{})
		die := func() error {
			switch left := int(n.Add(1)); {
			case left < dies:
				return nil
			case left == dies:
				close(died)
			}
			return apierrors.NewServiceUnavailable("killed")
		}
		kill := w.lead(&interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				if err := die(); err != nil {
					return err
				}
				return c.Create(ctx, o, opts...)
			},
			Apply: func(ctx context.Context, c client.WithWatch, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
				if err := die(); err != nil {
					return err
				}
				return c.Apply(ctx, o, opts...)
			},
			SubResourcePatch: func(
				ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption,
			) error {
				if err := die(); err != nil {
					return err
				}
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			},
		})
		done := false
		w.Eventually(func() bool {
			have := strings.Fields(w.values(abc...))
			w.Expect(slices.Contains([]string{"1 1 1", "2 1 1"}, strings.Join(have, " "))).To(gomega.BeTrue(), "%v", have)
			// It has come to rest where the first has the change and its status says so.
			a := w.five("a")
			w.get(a)
			revision := a.Status.TemplateRevision
			done = have[0] == "2" && revision.Since != nil && revision.Applied == revision.Name && w.wave() == "RollingOut 1/3"
			select {
			case <-died:
				return true
			default:
				return done
			}
		}).Should(gomega.BeTrue())
		kill()
		if done {
			w.t.Logf("it came to rest after %d deaths", dies-1)
			return
		}
	}
}
