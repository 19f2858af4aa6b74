package gate

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/argosy-dev/argosy/api/gate/v1alpha1"
)

// OperationID names an operation of an object, for approvals: unique in the federation, and never used again. Two that could be next
// have one sequence, so what they are is part of it.
func OperationID(object types.UID, what string, sequence int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", object, what, sequence))
	return "op-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:26]
}

// Verdict of the approvals on one operation at one gate.
type Verdict int

// A gate is shut until somebody approved.
const (
	Shut Verdict = iota
	Opened
	Rejected
)

// Judge says what people decided. An approval that bears no name and time is nobody's: admission stamps what a person gives.
func Judge(approvals []v1alpha1.Approval, name, operation string) (Verdict, *v1alpha1.Approval) {
	out, by := Shut, (*v1alpha1.Approval)(nil)
	for i := range approvals {
		a := &approvals[i]
		if a.Gate != name || a.OperationID != operation || a.By == "" || a.At == nil || IsProgram(a.By) {
			continue
		}
		if a.Decision == v1alpha1.Reject {
			return Rejected, a
		}
		out, by = Opened, a
	}
	return out, by
}
