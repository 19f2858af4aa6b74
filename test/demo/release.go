package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
	"github.com/argosy-dev/argosy/test/lab"
)

const releaseNamespace = "demo-release"

// releases shows that a change reaches the clusters in stages, and back.
func releases() Scene {
	return Scene{
		Name:  "release",
		Title: "a change goes out as 1, 2, 2 and 5 of ten, and a bad one stops in the first cluster",
		Why: `Karmada sends a change to every cluster at once. A Release holds it, and opens it by number of replicas or cluster by
cluster, with people between; scaling and repairs go on meanwhile. A bad revision stops where it was let in, and
goes back, without anybody writing the template.`,
		Play: playRelease,
	}
}

const releaseManifests = `
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: demo-release, name: shop}
spec:
  resourceSelectors:
  - {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: shop}
  - {apiVersion: apps/v1, kind: Deployment, name: desk}
  placement:
    clusterAffinity: {clusterNames: [member1, member2, member3]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference:
        staticWeightList:
        - {targetCluster: {clusterNames: [member1]}, weight: 4}
        - {targetCluster: {clusterNames: [member2]}, weight: 3}
        - {targetCluster: {clusterNames: [member3]}, weight: 3}
---
apiVersion: release.argosy.dev/v1alpha1
kind: Release
metadata: {namespace: demo-release, name: shop}
spec:
  targetRef: {apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, name: shop}
  stages:
  - {name: one, updated: 1, gates: {approvals: 1}}
  - {name: three, updated: 3, gates: {approvals: 1}}
  - {name: five, updated: 50%, gates: {approvals: 1}}
  - {name: all}
---
apiVersion: release.argosy.dev/v1alpha1
kind: Release
metadata: {namespace: demo-release, name: desk}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: desk}
  onFailure: Rollback
  stages:
  - {name: canary, clusters: {names: [member1]}, gates: {soakSeconds: 2}}
  - {name: second, clusters: {names: [member2]}, gates: {approvals: 1}}
  - {name: rest}
---`

const releaseWorkload = `
apiVersion: APIVERSION
kind: KIND
metadata: {namespace: demo-release, name: NAME}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "registry.example/NAME:TAG", resources: {requests: {cpu: CPU}}}]
`

// pushStaged writes the template of an application, as a pipeline does.
func (s *Stage) pushStaged(ctx context.Context, name, tag, cpu string, replicas int) error {
	apiVersion, kind := "apps.kruise.io/v1alpha1", "CloneSet"
	if name == "desk" {
		apiVersion, kind = "apps/v1", "Deployment"
	}
	return s.Apply(ctx, strings.NewReplacer("APIVERSION", apiVersion, "KIND", kind, "NAME", name, "TAG", tag, "CPU", cpu,
		"REPLICAS", fmt.Sprint(replicas)).Replace(releaseWorkload))
}

func playRelease(ctx context.Context, s *Stage) error {
	s.Step("Two applications over three members, each with a Release")
	if err := s.Fresh(ctx, releaseNamespace); err != nil {
		return err
	}
	if err := s.pushStaged(ctx, "shop", "v1", "10m", 10); err != nil {
		return err
	}
	if err := s.pushStaged(ctx, "desk", "v1", "10m", 10); err != nil {
		return err
	}
	if err := s.Apply(ctx, releaseManifests); err != nil {
		return err
	}
	s.Expect(ctx, "pods of the CloneSet", "4+3+3", s.stagedPods("shop", "v1"))
	s.Expect(ctx, "pods of the Deployment", "4+3+3", s.stagedPods("desk", "v1"))
	for _, name := range []string{"shop", "desk"} {
		if !s.Expect(ctx, "changes of "+name, "held from here on", s.adopted(name)) {
			return fmt.Errorf("the Release of %s does not hold", name)
		}
	}
	if err := playByNumber(ctx, s); err != nil {
		return err
	}
	return playByCluster(ctx, s)
}

func playByNumber(ctx context.Context, s *Stage) error {
	s.Step("Push v2 of the CloneSet: ten replicas go out as 1, 2, 2 and 5")
	if err := s.pushStaged(ctx, "shop", "v2", "10m", 10); err != nil {
		return err
	}
	s.ExpectHeld(ctx, 3*time.Second, "new pods, of all", "1 of 10", s.spreadOfShop)
	s.Expect(ctx, "the Release waits for", "AwaitingApproval", s.why("shop"))
	for _, turn := range []struct{ stage, want string }{{"one", "3 of 10"}, {"three", "5 of 10"}} {
		if err := s.approveStage(ctx, "shop", turn.stage, "alice"); err != nil {
			return err
		}
		s.Expect(ctx, "new pods when alice has approved "+turn.stage, turn.want, s.spreadOfShop)
		s.Expect(ctx, "the Release waits for", "AwaitingApproval", s.why("shop"))
	}
	s.Say("Meanwhile the application is scaled: to 12 and back, in held clusters with what they have")
	if err := s.pushStaged(ctx, "shop", "v2", "10m", 12); err != nil {
		return err
	}
	s.Expect(ctx, "new pods, of all", "6 of 12", s.spreadOfShop)
	if err := s.pushStaged(ctx, "shop", "v2", "10m", 10); err != nil {
		return err
	}
	s.Expect(ctx, "pods of both", "10", s.allOf("shop"))
	if err := s.approveStage(ctx, "shop", "five", "alice"); err != nil {
		return err
	}
	s.Expect(ctx, "new pods when all is approved", "10 of 10", s.spreadOfShop)
	s.Expect(ctx, "the Release is", "Complete", s.why("shop"))
	return nil
}

func playByCluster(ctx context.Context, s *Stage) error {
	s.Step("Push v2 of the Deployment: cluster by cluster")
	if err := s.pushStaged(ctx, "desk", "v2", "10m", 10); err != nil {
		return err
	}
	s.Expect(ctx, "new pods after canary and second", "4+3+0", s.stagedPods("desk", "v2"))
	s.ExpectHeld(ctx, 3*time.Second, "old pods in the cluster that is held", "0+0+3", s.stagedPods("desk", "v1"))
	if err := s.approveStage(ctx, "desk", "second", "bob"); err != nil {
		return err
	}
	s.Expect(ctx, "new pods when bob has approved", "4+3+3", s.stagedPods("desk", "v2"))
	s.Expect(ctx, "the Release is", "Complete", s.why("desk"))

	s.Step("Push a bad v3: pods that no node can hold")
	before, err := s.uids(ctx, "desk", "member2", "member3")
	if err != nil {
		return err
	}
	// The good ones above may take their time.
	desk := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: releaseNamespace, Name: "desk"}}
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"progressDeadlineSeconds":20}}`))
	if err := s.Karmada.Patch(ctx, desk, patch); err != nil {
		return fmt.Errorf("giving the Release of desk 20 s: %w", err)
	}
	if err := s.pushStaged(ctx, "desk", "v3", `"1000"`, 10); err != nil {
		return err
	}
	s.Expect(ctx, "it reaches", "member1 alone", s.reached("desk", "v3"))
	s.Expect(ctx, "after 20 s the Release is", "Rejected", s.why("desk"))
	s.Expect(ctx, "pods of the stable version", "4+3+3", s.stagedPods("desk", "v2"))
	s.Expect(ctx, "pods of the bad one", "0+0+0", s.stagedPods("desk", "v3"))
	s.Say("GitOps applies the same template again, and again")
	for range 3 {
		if err := s.pushStaged(ctx, "desk", "v3", `"1000"`, 10); err != nil {
			return err
		}
	}
	s.ExpectHeld(ctx, 5*time.Second, "pods of the bad one", "0+0+0", s.stagedPods("desk", "v3"))
	s.Expect(ctx, "the other clusters' pods", "the same as before", func(ctx context.Context) (string, error) {
		now, err := s.uids(ctx, "desk", "member2", "member3")
		if err != nil || !slices.Equal(before, now) {
			return fmt.Sprintf("%v, were %v", now, before), err
		}
		return "the same as before", nil
	})
	return nil
}

// stagedPods of an application that bear the tag, are ready or wait, and are not on their way out: member by member.
func (s *Stage) stagedPods(name, tag string) See {
	return func(ctx context.Context) (string, error) {
		counts, err := s.stagedCounts(ctx, name, tag)
		var out []string
		for _, member := range slices.Sorted(maps.Keys(counts)) {
			out = append(out, fmt.Sprint(counts[member]))
		}
		return strings.Join(out, "+"), err
	}
}

func (s *Stage) stagedCounts(ctx context.Context, name, tag string) (map[string]int, error) {
	out := map[string]int{}
	for member, c := range s.Members {
		var list corev1.PodList
		if err := c.List(ctx, &list, client.InNamespace(releaseNamespace), client.MatchingLabels{"app": name}); err != nil {
			return nil, fmt.Errorf("listing the pods of %s: %w", member, err)
		}
		out[member] = 0
		for _, pod := range list.Items {
			if pod.DeletionTimestamp == nil && strings.HasSuffix(pod.Spec.Containers[0].Image, ":"+tag) {
				out[member]++
			}
		}
	}
	return out, nil
}

// spreadOfShop says how many of all its pods are of the second version.
func (s *Stage) spreadOfShop(ctx context.Context) (string, error) {
	with, err := s.stagedCounts(ctx, "shop", "v2")
	if err != nil {
		return "", err
	}
	all, err := s.allOf("shop")(ctx)
	n := 0
	for _, of := range with {
		n += of
	}
	return fmt.Sprintf("%d of %s", n, all), err
}

func (s *Stage) allOf(name string) See {
	return func(ctx context.Context) (string, error) {
		sum := 0
		for _, tag := range []string{"v1", "v2"} {
			counts, err := s.stagedCounts(ctx, name, tag)
			if err != nil {
				return "", err
			}
			for _, of := range counts {
				sum += of
			}
		}
		return fmt.Sprint(sum), nil
	}
}

// reached says which members have pods of the tag.
func (s *Stage) reached(name, tag string) See {
	return func(ctx context.Context) (string, error) {
		counts, err := s.stagedCounts(ctx, name, tag)
		if err != nil {
			return "", err
		}
		var where []string
		for member, n := range counts {
			if n > 0 {
				where = append(where, member)
			}
		}
		slices.Sort(where)
		if len(where) == 1 {
			return where[0] + " alone", nil
		}
		return strings.Join(where, " and "), nil
	}
}

// uids of an application's pods of the second version, but those on their way out.
func (s *Stage) uids(ctx context.Context, name string, members ...string) ([]string, error) {
	var out []string
	for _, member := range members {
		var list corev1.PodList
		if err := s.Members[member].List(ctx, &list, client.InNamespace(releaseNamespace), client.MatchingLabels{"app": name}); err != nil {
			return nil, fmt.Errorf("listing the pods of %s: %w", member, err)
		}
		for _, pod := range list.Items {
			if pod.DeletionTimestamp == nil && strings.HasSuffix(pod.Spec.Containers[0].Image, ":v2") {
				out = append(out, string(pod.UID))
			}
		}
	}
	slices.Sort(out)
	return out, nil
}

func (s *Stage) releaseOf(ctx context.Context, name string) (*v1alpha1.Release, error) {
	out := &v1alpha1.Release{}
	return out, s.Karmada.Get(ctx, client.ObjectKey{Namespace: releaseNamespace, Name: name}, out)
}

// why a Release stands where it does, in the word of its column.
func (s *Stage) why(name string) See {
	return func(ctx context.Context) (string, error) {
		release, err := s.releaseOf(ctx, name)
		if err != nil {
			return "", err
		}
		if c := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionProgressing); c != nil {
			return c.Reason, nil
		}
		return "not looked at", nil
	}
}

func (s *Stage) adopted(name string) See {
	return func(ctx context.Context) (string, error) {
		release, err := s.releaseOf(ctx, name)
		if err != nil {
			return "", err
		}
		// Complete means that every Work bears the revision: from then on a push can be held in each.
		if meta.IsStatusConditionTrue(release.Status.Conditions, v1alpha1.ConditionComplete) {
			return "held from here on", nil
		}
		return "not held", nil
	}
}

// approveStage as a person with the role of approvers.
func (s *Stage) approveStage(ctx context.Context, name, stage, person string) error {
	as, err := s.as(person, lab.ReleaseApprover)
	if err != nil {
		return err
	}
	s.Say("%s approves stage %s of %s", person, stage, name)
	return retry.RetryOnConflict(writesMeet(), func() error {
		release := &v1alpha1.Release{}
		if err := as.Get(ctx, client.ObjectKey{Namespace: releaseNamespace, Name: name}, release); err != nil {
			return err
		}
		before := release.DeepCopy()
		now := metav1.Now()
		release.Spec.Approvals = append(release.Spec.Approvals, v1alpha1.Approval{Revision: release.Status.Revision, Stage: stage, User: person,
			Time: &now})
		return as.Patch(ctx, release, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
}
