package binding

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestAnswerOf: a member refuses only what its API server answered with a refusal. The texts are those of client-go, the API server and
// Karmada 1.18.
func TestAnswerOf(t *testing.T) {
	const before = "Failed to apply all manifests (0/1): "
	cases := map[string]struct {
		failure      string
		wantAnswered bool
	}{
		"the connection broke": {failure: `Put "https://10.0.0.2:6443/apis/autoscaling/v2/namespaces/a/horizontalpodautoscalers/web": EOF`},
		"it was reset": {
			failure: `Post "https://10.0.0.2:6443/x": read tcp 10.0.0.1:53422->10.0.0.2:6443: read: connection reset by peer`,
		},
		"nobody listens":      {failure: `Get "https://10.0.0.2:6443/x": dial tcp 10.0.0.2:6443: connect: connection refused`},
		"its name is unknown": {failure: `Get "https://m1.example/x": dial tcp: lookup m1.example: no such host`},
		"no time was left":    {failure: "context deadline exceeded"},
		"its certificate is another's": {
			failure: `Put "https://10.0.0.2:6443/x": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
		},
		"it is overloaded":           {failure: "the server has received too many requests and has asked us to try again later"},
		"its etcd is away":           {failure: "etcdserver: request timed out"},
		"its aggregated API is away": {failure: "the server is currently unable to handle the request"},
		"Karmada only starts":        {failure: "the informer of cluster(m1) has not been initialized"},
		"an object of that name is somebody's": {
			failure: "resource(kind=HorizontalPodAutoscaler, a/web) already exists in the cluster m1 and the " +
				"work.karmada.io/conflict-resolution strategy value is empty, Karmada will not manage this resource",
			wantAnswered: true,
		},
		"it may not be written": {
			failure:      `horizontalpodautoscalers.autoscaling is forbidden: User "karmada" cannot create resource: EOF`,
			wantAnswered: true,
		},
		"its fields are wrong": {
			failure:      `HorizontalPodAutoscaler.autoscaling "web" is invalid: spec.maxReplicas: Invalid value: 0: must be greater than 0`,
			wantAnswered: true,
		},
		"a webhook says no": {
			failure: `admission webhook "policy.example" denied the request: registry: connection refused`, wantAnswered: true,
		},
		"a webhook of the member is away": {
			failure: `Internal error occurred: failed calling webhook "policy.example": failed to call webhook: Post ` +
				`"https://policy.a.svc:443/v?timeout=10s": dial tcp 10.1.0.9:443: connect: connection refused`,
			wantAnswered: true,
		},
		"it does not know the kind": {failure: "the server could not find the requested resource", wantAnswered: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			work := &workv1alpha1.Work{}
			work.Status.Conditions = []metav1.Condition{
				{Type: workv1alpha1.WorkApplied, Status: metav1.ConditionFalse, Message: before + tc.failure},
			}
			want := Answer{Failure: before + tc.failure, Refused: tc.wantAnswered}
			if diff := cmp.Diff(want, AnswerOf(work)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoAnswerYet: nobody has said anything of a new Work, or something without words.
func TestNoAnswerYet(t *testing.T) {
	work := &workv1alpha1.Work{}
	if got := AnswerOf(work); got != (Answer{}) {
		t.Errorf("nothing was said: %+v", got)
	}
	work.Status.Conditions = []metav1.Condition{{Type: workv1alpha1.WorkApplied, Status: metav1.ConditionFalse}}
	if got := AnswerOf(work); got != (Answer{}) {
		t.Errorf("no words are no refusal: %+v", got)
	}
	work.Status.Conditions[0].Status = metav1.ConditionTrue
	if got := AnswerOf(work); got != (Answer{Taken: true}) {
		t.Errorf("it was taken: %+v", got)
	}
}
