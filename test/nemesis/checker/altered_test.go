package checker

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// find is the number of the last record of an object that the test is looking for.
func (t *tale) find(test *testing.T, key history.Key, right func(history.Record) bool) int {
	test.Helper()
	for i, r := range slices.Backward(t.Records) {
		if r.Key == key && (right == nil || right(r)) {
			return i
		}
	}
	test.Fatalf("the golden history has no such record of %s", key)
	return 0
}

// insert puts a record after one, at the same time.
func (t *tale) insert(at int, r history.Record) {
	r.At, r.Revision = t.Records[at].At, t.Records[at].Revision
	t.Records = slices.Insert(t.Records, at+1, r)
}

// insertAll puts records after one, in their order.
func (t *tale) insertAll(at int, records []history.Record) {
	for _, r := range slices.Backward(records) {
		t.insert(at, r)
	}
}

// goesAndComes is a Work of member2 that is deleted: its Deployment of two replicas goes with it, and both are made again.
func goesAndComes(use string) []history.Record {
	of, deleted := workKey("member2", use), work(use, "Deployment", 2)
	deleted["metadata"] = map[string]any{"deletionTimestamp": "2026-11-29T19:14:01Z"}
	return []history.Record{
		{Op: history.Put, Key: of, Object: deleted},
		{Op: history.Delete, Key: in("member2", history.Deployments, use)},
		{Op: history.Put, Key: of, Object: work(use, "Deployment", 2)},
		{Op: history.Put, Key: in("member2", history.Deployments, use), Object: workload(2)},
	}
}

func isPut(r history.Record) bool { return r.Op == history.Put }

func isPhase(name string) func(history.Record) bool {
	return func(r history.Record) bool { return phase(r) == name }
}

// TestAlteredIsFound changes one record of the golden history: one checker finds it, and no other.
func TestAlteredIsFound(t *testing.T) {
	t.Parallel()
	fed, cronKey := in(history.ControlPlane, history.FedHPAs, "fed"), in(history.ControlPlane, history.CronHPAs, "cron")
	moved := in(history.ControlPlane, history.Migrations, "moved")
	for name, tc := range map[string]struct {
		alter func(*testing.T, *tale)
		want  []string
	}{
		"the books agree all along": {
			alter: func(t *testing.T, g *tale) {
				// While the member has three and the books say two, for 36 s.
				i := g.find(t, fed, func(r history.Record) bool {
					return r.Object.Condition("BooksAgree").Text("status") == "False" && r.At.Before(epoch.Add(time.Minute))
				})
				g.Records[i].Object = fedHPA("True")
				for j := i + 1; j < len(g.Records); j++ { // what follows comes later
					g.Records[j].At = g.Records[j].At.Add(31 * time.Second)
				}
			},
			want: []string{"C1 books"},
		},
		"a member falls by nobody's right": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, in("member2", history.Deployments, "plain"), isPut)
				g.Records[i].Object = workload(1)
				g.insert(i, history.Record{Op: history.Put, Key: g.Records[i].Key, Object: workload(2)})
			},
			want: []string{"C2 replicas"},
		},
		"an autoscaler acts on a limit that was raised long ago": {
			alter: func(t *testing.T, g *tale) {
				i, j := g.find(t, history.Key{}, isPhase(history.PhaseCalm)), g.find(t, in("member2", history.HPAs, "fed"), isPut)
				key := in("member2", history.Deployments, "fed")
				g.insert(i, history.Record{Op: history.Put, Key: key, Object: workload(2)})
				g.insert(i, history.Record{Op: history.Put, Key: key, Object: workload(1)})
				g.insert(j, g.Records[j])
				g.Records[j].Object = fedsHPA(1)
			},
			want: []string{"C2 replicas"},
		},
		"a template falls below what its owner wants": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, template("plain"), isPut)
				g.insert(i, g.Records[i])
				g.Records[i].Object = workload(3)
			},
			want: []string{"C2 replicas"},
		},
		"a workload is deleted that its member is to have": {
			alter: func(t *testing.T, g *tale) {
				key := in("member2", history.Deployments, "plain")
				i := g.find(t, key, isPut)
				g.insert(i, history.Record{Op: history.Put, Key: key, Object: workload(2)})
				g.insert(i, history.Record{Op: history.Delete, Key: key})
			},
			want: []string{"C2 replicas"},
		},
		"Karmada writes what is static": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, moved, func(r history.Record) bool { return r.Object.Text("status", "management") == "Changing" })
				g.Records[i], g.Records[i+1] = g.Records[i+1], g.Records[i]
			},
			want: []string{"C3 static"},
		},
		"two pods are new where one is asked for": {
			alter: func(t *testing.T, g *tale) {
				key := in("member2", history.Pods, "new2")
				i := g.find(t, in("member1", history.Pods, "new1"), isPut)
				g.insert(i, history.Record{Op: history.Delete, Key: key})
				g.insert(i, history.Record{Op: history.Put, Key: key, Object: pod("push", "v2")})
			},
			want: []string{"C4 canary"},
		},
		"a CloneSet that nobody deleted is made again": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, in("member1", history.Pods, "new1"), isPut)
				key, pods := in("member2", history.CloneSets, "push"), in("member2", history.Pods, "new2")
				g.insert(i, history.Record{Op: history.Delete, Key: pods})
				g.insert(i, history.Record{Op: history.Put, Key: pods, Object: pod("push", "v2")})
				g.insert(i, history.Record{Op: history.Put, Key: key, Object: pushed(2, 1, "v2")})
				g.insert(i, history.Record{Op: history.Delete, Key: key})
			},
			want: []string{"C2 replicas", "C4 canary"},
		},
		"no pod is new at rest where one is asked for": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, history.Key{}, isPhase(history.PhaseCalm))
				g.insert(i, history.Record{Op: history.Delete, Key: in("member1", history.Pods, "new1")})
			},
			want: []string{"C4 canary"},
		},
		"a firing is in no history": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, cronKey, isPut)
				g.Records[i].Object = cronHPA(applied(2, 1), applied(1, 1))
			},
			want: []string{"C5 firings"},
		},
		"a firing is applied after its deadline": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, cronKey, isPut)
				g.Records[i].Object = cronHPA(applied(3, 40), applied(2, 1), applied(1, 1))
			},
			want: []string{"C5 firings"},
		},
		"a firing is said to be applied that nobody saw": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, cronKey, isPut)
				entry := applied(3, 1)
				entry["replicas"] = int64(9)
				g.Records[i].Object = cronHPA(entry, applied(2, 1), applied(1, 1))
			},
			want: []string{"C5 firings"},
		},
		"a Work is deleted that the scheduling result asks for all the while": {
			alter: func(t *testing.T, g *tale) {
				g.insertAll(g.find(t, in("member2", history.Deployments, "plain"), isPut), goesAndComes("plain"))
			},
			want: []string{"C2 replicas"},
		},
		"another pod goes than was named": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, in("member1", history.Pods, "a"), nil)
				g.insert(i, history.Record{Op: history.Delete, Key: in("member1", history.Pods, "b")})
			},
			want: []string{"C6 scale-in"},
		},
		"a pod that was named is there": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, in("member1", history.Pods, "a"), nil)
				g.Records[i].Name = "nobody"
				g.insert(len(g.Records)-2, history.Record{Op: history.Delete, Key: in("member1", history.Pods, "a")})
			},
			want: []string{"C6 scale-in"},
		},
		"a cluster opens with one approval of two": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, moved, func(r history.Record) bool { return r.Object.Text("status", "management") == "Changing" })
				g.Records[i].Object = migration("Changing", "Opening", "jane")
			},
			want: []string{"C7 approvals"},
		},
		"one user approves twice": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, moved, func(r history.Record) bool { return r.Object.Text("status", "management") == "Changing" })
				g.Records[i].Object = migration("Changing", "Opening", "jane", "jane")
			},
			want: []string{"C7 approvals"},
		},
		"a revision comes to a member before its stage": {
			alter: func(t *testing.T, g *tale) {
				key := in("member2", history.Deployments, "staged")
				i := g.find(t, in(history.ControlPlane, history.Releases, "staged"), func(r history.Record) bool {
					return r.Object.Text("status", "dispatch", "stable") == "r1" && r.Object.Text("status", "dispatch", "revision") == "r2"
				})
				g.insert(i, history.Record{Op: history.Put, Key: key, Object: bearing("r2")})
			},
			want: []string{"C8 release"},
		},
		"a Work brings a revision that is open elsewhere": {
			alter: func(t *testing.T, g *tale) {
				staged := in(history.ControlPlane, history.Releases, "staged")
				i := g.find(t, workKey("member2", "staged"), isPut)
				j := g.find(t, staged, func(r history.Record) bool { return r.Object.Text("status", "dispatch", "stable") == "r3" })
				g.Records[i], g.Records[j] = g.Records[j], g.Records[i]
			},
			want: []string{"C8 release"},
		},
		"a revision comes back that was rejected long ago": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, history.Key{}, func(r history.Record) bool { return r.Note.Kind == history.Pressure })
				g.insert(i, history.Record{Op: history.Put, Key: workKey("member1", "staged"), Object: bringing("r3")})
				g.insert(i, history.Record{Op: history.Put, Key: workKey("member1", "staged"), Object: bringing("r2")})
			},
			want: []string{"C8 release"},
		},
		"a release is not at its end at rest": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, in(history.ControlPlane, history.Releases, "staged"), isPut)
				g.Records[i].Object.Condition("Complete")["status"] = "False"
			},
			want: []string{"C11 liveness"},
		},
		"an event is missing": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, in(history.ControlPlane, history.Events, "e"), nil)
				g.Records[i].Object = history.Object{"involvedObject": map[string]any{"uid": "another"}, "reason": "Syncing"}
			},
			want: []string{"C10 silence"},
		},
		"a member's pods are not ready at rest": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, in("member1", history.Deployments, "plain"), isPut)
				g.Records[i].Object = history.Object{"spec": map[string]any{"replicas": int64(2)}, "status": map[string]any{"readyReplicas": int64(1)}}
			},
			want: []string{"C11 liveness"},
		},
		"an owner wants more at rest": {
			alter: func(t *testing.T, g *tale) {
				key := template("plain")
				i := g.find(t, history.Key{}, isPhase(history.PhaseCalm))
				five := &history.Note{Kind: history.Intent, Name: "plain", Target: "plain", Subject: &key, Value: 5}
				g.insert(i, history.Record{Op: history.Noted, Note: five})
			},
			want: []string{"C11 liveness"},
		},
		"a scale is refused for a minute": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, history.Key{}, func(r history.Record) bool { return r.Note.Kind == history.Operation })
				g.Records[i].Note = &history.Note{
					Kind: history.Operation, Name: "scale", Target: "plain", Value: 60000,
					Text: `Internal error occurred: failed calling webhook "scale.argosy.dev": connection refused`,
				}
			},
			want: []string{"C12 absence"},
		},
		"one object is written again and again": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, fed, func(r history.Record) bool { return r.Agent != "" })
				for range 200 {
					g.insert(i, g.Records[i])
				}
			},
			want: []string{"C13 writes"},
		},
		"a Work is left": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, workKey("member1", "plain"), nil)
				g.Records = slices.Delete(g.Records, i, i+1)
			},
			want: []string{"C14 leftovers"},
		},
		"somebody approves a stage in another's name": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, in(history.ControlPlane, history.Releases, "staged"), func(r history.Record) bool { return r.Who == "ann" })
				g.Records[i].Who = "jane"
			},
			want: []string{"C15 roles"},
		},
		"somebody approves who has no right to": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, history.Key{}, func(r history.Record) bool { return r.Note.Kind == history.Operation })
				g.Records[i].Note.Name = history.Trespass
			},
			want: []string{"C15 roles"},
		},
		"somebody approves in another's name": {
			alter: func(t *testing.T, g *tale) {
				i := g.find(t, moved, func(r history.Record) bool { return r.Who == "joe" })
				g.Records[i].Who = "jane"
			},
			want: []string{"C15 roles"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := golden()
			tc.alter(t, g)
			var got []string
			for _, v := range All(g.History) {
				if len(v.Violations) > 0 {
					got = append(got, v.Name)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("violated (-want +got):\n%s", diff)
			}
		})
	}
}
