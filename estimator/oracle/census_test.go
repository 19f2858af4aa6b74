package oracle

import (
	"fmt"
	"math/rand"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"
)

func nodeInfo(name string, pods ...*corev1.Pod) fwk.NodeInfo {
	info := framework.NewNodeInfo(pods...)
	info.SetNode(node(name, 4, 10, nil))
	return info
}

// The census against counting pods one by one, while pods and nodes come and go.
func TestCensusCountsWhatIsThere(t *testing.T) {
	random := rand.New(rand.NewSource(1))
	c := newCensus()
	selector := labels.SelectorFromSet(web)
	var nodes []fwk.NodeInfo
	for step := range 200 {
		switch random.Intn(4) {
		case 0:
			nodes = append(nodes, nodeInfo(fmt.Sprintf("n%d", step)))
		case 1:
			if len(nodes) > 3 {
				nodes = slices.Delete(nodes, 1, 2)
			}
		}
		if len(nodes) == 0 {
			continue
		}
		pod := podWith(fmt.Sprintf("p%d", step), 0, apps[random.Intn(len(apps))])
		if random.Intn(3) == 0 {
			antiAffinity(corev1.LabelHostname, selecting(map[string]string{"app": fmt.Sprint(random.Intn(2))}))(pod)
		}
		if random.Intn(4) == 0 {
			pod.DeletionTimestamp = &metav1.Time{}
		}
		info, err := framework.NewPodInfo(pod)
		if err != nil {
			t.Fatal(err)
		}
		nodes[random.Intn(len(nodes))].(*framework.NodeInfo).AddPodInfo(info)

		taken := c.take(nodes)
		for i, node := range nodes {
			want, wantLive, wantRepelling := 0, 0, 0
			for _, pod := range node.GetPods() {
				if len(pod.GetRequiredAntiAffinityTerms()) > 0 {
					wantRepelling++
				}
				if selector.Matches(labels.Set(pod.GetPod().Labels)) {
					want++
					if pod.GetPod().DeletionTimestamp == nil {
						wantLive++
					}
				}
			}
			got, gotLive, gotRepelling := 0, 0, 0
			for _, group := range taken.people[i].groups {
				if selector.Matches(labels.Set(taken.classes[group.class].pod.Labels)) {
					got, gotLive = got+int(group.pods), gotLive+int(group.live)
				}
			}
			for _, group := range taken.people[i].repelling {
				gotRepelling += int(group.pods)
				if len(taken.classes[group.class].repels) == 0 {
					t.Fatalf("step %d: a class that repels nobody among the repelling", step)
				}
			}
			if got != want || gotLive != wantLive || gotRepelling != wantRepelling {
				t.Fatalf("step %d, %s: %d pods, %d live, %d repelling, want %d, %d, %d", step, node.Node().Name, got, gotLive, gotRepelling, want,
					wantLive, wantRepelling)
			}
		}
	}
}

// Pods with labels of their own (a StatefulSet's) come and go for months: their classes must not stay.
func TestCensusForgetsClassesOfVanishedPods(t *testing.T) {
	c := newCensus()
	for i := range 3 * spareClasses {
		c.take([]fwk.NodeInfo{nodeInfo("n", podWith("p", 0, map[string]string{"name": fmt.Sprint(i)}))})
	}
	if len(c.classes) > spareClasses+2 {
		t.Errorf("%d classes for one pod", len(c.classes))
	}
}

func TestMemoKeepsWhatIsKnownWhenNodesMove(t *testing.T) {
	var nodes []fwk.NodeInfo
	for i := range 200 {
		nodes = append(nodes, nodeInfo(fmt.Sprintf("n%d", i)))
	}
	m := newMemo(2)
	ask := func(nodes []fwk.NodeInfo) int {
		values, computed := m.values("key", nodes, func(_, i int) int64 { return nodes[i].GetGeneration() })
		for i, node := range nodes {
			if values[i] != node.GetGeneration() {
				t.Fatalf("node %d: another node's value", i)
			}
		}
		return computed
	}
	moved := append([]fwk.NodeInfo{nodeInfo("new")}, slices.Delete(slices.Clone(nodes), 3, 4)...)
	for _, step := range []struct {
		what  string
		nodes []fwk.NodeInfo
		want  int
	}{{"the first time", nodes, 200}, {"again", nodes, 0}, {"one gone", nodes[1:], 0}, {"one gone, one come, all moved", moved, 2}} {
		if got := ask(step.nodes); got != step.want {
			t.Errorf("%s: %d nodes computed, want %d", step.what, got, step.want)
		}
	}
}

func TestPanicOfAWorkerReachesTheCaller(t *testing.T) {
	defer func() {
		if fault := recover(); fault != "out of order" {
			t.Errorf("recovered %v", fault)
		}
	}()
	inParallel(1000, func(_, i int) {
		if i == 999 {
			panic("out of order")
		}
	})
	t.Error("no panic")
}
