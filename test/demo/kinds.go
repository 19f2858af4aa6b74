package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

const kindsNamespace = "demo-kinds"

// kinds carries workloads that are no pods' controllers: the federation divides and sums them by Argosy's rules alone.
func kinds() Scene {
	return Scene{
		Name:  "kinds",
		Title: "virtual machines and five-field services, as first-class workloads",
		Why: `A set of virtual servers and a Component spread over the federation as Deployments do: divided, scaled,
released in part, and summed up with each waiting approval and address beside its cluster. What a person
is asked about is well, and not a reason to move it.`,
		Play: playKinds,
	}
}

const kindsManifests = `
apiVersion: v1
kind: ConfigMap
metadata: {namespace: demo-kinds, name: agent-settings}
data: {level: info}
---
apiVersion: vm.argosy.dev/v1alpha1
kind: VMDeployment
metadata: {namespace: demo-kinds, name: payments}
spec:
  targetRef: {name: payments}
  release: {version: 2.14.0}
  strategy: {batches: [10%, 20%, 70%], pauseBetween: Approval}
---
apiVersion: vm.argosy.dev/v1alpha1
kind: VMReplicaSet
metadata: {namespace: demo-kinds, name: payments}
spec:
  replicas: 6
  selector: {matchLabels: {app: payments}}
  template:
    metadata: {labels: {app: payments}}
    spec:
      machine: {driver: kubevirt, hosting: Pod, image: debian, resources: {cpu: "1", memory: 1Gi}}
      packages: [{name: agent, version: 3.4.1, configMapRef: {name: agent-settings}}]
  gates: [{name: give-up, stage: Failover}]
---
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {namespace: demo-kinds, name: python-demo}
spec: {workloadType: Deployment, developLanguage: python, runType: server, image: python-demo:latest, port: 8080, replicas: 6}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: demo-kinds, name: kinds}
spec:
  propagateDeps: true
  resourceSelectors:
  - {apiVersion: vm.argosy.dev/v1alpha1, kind: VMReplicaSet, name: payments}
  - {apiVersion: component.luojilab.com/v1alpha1, kind: Component, name: python-demo}
  placement:
    clusterAffinity: {clusterNames: [member1, member2, member3]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference:
        staticWeightList:
        - {targetCluster: {clusterNames: [member1]}, weight: 1}
        - {targetCluster: {clusterNames: [member2]}, weight: 1}
        - {targetCluster: {clusterNames: [member3]}, weight: 1}
`

func playKinds(ctx context.Context, s *Stage) error {
	s.Step("Apply a VMReplicaSet of 6 servers, its VMDeployment and ConfigMap, and a Component of five fields; one policy for both")
	if err := s.Fresh(ctx, kindsNamespace); err != nil {
		return err
	}
	if err := s.Apply(ctx, kindsManifests); err != nil {
		return err
	}
	s.Expect(ctx, "servers asked of the three members", "2+2+2", s.servers)
	s.Expect(ctx, "members with the VMDeployment and the ConfigMap, which no policy names", "3 and 3", s.serverDependencies)
	s.Expect(ctx, "replicas of the Component asked of them", "2+2+2", s.componentReplicas)

	s.Step("Report of the servers from the members as their controllers will: all serve, and in member2 an approval is waited for")
	if err := s.reportServers(ctx, ""); err != nil {
		return err
	}
	s.Expect(ctx, "the VMReplicaSet's status, summed",
		"6 servers, 6 available; waiting: give-up op-1 of payments-x in member2", s.serverStatus)
	s.Expect(ctx, "health of servers that wait for a person", "Healthy Healthy Healthy", s.serverHealth)
	s.Expect(ctx, "the Component's status, summed", "6 replicas, 6 available; reached in member1, member2, member3", s.componentStatus)

	s.Step("Scale the servers to 9 through the scale subresource, and change all but 8 of them")
	if err := s.scaleServers(ctx, 9); err != nil {
		return err
	}
	s.Expect(ctx, "servers asked of the three members", "3+3+3", s.servers)
	if err := s.holdServers(ctx, 8); err != nil {
		return err
	}
	s.ExpectHeld(ctx, 3*time.Second, "servers the members may change, fleet-wide", "1 of 9", s.serversToChange)

	s.Step("Let member2's servers fail while nobody is asked")
	if err := s.reportServers(ctx, "member2"); err != nil {
		return err
	}
	s.Expect(ctx, "health, member by member", "Healthy Healthy Unhealthy", s.serverHealth)
	return nil
}

// eachServers reads the VMReplicaSet of every member that has it.
func (s *Stage) eachServers(ctx context.Context, visit func(member string, set *vmv1alpha1.VMReplicaSet) error) error {
	for name, member := range s.Members {
		set := &vmv1alpha1.VMReplicaSet{}
		if err := member.Get(ctx, client.ObjectKey{Namespace: kindsNamespace, Name: "payments"}, set); err != nil {
			return fmt.Errorf("reading the VMReplicaSet of %s: %w", name, err)
		}
		if err := visit(name, set); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) eachComponent(ctx context.Context, visit func(member string, component *componentv1alpha1.Component) error) error {
	for name, member := range s.Members {
		component := &componentv1alpha1.Component{}
		if err := member.Get(ctx, client.ObjectKey{Namespace: kindsNamespace, Name: "python-demo"}, component); err != nil {
			return fmt.Errorf("reading the Component of %s: %w", name, err)
		}
		if err := visit(name, component); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stage) servers(ctx context.Context) (string, error) {
	shares := map[string]int{}
	err := s.eachServers(ctx, func(member string, set *vmv1alpha1.VMReplicaSet) error {
		shares[member] = int(ptr.Deref(set.Spec.Replicas, -1))
		return nil
	})
	return Shares(shares), err
}

func (s *Stage) componentReplicas(ctx context.Context) (string, error) {
	shares := map[string]int{}
	err := s.eachComponent(ctx, func(member string, component *componentv1alpha1.Component) error {
		shares[member] = int(ptr.Deref(component.Spec.Replicas, -1))
		return nil
	})
	return Shares(shares), err
}

func (s *Stage) serverDependencies(ctx context.Context) (string, error) {
	var counts [2]int
	for name, member := range s.Members {
		for i, dependency := range []client.Object{&vmv1alpha1.VMDeployment{}, &corev1.ConfigMap{}} {
			key := client.ObjectKey{Namespace: kindsNamespace, Name: []string{"payments", "agent-settings"}[i]}
			err := member.Get(ctx, key, dependency)
			if client.IgnoreNotFound(err) != nil {
				return "", fmt.Errorf("reading %s of %s: %w", key.Name, name, err)
			}
			if err == nil {
				counts[i]++
			}
		}
	}
	return fmt.Sprintf("%d and %d", counts[0], counts[1]), nil
}

// reportServers writes what the VM controller of each member would: all servers serve; in member2 one waits for a
// person, unless that member has failed.
func (s *Stage) reportServers(ctx context.Context, failed string) error {
	// Karmada may write at the same time.
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { return s.reportServersOnce(ctx, failed) })
}

func (s *Stage) reportServersOnce(ctx context.Context, failed string) error {
	return s.eachServers(ctx, func(member string, set *vmv1alpha1.VMReplicaSet) error {
		n := ptr.Deref(set.Spec.Replicas, 0)
		held := int32(0)
		if p := set.Spec.UpdateStrategy.Partition; p != nil {
			held = p.IntVal
		}
		set.Status = vmv1alpha1.VMReplicaSetStatus{
			ObservedGeneration: set.Generation, Replicas: n, UpdatedReplicas: n - held, ExpectedUpdatedReplicas: n - held,
			ReadyReplicas: n, AvailableReplicas: n, Selector: "app=payments",
		}
		now := metav1.Time{Time: s.options.Clock.Now()}
		switch member {
		case failed:
			set.Status.ReadyReplicas, set.Status.AvailableReplicas, set.Status.UnknownReplicas = 0, 0, n
		case "member2":
			set.Status.PendingApprovals = []gatev1alpha1.PendingApproval{{Gate: "give-up", OperationID: "op-1", Server: "payments-x", Since: &now}}
			apimeta.SetStatusCondition(&set.Status.Conditions, metav1.Condition{
				Type: vmv1alpha1.ConditionAwaitingApproval, Status: metav1.ConditionTrue, Reason: vmv1alpha1.ReasonGateWaiting,
				Message: "payments-x waits at give-up", LastTransitionTime: now,
			})
		}
		if err := s.Members[member].Status().Update(ctx, set); err != nil {
			return fmt.Errorf("reporting the servers of %s: %w", member, err)
		}
		return nil
	})
}

func (s *Stage) serverTemplate(ctx context.Context) (*vmv1alpha1.VMReplicaSet, error) {
	set := &vmv1alpha1.VMReplicaSet{}
	err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: kindsNamespace, Name: "payments"}, set)
	return set, err
}

func (s *Stage) serverStatus(ctx context.Context) (string, error) {
	set, err := s.serverTemplate(ctx)
	var waiting []string
	for _, p := range set.Status.PendingApprovals {
		waiting = append(waiting, fmt.Sprintf("%s %s of %s in %s", p.Gate, p.OperationID, p.Server, p.Cluster))
	}
	return fmt.Sprintf("%d servers, %d available; waiting: %s",
		set.Status.Replicas, set.Status.AvailableReplicas, strings.Join(waiting, ", ")), err
}

func (s *Stage) serverHealth(ctx context.Context) (string, error) {
	return s.Health(ctx, kindsNamespace, "payments-vmreplicaset")
}

func (s *Stage) componentStatus(ctx context.Context) (string, error) {
	component := &componentv1alpha1.Component{}
	err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: kindsNamespace, Name: "python-demo"}, component)
	var clusters []string
	for _, endpoint := range component.Status.Endpoints {
		clusters = append(clusters, endpoint.Cluster)
	}
	slices.Sort(clusters)
	return fmt.Sprintf("%d replicas, %d available; reached in %s",
		component.Status.Replicas, component.Status.AvailableReplicas, strings.Join(clusters, ", ")), err
}

func (s *Stage) scaleServers(ctx context.Context, replicas int64) error {
	set, err := s.serverTemplate(ctx)
	if err != nil {
		return fmt.Errorf("reading the template: %w", err)
	}
	patch := client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
	if err := s.Karmada.SubResource("scale").Patch(ctx, set, patch); err != nil {
		return fmt.Errorf("scaling the servers: %w", err)
	}
	return nil
}

func (s *Stage) holdServers(ctx context.Context, partition int32) error {
	set, err := s.serverTemplate(ctx)
	if err != nil {
		return fmt.Errorf("reading the template: %w", err)
	}
	next := set.DeepCopy()
	next.Spec.UpdateStrategy.Partition = ptr.To(intstr.FromInt32(partition))
	if err := s.Karmada.Patch(ctx, next, client.MergeFrom(set)); err != nil {
		return fmt.Errorf("holding %d servers: %w", partition, err)
	}
	return nil
}

func (s *Stage) serversToChange(ctx context.Context) (string, error) {
	var change, all int32
	err := s.eachServers(ctx, func(_ string, set *vmv1alpha1.VMReplicaSet) error {
		n := ptr.Deref(set.Spec.Replicas, 0)
		all += n
		change += n
		if p := set.Spec.UpdateStrategy.Partition; p != nil {
			change -= min(n, p.IntVal)
		}
		return nil
	})
	return fmt.Sprintf("%d of %d", change, all), err
}
