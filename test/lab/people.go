package lab

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/argosy-dev/argosy/internal/install"
)

// Approver is the role of whoever approves plans, deploy/users/migration.yaml.
const Approver = "argosy-migration-approver"

// VMApprover is the role of whoever approves operations on virtual machines, deploy/users/vm.yaml.
const VMApprover = "argosy-vm-approver"

// ReleaseApprover is the role of whoever approves stages, deploy/users/release.yaml.
const ReleaseApprover = "argosy-release-approver"

// ReleaseReporter is the role of whoever reports checks of stages, deploy/users/release.yaml.
const ReleaseReporter = "argosy-release-reporter"

// Person is access as a user who has one of the roles that argosyctl install makes for people, and no other right.
func Person(admin *rest.Config, name, role string) *rest.Config {
	config := rest.CopyConfig(admin)
	config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{role}}
	return config
}

// GrantPeople makes the roles for people, and, for those of a migration and of approvals, a group of the same name that has it.
func GrantPeople(ctx context.Context, admin *rest.Config) error {
	roles, err := install.UserRoles()
	if err != nil {
		return err
	}
	const rbac = "rbac.authorization.k8s.io"
	for _, role := range roles {
		if err := apply(ctx, admin, role); err != nil {
			return err
		}
		if name := role.GetName(); !strings.HasPrefix(name, "argosy-migration-") &&
			!slices.Contains([]string{VMApprover, ReleaseApprover, ReleaseReporter}, name) {
			continue
		}
		binding := &unstructured.Unstructured{Object: map[string]any{
			"roleRef":  map[string]any{"apiGroup": rbac, "kind": "ClusterRole", "name": role.GetName()},
			"subjects": []any{map[string]any{"apiGroup": rbac, "kind": "Group", "name": role.GetName()}},
		}}
		binding.SetAPIVersion(rbac + "/v1")
		binding.SetKind("ClusterRoleBinding")
		binding.SetName(role.GetName())
		if err := apply(ctx, admin, binding); err != nil {
			return err
		}
	}
	return nil
}
