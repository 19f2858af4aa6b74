package fedhpa

import (
	"fmt"
	"strings"
	"testing"

	workv1alpha1 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha1"
	"github.com/karmada-io/karmada/pkg/util/names"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	api "github.com/argosy-dev/argosy/api/autoscaling/v1alpha1"
	"github.com/argosy-dev/argosy/test/fedhpaplane"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// TestPowerCutAtEveryWrite ends the controllers at each of their writes in turn, with a new process after it: taking over, following a
// member, letting go. What a half done step leaves is understood, and the end is the same.
func TestPowerCutAtEveryWrite(t *testing.T) {
	t.Parallel()
	g := NewWithT(t)
	p, err := fedhpaplane.New(t.Context(), "member1", "member2")
	g.Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Close)
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
	stop, err := p.Run()
	g.Expect(err).NotTo(HaveOccurred())
	for write, more := int64(1), true; more; write++ {
		more = false
		s := storyIn(t, p, fmt.Sprintf("write-%d", write))
		for _, step := range steps {
			p.Fuse.Store(write)
			step.prepare(s)
			if s.played(step.done) {
				more = true
				cuts[step.name]++
				// The next process has nothing but what the one that died left in the API server.
				g.Expect(stop()).To(Succeed())
				p.Fuse.Store(0)
				// What the one that died tried after the cut is no cut of the next.
				p.Cut.Store(false)
				stop, err = p.Run()
				g.Expect(err).NotTo(HaveOccurred())
				s.played(step.done)
			}
			s.g.Expect(s.books()).To(Equal(step.after), "%s, cut at write %d", step.name, write)
		}
		s.released(steps[len(steps)-1].after)
	}
	g.Expect(stop()).To(Succeed())
	t.Logf("cut at each write of: %v", cuts)
	for _, step := range steps {
		if cuts[step.name] < 3 {
			t.Errorf("%s: only %d writes were cut: does this test still see what it is about?", step.name, cuts[step.name])
		}
	}
}

// played goes on until done, or until the write that the controllers do not survive; it reports whether that came.
func (s story) played(done func(story) bool) bool {
	s.t.Helper()
	s.g.Eventually(func() bool { return s.plane.Cut.Load() || done(s) }, machine.Patience, "50ms").Should(BeTrue())
	cut := s.plane.Cut.Swap(false)
	if !cut {
		s.plane.Fuse.Store(0)
	}
	return cut
}

func (s story) created() {
	s.g.Expect(s.plane.Client.Create(s.t.Context(), s.app.FedHPA(2, 20))).To(Succeed())
}

// nowActive plays Karmada and the members. What fails was not there yet, or was changed meanwhile: it is tried again.
func (s story) nowActive() bool {
	_ = s.plane.Deliver(s.t.Context(), s.app)
	_ = s.nudge()
	for _, c := range s.app.Clusters {
		_ = s.plane.Report(s.t.Context(), s.app, c.Name, c.Replicas)
	}
	_ = s.plane.Schedule(s.t.Context(), s.app)
	ready, _ := s.ready()
	books, _ := s.condition(api.FedHPABooksAgree)
	return ready == "True Active" && books == "True BooksAgree"
}

// nudge wakes the controllers when the workload's Works have changed, which FedHPA does not watch: its own look comes five seconds later,
// which here would be waited for at every cut. (The other stories wait for it.)
func (s story) nudge() error {
	var seen []string
	for _, c := range s.app.Clusters {
		var work workv1alpha1.Work
		key := client.ObjectKey{
			Namespace: names.GenerateExecutionSpaceName(c.Name), Name: names.GenerateWorkName("Deployment", s.app.Name, s.app.Namespace),
		}
		if err := s.plane.Client.Get(s.t.Context(), key, &work); err != nil {
			return err
		}
		seen = append(seen, work.ResourceVersion)
	}
	return s.plane.Client.Patch(s.t.Context(), s.binding(), client.RawPatch(types.MergePatchType,
		fmt.Appendf(nil, `{"metadata":{"annotations":{"test/seen":%q}}}`, strings.Join(seen, " "))))
}

func (s story) grown() {
	s.g.Expect(s.plane.Report(s.t.Context(), s.app, "member1", 7)).To(Succeed())
}

func (s story) nowFollowed() bool {
	_ = s.plane.Schedule(s.t.Context(), s.app)
	says, _ := s.books()
	books, _ := s.condition(api.FedHPABooksAgree)
	var fed api.FedHPA
	err := s.plane.Client.Get(s.t.Context(), s.key(), &fed)
	// The condition alone may be that of before.
	return says == "member1=7 member2=2 of 9, template 9" && books == "True BooksAgree" && err == nil && fed.Status.DesiredReplicas == 9
}

func (s story) deleted() {
	s.g.Expect(s.plane.Client.Delete(s.t.Context(), s.app.FedHPA(2, 20))).To(Succeed())
}

func (s story) nowGone() bool {
	gone, _ := s.letGo()
	return gone
}
