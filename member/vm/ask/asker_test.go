package ask

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
)

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// running asker of strings, its clock, and who was told.
func running(t *testing.T) (*Asker[string], *clocktesting.FakePassiveClock, chan types.NamespacedName) {
	t.Helper()
	now, told := clocktesting.NewFakePassiveClock(noon), make(chan types.NamespacedName, 100)
	a := New[string](now, func(name types.NamespacedName) { told <- name })
	a.ctx = t.Context()
	return a, now, told
}

func about(ask func(context.Context) (string, error)) Question[string] {
	return Question[string]{
		Object: Object{UID: "u", Name: types.NamespacedName{Name: "web-1"}}, ID: "op-1", Timeout: time.Minute, Ask: ask,
	}
}

// TestTheEndWaits for what is being asked, and nothing is asked after it.
func TestTheEndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := New[string](clocktesting.NewFakePassiveClock(noon), func(types.NamespacedName) {})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Start(ctx) }()
		synctest.Wait()
		asked, let := make(chan struct{}), make(chan struct{})
		a.Ask(about(func(context.Context) (string, error) {
			close(asked)
			<-let
			return "yes", nil
		}))
		<-asked
		cancel()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Error("it ended, and a question was under way")
			ended <- err
		default:
		}
		q := about(func(context.Context) (string, error) { panic("asked after the end") })
		q.ID = "op-2"
		a.Ask(q)
		close(let)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestAnswerIsKept: one question is put once, its answer stays, and is asked for anew after its time.
func TestAnswerIsKept(t *testing.T) {
	a, now, told := running(t)
	var asked atomic.Int64
	q := about(func(context.Context) (string, error) {
		asked.Add(1)
		return "yes", nil
	})
	if have := a.Ask(q); have.OK || have.Err != nil {
		t.Fatalf("an answer before there was one: %+v", have)
	}
	if name := <-told; name.Name != "web-1" {
		t.Errorf("told of %s", name)
	}
	for range 3 {
		if have := a.Ask(q); !have.OK || have.Value != "yes" || !have.At.Equal(noon) || !have.Wake.IsZero() {
			t.Errorf("%+v", have)
		}
	}
	q.Again = func(string) time.Duration { return time.Minute }
	if have := a.Ask(q); !have.Wake.Equal(noon.Add(time.Minute)) || asked.Load() != 1 {
		t.Errorf("%+v, asked %d times", have, asked.Load())
	}
	now.SetTime(noon.Add(time.Minute))
	if have := a.Ask(q); !have.OK || have.Value != "yes" {
		t.Errorf("the answer is gone while it is asked for anew: %+v", have)
	}
	<-told
	if asked.Load() != 2 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// TestSilence: who does not answer is asked more and more rarely, and the answer before stays with the error beside it.
func TestSilence(t *testing.T) {
	a, now, told := running(t)
	fails := errors.New("no answer")
	q := about(func(context.Context) (string, error) { return "", fails })
	a.Ask(q)
	<-told
	at := noon
	for i, wait := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
		have := a.Ask(q)
		if want := at.Add(wait * time.Second); have.OK || !errors.Is(have.Err, fails) || have.Tries != i+1 || !have.Wake.Equal(want) {
			t.Fatalf("try %d: %+v, want the next at %s", i+1, have, want)
		}
		at = at.Add(wait * time.Second)
		now.SetTime(at)
		a.Ask(q)
		<-told
	}
}

// TestLateAnswer: what comes in after the question was taken back is nobody's answer, and a new question is asked anew.
func TestLateAnswer(t *testing.T) {
	a, _, told := running(t)
	release := make(chan struct{})
	a.Ask(about(func(context.Context) (string, error) {
		<-release
		return "yes", nil
	}))
	a.Keep("u", "op-2")
	close(release)
	var again atomic.Bool
	q := about(func(context.Context) (string, error) {
		again.Store(true)
		return "no", nil
	})
	if have := a.Ask(q); have.OK {
		t.Errorf("the late answer counts: %+v", have)
	}
	<-told
	if have := a.Ask(q); have.Value != "no" || !again.Load() {
		t.Errorf("%+v", have)
	}
}

// TestNotRunning: nothing is asked by who does not lead.
func TestNotRunning(t *testing.T) {
	a, _, _ := running(t)
	a.ctx = nil
	q := about(func(context.Context) (string, error) { panic("asked") })
	if have := a.Ask(q); have.OK || !have.Wake.Equal(noon.Add(time.Second)) {
		t.Errorf("%+v", have)
	}
}
