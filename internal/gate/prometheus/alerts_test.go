package prometheus

import (
	"strings"
	"testing"
)

// TestFires: an alert fires where its query has a sample, whatever the value.
func TestFires(t *testing.T) {
	for name, tc := range map[string]struct {
		status  int
		file    string
		body    string
		want    string
		wantErr string
	}{
		"quiet":          {file: "nothing"},
		"it fires":       {file: "a-sample", want: "0.25"},
		"a zero fires":   {file: "zeroes", want: " 0"},
		"a scalar":       {file: "a-scalar", wantErr: "gives a scalar; an alert needs an instant vector"},
		"a range":        {file: "a-range", wantErr: "gives a matrix"},
		"a bad query":    {status: 400, file: "a-bad-query", wantErr: "bad_data"},
		"not Prometheus": {status: 502, body: "<html>who is there", wantErr: "<html>who is there"},
		"a page":         {body: "<html>log in", wantErr: "bad_response"},
	} {
		t.Run(name, func(t *testing.T) {
			server := answers(t, "errors > 0", tc.status, tc.file, tc.body)
			instance, err := NewInstance(server.URL, "", "")
			if err != nil {
				t.Fatal(err)
			}
			have, err := instance.Fires(t.Context(), "errors > 0")
			if (err == nil) != (tc.wantErr == "") || err != nil && !strings.Contains(err.Error(), tc.wantErr) {
				t.Fatalf("%q, %v; want error %q", have, err, tc.wantErr)
			}
			if (have == "") != (tc.want == "") || !strings.Contains(have, tc.want) {
				t.Errorf("%q, want %q", have, tc.want)
			}
		})
	}
	if _, err := NewInstance("https://prometheus.example.com", "/nosuch", ""); err == nil {
		t.Error("an authority that is not there is taken")
	}
}
