package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

const (
	fedhpaNamespace = "demo-fedhpa"
	// booksAim is how soon the control plane must say what a member's autoscaler did.
	booksAim = 10 * time.Second
	// firstFigures is how long figures and the members' autoscalers may take to see a load.
	firstFigures = 6 * time.Minute
)

// autoscaledDeployment: a pod uses 1 m until a Load reaches it, so that new pods do not count twice.
const autoscaledDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: $NS, name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {kwok.x-k8s.io/usage-cpu: 1m, kwok.x-k8s.io/usage-memory: 50Mi}
    spec:
      containers:
      - name: web
        image: registry.example/web:v1
        resources: {requests: {cpu: $CPU, memory: 16Mi}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: $NS, name: web-deployment}
spec:
  resourceSelectors:
  - {apiVersion: apps/v1, kind: Deployment, name: web}
  placement:
    clusterAffinity: {clusterNames: [member1, member2]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference: {dynamicWeight: AvailableReplicas}
`

// AutoscaledDeployment is the Deployment web of four replicas over member1 and member2, with its policy, for an autoscaler and a Load to
// act on. Each pod asks for the given CPU.
func AutoscaledDeployment(namespace, cpu string) string {
	return strings.NewReplacer("$NS", namespace, "$CPU", cpu).Replace(autoscaledDeployment)
}

// fedhpaObject wants 50 % of the 100 m each pod asks for: one replica for each 50 m of load.
const fedhpaObject = `
apiVersion: autoscaling.argosy.dev/v1alpha1
kind: FedHPA
metadata: {namespace: demo-fedhpa, name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 4
  maxReplicas: 20
  metrics:
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}
  behavior: {scaleDown: {stabilizationWindowSeconds: 5}}
`

// fedhpa shows members that scale by themselves and a control plane that follows, without a scheduling and without a fight.
func fedhpa() Scene {
	return Scene{
		Name:  "fedhpa",
		Title: "FedHPA: members scale natively, the federation stays true",
		Why: "The limits of one autoscaler are divided over the members, where a native HPA each reacts at once, also while the control plane " +
			"is away.\n" +
			"The control plane follows: scheduling result and template always say what the members really run.",
		Play: playFedHPA,
	}
}

func playFedHPA(ctx context.Context, s *Stage) error {
	if err := s.Fresh(ctx, fedhpaNamespace); err != nil {
		return err
	}
	s.Step("a Deployment of four replicas over two members, as Karmada divides it")
	if err := s.Apply(ctx, AutoscaledDeployment(fedhpaNamespace, "100m")); err != nil {
		return err
	}
	s.Expect(ctx, "members run", "member1=2 member2=2", s.deployed)

	s.Step("a FedHPA: 4 to 20 replicas, 50 %% CPU")
	if err := s.Apply(ctx, fedhpaObject); err != nil {
		return err
	}
	s.Expect(ctx, "each member has a native HPA", "member1 member2: 4..20 in all", s.memberLimits)
	s.ExpectWithin(ctx, firstFigures, "the FedHPA is Ready, its books agree, its members scale", "True True True", s.fedhpaConditions)
	s.Expect(ctx, "taking over changed nothing", "member1=2 member2=2", s.deployed)
	scheduled, err := machine.Answered(ctx, s.lastScheduled)
	if err != nil {
		return err
	}

	s.Step("member2 keeps its usual 100 m, enough for two replicas; member1 gets 400 m, enough for eight")
	defer s.loadFedHPA(ctx, "member2", 100)()
	stop := s.loadFedHPA(ctx, "member1", 400)
	defer stop()
	late := s.late(ctx)
	s.ExpectWithin(ctx, firstFigures, "member1 scales by its own HPA", "member1=8 member2=2", s.deployed)
	if s.Expect(ctx, "the books follow", "binding member1=8 member2=2, template 10", s.books) {
		s.ExpectUnder("from the members' changes to true books, at most", booksAim, late())
	}
	s.Expect(ctx, "member1's HPA has found what it wants", "8 of 8 replicas, at its target", s.member1Rests)
	s.Say("member1 came near its limit, so that what member2 did not use was given to it:")
	s.Expect(ctx, "limits still add up to 20, and member1 has room again", "20, room in member1", s.roomInMember1)

	s.Step("somebody pushes the template with an old count")
	if err := s.push(ctx, 3); err != nil {
		return err
	}
	s.ExpectHeld(ctx, 5*time.Second, "nothing moves, and the template is put right",
		"member1=8 member2=2, binding member1=8 member2=2, template 10", s.everything)
	s.Expect(ctx, "the scheduler was never asked again", scheduled, s.lastScheduled)

	s.Step("member1's load falls to 100 m")
	stop()
	defer s.loadFedHPA(ctx, "member1", 100)()
	s.ExpectWithin(ctx, firstFigures, "member1 comes down, and rests", "member1=2..3", s.member1Down)
	s.Expect(ctx, "and so do the books", "true", s.booksTrue)

	return s.releaseFedHPA(ctx)
}

func (s *Stage) releaseFedHPA(ctx context.Context) error {
	s.Step("the FedHPA is deleted")
	before, err := machine.Answered(ctx, s.deployed)
	if err != nil {
		return err
	}
	fed := &api.FedHPA{ObjectMeta: metav1.ObjectMeta{Namespace: fedhpaNamespace, Name: "web"}}
	if err := s.Karmada.Delete(ctx, fed); err != nil {
		return fmt.Errorf("deleting the FedHPA: %w", err)
	}
	s.Expect(ctx, "it lets go", "FedHPA gone, members have no HPA", s.released)
	s.ExpectHeld(ctx, 5*time.Second, "and not a replica changed", before, s.deployed)
	return nil
}

// loadFedHPA puts a load on the Deployment's pods in a member until the returned function is called.
func (s *Stage) loadFedHPA(ctx context.Context, member string, millicores int) (stop func()) {
	loaded, stop := context.WithCancel(ctx)
	go Load{Member: s.Members[member], Namespace: fedhpaNamespace, Labels: map[string]string{"app": "web"}}.Run(loaded, millicores)
	return stop
}

// deployed is what each member's Deployment asks for.
func (s *Stage) deployed(ctx context.Context) (string, error) {
	var out []string
	for name, member := range s.Members {
		var d appsv1.Deployment
		err := member.Get(ctx, client.ObjectKey{Namespace: fedhpaNamespace, Name: "web"}, &d)
		if client.IgnoreNotFound(err) != nil {
			return "", fmt.Errorf("reading the Deployment of %s: %w", name, err)
		}
		if err == nil {
			out = append(out, fmt.Sprintf("%s=%d", name, ptr.Deref(d.Spec.Replicas, 1)))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " "), nil
}

func (s *Stage) hpas(ctx context.Context) (map[string]*autoscalingv2.HorizontalPodAutoscaler, error) {
	out := map[string]*autoscalingv2.HorizontalPodAutoscaler{}
	for name, member := range s.Members {
		hpa := &autoscalingv2.HorizontalPodAutoscaler{}
		err := member.Get(ctx, client.ObjectKey{Namespace: fedhpaNamespace, Name: "web"}, hpa)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading the HPA of %s: %w", name, err)
		}
		if err == nil {
			out[name] = hpa
		}
	}
	return out, nil
}

func (s *Stage) memberLimits(ctx context.Context) (string, error) {
	hpas, err := s.hpas(ctx)
	if err != nil {
		return "", err
	}
	if len(hpas) == 0 {
		return "none", nil
	}
	// Who has more room may be given more.
	var least, most int32
	for _, hpa := range hpas {
		least, most = least+ptr.Deref(hpa.Spec.MinReplicas, 1), most+hpa.Spec.MaxReplicas
	}
	return fmt.Sprintf("%s: %d..%d in all", strings.Join(slices.Sorted(maps.Keys(hpas)), " "), least, most), nil
}

func (s *Stage) roomInMember1(ctx context.Context) (string, error) {
	hpas, err := s.hpas(ctx)
	if err != nil {
		return "", err
	}
	var sum int32
	for _, hpa := range hpas {
		sum += hpa.Spec.MaxReplicas
	}
	if hpa := hpas["member1"]; hpa == nil || hpa.Spec.MaxReplicas <= hpa.Status.DesiredReplicas {
		return fmt.Sprintf("%d, no room in member1", sum), nil
	}
	return fmt.Sprintf("%d, room in member1", sum), nil
}

func (s *Stage) fedhpaConditions(ctx context.Context) (string, error) {
	var fed api.FedHPA
	if err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: fedhpaNamespace, Name: "web"}, &fed); err != nil {
		return "", fmt.Errorf("reading the FedHPA: %w", err)
	}
	var out []string
	for _, kind := range []string{api.FedHPAReady, api.FedHPABooksAgree, api.FedHPAMembersScaling} {
		status := "unknown"
		for _, c := range fed.Status.Conditions {
			if c.Type == kind {
				status = string(c.Status)
			}
		}
		out = append(out, status)
	}
	return strings.Join(out, " "), nil
}

func (s *Stage) binding(ctx context.Context) (*workv1alpha2.ResourceBinding, error) {
	rb := &workv1alpha2.ResourceBinding{}
	if err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: fedhpaNamespace, Name: "web-deployment"}, rb); err != nil {
		return nil, fmt.Errorf("reading the ResourceBinding: %w", err)
	}
	return rb, nil
}

func (s *Stage) lastScheduled(ctx context.Context) (string, error) {
	rb, err := s.binding(ctx)
	if err != nil {
		return "", err
	}
	if rb.Status.LastScheduledTime == nil {
		return "", errors.New("the scheduler has not said when it divided")
	}
	return rb.Status.LastScheduledTime.UTC().Format(time.TimeOnly), nil
}

// books is what the control plane says.
func (s *Stage) books(ctx context.Context) (string, error) {
	rb, err := s.binding(ctx)
	if err != nil {
		return "", err
	}
	var out []string
	for _, c := range rb.Spec.Clusters {
		out = append(out, fmt.Sprintf("%s=%d", c.Name, c.Replicas))
	}
	slices.Sort(out)
	var d appsv1.Deployment
	if err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: fedhpaNamespace, Name: "web"}, &d); err != nil {
		return "", fmt.Errorf("reading the template: %w", err)
	}
	return fmt.Sprintf("binding %s, template %d", strings.Join(out, " "), ptr.Deref(d.Spec.Replicas, 1)), nil
}

func (s *Stage) everything(ctx context.Context) (string, error) {
	members, err := s.deployed(ctx)
	if err != nil {
		return "", err
	}
	books, err := s.books(ctx)
	return members + ", " + books, err
}

// late looks at members and books from now on. The result ends that, and says for how long at most the books did not have what the members
// asked for. When the members ask for something else meanwhile, the books have that much time anew.
func (s *Stage) late(ctx context.Context) func() time.Duration {
	looking, stop := context.WithCancel(ctx)
	longest := make(chan time.Duration, 1)
	go func() {
		none := func() time.Duration { return 0 }
		most, members, since := time.Duration(0), "", none
		_ = wait.PollUntilContextCancel(looking, 200*time.Millisecond, true, func(context.Context) (bool, error) {
			now, err := s.deployed(ctx)
			if err != nil {
				return false, nil // looked at again
			}
			if now != members {
				since()
				members, since = now, s.Elapsed()
			}
			if books, err := s.books(ctx); err == nil && strings.HasPrefix(books, "binding "+members+",") {
				most, since = max(most, since()), none
			}
			return false, nil
		})
		longest <- max(most, since())
	}()
	return func() time.Duration {
		stop()
		return <-longest
	}
}

// member1Rests is what member1's HPA has in mind: with all replicas at their target it leaves them as they are.
func (s *Stage) member1Rests(ctx context.Context) (string, error) {
	hpas, err := s.hpas(ctx)
	if err != nil {
		return "", err
	}
	hpa := hpas["member1"]
	if hpa == nil || len(hpa.Status.CurrentMetrics) != 1 || hpa.Status.CurrentMetrics[0].Resource == nil {
		return "nothing seen yet", nil
	}
	use := ptr.Deref(hpa.Status.CurrentMetrics[0].Resource.Current.AverageUtilization, 0)
	seen := fmt.Sprintf("%d of %d replicas, ", hpa.Status.CurrentReplicas, hpa.Status.DesiredReplicas)
	if use < 45 || use > 55 {
		return seen + fmt.Sprintf("at %d %%", use), nil
	}
	return seen + "at its target", nil
}

func (s *Stage) booksTrue(ctx context.Context) (string, error) {
	members, err := s.deployed(ctx)
	if err != nil {
		return "", err
	}
	books, err := s.books(ctx)
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(books, "binding "+members+",") {
		return "true", nil
	}
	return members + ", " + books, nil
}

// member1Down is how few replicas member1 asks for, once its HPA has no other count in mind: two are enough for the load, and its part of
// the lower limit may be three.
func (s *Stage) member1Down(ctx context.Context) (string, error) {
	members, err := s.deployed(ctx)
	if err != nil {
		return "", err
	}
	hpas, err := s.hpas(ctx)
	if err != nil {
		return "", err
	}
	hpa := hpas["member1"]
	if hpa == nil {
		return "no HPA", nil
	}
	rests := slices.ContainsFunc(hpa.Status.Conditions, func(c autoscalingv2.HorizontalPodAutoscalerCondition) bool {
		return c.Type == autoscalingv2.AbleToScale && c.Reason == "ReadyForNewScale"
	})
	down := hpa.Status.DesiredReplicas == max(ptr.Deref(hpa.Spec.MinReplicas, 1), 2)
	if !rests || !down || !strings.HasPrefix(members, fmt.Sprintf("member1=%d ", hpa.Status.DesiredReplicas)) {
		return fmt.Sprintf("%s, and its HPA wants %d", members, hpa.Status.DesiredReplicas), nil
	}
	return "member1=2..3", nil
}

// push writes the template's count as a release tool with an old manifest does.
func (s *Stage) push(ctx context.Context, replicas int) error {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: fedhpaNamespace, Name: "web"}}
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	if err := s.Karmada.Patch(ctx, d, patch); err != nil {
		return fmt.Errorf("pushing the template: %w", err)
	}
	return nil
}

func (s *Stage) released(ctx context.Context) (string, error) {
	err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: fedhpaNamespace, Name: "web"}, &api.FedHPA{})
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("reading the FedHPA: %w", err)
	}
	if !apierrors.IsNotFound(err) {
		return "the FedHPA is still there", nil
	}
	limits, err := s.memberLimits(ctx)
	if err != nil || limits != "none" {
		return "HPAs " + limits, err
	}
	return "FedHPA gone, members have no HPA", nil
}
