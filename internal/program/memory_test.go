package program

import "testing"

func TestGoLimit(t *testing.T) {
	for name, tc := range map[string]struct {
		container, given string
		want             int64
		wantErr          bool
	}{
		"outside of a container":  {},
		"of a container":          {container: "4294967296", want: 3865470566},
		"somebody knows better":   {container: "4294967296", given: "2GiB"},
		"a quantity is no number": {container: "4Gi", wantErr: true},
		"nothing is no memory":    {container: "0", wantErr: true},
		"more than there can be":  {container: "9223372036854775807", wantErr: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := goLimit(tc.container, tc.given)
			if got != tc.want || (err != nil) != tc.wantErr {
				t.Errorf("%d, %v; want %d", got, err, tc.want)
			}
		})
	}
}
