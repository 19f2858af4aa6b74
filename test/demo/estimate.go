package demo

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// estimate is the oldest complaint about multi-cluster scheduling: replicas sent where they cannot run.
func estimate() Scene {
	return Scene{
		Name:  "estimate",
		Alone: true,
		Title: "ten replicas that must not share a node, over members of three, four and five nodes",
		Why: `A cluster may have a hundred free CPUs and no place for one more replica. Karmada's stock estimator adds up
free CPUs; Argosy runs each member's own scheduler on a mirror of the member, binds nothing, and answers what it
would have placed - so replicas go where they will run.`,
		Play: playEstimate,
	}
}

const separated = `
apiVersion: apps/v1
kind: Deployment
metadata: {namespace: NAMESPACE, name: hosts}
spec:
  replicas: 10
  selector: {matchLabels: {app: hosts}}
  template:
    metadata: {labels: {app: hosts}}
    spec:
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: hosts}}}
      containers:
      - {name: main, image: "registry.example/hosts:v1", resources: {requests: {cpu: 100m, memory: 64Mi}}}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: NAMESPACE, name: hosts-deployment}
spec:
  schedulerName: SCHEDULER
  resourceSelectors:
  - {apiVersion: apps/v1, kind: Deployment, name: hosts}
  placement:
    clusterAffinity: {clusterNames: [member1, member2, member3]}
    replicaScheduling: {replicaSchedulingType: Divided, replicaDivisionPreference: Aggregated}
`

func playEstimate(ctx context.Context, s *Stage) (err error) {
	s.Step("Cordon nodes until the members have three, four and five")
	uncordon, err := s.leaveNodes(ctx, map[string]int{"member1": 3, "member2": 4, "member3": 5})
	defer func() {
		if restored := uncordon(context.WithoutCancel(ctx)); restored != nil && err == nil {
			err = restored
		}
	}()
	if err != nil {
		return err
	}

	s.Step("With Karmada's stock estimator: a second karmada-scheduler, called %q, asks it", lab.StockScheduler)
	stop, err := s.Lab.StartStockScheduler(ctx)
	if err != nil {
		return fmt.Errorf("starting Karmada's estimators: %w", err)
	}
	defer stop()
	if err := s.placeSeparated(ctx, "demo-estimate-stock", lab.StockScheduler); err != nil {
		return err
	}
	s.Say(`CPU is plentiful everywhere, so all ten replicas go to one member; it has a node for three, four or five of them.`)
	s.Expect(ctx, "stock: of ten replicas", "some stay Pending", s.somePending("demo-estimate-stock"))
	if seen, err := s.readyAndPending("demo-estimate-stock")(ctx); err == nil {
		s.Say("%s", seen)
	}
	// Left behind by its scheduler it would stay in its member for ever, and keep that from being unjoined.
	if err := s.empty(ctx, "demo-estimate-stock"); err != nil {
		return err
	}

	s.Step("With Argosy's: the same Deployment and policy, and the federation's own scheduler")
	s.Expect(ctx, "members whose estimator karmada-scheduler has dialled", fmt.Sprint(len(s.Members)), s.estimatorsDialled)
	err = s.placeEstimated(ctx, client.ObjectKey{Namespace: "demo-estimate", Name: "hosts-deployment"}, func() error {
		return s.placeSeparated(ctx, "demo-estimate", "default-scheduler")
	})
	if err != nil {
		return err
	}
	s.Expect(ctx, "Argosy: replicas Ready and Pending", "10 Ready, 0 Pending", s.readyAndPending("demo-estimate"))
	return nil
}

func (s *Stage) placeSeparated(ctx context.Context, namespace, scheduler string) error {
	if err := s.Fresh(ctx, namespace); err != nil {
		return err
	}
	return s.Apply(ctx, strings.NewReplacer("NAMESPACE", namespace, "SCHEDULER", scheduler).Replace(separated))
}

// placeEstimated places something until the federation's scheduler divided it by estimates. On a machine that stands still for some seconds
// karmada-scheduler gives up on an estimate, says so, and divides by the Clusters' status: that shows nothing of estimators, so it is asked
// again.
func (s *Stage) placeEstimated(ctx context.Context, binding client.ObjectKey, place func() error) error {
	for range 5 {
		before, err := s.estimatesMissed()
		if err != nil {
			return err
		}
		if err := place(); err != nil {
			return err
		}
		err = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, machine.Patience, true, func(ctx context.Context) (bool, error) {
			rb := &workv1alpha2.ResourceBinding{}
			err := s.Karmada.Get(ctx, binding, rb)
			return err == nil && len(rb.Spec.Clusters) > 0, nil
		})
		if err != nil {
			return fmt.Errorf("waiting until the scheduler has divided: %w", err)
		}
		missed, err := s.estimatesMissed()
		if err != nil {
			return err
		}
		if missed == before {
			return nil
		}
		s.Say("karmada-scheduler went without an estimate that came too late: once more")
	}
	return nil
}

// estimatesMissed counts the estimates that did not come within karmada-scheduler's patience.
func (s *Stage) estimatesMissed() (int, error) {
	log, err := os.ReadFile(s.Lab.LogFile("karmada/scheduler"))
	if err != nil {
		return 0, fmt.Errorf("reading karmada-scheduler's log: %w", err)
	}
	return strings.Count(string(log), "DeadlineExceeded"), nil
}

// estimatorsDialled counts the members for which the federation's karmada-scheduler has a connection. In a federation just started it has
// none for up to ten seconds: it dials one member after another, and by a wrong name where it sees the member before the member's Service.
// Until then it schedules without estimates.
func (s *Stage) estimatorsDialled(context.Context) (string, error) {
	log, err := os.ReadFile(s.Lab.LogFile("karmada/scheduler"))
	if err != nil {
		return "", fmt.Errorf("reading karmada-scheduler's log: %w", err)
	}
	dialled := 0
	for name := range s.Members {
		if strings.Contains(string(log), fmt.Sprintf("of cluster(%s) has been established", name)) {
			dialled++
		}
	}
	return fmt.Sprint(dialled), nil
}

// readyAndPending counts, over all members, the pods that run and those that no node takes.
func (s *Stage) readyAndPending(namespace string) See {
	return func(ctx context.Context) (string, error) {
		ready, pending := 0, 0
		for name, member := range s.Members {
			var pods corev1.PodList
			if err := member.List(ctx, &pods, client.InNamespace(namespace)); err != nil {
				return "", fmt.Errorf("listing the pods of %s: %w", name, err)
			}
			for _, pod := range pods.Items {
				switch {
				case isReady(pod):
					ready++
				case pod.Spec.NodeName == "":
					pending++
				}
			}
		}
		return fmt.Sprintf("%d Ready, %d Pending", ready, pending), nil
	}
}

// somePending holds once all ten pods exist, those with a node run, and at least one has none. How many depends on the member that was
// chosen.
func (s *Stage) somePending(namespace string) See {
	return func(ctx context.Context) (string, error) {
		seen, err := s.readyAndPending(namespace)(ctx)
		var ready, pending int
		if _, parse := fmt.Sscanf(seen, "%d Ready, %d Pending", &ready, &pending); parse == nil && pending > 0 && ready+pending == 10 {
			return "some stay Pending", err
		}
		return seen, err
	}
}

// leaveNodes cordons all but the given number of nodes of each member. The function it returns undoes that, also after an error.
func (s *Stage) leaveNodes(ctx context.Context, keep map[string]int) (func(context.Context) error, error) {
	var undo []func(context.Context) error
	restore := func(ctx context.Context) error {
		for _, one := range undo {
			if err := one(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	for name, count := range keep {
		member, ok := s.Members[name]
		if !ok {
			return restore, fmt.Errorf("the scene needs %s: start the lab with three members of five nodes", name)
		}
		var nodes corev1.NodeList
		if err := member.List(ctx, &nodes); err != nil {
			return restore, fmt.Errorf("listing the nodes of %s: %w", name, err)
		}
		open := slices.DeleteFunc(nodes.Items, func(node corev1.Node) bool { return node.Spec.Unschedulable })
		if len(open) < count {
			return restore, fmt.Errorf("the scene needs %d nodes in %s and finds %d", count, name, len(open))
		}
		for i := range open[count:] {
			node := &open[count+i]
			if err := setCordon(ctx, member, node.Name, true); err != nil {
				return restore, err
			}
			undo = append(undo, func(ctx context.Context) error { return setCordon(ctx, member, node.Name, false) })
		}
	}
	return restore, nil
}

func setCordon(ctx context.Context, member client.Client, name string, cordoned bool) error {
	node := &corev1.Node{}
	if err := member.Get(ctx, client.ObjectKey{Name: name}, node); err != nil {
		return fmt.Errorf("reading node %s: %w", name, err)
	}
	next := node.DeepCopy()
	next.Spec.Unschedulable = cordoned
	if err := member.Patch(ctx, next, client.MergeFrom(node)); err != nil {
		return fmt.Errorf("cordoning node %s: %w", name, err)
	}
	return nil
}
