package v1alpha1

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScaleInRequestRoundTrip(t *testing.T) {
	want := ScaleInRequest{ID: "7f3a", Members: map[string]MemberScaleIn{
		"member2": {Replicas: 0, Pods: []string{"web-x"}},
		"member1": {Replicas: 5, Pods: []string{"web-a", "web-b"}},
	}}
	const encoded = "7f3a;member1:5=web-a,web-b;member2:0=web-x"
	if got := want.Encode(); got != encoded {
		t.Errorf("Encode() = %q, want %q", got, encoded)
	}
	got, err := ParseScaleInRequest(encoded)
	if err != nil {
		t.Fatalf("ParseScaleInRequest(%q): %v", encoded, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("request read back (-want +got):\n%s", diff)
	}
}

func TestParseScaleInRequestRefusesWhatItDidNotWrite(t *testing.T) {
	for name, value := range map[string]string{
		"empty":            "",
		"no id":            ";member1:5=a",
		"no replicas":      "id;member1=a",
		"bad replicas":     "id;member1:x=a",
		"negative":         "id;member1:-1=a",
		"no names part":    "id;member1:5",
		"cluster missing":  "id;:5=a",
		"cluster twice":    "id;m:5=a;m:4=b",
		"replicas too big": "id;m:99999999999=a",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ParseScaleInRequest(value); err == nil {
				t.Errorf("ParseScaleInRequest(%q) = %+v, want an error", value, got)
			}
		})
	}
}

func TestDeliver(t *testing.T) {
	request := ScaleInRequest{ID: "new", Members: map[string]MemberScaleIn{"member1": {Replicas: 5, Pods: []string{"a", "b"}}}}
	for name, tc := range map[string]struct {
		cluster   string
		replicas  int32
		delivered string
		want      []string
		wantOK    bool
	}{
		"names wait for the lowered replicas":      {cluster: "member1", replicas: 7},
		"names and replicas together":              {cluster: "member1", replicas: 5, want: []string{"a", "b"}, wantOK: true},
		"lowered further by someone else":          {cluster: "member1", replicas: 4, want: []string{"a", "b"}, wantOK: true},
		"an earlier request was delivered":         {cluster: "member1", replicas: 5, delivered: "old", want: []string{"a", "b"}, wantOK: true},
		"this request was delivered":               {cluster: "member1", replicas: 5, delivered: "new"},
		"a cluster that gives up nothing":          {cluster: "member2", replicas: 5},
		"delivered, and replicas raised once more": {cluster: "member1", replicas: 9, delivered: "new"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := request.Deliver(tc.cluster, tc.replicas, tc.delivered)
			if diff := cmp.Diff(tc.want, got); diff != "" || ok != tc.wantOK {
				t.Errorf("Deliver() = %v, %v, want %v, %v", got, ok, tc.want, tc.wantOK)
			}
		})
	}
}

func FuzzParseScaleInRequest(f *testing.F) {
	f.Add("7f3a;member1:5=web-a,web-b;member2:0=web-x")
	f.Add(";;==::,,")
	f.Fuzz(func(t *testing.T, value string) {
		request, err := ParseScaleInRequest(value)
		if err != nil {
			return
		}
		again, err := ParseScaleInRequest(request.Encode())
		if err != nil {
			t.Fatalf("%q was read, but not what it encodes to: %v", value, err)
		}
		if again.Encode() != request.Encode() {
			t.Errorf("%q does not settle: %q, then %q", value, request.Encode(), again.Encode())
		}
	})
}
