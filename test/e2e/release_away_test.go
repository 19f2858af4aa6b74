package e2e

import (
	"context"
	"flag"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util/names"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/utils/clock"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/test/demo"
	"github.com/argosy-dev/argosy/test/lab"
)

// stayAway is how long TestReleaseLeaksNothing leaves argosy-webhook stopped in the middle of a release.
var stayAway = flag.Duration("away", 0, "how long argosy-webhook stays away while a change is held; 10m measures it")

// held is Deployment web, of which member2 and member3 are held, and Deployment done, whose Release is complete.
type held struct {
	*WithT
	planes
	t  *testing.T
	ns string
	// pipeline pushes, and asks nothing again: a webhook of ours that is stopped on purpose fails, and that is looked at.
	pipeline planes
}

func newHeld(t *testing.T) held {
	t.Helper()
	h := held{WithT: NewWithT(t), planes: federation(t), t: t}
	h.ns = newNamespace(t, h.planes)
	config, err := h.lab.Config(lab.KarmadaPlaneName)
	h.Expect(err).NotTo(HaveOccurred())
	scheme, err := demo.NewScheme()
	h.Expect(err).NotTo(HaveOccurred())
	h.pipeline.karmada, err = client.New(config, client.Options{Scheme: scheme})
	h.Expect(err).NotTo(HaveOccurred())
	for _, name := range []string{"web", "done"} {
		release := strings.NewReplacer("name: web}", "name: "+name+"}").Replace(leakRelease)
		h.apply(t, h.ns, strings.ReplaceAll(leakApplication, "NAME", name)+release)
		letGoInTheEnd(t, h.planes, h.ns, name)
	}
	for _, name := range []string{"web", "done"} {
		h.Eventually(func() (string, error) { return h.why(name) }, slow, "200ms").Should(Equal(v1alpha1.ReasonComplete))
	}
	return h
}

func (h held) stop(program string) {
	h.t.Helper()
	h.Expect(h.lab.Stop(h.t.Context(), program)).To(Succeed())
	h.t.Cleanup(func() { h.start(program) })
}

// start what was stopped, also for a test that ended in between.
func (h held) start(program string) {
	h.t.Helper()
	if err := h.lab.Start(context.WithoutCancel(h.t.Context()), program); err != nil {
		h.t.Errorf("starting %s: %v", program, err)
	}
}

func (h held) why(name string) (string, error) {
	var of v1alpha1.Release
	err := h.karmada.Get(h.t.Context(), client.ObjectKey{Namespace: h.ns, Name: name}, &of)
	return whyOf(&of), err
}

// complete is what a Release says of whether every cluster has its revision.
func (h held) complete(name string) (string, error) {
	var of v1alpha1.Release
	err := h.karmada.Get(h.t.Context(), client.ObjectKey{Namespace: h.ns, Name: name}, &of)
	if c := meta.FindStatusCondition(of.Status.Conditions, v1alpha1.ConditionComplete); c != nil {
		return c.Message, err
	}
	return "", err
}

// has is the version and the replicas a member has of an application: v1 of 2.
func (h held) has(member, name string) func() (string, error) {
	return func() (string, error) {
		var in appsv1.Deployment
		if err := h.members[member].Get(h.t.Context(), client.ObjectKey{Namespace: h.ns, Name: name}, &in); err != nil {
			return "none", client.IgnoreNotFound(err)
		}
		_, tag, _ := strings.Cut(in.Spec.Template.Spec.Containers[0].Image, ":")
		return fmt.Sprintf("%s of %d", tag, ptr.Deref(in.Spec.Replicas, 1)), nil
	}
}

// arrives waits until a version is where it is to be, so that all before it had their time.
func (h held) arrives(tag string) {
	h.t.Helper()
	h.Eventually(func() error { return h.pipeline.pushImage(h.t, h.ns, "web", tag) }, slow, "500ms").Should(Succeed())
	h.Eventually(h.has("member1", "web"), slow, "200ms").Should(HavePrefix(tag + " "))
	h.Eventually(func() (string, error) { return h.why("web") }, slow, "200ms").Should(Equal(v1alpha1.ReasonAwaitingApproval))
}

func (h held) scale(name string, replicas int32) {
	h.t.Helper()
	h.Eventually(func() error {
		return h.karmada.SubResource("scale").Update(h.t.Context(),
			&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: name}},
			client.WithSubResourceBody(&autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: replicas}}))
	}, slow, "500ms").Should(Succeed())
}

// work of an application in a cluster.
func (h held) work(member, name string) *workv1alpha1.Work {
	return &workv1alpha1.Work{ObjectMeta: metav1.ObjectMeta{
		Namespace: names.GenerateExecutionSpaceName(member), Name: names.GenerateWorkName("Deployment", name, h.ns)}}
}

// Counters of karmada-apiserver: writes of Works, those that argosy-dispatch was not there to answer, and those that the policy in the API
// server itself refused. Events say it too, in words, but no more than 25 at once about one object.
var (
	written    = regexp.MustCompile(`(?m)^apiserver_request_total\{[^}]*resource="works",[^}]*subresource="",verb="PUT"[^}]*\} (\S+)$`)
	unanswered = regexp.MustCompile(`(?m)^apiserver_admission_webhook_rejection_count\{[^}]*name="works.dispatch.argosy.dev"[^}]*\} (\S+)$`)
	denied     = regexp.MustCompile(`(?m)^apiserver_validating_admission_policy_check_total\{enforcement_action="deny",[^}]*` +
		`policy="argosy-release-works"[^}]*\} (\S+)$`)
)

// count of them until now.
func (h held) count(counter *regexp.Regexp) int {
	h.t.Helper()
	config, err := h.lab.Config(lab.KarmadaPlaneName)
	h.Expect(err).NotTo(HaveOccurred())
	c, err := discovery.NewDiscoveryClientForConfig(config)
	h.Expect(err).NotTo(HaveOccurred())
	text, err := answered(h.t, func() ([]byte, error) { return c.RESTClient().Get().AbsPath("/metrics").DoRaw(h.t.Context()) })()
	h.Expect(err).NotTo(HaveOccurred())
	sum := 0.0
	for _, found := range counter.FindAllSubmatch(text, -1) {
		n, err := strconv.ParseFloat(string(found[1]), 64)
		h.Expect(err).NotTo(HaveOccurred())
		sum += n
	}
	return int(sum)
}

// grows waits until a count is greater than it was.
func (h held) grows(counter *regexp.Regexp, from int) {
	h.t.Helper()
	h.Eventually(func() int { return h.count(counter) }, slow, "200ms").Should(BeNumerically(">", from))
}

// drifts: what somebody changes in a held member by hand, or deletes there, is put right by Karmada, as anywhere, with the revision the
// member has; the release waits for what it waited for. What is changed here changes no pod, for their images are watched.
func (h held) drifts() {
	h.t.Helper()
	in := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: "web"}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"minReadySeconds":7}}`))
	h.Eventually(func() error { return h.members["member2"].Patch(h.t.Context(), in, patch) }, slow, "500ms").Should(Succeed())
	h.Eventually(func() (int32, error) {
		err := h.members["member2"].Get(h.t.Context(), client.ObjectKeyFromObject(in), in)
		return in.Spec.MinReadySeconds, err
	}, slow, "200ms").Should(BeZero(), "put right")
	h.Expect(answered(h.t, h.has("member2", "web"))()).To(Equal("v1 of 2"), "with the revision that is held")
	was := in.UID
	h.Eventually(func() error {
		return client.IgnoreNotFound(h.members["member2"].Delete(h.t.Context(), in))
	}, slow, "500ms").Should(Succeed())
	h.Eventually(func() (types.UID, error) {
		err := h.members["member2"].Get(h.t.Context(), client.ObjectKeyFromObject(in), in)
		return in.UID, err
	}, slow, "200ms").ShouldNot(Equal(was), "made anew")
	h.Eventually(h.has("member2", "web"), slow, "200ms").Should(Equal("v1 of 2"), "with the revision that is held")
	h.Eventually(func() (string, error) { return h.why("web") }, slow, "200ms").Should(Equal(v1alpha1.ReasonAwaitingApproval))
}

// webhookAway: while argosy-webhook is not there an application whose release is complete is scaled as always, and deleting a held Work is
// no matter for it; one in the middle of a release keeps what it has, and that is said. Once it is back all is as it is to be.
func (h held) webhookAway() {
	h.t.Helper()
	gone := clock.RealClock{}.Now()
	h.stop("argosy/webhook")
	h.Expect(h.pipeline.pushImage(h.t, h.ns, "web", "unseen")).To(MatchError(ContainSubstring("webhook")))
	h.scale("done", 9)
	h.Eventually(h.has("member2", "done"), slow, "200ms").Should(Equal("v1 of 3"), "a complete one does not notice")
	h.Eventually(func() (string, error) { return h.complete("done") }, slow, "200ms").
		Should(ContainSubstring("nobody told Karmada whether it is healthy"), "and what its members report nobody judges")
	refused := h.count(unanswered)
	h.scale("web", 9)
	h.grows(unanswered, refused)
	h.Expect(answered(h.t, h.has("member2", "web"))()).To(Equal("v1 of 2"))
	work := h.work("member3", "web")
	h.Expect(h.karmada.Get(h.t.Context(), client.ObjectKeyFromObject(work), work)).To(Succeed())
	h.Expect(h.karmada.Delete(h.t.Context(), work)).To(Succeed())
	h.Eventually(h.has("member3", "web"), slow, "200ms").Should(Equal("none"), "deletion passes")
	if *stayAway > 0 {
		h.Consistently(answered(h.t, h.has("member2", "web")), *stayAway, "5s").Should(Equal("v1 of 2"))
	}
	h.start("argosy/webhook")
	back := clock.RealClock{}.Now()
	for _, member := range []string{"member2", "member3"} {
		h.Eventually(h.has(member, "web"), slow, "200ms").Should(Equal("v1 of 3"), "scaled and made anew, with what it is to have")
	}
	h.Eventually(h.has("member1", "web"), slow, "200ms").Should(Equal("last of 3"))
	h.Eventually(func() (string, error) { return h.complete("done") }, slow, "200ms").
		Should(HavePrefix("every cluster has revision"), "Karmada was asked to judge again")
	h.t.Logf("the webhook was away for %.0f s; %.0f s later all was as it is to be", back.Sub(gone).Seconds(),
		clock.RealClock{}.Since(back).Seconds())
}

// nobodyRegistered: without the registration of argosy-dispatch the policy in the API server itself refuses what nobody would have held.
func (h held) nobodyRegistered() {
	h.t.Helper()
	registration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "argosy-dispatch"}}
	h.Expect(h.karmada.Get(h.t.Context(), client.ObjectKeyFromObject(registration), registration)).To(Succeed())
	again := &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: registration.Name, Labels: registration.Labels, Annotations: registration.Annotations},
		Webhooks:   registration.Webhooks,
	}
	put := func() error {
		return client.IgnoreAlreadyExists(h.karmada.Create(context.WithoutCancel(h.t.Context()), again.DeepCopy()))
	}
	h.t.Cleanup(func() { NewWithT(h.t).Eventually(put, slow, "500ms").Should(Succeed()) })
	refused := h.count(denied)
	h.Expect(h.karmada.Delete(h.t.Context(), registration)).To(Succeed())
	h.arrives("bare")
	h.grows(denied, refused)
	h.Expect(answered(h.t, h.has("member2", "web"))()).To(Equal("v1 of 3"))
	h.Eventually(put, slow, "500ms").Should(Succeed())
	h.arrives("guarded")
}

// letsGo of the application whose release is complete: no mark of ours is left on it, and what Karmada writes of it goes on.
func (h held) letsGo() {
	h.t.Helper()
	letGo(h.t, h.planes, &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: h.ns, Name: "done"}})
	template := &appsv1.Deployment{}
	h.Expect(h.karmada.Get(h.t.Context(), client.ObjectKey{Namespace: h.ns, Name: "done"}, template)).To(Succeed())
	for key := range template.Annotations {
		h.Expect(key).NotTo(HavePrefix("release.argosy.dev/"))
	}
	h.Expect(template.Labels).NotTo(HaveKey(v1alpha1.LabelStaged))
	h.scale("done", 3)
	h.Eventually(h.has("member2", "done"), slow, "200ms").Should(Equal("v1 of 1"))
}

// karmadaRestarts with held Works: it writes them again, for they are not what it renders, and they stay what they are.
func (h held) karmadaRestarts() {
	h.t.Helper()
	h.stop("karmada/controller-manager")
	before := h.count(written)
	h.start("karmada/controller-manager")
	// A change that is made now is written after those.
	h.scale("done", 6)
	h.Eventually(h.has("member2", "done"), slow, "200ms").Should(Equal("v1 of 2"))
	h.Expect(answered(h.t, h.has("member2", "web"))()).To(Equal("v1 of 3"))
	h.Expect(answered(h.t, h.has("member3", "web"))()).To(Equal("v1 of 3"))
	h.t.Logf("karmada-controller-manager started again with 2 held Works: %d writes of Works until a change of another application was in "+
		"its members", h.count(written)-before)
}

// whyOf a Release is the reason it stands where it does.
func whyOf(of *v1alpha1.Release) string {
	for _, c := range of.Status.Conditions {
		if c.Type == v1alpha1.ConditionProgressing {
			return c.Reason
		}
	}
	return "not looked at"
}

// letGoInTheEnd of a Release: what is held is promoted, so that no template outlives the test.
func letGoInTheEnd(t *testing.T, p planes, ns, name string) {
	t.Cleanup(func() { letGo(t, p, &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}}) })
}

func letGo(t *testing.T, p planes, of *v1alpha1.Release) {
	ctx := context.Background() // of a test that may have ended
	NewWithT(t).Eventually(func() error {
		if err := p.karmada.Get(ctx, client.ObjectKeyFromObject(of), of); err != nil {
			return client.IgnoreNotFound(err)
		}
		before := of.DeepCopy()
		of.Spec.Promoted = of.Status.Revision
		if err := p.karmada.Patch(ctx, of, client.MergeFrom(before)); err != nil {
			return err
		}
		if err := p.karmada.Delete(ctx, of); client.IgnoreNotFound(err) != nil {
			return err
		}
		if err := p.karmada.Get(ctx, client.ObjectKeyFromObject(of), of); !apierrors.IsNotFound(err) {
			return fmt.Errorf("Release %s/%s is still there: %w", of.Namespace, of.Name, err)
		}
		return nil
	}, slow, "500ms").Should(Succeed())
}
