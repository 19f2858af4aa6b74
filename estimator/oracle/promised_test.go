package oracle

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/klog/v2"
	"pgregory.net/rapid"
)

// thousandNodes take three pods of one CPU each.
func thousandNodes() *cluster {
	c := &cluster{}
	for i := range 1000 {
		c.objects = append(c.objects, node(fmt.Sprintf("n%d", i), 3, 110, zone(i%3)))
	}
	return c
}

// What is promised to others is subtracted, not placed one by one: 3,000 places and most of them promised gave 0.
func TestThousandsPromised(t *testing.T) {
	other := map[string]string{"app": "other"}
	o := thousandNodes().start(t)
	for name, tc := range map[string]struct {
		pod         *corev1.Pod
		ahead       Reservation
		least, most int64
		exact       bool
	}{
		"alike":              {podWith("p", 1000, web), Reservation{Pod: podWith("o", 1000, other), Count: 2500}, 500, 500, true},
		"its own":            {podWith("p", 1000, web), Reservation{Pod: podWith("o", 1000, web), Count: 2500}, 500, 500, true},
		"more than there is": {podWith("p", 1000, web), Reservation{Pod: podWith("o", 1000, other), Count: 4000}, 0, 0, true},
		"larger ones":        {podWith("p", 1000, web), Reservation{Pod: podWith("o", 3000, other), Count: 900}, 300, 300, false},
		"smaller ones":       {podWith("p", 1000, web), Reservation{Pod: podWith("o", 100, other), Count: 2500}, 1500, 2750, false},
		"on other nodes": {
			podWith("p", 1000, web, selectNode(corev1.LabelTopologyZone, "z0")),
			Reservation{Pod: podWith("o", 1000, other, selectNode(corev1.LabelTopologyZone, "z1")), Count: 900}, 1002, 1002, true,
		},
		"one to a host, room for more": {
			podWith("p", 1000, web, antiAffinity(corev1.LabelHostname, selecting(web))), Reservation{Pod: podWith("o", 1000, other), Count: 1500},
			500, 1000, false,
		},
		"spread over zones": {
			podWith("p", 1000, web, spread(corev1.LabelTopologyZone, 1, selecting(web))), Reservation{Pod: podWith("o", 1000, other), Count: 300},
			1800, 2700, false,
		},
		"a host port that both want": {
			podWith("p", 100, web, hostPort(80)), Reservation{Pod: podWith("o", 100, other, hostPort(80), tolerate("x")), Count: 700}, 300, 300,
			false,
		},
		"one that only one of them has": {
			podWith("p", 1000, web), Reservation{Pod: podWith("o", 1000, other, hostPort(80)), Count: 700}, 2300, 2300, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			begun := o.clock.Now()
			got := ask(t, o, Question{Pod: tc.pod, Ahead: []Reservation{tc.ahead}, Budget: time.Hour})
			if got.Count < tc.least || got.Count > tc.most || got.Path == PathPlaced || tc.exact && got.Width > 0 {
				t.Errorf("%d by %s (%s), width %d, want %d to %d by a closed form", got.Count, got.Path, got.Why, got.Width, tc.least, tc.most)
			}
			t.Logf("%d by %s in %s", got.Count, got.Path, o.clock.Now().Sub(begun))
		})
	}
}

// Pending pods are held against the question together, as so many promised ones are: a small one takes at most one place of the three on
// its node, and the next nine there none; each by itself would be said to take a place wherever it goes, which left 500.
func TestThousandsPending(t *testing.T) {
	c := thousandNodes()
	for i := range 2500 {
		c.objects = append(c.objects, podWith(fmt.Sprintf("o%d", i), 100, map[string]string{"app": fmt.Sprintf("other-%d", i%2)}))
	}
	o := c.start(t)
	begun := o.clock.Now()
	got := ask(t, o, Question{Pod: podWith("p", 1000, web), Budget: time.Hour})
	t.Logf("%d by %s in %s", got.Count, got.Path, o.clock.Now().Sub(begun))
	if got.Count < 1500 || got.Count > 2750 || got.Path == PathPlaced {
		t.Errorf("%d by %s (%s), want 1500 to 2750 by a closed form", got.Count, got.Path, got.Why)
	}
}

// Whatever is subtracted by arithmetic is never less than what the scheduler's placing costs, wherever chance makes it place.
func TestSubtractingNeverSaysMoreThanPlacing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.Logger{}))
		defer cancel()
		c := randomCluster(t)
		// What looks across nodes is placed before the rest is subtracted, whatever its turn: here nothing does.
		c.objects = slices.DeleteFunc(c.objects, func(object runtime.Object) bool {
			pod, ok := object.(*corev1.Pod)
			return ok && pod.Spec.NodeName == ""
		})
		o := c.startWith(ctx, func(err error) { t.Fatal(err) })
		pod := randomPod(t, "p")
		other := podWith("o", rapid.Int64Range(0, 3).Draw(t, "their request")*500, rapid.SampledFrom(apps).Draw(t, "their labels"))
		other.Spec.Priority = pod.Spec.Priority
		if rapid.Bool().Draw(t, "their port") {
			hostPort(8080)(other)
		}
		q := Question{Pod: pod, Ahead: []Reservation{{Pod: other, Count: fewAhead + 1}}, Budget: time.Hour}
		if pod.Spec.Affinity == nil && len(pod.Spec.TopologySpreadConstraints) == 0 {
			q.Ahead = append(q.Ahead, Reservation{Pod: pod, Count: rapid.IntRange(0, 2).Draw(t, "own")})
		}
		counted, err := o.Fit(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		if counted.Path == PathPlaced || counted.Path == PathGated {
			return
		}
		q.Judge = true
		most := int64(0)
		for range 5 {
			placed, err := o.Fit(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			most = max(most, placed.Count+placed.Width)
			if counted.Exact && counted.Count != placed.Count {
				t.Fatalf("%d by %s, exactly, the scheduler places %d", counted.Count, counted.Path, placed.Count)
			}
			if counted.Count <= most {
				return
			}
		}
		t.Fatalf("%d by %s, the scheduler places %d at most", counted.Count, counted.Path, most)
	})
}
