package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/lab/binaries"
)

// lastScheduled is when the scheduler divided last; it writes that after the division.
func (a autoscaled) lastScheduled() string {
	a.t.Helper()
	return a.once(answered(a.t, func() (string, error) {
		var rb workv1alpha2.ResourceBinding
		if err := a.karmada.Get(a.t.Context(), client.ObjectKey{Namespace: a.ns, Name: "web-deployment"}, &rb); err != nil {
			return "", err
		}
		if rb.Status.LastScheduledTime == nil {
			return "", errors.New("the scheduler has not said when it divided")
		}
		return rb.Status.LastScheduledTime.UTC().Format(time.TimeOnly), nil
	}))
}

// once is what is seen when somebody answers.
func (a autoscaled) once(look func() (string, error)) string {
	a.t.Helper()
	seen, err := look()
	a.g.Expect(err).NotTo(HaveOccurred())
	return seen
}

// agree reports whether binding and template say what the members ask for.
func (a autoscaled) agree() (bool, error) {
	members := a.members()
	books, err := a.books()
	return books == members, err
}

// scheduled reports whether the scheduling result says what the members are to run.
func (a autoscaled) scheduled() (bool, error) {
	members := a.members()
	binding, _, err := a.bookings()
	return binding == members, err
}

// disagreement watches members and control plane; the returned function ends that and says how long they differed at most: the scheduling
// result, and that or the template, which is written more rarely. Of the time between two looks no more than a second counts: what is
// longer is this process not being let run.
func (a autoscaled) disagreement() func() (binding, both time.Duration) {
	binding, both := a.differs(a.scheduled), a.differs(a.agree)
	return func() (time.Duration, time.Duration) { return binding(), both() }
}

func (a autoscaled) differs(agree func() (bool, error)) func() time.Duration {
	ctx, cancel := context.WithCancel(a.t.Context())
	longest := make(chan time.Duration)
	go func() {
		var lasts, most time.Duration
		differed, last := false, clock.RealClock{}.Now()
		_ = wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(context.Context) (bool, error) {
			now := clock.RealClock{}.Now()
			since := min(now.Sub(last), time.Second)
			last = now
			same, err := agree()
			switch {
			case err != nil || ctx.Err() != nil:
			case same:
				differed, lasts = false, 0
			case differed:
				lasts += since
				most = max(most, lasts)
			default:
				differed = true
			}
			return false, nil
		})
		longest <- most
	}()
	return func() time.Duration {
		cancel()
		return <-longest
	}
}

// touch gives Karmada a reason to write to the members.
func (a autoscaled) touch() {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: a.ns, Name: "web"}}
	a.g.Expect(a.karmada.Patch(a.t.Context(), d, touched())).To(Succeed())
}

// touched is an annotation that is new each time.
func touched() client.Patch {
	return client.RawPatch(types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"annotations":{"touched":"%d"}}}`, time.Now().UnixNano())) //nolint:forbidigo // new each time
}

// touchReplicaSets gives the controller of a member's ReplicaSets a reason to look at them.
func (a autoscaled) touchReplicaSets(member string) error {
	c, ctx := a.planes.members[member], a.t.Context()
	var list appsv1.ReplicaSetList
	if err := c.List(ctx, &list, client.InNamespace(a.ns)); err != nil {
		return err
	}
	for i := range list.Items {
		if err := c.Patch(ctx, &list.Items[i], touched()); err != nil {
			return err
		}
	}
	return nil
}

// replicas a member's Deployment asks for, 0 when there is none.
func (a autoscaled) replicas(member string) int32 {
	replicas, err := answered(a.t, func() (int32, error) {
		var d appsv1.Deployment
		err := a.planes.members[member].Get(a.t.Context(), client.ObjectKey{Namespace: a.ns, Name: "web"}, &d)
		if apierrors.IsNotFound(err) {
			return 0, nil
		}
		return ptr.Deref(d.Spec.Replicas, 1), err
	})()
	a.g.Expect(err).NotTo(HaveOccurred())
	return replicas
}

func (a autoscaled) pods(member string, counts func(corev1.Pod) bool) int {
	found, err := answered(a.t, func() (int, error) {
		var list corev1.PodList
		err := a.planes.members[member].List(a.t.Context(), &list, client.InNamespace(a.ns))
		return len(slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return !counts(p) })), err
	})()
	a.g.Expect(err).NotTo(HaveOccurred())
	return found
}

func (a autoscaled) running(member string) int {
	return a.pods(member, func(p corev1.Pod) bool { return p.Status.Phase == corev1.PodRunning })
}

// unschedulable is how many pods the member's scheduler found no room for; one that is only starting is not among them.
func (a autoscaled) unschedulable(member string) int {
	return a.pods(member, func(p corev1.Pod) bool {
		return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
		})
	})
}

func (a autoscaled) condition(kind string) (string, error) {
	fed, err := a.fed()
	if err != nil {
		return "", err
	}
	c := meta.FindStatusCondition(fed.Status.Conditions, kind)
	if c == nil {
		return "none", nil
	}
	return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message), nil
}

// explain is what argosyctl says.
func (a autoscaled) explain() string {
	programs, err := binaries.BuildOwn(a.t.Context(), binaries.Options{Root: a.lab.Root}, "argosyctl")
	a.g.Expect(err).NotTo(HaveOccurred())
	return a.run(a.t.Context(), programs["argosyctl"], a.here("fedhpa", "explain", "web")...)
}

func (a autoscaled) kubectl(args ...string) {
	a.run(a.t.Context(), a.lab.Programs["kubectl"], a.here(args...)...)
}

// here adds the story's namespace of the control plane.
func (a autoscaled) here(args ...string) []string {
	return append(args, "--namespace="+a.ns, "--kubeconfig="+patient)
}

func (a autoscaled) run(ctx context.Context, program string, args ...string) string {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	a.g.Expect(err).NotTo(HaveOccurred(), "%s %v: %s", program, args, &stderr)
	return string(out)
}
