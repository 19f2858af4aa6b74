package decide

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/release/v1alpha1"
)

// historyLimit is how many revisions the status lists, and historyBytes what they may weigh.
const (
	historyLimit = 10
	historyBytes = 4 << 20
)

// remember the template's revision: it is recorded before it is opened anywhere.
func (n *next) remember() {
	n.Record = true
	size := n.Template.Bytes
	n.Status.History = slices.DeleteFunc(n.Status.History, func(r v1alpha1.Revision) bool {
		if r.Name != n.Template.Revision {
			return false
		}
		size = max(size, r.Bytes)
		return true
	})
	n.Status.History = append(n.Status.History, v1alpha1.Revision{Name: n.Template.Revision, Time: metav1.NewTime(n.Now),
		Images: n.Template.Images, Bytes: size})
	n.forget()
}

// forget the oldest revisions that are too many, or too much for the budget, but the stable and the newest: these can be gone back to
// always. What a cluster has stays recorded, listed or not.
func (n *next) forget() {
	all := int64(0)
	for _, one := range n.Status.History {
		all += one.Bytes
	}
	for i := 0; i < len(n.Status.History)-1 && (len(n.Status.History) > historyLimit || all > historyBytes); {
		if one := n.Status.History[i]; n.Status.Dispatch == nil || one.Name != n.Status.Dispatch.Stable {
			all -= one.Bytes
			n.Status.History = slices.Delete(n.Status.History, i, i+1)
			continue
		}
		i++
	}
}
