package migration

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
)

// What kubectl get shows, and with -o wide: the API server's own table of live objects.
func TestColumns(t *testing.T) {
	namespace(t, "columns")
	migration := &v1alpha1.Migration{ObjectMeta: metav1.ObjectMeta{Namespace: "columns", Name: "deployment-web"}}
	migration.Spec.WorkloadReference = entry("web").WorkloadReference
	whitelist := &v1alpha1.MigrationWhitelist{ObjectMeta: metav1.ObjectMeta{Name: "columns"}}
	for _, object := range []client.Object{migration, whitelist} {
		if err := plane.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	advancing := metav1.Condition{
		Type: v1alpha1.ConditionAdvancing, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonImagesDiffer,
		Message: "a has web:1, b has web:2", LastTransitionTime: metav1.Now(),
	}
	other := metav1.Condition{
		Type: v1alpha1.ConditionFenced, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonFenced, Message: "fenced",
		LastTransitionTime: metav1.Now(),
	}
	migration.Status = v1alpha1.MigrationStatus{
		Phase: v1alpha1.PhasePreparing, Management: v1alpha1.ManagementStatic, Environment: v1alpha1.EnvironmentTest, Whitelist: "all",
		Batch: "2/3", ClustersDone: "1/2", ApprovalsDone: "0/2", Blocked: v1alpha1.ReasonImagesDiffer,
		Conditions: []metav1.Condition{other, advancing},
	}
	whitelist.Status.Progress = "Test 2/3, 5 of 20 federated"
	whitelist.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionProgressing, Status: metav1.ConditionFalse,
		Reason:  v1alpha1.ReasonBatchStopped,
		Message: "1 applications failed", LastTransitionTime: metav1.Now()}}
	for _, object := range []client.Object{migration, whitelist} {
		if err := plane.Status().Update(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]struct{ narrow, wide []string }{
		"namespaces/columns/migrations/deployment-web": {
			narrow: []string{"Name=deployment-web", "Phase=Preparing", "Batch=2/3", "Clusters=1/2", "Approved=0/2", "Blocked=ImagesDiffer", "Age"},
			wide: []string{
				"Managed=Static", "Environment=Test", "Whitelist=all", "Kind=Deployment", "Workload=web", "Why=a has web:1, b has web:2",
			},
		},
		"migrationwhitelists/columns": {
			narrow: []string{"Name=columns", "Mode=Run", "Progress=Test 2/3, 5 of 20 federated", "Reason=BatchStopped", "Age"},
			wide:   []string{"Progressing=False", "Why=1 applications failed"},
		},
	} {
		narrow, wide := columns(t, path)
		if diff := cmp.Diff(want.narrow, narrow); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		if diff := cmp.Diff(want.wide, wide); diff != "" {
			t.Errorf("%s -o wide (-want +got):\n%s", path, diff)
		}
	}
}

// columns of an object with their values, those for everyone and those for -o wide.
func columns(t *testing.T, path string) (narrow, wide []string) {
	t.Helper()
	caller, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+"/apis/"+v1alpha1.GroupVersion.String()+"/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
	response, err := caller.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	table := metav1.Table{}
	if err := json.Unmarshal(raw, &table); err != nil || len(table.Rows) != 1 {
		t.Fatalf("%v, %d rows: %s", err, len(table.Rows), raw)
	}
	for i, column := range table.ColumnDefinitions {
		text := column.Name
		if column.Name != "Age" {
			text += fmt.Sprintf("=%v", table.Rows[0].Cells[i])
		}
		if column.Priority == 0 {
			narrow = append(narrow, text)
		} else {
			wide = append(wide, text)
		}
	}
	return narrow, wide
}
