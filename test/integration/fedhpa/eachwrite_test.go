package fedhpa

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/client-go/rest"

	"github.com/argosy-dev/argosy/test/fedhpaplane"
	"github.com/argosy-dev/argosy/test/nemesis/transport"
)

// TestEachWriteGoesWrong: a workload is taken over, followed and let go of with the same books, though any one write fails, meets a
// conflict, is answered to nobody, or is seen late by who made it.
func TestEachWriteGoesWrong(t *testing.T) {
	t.Parallel()
	p, err := fedhpaplane.New(t.Context(), "member1", "member2")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(p.Close)
	var number atomic.Int32
	transport.Sweep{Least: 8, InTurn: true, Serial: true}.EachWrite(t, func(t *testing.T, wrap func(*rest.Config) *rest.Config) {
		p.Through = wrap
		s := storyIn(t, p, fmt.Sprintf("each-%d", number.Add(1)))
		stop, err := p.Run()
		s.g.Expect(err).NotTo(HaveOccurred())
		defer func() { s.g.Expect(stop()).To(Succeed()) }()
		s.created()
		s.played(story.nowActive)
		s.g.Expect(s.books()).To(Equal("member1=3 member2=2 of 5, template 5"))
		s.grown()
		// The template may follow later: letting go writes both.
		s.played(func(s story) bool {
			_ = s.plane.Schedule(t.Context(), s.app)
			says, _ := s.books()
			return strings.HasPrefix(says, "member1=7 member2=2 of 9")
		})
		s.deleted()
		s.played(story.nowGone)
		s.released("member1=7 member2=2 of 9, template 9")
	})
}
