package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	componentv1alpha1 "github.com/argosy-dev/argosy/api/component/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
)

const kindsNamespace = "demo-kinds"

// kinds carries workloads that are no pods' controllers: the federation divides and sums them by Argosy's rules alone.
func kinds() Scene {
	return Scene{
		Name:  "kinds",
		Title: "virtual machines, made in a company's own IaaS, and five-field services",
		Why: `A set of virtual servers spreads over the federation as a Deployment does, and each member makes its machines
through an HTTP contract. Nobody is taken out of service before a person said so, in the control plane; a machine
that died is replaced within a budget. A Component is divided and summed up beside it.`,
		Play: playKinds,
	}
}

const kindsManifests = `
apiVersion: v1
kind: Secret
metadata: {namespace: demo-kinds, name: machines}
stringData: {token: lab}
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
      machine: {driver: http, class: small, image: lab/debian-12, credentialsRef: {name: machines}}
  gates: [{name: take-out, stage: Offline}]
  removalPolicy: Delete
---
apiVersion: vm.argosy.dev/v1alpha1
kind: VMReplicaSet
metadata: {namespace: demo-kinds, name: ledger}
spec:
  replicas: 3
  selector: {matchLabels: {app: ledger}}
  template:
    metadata: {labels: {app: ledger}}
    spec:
      machine: {driver: http, class: small, image: lab/debian-12, credentialsRef: {name: machines}}
  failover: {policy: Auto, unknownTimeoutSeconds: 30, maxInFlight: 1, maxUnhealthy: 40%}
  removalPolicy: Delete
---
apiVersion: component.luojilab.com/v1alpha1
kind: Component
metadata: {namespace: demo-kinds, name: python-demo}
spec: {workloadType: Deployment, developLanguage: python, runType: server, image: python-demo:latest, port: 8080, replicas: 6}
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: demo-kinds, name: ledger}
spec:
  propagateDeps: true
  resourceSelectors: [{apiVersion: vm.argosy.dev/v1alpha1, kind: VMReplicaSet, name: ledger}]
  placement: {clusterAffinity: {clusterNames: [member2]}}
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
	s.Step("Apply two VMReplicaSets, of 6 servers over three members and of 3 in one, and a Component of five fields")
	if err := s.Fresh(ctx, kindsNamespace); err != nil {
		return err
	}
	if err := s.Apply(ctx, kindsManifests); err != nil {
		return err
	}
	s.Expect(ctx, "servers asked of the three members", "2+2+2", s.servers)
	s.Expect(ctx, "members with the VMDeployment and the Secret, which no policy names", "3 and 3", s.serverDependencies)
	s.Expect(ctx, "replicas of the Component asked of them", "2+2+2", s.componentReplicas)
	s.Expect(ctx, "machines that run in the lab's IaaS", "ledger 3, payments 6", s.machines)
	s.Expect(ctx, "what a person reads of both sets", "payments: 6 servers, 6 without code; ledger: 3 servers, 3 without code", s.setsSay)
	s.Expect(ctx, "the Component's status, summed", "6 replicas, 6 available; reached in member1, member2, member3", s.componentStatus)

	s.Step("Cut the power of a machine of ledger, for whose replacement nobody has to be asked: it is given 30 s to come back")
	if err := s.cutPower(ctx, "ledger-1"); err != nil {
		return err
	}
	s.Expect(ctx, "what a person reads of both sets",
		"payments: 6 servers, 6 without code; ledger: 3 servers, 2 without code, 1 unreachable", s.setsSay)

	if err := s.playTakeOut(ctx); err != nil {
		return err
	}
	s.Step("Wait until the dead machine of ledger is replaced")
	s.Expect(ctx, "what a person reads of both sets", "payments: 3 servers, 3 without code; ledger: 3 servers, 3 without code", s.setsSay)
	s.Expect(ctx, "servers of ledger", "ledger-2, ledger-3, ledger-4", s.ledger)
	s.Expect(ctx, "machines that run in the lab's IaaS", "ledger 3, payments 3", s.machines)
	return nil
}

// playTakeOut scales in behind a gate.
func (s *Stage) playTakeOut(ctx context.Context) error {
	s.Step("Scale payments to 3 through the scale subresource: its gate asks a person before a server leaves")
	if err := s.scaleServers(ctx, 3); err != nil {
		return err
	}
	s.Expect(ctx, "servers asked of the three members", "1+1+1", s.servers)
	s.Expect(ctx, "approvals that are waited for", "take-out of payments-2 in member1, member2, member3", s.waiting)
	s.Expect(ctx, "health of servers that wait for a person", "Healthy Healthy Healthy", s.serverHealth)
	s.ExpectHeld(ctx, 2*time.Second, "machines of payments that run", "6", s.machinesOf(kindsNamespace, "payments"))
	s.Step("Approve them in the control plane")
	if err := s.approveAll(ctx); err != nil {
		return err
	}
	s.Expect(ctx, "machines of payments that run", "3", s.machinesOf(kindsNamespace, "payments"))
	s.Expect(ctx, "approvals that are waited for", "none", s.waiting)
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
		for i, dependency := range []client.Object{&vmv1alpha1.VMDeployment{}, &corev1.Secret{}} {
			key := client.ObjectKey{Namespace: kindsNamespace, Name: []string{"payments", "machines"}[i]}
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

func (s *Stage) serverTemplate(ctx context.Context) (*vmv1alpha1.VMReplicaSet, error) {
	set := &vmv1alpha1.VMReplicaSet{}
	err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: kindsNamespace, Name: "payments"}, set)
	return set, err
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
