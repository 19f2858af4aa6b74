package machine

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"
)

func TestDisturbed(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		beats    []time.Duration
		from, at time.Duration
		want     bool
	}{
		"regular":                 {beats: []time.Duration{beat, 2 * beat, 3 * beat}, at: 3 * beat},
		"busy":                    {beats: []time.Duration{still}, at: still},
		"it stood still":          {beats: []time.Duration{3 * still}, at: 3 * still, want: true},
		"nobody has noticed yet":  {beats: []time.Duration{beat}, at: 3 * still, want: true},
		"it stood still before":   {beats: []time.Duration{3 * still, 3*still + beat}, from: 3*still + 1, at: 3*still + beat, want: true},
		"it stood still long ago": {beats: []time.Duration{3 * still, 3*still + beat}, from: 4*still + Echo, at: 3*still + beat},
	} {
		t.Run(name, func(t *testing.T) {
			w := &Watch{out: io.Discard, last: start}
			for _, after := range tc.beats {
				w.beats(start.Add(after))
			}
			if got := w.Disturbed(start.Add(tc.from), start.Add(tc.at)); got != tc.want {
				t.Errorf("disturbed: %v, want %v", got, tc.want)
			}
		})
	}
}

func TestAnswered(t *testing.T) {
	looks := 0
	got, err := Answered(t.Context(), func(context.Context) (string, error) {
		looks++
		if looks < 3 {
			return "", errors.New("nobody is there")
		}
		return "an answer", nil
	})
	if got != "an answer" || err != nil || looks != 3 {
		t.Errorf("got %q, %v after %d looks", got, err, looks)
	}
}
