package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// auditPolicy says who wrote what, with what came of it: the resourceVersion in the answer is the revision of etcd, by which a history is
// joined. Of pods only names are kept (they come and go by the thousand), of reads, leases and events nothing.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: None
  verbs: [get, list, watch]
- level: None
  resources:
  - {group: "", resources: [events, pods/status, nodes, nodes/status, pods/binding]}
  - {group: events.k8s.io}
  - {group: coordination.k8s.io}
  - {group: authentication.k8s.io}
  - {group: authorization.k8s.io}
- level: RequestResponse
  resources:
  - {group: apps, resources: [deployments, deployments/scale, deployments/status]}
  - {group: apps.kruise.io}
  - {group: autoscaling}
  - {group: work.karmada.io}
  - {group: policy.karmada.io}
  - {group: autoscaling.argosy.dev}
  - {group: apps.argosy.dev}
  - {group: migration.argosy.dev}
  - {group: release.argosy.dev}
- level: Metadata
`

func auditLog(dir, plane string) string { return filepath.Join(dir, "logs", plane, "audit.log") }

func (w *workspace) auditPolicyFile() string { return filepath.Join(w.dir, "audit-policy.yaml") }

func (w *workspace) writeAuditPolicy() error {
	if err := os.WriteFile(w.auditPolicyFile(), []byte(auditPolicy), 0o644); err != nil {
		return fmt.Errorf("writing the audit policy: %w", err)
	}
	return nil
}

// auditArgs let nothing be written without its line.
func (w *workspace) auditArgs(plane string) []string {
	return []string{
		"--audit-policy-file=" + w.auditPolicyFile(), "--audit-log-path=" + auditLog(w.dir, plane), "--audit-log-mode=blocking-strict",
	}
}
