package controller

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/intstr"
)

// The answers in testdata/prometheus are a real Prometheus's: test/monitoring holds them against its HTTP API.
func TestAsk(t *testing.T) {
	for name, tc := range map[string]struct {
		status  int
		file    string
		body    string
		unwell  string
		wantErr string
	}{
		"nothing":      {file: "nothing", unwell: `Prometheus has no sample for "errors": it must answer 0 when all is well`},
		"zeroes":       {file: "zeroes"},
		"a sample":     {file: "a-sample", unwell: `Prometheus says 0.25 for "errors"`},
		"not a number": {file: "not-a-number", unwell: "Prometheus says NaN"},
		"a scalar":     {file: "a-scalar", unwell: "Prometheus says 0.25"},
		"a range":      {file: "a-range", wantErr: "gives a matrix; a gate needs an instant vector or a scalar"},
		"a string":     {file: "a-string", wantErr: "gives a string"},
		"a bad query":  {status: 400, file: "a-bad-query", wantErr: "HTTP 400: "},
		"the second is bad": {
			body: `{"status":"success","data":{"resultType":"vector","result":[{"value":[1,"0"]},{"value":[1,"7"]}]}}`, unwell: "Prometheus says 7",
		},
		"not Prometheus":      {status: 502, body: `<html>`, wantErr: "HTTP 502"},
		"a sample too short":  {body: `{"status":"success","data":{"resultType":"vector","result":[{"value":[1]}]}}`, wantErr: "1 parts"},
		"a value of its type": {body: `{"status":"success","data":{"resultType":"scalar","result":[1,2]}}`, wantErr: "decoding a sample"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.file != "" {
				content, err := os.ReadFile(filepath.Join("testdata", "prometheus", tc.file+".json"))
				if err != nil {
					t.Fatal(err)
				}
				tc.body = string(content)
			}
			server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
				if in.URL.Path != "/api/v1/query" || in.URL.Query().Get("query") != "errors" {
					t.Errorf("asked %s", in.URL)
				}
				if tc.status != 0 {
					out.WriteHeader(tc.status)
				}
				if _, err := io.WriteString(out, tc.body); err != nil {
					t.Error(err)
				}
			}))
			defer server.Close()
			unwell, err := ask(t.Context(), server.Client(), server.URL+"/", "errors")
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("error %v, want %q", err, tc.wantErr)
				}
				return
			}
			if err != nil || (unwell == "") != (tc.unwell == "") || !strings.Contains(unwell, tc.unwell) {
				t.Errorf("unwell %q, %v; want %q", unwell, err, tc.unwell)
			}
		})
	}
}

func FuzzValues(f *testing.F) {
	f.Add("vector", []byte(`[{"value":[1,"0"]}]`))
	f.Add("scalar", []byte(`[1,"2"]`))
	f.Fuzz(func(t *testing.T, kind string, raw []byte) {
		if got, err := values(kind, raw); err == nil && kind != "vector" && kind != "scalar" {
			t.Errorf("a %s gave %v", kind, got)
		}
	})
}

func TestAllowance(t *testing.T) {
	number, percent, bad := intstr.FromInt32(2), intstr.FromString("25%"), intstr.FromString("many")
	for name, tc := range map[string]struct {
		value    *intstr.IntOrString
		replicas int32
		want     int32
	}{
		"unset allows none":                {replicas: 10},
		"a number":                         {value: &number, replicas: 10, want: 2},
		"a number above the replicas":      {value: &number, replicas: 1, want: 1},
		"a percentage is rounded down":     {value: &percent, replicas: 7, want: 1},
		"what cannot be read allows none.": {value: &bad, replicas: 10},
	} {
		t.Run(name, func(t *testing.T) {
			if got := allowance(tc.value)(tc.replicas); got != tc.want {
				t.Errorf("%d may be missing of %d, want %d", got, tc.replicas, tc.want)
			}
		})
	}
}
