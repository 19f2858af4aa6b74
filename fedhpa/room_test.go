package fedhpa

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/ptr"
)

// TestAnswerLeft: an answer that is some seconds old is not given away twice.
func TestAnswerLeft(t *testing.T) {
	cases := map[string]struct {
		answer answer
		runs   int32
		want   *int32
	}{
		"as asked":                 {answer{free: ptr.To[int32](9), replicas: 6}, 6, ptr.To[int32](9)},
		"grown since":              {answer{free: ptr.To[int32](9), replicas: 6}, 10, ptr.To[int32](5)},
		"grown beyond":             {answer{free: ptr.To[int32](3), replicas: 6}, 10, ptr.To[int32](0)},
		"shrunk frees nothing yet": {answer{free: ptr.To[int32](9), replicas: 6}, 2, ptr.To[int32](9)},
		"unknown stays unknown":    {answer{replicas: 6}, 10, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.answer.left(tc.runs)); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}
