package checker

import (
	"slices"
	"testing"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// TestRightIsNotFound changes the golden history by what is right, however odd: false alarms of earlier runs.
func TestRightIsNotFound(t *testing.T) {
	t.Parallel()
	fault := func(name, target string, ends bool) history.Record {
		return history.Record{Op: history.Noted, Note: &history.Note{Kind: history.Fault, Name: name, Target: target, Ends: ends}}
	}
	plain := in("member2", history.Deployments, "plain")
	for name, alter := range map[string]func(*testing.T, *tale){
		"what a Work asked for before arrives late": func(t *testing.T, g *tale) {
			i := g.find(t, plain, isPut)
			g.insert(i, history.Record{Op: history.Put, Key: plain, Object: workload(2)})
			g.insert(i, history.Record{Op: history.Put, Key: plain, Object: workload(3)})
			g.insert(i, history.Record{Op: history.Put, Key: plain, Object: workload(5)})
		},
		"a Work that somebody deleted takes its time to go": func(t *testing.T, g *tale) {
			i := g.find(t, plain, isPut)
			g.insert(i, history.Record{Op: history.Put, Key: plain, Object: workload(2)})
			g.insert(i, history.Record{Op: history.Delete, Key: plain})
			g.insert(i-20, fault("hand-work", "plain@member2", true))
			g.insert(i-20, fault("hand-work", "plain@member2", false))
		},
		"a Work that somebody deleted goes when nobody remembers it": func(t *testing.T, g *tale) {
			late := g.find(t, workKey("member2", "staged"), isPut)
			for _, r := range []history.Record{ // the last comes first
				{Op: history.Put, Key: plain, Object: workload(2)},
				{Op: history.Put, Key: workKey("member2", "plain"), Object: work("plain", "Deployment", 2)},
				{Op: history.Delete, Key: plain},
			} {
				g.insert(late, r)
			}
			i := g.find(t, workKey("member2", "plain"), func(r history.Record) bool { return isPut(r) && r.At.Before(epoch.Add(10*time.Second)) })
			deleted := work("plain", "Deployment", 2)
			deleted["metadata"] = map[string]any{"deletionTimestamp": "2026-11-29T23:34:27Z"}
			for _, r := range []history.Record{
				fault("hand-work", "plain@member2", true),
				{Op: history.Put, Key: workKey("member2", "plain"), Object: deleted},
				fault("hand-work", "plain@member2", false),
				{Op: history.Put, Key: bookOf("plain"), Object: book(2, 2)},
			} {
				g.insert(i, r)
			}
		},
		"a partition of the first image holds nothing back": func(t *testing.T, g *tale) {
			i := g.find(t, template("push"), isPut)
			g.Records[i].Object = pushed(4, 3, "v1")
			g.Records[i+1].Object = pod("push", "v1")
			g.insert(i+1, history.Record{Op: history.Delete, Key: in("member2", history.Pods, "old2")})
			g.insert(i+1, history.Record{Op: history.Put, Key: in("member2", history.Pods, "old2"), Object: pod("push", "v1")})
		},
		"a CloneSet that somebody deleted has only new pods when it is made again": func(t *testing.T, g *tale) {
			i := g.find(t, in("member1", history.Pods, "new1"), isPut) + 1
			for _, r := range []history.Record{ // the last comes first
				{Op: history.Put, Key: in("member2", history.Pods, "again2"), Object: pod("push", "v2")},
				{Op: history.Put, Key: in("member2", history.Pods, "again1"), Object: pod("push", "v2")},
				{Op: history.Put, Key: in("member2", history.CloneSets, "push"), Object: pushed(2, 1, "v2")},
				{Op: history.Delete, Key: in("member2", history.Pods, "old2")},
				{Op: history.Delete, Key: in("member2", history.CloneSets, "push")},
				fault("hand-delete", "push@member2", true),
				fault("hand-delete", "push@member2", false),
			} {
				g.insert(i, r)
			}
			for _, gone := range []string{"again2", "again1"} {
				g.insert(len(g.Records)-2, history.Record{Op: history.Delete, Key: in("member2", history.Pods, gone)})
			}
		},
		"a partition that is raised takes nothing back": func(t *testing.T, g *tale) {
			i := g.find(t, template("push"), isPut)
			g.insert(i, history.Record{Op: history.Put, Key: in("member2", history.Pods, "new2"), Object: pod("push", "v2")})
			g.insert(i, history.Record{Op: history.Delete, Key: in("member2", history.Pods, "old2")})
			g.insert(i-1, history.Record{Op: history.Put, Key: template("push"), Object: pushed(4, 2, "v2")})
			g.insert(len(g.Records)-2, history.Record{Op: history.Delete, Key: in("member2", history.Pods, "new2")})
		},
		"an object of no replicas is deleted": func(t *testing.T, g *tale) {
			i := g.find(t, plain, isPut)
			g.insert(i, history.Record{Op: history.Put, Key: plain, Object: workload(2)})
			g.insert(i, history.Record{Op: history.Delete, Key: plain})
			g.insert(i, history.Record{Op: history.Put, Key: workKey("member2", "plain"), Object: work("plain", "Deployment", 2)})
			g.insert(i, history.Record{Op: history.Put, Key: plain, Object: workload(0)})
			g.insert(i, history.Record{Op: history.Put, Key: workKey("member2", "plain"), Object: work("plain", "Deployment", 0)})
		},
		"a replica that moves comes before it goes": func(t *testing.T, g *tale) {
			i, there := g.find(t, in("member1", history.Pods, "new1"), isPut), in("member2", history.Pods, "new2")
			for _, r := range []history.Record{ // the last comes first
				{Op: history.Put, Key: bookOf("push"), Object: book(2, 2)},
				{Op: history.Delete, Key: in("member1", history.Pods, "new1")},
				{Op: history.Put, Key: there, Object: pod("push", "v2")},
				{Op: history.Put, Key: bookOf("push"), Object: book(0, 4)},
			} {
				g.insert(i, r)
			}
			g.insert(len(g.Records)-2, history.Record{Op: history.Delete, Key: there})
		},
		"a pod that a late write made goes again while an order runs": func(t *testing.T, g *tale) {
			i := g.find(t, in("member1", history.Pods, "a"), func(r history.Record) bool { return r.Op == history.Delete })
			late := in("member2", history.Pods, "late")
			g.insert(i, history.Record{Op: history.Delete, Key: late})
			g.insert(i, history.Record{Op: history.Put, Key: late, Object: pod("names", "v1")})
		},
		"the scheduler comes back to a member whose Work is being deleted": func(t *testing.T, g *tale) {
			gone := goesAndComes("plain")
			g.insertAll(g.find(t, plain, isPut), slices.Concat([]history.Record{
				{Op: history.Put, Key: bookOf("plain"), Object: book(2, 0)}, gone[0], {Op: history.Put, Key: bookOf("plain"), Object: book(2, 2)},
			}, gone[1:]))
		},
		"the scheduler comes back to a member just before Karmada deletes its Work by what it read before": func(t *testing.T, g *tale) {
			g.insertAll(g.find(t, plain, isPut), slices.Concat([]history.Record{
				{Op: history.Put, Key: bookOf("plain"), Object: book(2, 0)}, {Op: history.Put, Key: bookOf("plain"), Object: book(2, 2)},
			}, goesAndComes("plain")))
		},
		"the books are wrong while who would say so is dead": func(t *testing.T, g *tale) {
			fed := in(history.ControlPlane, history.FedHPAs, "fed")
			i := g.find(t, fed, func(r history.Record) bool {
				return r.Object.Condition("BooksAgree").Text("status") == "False" && r.At.Before(epoch.Add(20e9))
			})
			g.Records[i].Object = fedHPA("True")
			g.insert(i, fault("kill", "argosy/controller-manager", false))
			for j := i + 2; g.Records[j].At.Before(epoch.Add(60e9)); j++ {
				g.Records[j].At = g.Records[j].At.Add(31e9)
			}
			ended := fault("kill", "argosy/controller-manager", true)
			g.insert(i+2, ended)
		},
		"a cluster that is held gets again what somebody deleted in it": func(t *testing.T, g *tale) {
			// Of a revision that is open nowhere any more: another was pushed.
			staged, key := in(history.ControlPlane, history.Releases, "staged"), in("member1", history.Deployments, "staged")
			i := g.find(t, history.Key{}, func(r history.Record) bool {
				return r.Note.Kind == history.Pressure && r.At.Before(epoch.Add(200*time.Second))
			})
			g.insert(i, history.Record{Op: history.Put, Key: key, Object: bearing("r3")})
			g.insert(i, history.Record{Op: history.Put, Key: key, Object: workload(2)})
			j := g.find(t, key, func(r history.Record) bool { return r.At.Before(g.Records[i].At) })
			g.insert(j, history.Record{Op: history.Put, Key: staged, Object: release("r4", "r2")})
		},
		"a pod goes for what was scaled in before an order was written": func(t *testing.T, g *tale) {
			i := g.find(t, in(history.ControlPlane, history.PodScaleIns, "o1"), func(r history.Record) bool {
				return isPut(r) && r.Object.Text("status", "phase") == ""
			})
			other := in("member2", history.Pods, "c")
			g.insert(i, history.Record{Op: history.Delete, Key: other})
			g.insert(i-1, history.Record{Op: history.Put, Key: template("names"), Object: workload(3)})
			g.insert(i-1, history.Record{Op: history.Put, Key: other, Object: pod("names", "v1")})
		},
		"a pod goes for what was scaled in and out again just before an order": func(t *testing.T, g *tale) {
			i := g.find(t, in(history.ControlPlane, history.PodScaleIns, "o1"), func(r history.Record) bool {
				return isPut(r) && r.Object.Text("status", "phase") == ""
			})
			other := in("member2", history.Pods, "c")
			g.insert(i, history.Record{Op: history.Delete, Key: other})
			for _, replicas := range []int64{4, 3} { // the last comes first
				g.insert(i-1, history.Record{Op: history.Put, Key: template("names"), Object: workload(replicas)})
			}
			g.insert(i-1, history.Record{Op: history.Put, Key: other, Object: pod("names", "v1")})
		},
		"an autoscaler acts on the limit that it read just before": func(t *testing.T, g *tale) {
			i := g.find(t, in("member2", history.Deployments, "fed"), isPut)
			key := in("member2", history.HPAs, "fed")
			for _, r := range []history.Record{ // the last comes first
				{Op: history.Put, Key: g.Records[i].Key, Object: workload(2)},
				{Op: history.Put, Key: g.Records[i].Key, Object: workload(1)},
				{Op: history.Put, Key: key, Object: fedsHPA(2)},
				{Op: history.Put, Key: key, Object: fedsHPA(1)},
			} {
				g.insert(i, r)
			}
		},
		"a whitelist has nothing left to do": func(t *testing.T, g *tale) {
			g.insert(0, history.Record{
				Op: history.Put, Key: in(history.ControlPlane, history.Whitelists, "list"),
				Object: history.Object{
					"metadata": map[string]any{"uid": "w"}, "status": map[string]any{"conditions": []any{condition("Progressing", "False", "AllDone")}},
				},
			})
			g.insert(len(g.Records)-2, history.Record{Op: history.Delete, Key: in(history.ControlPlane, history.Whitelists, "list")})
		},
		"an application waits for a cluster to be federated, and the event says for what": func(t *testing.T, g *tale) {
			i := g.find(t, in(history.ControlPlane, history.Migrations, "moved"), isPut)
			waits := history.Object{"metadata": map[string]any{"uid": "m"}, "status": map[string]any{"management": "Static", "conditions": []any{
				condition("Federated", "False", "Pending"), condition("Advancing", "False", "ClusterUnreachable"),
			}}}
			other := in(history.ControlPlane, history.Migrations, "waiting")
			g.insert(len(g.Records)-2, history.Record{Op: history.Delete, Key: other})
			g.insert(i, history.Record{
				Op: history.Put, Key: history.Key{Plane: history.ControlPlane, Resource: history.Events, Namespace: ns, Name: "waiting.1"},
				Object: history.Object{"involvedObject": map[string]any{"uid": "m"}, "reason": "ClusterUnreachable"},
			})
			g.insert(0, history.Record{Op: history.Put, Key: other, Object: waits})
		},
		"the machine was too busy to come to rest": func(t *testing.T, g *tale) {
			i := g.find(t, history.Key{}, isPhase(history.PhaseRest))
			g.Records[i].Note = &history.Note{Kind: history.Phase, Name: history.PhaseRest, Text: " inconclusive"}
			j := g.find(t, in("member1", history.Deployments, "plain"), isPut)
			g.Records[j].Object = history.Object{"spec": map[string]any{"replicas": int64(2)}, "status": map[string]any{}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := golden()
			alter(t, g)
			for _, v := range All(g.History) {
				for _, found := range v.Violations {
					t.Errorf("%s: %s %s", v.Name, found.Key, found.What)
				}
			}
		})
	}
}
