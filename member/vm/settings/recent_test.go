package settings

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// server answers reads of Secrets with its number of reads, or an error.
type server struct {
	client.Reader
	reads int
	err   error
}

func (s *server) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	s.reads++
	if s.err != nil {
		return s.err
	}
	object.(*corev1.Secret).Data = map[string][]byte{"read": fmt.Append(nil, s.reads)}
	return nil
}

func newRecent() (*Recent, *server, *clocktesting.FakeClock) {
	live, now := &server{}, clocktesting.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	return NewRecent(live, now), live, now
}

// asked for by so many Servers, which look at their machines each half minute.
func ask(t *testing.T, r *Recent, times int, name string) (last map[string][]byte, err error) {
	t.Helper()
	for range times {
		last, err = r.Read(t.Context(), "shop", name)
	}
	return last, err
}

// TestRecent: a Secret is read once in 30 s, whoever asks, and anew once somebody doubts it or a clock went back.
func TestRecent(t *testing.T) {
	r, live, now := newRecent()
	for i, step := range []struct {
		pass   time.Duration
		forget bool
		want   int
	}{
		{want: 1},
		{pass: 29 * time.Second, want: 1},
		{pass: time.Second, want: 2},
		{forget: true, want: 3},
		{pass: -time.Hour, want: 4},
	} {
		now.SetTime(now.Now().Add(step.pass))
		if step.forget {
			r.Forget("shop", "iaas")
		}
		data, err := ask(t, r, 10_000, "iaas")
		if want := fmt.Sprint(step.want); err != nil || string(data["read"]) != want || live.reads != step.want {
			t.Errorf("step %d: read %s, %d reads, %v; want %s", i, data["read"], live.reads, err, want)
		}
	}
}

// TestRecentMissing: what is not there is looked for again soon, and what could not be asked at once.
func TestRecentMissing(t *testing.T) {
	r, live, now := newRecent()
	live.err = apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, "iaas")
	if _, err := ask(t, r, 100, "iaas"); !apierrors.IsNotFound(err) || live.reads != 1 {
		t.Errorf("%d reads, %v", live.reads, err)
	}
	now.Step(missing)
	live.err = errors.New("503")
	if _, err := ask(t, r, 2, "iaas"); err == nil || live.reads != 3 {
		t.Errorf("%d reads, %v", live.reads, err)
	}
	live.err = nil
	if data, err := ask(t, r, 2, "iaas"); err != nil || string(data["read"]) != "4" {
		t.Errorf("%s, %v", data["read"], err)
	}
}

// TestRecentKeepsNothing that nobody asks for any more: Secrets of namespaces that are gone leave the memory.
func TestRecentKeepsNothing(t *testing.T) {
	r, _, now := newRecent()
	for i := range 100 {
		if _, err := ask(t, r, 1, fmt.Sprintf("iaas-%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	now.Step(recently)
	if _, err := ask(t, r, 1, "another"); err != nil || len(r.kept) != 1 {
		t.Errorf("%d are kept, %v", len(r.kept), err)
	}
}
