package fedhpa

import (
	"fmt"
	"testing"

	. "github.com/onsi/gomega"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/fedhpaplane"
)

// TestPowerCutAtEveryWrite ends the controllers at each of their writes in turn, with a new process after it: taking over, following a member, letting
// go. What a half done step leaves is understood, and the end is the same.
func TestPowerCutAtEveryWrite(t *testing.T) {
	g := NewWithT(t)
	p, err := fedhpaplane.New(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Close)
	for _, name := range []string{"member1", "member2"} {
		g.Expect(p.Join(t.Context(), name)).To(Succeed())
	}
	steps := []struct {
		name string
		// prepare gives the controllers something to do. done plays the others, and reports that it is done; after is what the books say then.
		prepare func(story)
		done    func(story) bool
		after   string
	}{
		{"taking over", story.created, story.nowActive, "member1=3 member2=2 of 5, template 5"},
		{"following", story.grown, story.nowFollowed, "member1=7 member2=2 of 9, template 9"},
		{"letting go", story.deleted, story.nowGone, "member1=7 member2=2 of 9, template 9"},
	}
	cuts := map[string]int{}
	for write, more := int64(1), true; more; write++ {
		more = false
		s := storyIn(t, p, fmt.Sprintf("write-%d", write))
		for _, step := range steps {
			step.prepare(s)
			// The process that dies, and the one after it.
			if s.playedBy(write, step.done) {
				more = true
				cuts[step.name]++
				s.playedBy(0, step.done)
			}
			s.g.Expect(s.books()).To(Equal(step.after), "%s, cut at write %d", step.name, write)
		}
		s.released(steps[len(steps)-1].after)
	}
	t.Logf("cut at each write of: %v", cuts)
	for _, step := range steps {
		if cuts[step.name] < 3 {
			t.Errorf("%s: only %d writes were cut: does this test still see what it is about?", step.name, cuts[step.name])
		}
	}
}

// playedBy runs the controllers until done, or until the write they do not survive (0: none); it reports whether that came.
func (s story) playedBy(cut int64, done func(story) bool) bool {
	s.t.Helper()
	s.plane.Fuse.Store(cut)
	stop, err := s.plane.Run()
	s.g.Expect(err).NotTo(HaveOccurred())
	s.g.Eventually(func() bool { return s.plane.Cut.Load() || done(s) }, "60s", "100ms").Should(BeTrue())
	s.g.Expect(stop()).To(Succeed())
	return s.plane.Cut.Swap(false)
}

func (s story) created() {
	s.g.Expect(s.plane.Client.Create(s.t.Context(), s.app.FedHPA(2, 20))).To(Succeed())
}

// nowActive plays Karmada and the members. What fails was not there yet, or was changed meanwhile: it is tried again.
func (s story) nowActive() bool {
	_ = s.plane.Deliver(s.t.Context(), s.app)
	for _, c := range s.app.Clusters {
		_ = s.plane.Report(s.t.Context(), s.app, c.Name, c.Replicas)
	}
	_ = s.plane.Schedule(s.t.Context(), s.app)
	ready, _ := s.ready()
	books, _ := s.condition(api.FedHPABooksAgree)
	return ready == "True Active" && books == "True BooksAgree"
}

func (s story) grown() {
	s.g.Expect(s.plane.Report(s.t.Context(), s.app, "member1", 7)).To(Succeed())
}

func (s story) nowFollowed() bool {
	_ = s.plane.Schedule(s.t.Context(), s.app)
	says, _ := s.books()
	books, _ := s.condition(api.FedHPABooksAgree)
	return says == "member1=7 member2=2 of 9, template 9" && books == "True BooksAgree"
}

func (s story) deleted() {
	s.g.Expect(s.plane.Client.Delete(s.t.Context(), s.app.FedHPA(2, 20))).To(Succeed())
}

func (s story) nowGone() bool {
	gone, _ := s.letGo()
	return gone
}
