package lab

import "testing"

func TestUnanswered(t *testing.T) {
	//nolint:lll // as kube-apiserver serves it
	const text = `# TYPE apiserver_admission_webhook_fail_open_count counter
apiserver_admission_webhook_fail_open_count{name="bindings.fedhpa.argosy.dev",type="admit"} 3
apiserver_admission_webhook_fail_open_count{name="vpod.kb.io",type="validating"} 9
# TYPE apiserver_admission_webhook_rejection_count counter
apiserver_admission_webhook_rejection_count{error_type="calling_webhook_error",name="cutoff.migration.argosy.dev",operation="UPDATE",rejection_code="0",type="validating"} 2
apiserver_admission_webhook_rejection_count{error_type="calling_webhook_error",name="bindings.fedhpa.argosy.dev",operation="UPDATE",rejection_code="0",type="admit"} 1
apiserver_admission_webhook_rejection_count{error_type="no_error",name="cutoff.migration.argosy.dev",operation="UPDATE",rejection_code="403",type="validating"} 40
`
	times, err := unanswered(text)
	if got, want := without(times), "bindings.fedhpa.argosy.dev 4 times, cutoff.migration.argosy.dev 2 times"; got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got := without(times, "cutoff.migration.argosy.dev"); got != "bindings.fedhpa.argosy.dev 4 times" {
		t.Errorf("with one that a test stopped: %q", got)
	}
	if times, err := unanswered(""); len(times) != 0 || err != nil {
		t.Errorf("of a server that asked nobody: %v, %v", times, err)
	}
}
