package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	vmv1alpha1 "github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

// What people do in the scene of the delivery: approve, release, mend, and delete.

func (s *deliveryScene) template(ctx context.Context, name string) (*vmv1alpha1.VMReplicaSet, error) {
	set := &vmv1alpha1.VMReplicaSet{}
	if err := s.Karmada.Get(ctx, client.ObjectKey{Namespace: deliveryNamespace, Name: name}, set); err != nil {
		return nil, fmt.Errorf("reading VMReplicaSet %s: %w", name, err)
	}
	return set, nil
}

// asked is what shop waits for.
func (s *deliveryScene) asked(ctx context.Context) (string, error) {
	set, err := s.template(ctx, "shop")
	if err != nil {
		return "", err
	}
	var out []string
	for _, p := range set.Status.PendingApprovals {
		out = append(out, fmt.Sprintf("%s of %s in %s", p.Gate, p.Server, p.Cluster))
	}
	slices.Sort(out)
	return strings.Join(out, ", "), nil
}

// decide what the set waits for, as a person who has the role for it in that plane; by is whose name the approvals bear when they are sent.
func decide(ctx context.Context, plane client.Client, name, by string) error {
	return retry.RetryOnConflict(writesMeet(), func() error {
		set := &vmv1alpha1.VMReplicaSet{}
		if err := plane.Get(ctx, client.ObjectKey{Namespace: deliveryNamespace, Name: name}, set); err != nil {
			return err
		}
		before := set.DeepCopy()
		for _, p := range set.Status.PendingApprovals {
			set.Spec.Approvals = append(set.Spec.Approvals, gatev1alpha1.Approval{
				Gate: p.Gate, OperationID: p.OperationID, Decision: gatev1alpha1.Approve, Reason: "as was agreed", By: by,
			})
		}
		return plane.Patch(ctx, set, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	})
}

// forged is what comes of an approval in another's name.
func (s *deliveryScene) forged(ctx context.Context) (string, error) {
	bob, err := s.as("bob", lab.VMApprover)
	if err != nil {
		return "", err
	}
	switch err := decide(ctx, bob, "shop", "alice"); {
	case err == nil:
		return "taken", nil
	case (apierrors.IsForbidden(err) || apierrors.IsInvalid(err)) && strings.Contains(err.Error(), "in the name of"):
		return "refused", nil
	default:
		return "", err
	}
}

func (s *deliveryScene) approveMaking(ctx context.Context) error {
	alice, err := s.as("alice", lab.VMApprover)
	if err != nil {
		return err
	}
	if err := decide(ctx, alice, "shop", ""); err != nil {
		return fmt.Errorf("approving the machines of shop: %w", err)
	}
	return nil
}

func (s *deliveryScene) approveRemoval(ctx context.Context, name string) error {
	if err := decide(ctx, s.Members["member3"], name, ""); err != nil {
		return fmt.Errorf("approving the removal of %s: %w", name, err)
	}
	return nil
}

func (s *deliveryScene) patchSet(ctx context.Context, name, body string) error {
	set := &vmv1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: deliveryNamespace, Name: name}}
	if err := s.Karmada.Patch(ctx, set, client.RawPatch("application/merge-patch+json", []byte(body))); err != nil {
		return fmt.Errorf("changing VMReplicaSet %s: %w", name, err)
	}
	return nil
}

func (s *deliveryScene) deleteSet(ctx context.Context, name string) error {
	set := &vmv1alpha1.VMReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: deliveryNamespace, Name: name}}
	if err := s.Karmada.Delete(ctx, set); err != nil {
		return fmt.Errorf("deleting VMReplicaSet %s: %w", name, err)
	}
	return nil
}

// release a version of the lab's service to a set.
func (s *deliveryScene) release(ctx context.Context, name, version string) error {
	artifact, checksum := iaas.Artifact("/shop/" + version + ".tar")
	body, err := json.Marshal(map[string]any{"spec": map[string]any{
		"release": map[string]any{"version": version, "artifact": artifact, "checksum": checksum},
	}})
	if err != nil {
		return err
	}
	deployment := &vmv1alpha1.VMDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: deliveryNamespace, Name: name}}
	if err := s.Karmada.Patch(ctx, deployment, client.RawPatch("application/merge-patch+json", body)); err != nil {
		return fmt.Errorf("releasing %s to %s: %w", version, name, err)
	}
	return nil
}

// cut the power of a server's machine in member3.
func (s *deliveryScene) cut(ctx context.Context, name string) error {
	server, err := s.third(ctx, name)
	if err != nil {
		return err
	}
	return s.Lab.CutPower(ctx, string(server.UID))
}

// mend the release on a server's machine, as a person with its key does, and say that its task may go on.
func (s *deliveryScene) mend(ctx context.Context, name string) error {
	server, err := s.third(ctx, name)
	if err != nil {
		return err
	}
	if len(server.Status.Addresses) == 0 || server.Status.Machine == nil {
		return fmt.Errorf("the machine of %s has no address", name)
	}
	target := remote.Target{
		Address: net.JoinHostPort(server.Status.Addresses[0].Address, strconv.Itoa(int(server.Spec.Machine.Access.Port))),
		User:    "root", Key: s.key, HostKeys: server.Status.Machine.HostKeys,
	}
	over := &remote.Client{Idle: -1}
	if _, err := over.Read(ctx, target, "echo well >/srv/shop/current/health"); err != nil {
		return fmt.Errorf("mending the machine of %s: %w", name, err)
	}
	body := `{"spec":{"override":{"state":"Deploying","mode":"Once","reason":"its release is mended"}}}`
	if err := s.Members["member3"].Patch(ctx, server, client.RawPatch("application/merge-patch+json", []byte(body))); err != nil {
		return fmt.Errorf("letting %s go on: %w", name, err)
	}
	return nil
}

// inMember3 reads a set there.
func (s *deliveryScene) inMember3(ctx context.Context, name string) (*vmv1alpha1.VMReplicaSet, error) {
	set := &vmv1alpha1.VMReplicaSet{}
	if err := s.Members["member3"].Get(ctx, client.ObjectKey{Namespace: deliveryNamespace, Name: name}, set); err != nil {
		return nil, fmt.Errorf("reading VMReplicaSet %s of member3: %w", name, err)
	}
	return set, nil
}

func (s *deliveryScene) removal(name string) See {
	return func(ctx context.Context) (string, error) {
		set, err := s.inMember3(ctx, name)
		if err != nil {
			return "", err
		}
		return string(set.Spec.RemovalPolicy), nil
	}
}

// waitsInMember is the gate at which the deleted set waits in its member.
func (s *deliveryScene) waitsInMember(name string) See {
	return func(ctx context.Context) (string, error) {
		set, err := s.inMember3(ctx, name)
		if err != nil {
			return "", err
		}
		var out []string
		for _, p := range set.Status.PendingApprovals {
			out = append(out, p.Gate)
		}
		if set.DeletionTimestamp == nil {
			out = append(out, "it is not deleted")
		}
		return strings.Join(out, ", "), nil
	}
}
