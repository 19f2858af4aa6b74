package manifest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for name, tc := range map[string]struct {
		stream  string
		want    []string
		wantErr bool
	}{
		"nothing":                           {stream: ""},
		"comments and empty documents":      {stream: "# nothing\n---\n---\n\n---\nkind: A\n---\n# the end\n", want: []string{"A"}},
		"documents in their order":          {stream: "kind: B\n---\nkind: A\n", want: []string{"B", "A"}},
		"JSON":                              {stream: `{"kind": "A"} {"kind": "B"}`, want: []string{"A", "B"}},
		"not an object":                     {stream: "- kind: A\n", wantErr: true},
		"a second document that is no YAML": {stream: "kind: A\n---\nkind: [\n", wantErr: true},
	} {
		t.Run(name, func(t *testing.T) {
			objects, err := Parse([]byte(tc.stream))
			if (err != nil) != tc.wantErr {
				t.Fatalf("error %v, want one: %t", err, tc.wantErr)
			}
			var have []string
			for _, object := range objects {
				have = append(have, object.GetKind())
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestImages(t *testing.T) {
	for text, want := range map[string][]string{
		"spec: {image: shop:2, replicas: 3}":                                            {"shop:2"},
		"spec: {template: {spec: {containers: [{image: b:1}, {name: x}, {image: a}]}}}": {"b:1", "a"},
		"spec: {template: {spec: {containers: [7]}}}":                                   nil,
		"spec: {template: {spec: {containers: all}}}":                                   nil,
		"spec: {image: 7}": nil,
		"kind: ConfigMap":  nil,
	} {
		objects, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, Images(objects[0])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}
