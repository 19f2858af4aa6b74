package history

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

func TestParseKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]Key{
		"/karmada/deployments/shop/web":                            {"karmada", Deployments, "shop", "web"},
		"/member1/apps.kruise.io/clonesets/shop/web":               {"member1", CloneSets, "shop", "web"},
		"/karmada-aggregated/cluster.karmada.io/clusters/member1":  {"karmada", Clusters, "", "member1"},
		"/karmada/work.karmada.io/works/karmada-es-member1/web-ab": {"karmada", Works, "karmada-es-member1", "web-ab"},
		"/member1/deployments/kube-system/coredns":                 {},
		"/member1/leases/kube-node-lease/node1":                    {},
		"/member1/statefulsets/shop/web":                           {},
		"compact_rev_key":                                          {},
	} {
		got, ok := parseKey(key)
		if ok != (want != Key{}) || ok && got != want {
			t.Errorf("%s: %v %t, want %v", key, got, ok, want)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	pod := &corev1.Pod{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-1", UID: "u", Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"a": "b"},
		},
		Spec: corev1.PodSpec{NodeName: "n", Containers: []corev1.Container{{Name: "main", Image: "web:1"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
	var stored strings.Builder
	if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(runtime.Object(pod), &stored); err != nil {
		t.Fatal(err)
	}
	got, err := decode(Pods, []byte(stored.String()))
	if err != nil {
		t.Fatal(err)
	}
	if got.Text("spec", "images") != "web:1" || got.Meta("labels", "app") != "web" || got.Condition("Ready").Text("status") != "True" ||
		got.Field("metadata", "annotations") != nil {
		t.Errorf("a pod: %v", got)
	}
	work := `{"spec":{"workload":{"manifests":[{"kind":"Deployment","metadata":{"name":"web","managedFields":[{}]},
		"spec":{"replicas":3,"template":{"spec":{"containers":[{"image":"web:1"}]}}}}]}}}`
	got, err = decode(Works, []byte(work))
	if err != nil {
		t.Fatal(err)
	}
	manifest := got.List("spec", "workload", "manifests")[0]
	if n, ok := manifest.Int("spec", "replicas"); n != 3 || !ok || manifest.Text("spec", "template", "images") != "web:1" ||
		manifest.Field("metadata", "managedFields") != nil {
		t.Errorf("a Work: %v", got)
	}
	if _, err := decode(Works, []byte("{")); err == nil {
		t.Error("half an object was read")
	}
}

// auditLine is one as kube-apiserver writes it, of the Deployment shop/web.
func auditLine(verb, user, agent string, code, revision, second int) string {
	return fmt.Sprintf(`{"stage":"ResponseComplete","verb":%q,"user":{"username":"system:admin"},`+
		`"impersonatedUser":{"username":%q},"userAgent":%q,`+
		`"objectRef":{"resource":"deployments","namespace":"shop","name":"web","apiGroup":"apps"},"responseStatus":{"code":%d},`+
		`"responseObject":{"metadata":{"resourceVersion":"%d"}},"stageTimestamp":"2026-11-28T12:00:%02d.000000Z"}`+"\n",
		verb, user, agent, code, revision, second)
}

const autoscalerAgent = "kube-controller-manager/v1.35.4 (linux/amd64) kubernetes/abc/" +
	"system:serviceaccount:kube-system:horizontal-pod-autoscaler"

// auditLines end in the middle of one, as those of a server that is at work.
func auditLines() string {
	return auditLine("patch", "jane", "kubectl/v1.35.4 (linux/amd64) kubernetes/abc", 200, 7, 0) +
		auditLine("update", "late", "x/1", 200, 7, 1) +
		strings.Replace(auditLine("patch", "dry", "x/1", 200, 10, 1), `"verb"`, `"requestURI":"/apis/apps/v1/a?dryRun=All","verb"`, 1) +
		auditLine("update", "refused", "x/1", 409, 9, 1) +
		auditLine("update", "kcm", autoscalerAgent, 200, 8, 2) +
		auditLine("delete", "joe", "kubectl/v1", 200, 0, 3) +
		`{"stage":"ResponseComplete","verb":"delete","user":{"us`
}

func TestSign(t *testing.T) {
	t.Parallel()
	a := authors{writes: map[int64]author{}, deletes: map[Key][]author{}}
	if err := a.read("member1", strings.NewReader(auditLines())); err != nil {
		t.Fatal(err)
	}
	if by := a.writes[7]; by.who != "jane" || by.agent != "kubectl" {
		t.Errorf("revision 7: %+v", by)
	}
	if by := a.writes[8]; by.who != "kcm" || by.agent != "kube-controller-manager/horizontal-pod-autoscaler" {
		t.Errorf("revision 8: %+v", by)
	}
	if by, found := a.writes[10]; found {
		t.Errorf("a dry run wrote revision 10: %+v", by)
	}
	web := Key{"member1", Deployments, "shop", "web"}
	at := time.Date(2026, 11, 28, 12, 0, 3, 0, time.UTC)
	if by := a.deleted(web, at); by.who != "joe" {
		t.Errorf("the deletion: %+v", by)
	}
	if by := a.deleted(web, at.Add(-2*time.Second)); by.who != "" {
		t.Errorf("a deletion before: %+v", by)
	}
}

func TestReplay(t *testing.T) {
	t.Parallel()
	key := Key{"member1", Pods, "shop", "a"}
	h := History{Records: []Record{
		{Revision: 1, Op: Put, Key: key, Object: Object{"n": int64(1)}},
		{Revision: 2, Op: Noted, Note: &Note{Kind: Phase}},
		{Revision: 3, Op: Delete, Key: key},
	}}
	var seen []bool
	world := h.Replay(func(_ World, before Object, _ Record) { seen = append(seen, before != nil) })
	if diff := cmp.Diff([]bool{false, false, true}, seen); diff != "" || len(world) != 0 {
		t.Errorf("before: %s, left %v", diff, world)
	}
	content, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var again History
	if err := json.Unmarshal(content, &again); err != nil || len(again.Records) != 3 || again.Records[0].Key != key {
		t.Errorf("written and read: %v %+v", err, again)
	}
}
