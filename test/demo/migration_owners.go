package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/test/static"
)

// What others do in the scene of the migration: a controller that owns a Secret, and whoever evicts a pod.

// own makes the first application's Secret a controller's in every member, as External Secrets makes those it writes.
func (s *townScene) own(ctx context.Context) error {
	s.Step("In each member the Secret of %s is a controller's, which rotates it", user(s.apps[0]))
	for name, member := range s.Members {
		if _, runs := s.apps[0].Replicas[name]; !runs {
			continue
		}
		rotation := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: town, Name: "rotation"}}
		if err := member.Create(ctx, rotation); err != nil {
			return fmt.Errorf("making the owner of a Secret in %s: %w", name, err)
		}
		secret, err := s.secret(ctx, member)
		if err != nil {
			return err
		}
		secret.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: rotation.Name, UID: rotation.UID,
			Controller: ptr.To(true)}}
		if err := member.Update(ctx, secret); err != nil {
			return fmt.Errorf("giving a Secret its owner in %s: %w", name, err)
		}
	}
	return nil
}

func (s *townScene) secret(ctx context.Context, member client.Client) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	if err := member.Get(ctx, client.ObjectKey{Namespace: town, Name: s.apps[0].Name}, secret); err != nil {
		return nil, fmt.Errorf("reading the Secret of %s: %w", user(s.apps[0]), err)
	}
	return secret, nil
}

// rotate the Secret while its application is federated.
func (s *townScene) rotate(ctx context.Context) error {
	s.Step("The controller rotates the Secret, while the application is federated")
	s.Expect(ctx, "the Secret in the control plane", "none: it stayed its owner's", func(ctx context.Context) (string, error) {
		_, err := s.secret(ctx, s.Karmada)
		if apierrors.IsNotFound(err) {
			return "none: it stayed its owner's", nil
		}
		return "there is one", err
	})
	members := s.apps[0].Members()
	for _, name := range members {
		secret, err := s.secret(ctx, s.Members[name])
		if err != nil {
			return err
		}
		secret.StringData = map[string]string{"token": "rotated"}
		if err := s.Members[name].Update(ctx, secret); err != nil {
			return fmt.Errorf("rotating the Secret in %s: %w", name, err)
		}
	}
	s.ExpectHeld(ctx, 4*time.Second, "members with the rotated Secret, which nobody undoes", fmt.Sprint(len(members)),
		func(ctx context.Context) (string, error) {
			rotated := 0
			for _, name := range members {
				secret, err := s.secret(ctx, s.Members[name])
				if err != nil {
					return "", err
				}
				if string(secret.Data["token"]) == "rotated" {
					rotated++
				}
			}
			return fmt.Sprint(rotated), nil
		})
	return nil
}

// evict a pod of an application that is watched, as a drain does.
func (s *townScene) evict(ctx context.Context, app static.App, member string) error {
	s.Say("a pod of %s in %s is evicted, as when its node is drained", user(app), member)
	var pods corev1.PodList
	if err := s.Members[member].List(ctx, &pods, client.InNamespace(town), client.MatchingLabels{"app": app.Name}); err != nil {
		return fmt.Errorf("listing the pods of %s in %s: %w", user(app), member, err)
	}
	if len(pods.Items) == 0 {
		return fmt.Errorf("%s has no pod in %s to evict", user(app), member)
	}
	pod := &pods.Items[0]
	s.evicted = member + "/" + pod.Name
	if err := s.Members[member].SubResource("eviction").Create(ctx, pod, &policyv1.Eviction{}); err != nil {
		return fmt.Errorf("evicting %s: %w", s.evicted, err)
	}
	s.ExpectWithin(ctx, movePatience, "its record tells of the pod that took its place, and nothing is rolled back", "told, and Soaking",
		func(ctx context.Context) (string, error) {
			one, err := s.migration(ctx, app)
			if err != nil {
				return "", err
			}
			told := slices.ContainsFunc(one.Status.History, func(entry v1alpha1.HistoryEntry) bool {
				return entry.Reason == v1alpha1.ReasonPodsReplaced
			})
			if !told {
				return "not told, and " + string(one.Status.Phase), nil
			}
			return "told, and " + string(one.Status.Phase), nil
		})
	return nil
}
