package checker

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/argosy-dev/argosy/test/nemesis/history"
)

// The golden history: a federation of two members in which all goes well. Every checker has something to judge in it and finds nothing
// wrong; each of the altered ones is the same with one record changed, and exactly one checker finds that.

const ns = "nemesis"

// epoch is a whole minute.
var epoch = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// tale is a history that is being written.
type tale struct {
	history.History
	now time.Time
}

// after so many seconds.
func (t *tale) after(seconds int) *tale {
	t.now = t.now.Add(time.Duration(seconds) * time.Second)
	return t
}

func (t *tale) add(r history.Record) *tale {
	r.Revision, r.At = int64(len(t.Records)+1), t.now
	t.Records = append(t.Records, r)
	return t
}

func (t *tale) put(key history.Key, o history.Object) *tale {
	return t.add(history.Record{Op: history.Put, Key: key, Object: o})
}

func (t *tale) by(who, agent string) {
	last := &t.Records[len(t.Records)-1]
	last.Who, last.Agent = who, agent
}

func (t *tale) del(key history.Key) *tale { return t.add(history.Record{Op: history.Delete, Key: key}) }

func (t *tale) note(n history.Note) *tale { return t.add(history.Record{Op: history.Noted, Note: &n}) }

func (t *tale) phase(name string) *tale {
	return t.note(history.Note{Kind: history.Phase, Name: name})
}

func (t *tale) intent(use string, n int64) *tale {
	key := template(use)
	return t.note(history.Note{Kind: history.Intent, Name: use, Target: use, Subject: &key, Value: n})
}

func in(plane, resource, name string) history.Key {
	return history.Key{Plane: plane, Resource: resource, Namespace: ns, Name: name}
}

func resourceFor(use string) string {
	if use == "fed" || use == "plain" || use == "moved" || use == "staged" {
		return history.Deployments
	}
	return history.CloneSets
}

func template(use string) history.Key {
	return in(history.ControlPlane, resourceFor(use), use)
}

func bookOf(use string) history.Key {
	return in(history.ControlPlane, history.Bindings, app{key: template(use)}.binding().Name)
}

func workload(n int64) history.Object {
	return history.Object{
		"metadata": map[string]any{"uid": "u"}, "spec": map[string]any{"replicas": n, "template": map[string]any{"images": "v1"}},
		"status": map[string]any{"readyReplicas": n},
	}
}

func pushed(n, partition int64, image string) history.Object {
	o := workload(n)
	spec := o["spec"].(map[string]any)
	spec["template"] = map[string]any{"images": image}
	spec["updateStrategy"] = map[string]any{"partition": partition}
	return o
}

func book(one, two int64) history.Object {
	return history.Object{"spec": map[string]any{"clusters": []any{
		map[string]any{"name": "member1", "replicas": one}, map[string]any{"name": "member2", "replicas": two},
	}}}
}

func work(use, kind string, n int64) history.Object {
	return history.Object{"spec": map[string]any{"workload": map[string]any{"manifests": []any{map[string]any{
		"kind": kind, "metadata": map[string]any{"namespace": ns, "name": use}, "spec": map[string]any{"replicas": n},
	}}}}}
}

func workKey(member, use string) history.Key {
	return history.Key{Plane: history.ControlPlane, Resource: history.Works, Namespace: "karmada-es-" + member, Name: use + "-abc"}
}

func condition(kind, status, reason string) map[string]any {
	return map[string]any{"type": kind, "status": status, "reason": reason}
}

func fedHPA(books string) history.Object {
	return history.Object{
		"metadata": map[string]any{"uid": "fed-uid"}, "spec": map[string]any{"minReplicas": int64(4)},
		"status": map[string]any{"conditions": []any{condition("Ready", "True", "Active"), condition("BooksAgree", books, "Syncing")}},
	}
}

func fedsHPA(least int64) history.Object {
	return history.Object{"spec": map[string]any{"minReplicas": least, "scaleTargetRef": map[string]any{"kind": "Deployment", "name": "fed"}}}
}

func pod(use, image string) history.Object {
	return history.Object{
		"metadata": map[string]any{"namespace": ns, "labels": map[string]any{"app": use}}, "spec": map[string]any{"images": image},
	}
}

func cronHPA(entries ...any) history.Object {
	return history.Object{
		"metadata": map[string]any{"uid": "cron-uid", "creationTimestamp": epoch.Format(time.RFC3339)},
		"spec": map[string]any{
			"scaleTargetRef": map[string]any{"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet", "name": "cron"},
			"rules": []any{map[string]any{
				"name": "each", "schedule": "* * * * *", "targetReplicas": int64(4), "startingDeadlineSeconds": int64(30),
			}},
		},
		"status": map[string]any{"rules": []any{map[string]any{"name": "each", "history": entries}}},
	}
}

func applied(minute, late int) map[string]any {
	due := epoch.Add(time.Duration(minute) * time.Minute)
	return map[string]any{
		"scheduledTime": due.Format(time.RFC3339), "handledTime": due.Add(time.Duration(late) * time.Second).Format(time.RFC3339),
		"result": "Applied", "replicas": int64(4),
	}
}

func orderOf(phase string, pods ...string) history.Object {
	var named []any
	for _, p := range pods {
		cluster, name, _ := strings.Cut(p, "/")
		named = append(named, map[string]any{"cluster": cluster, "name": name})
	}
	return history.Object{
		"spec":   map[string]any{"targetRef": map[string]any{"name": "names"}, "pods": named},
		"status": map[string]any{"phase": phase},
	}
}

func migration(management, state string, approvers ...string) history.Object {
	var approvals []any
	for _, user := range approvers {
		approvals = append(approvals, map[string]any{"user": user, "planHash": "h1"})
	}
	return history.Object{
		"spec": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "moved", "approvals": approvals},
		"status": map[string]any{
			"management": management, "requiredApprovals": int64(2), "plan": map[string]any{"hash": "h1"},
			"clusters": []any{map[string]any{"name": "member1", "state": state}},
		},
	}
}

// release of a Deployment: what is open where, and what all others have. It is complete where that is everywhere.
func release(revision, stable string, open ...any) history.Object {
	complete := "False"
	if revision == stable {
		complete = "True"
	}
	return history.Object{
		"metadata": map[string]any{"uid": "staged-uid"},
		"spec": map[string]any{
			"targetRef": map[string]any{"apiVersion": "apps/v1", "kind": "Deployment", "name": "staged"},
			"approvals": []any{map[string]any{"user": "ann", "revision": revision, "stage": "one"}},
		},
		"status": map[string]any{
			"dispatch": map[string]any{"revision": revision, "stable": stable, "open": open},
			"conditions": []any{
				condition("Adopted", "True", "Adopted"), condition("Complete", complete, "Updating"), condition("Stalled", "False", "AsExpected"),
			},
		},
	}
}

// bearing is a Deployment of a revision in a member.
func bearing(revision string) history.Object {
	o := workload(2)
	o["metadata"].(map[string]any)["annotations"] = map[string]any{markRevision: revision}
	return o
}

// bringing is the Work that brings it.
func bringing(revision string) history.Object {
	o := work("staged", "Deployment", 2)
	manifest := o.List("spec", "workload", "manifests")[0]
	manifest["apiVersion"] = "apps/v1"
	manifest["metadata"].(map[string]any)["annotations"] = map[string]any{markRevision: revision}
	return o
}

// bears is a member that gets a revision.
func (t *tale) bears(member, revision string) *tale {
	return t.put(workKey(member, "staged"), bringing(revision)).put(in(member, history.Deployments, "staged"), bearing(revision))
}

// divide writes all that says that an application runs so in the two members.
func (t *tale) divide(use, kind string, one, two int64) *tale {
	t.put(template(use), workload(one+two)).put(bookOf(use), book(one, two))
	for i, n := range []int64{one, two} {
		member := fmt.Sprintf("member%d", i+1)
		t.put(workKey(member, use), work(use, kind, n)).put(in(member, resourceFor(use), use), workload(n))
	}
	return t
}

// golden lasts five minutes.
func golden() *tale {
	t := &tale{now: epoch}
	fed, cron := in(history.ControlPlane, history.FedHPAs, "fed"), in(history.ControlPlane, history.CronHPAs, "cron")
	order, moved := in(history.ControlPlane, history.PodScaleIns, "o1"), in(history.ControlPlane, history.Migrations, "moved")
	t.phase(history.PhaseStart)
	t.intent("plain", 6).divide("plain", "Deployment", 3, 3)
	t.intent("fed", 4).divide("fed", "Deployment", 2, 2)
	for _, m := range []string{"member1", "member2"} {
		t.put(in(m, history.HPAs, "fed"), fedsHPA(2))
	}
	t.put(fed, fedHPA("True"))
	t.intent("cron", 4).divide("cron", "CloneSet", 2, 2).put(cron, cronHPA())
	t.intent("names", 4).divide("names", "CloneSet", 2, 2)
	for _, p := range []string{"a", "b"} {
		t.put(in("member1", history.Pods, p), pod("names", "v1"))
	}
	t.intent("push", 4).divide("push", "CloneSet", 2, 2)
	t.put(moved, migration("Static", "Suspended"))
	t.put(in("member1", history.Deployments, "moved"), workload(3)).by("jane", "kubectl")

	staged := in(history.ControlPlane, history.Releases, "staged")
	t.intent("staged", 4).divide("staged", "Deployment", 2, 2)
	t.put(staged, release("r1", "r1", "*")).bears("member1", "r1").bears("member2", "r1")

	t.after(5).phase(history.PhaseLoad)
	t.note(history.Note{Kind: history.Operation, Name: "scale", Target: "plain", Value: 120})
	t.intent("plain", 4).divide("plain", "Deployment", 2, 2)
	t.put(template("push"), pushed(4, 3, "v2")).put(in("member1", history.Pods, "new1"), pod("push", "v2"))

	// An autoscaler moves, and the books follow.
	t.after(5).put(in("member1", history.Deployments, "fed"), workload(3)).put(fed, fedHPA("False"))
	t.after(5).put(bookOf("fed"), book(3, 2)).put(template("fed"), workload(5))
	t.put(fed, fedHPA("True")).by("argosy", "argosy-controller-manager")
	t.after(1).put(in("member1", history.Deployments, "fed"), workload(2)).put(bookOf("fed"), book(2, 2)).put(template("fed"), workload(4))

	// A pod goes by name.
	t.after(1).intent("names", 3).put(order, orderOf("", "member1/a"))
	t.after(1).del(in("member1", history.Pods, "a")).divide("names", "CloneSet", 1, 2).put(order, orderOf("Succeeded", "member1/a"))

	// Two people approve, and a cluster opens.
	t.after(1).put(moved, migration("Static", "Suspended", "jane")).by("jane", "argosyctl")
	t.after(1).put(moved, migration("Static", "Suspended", "jane", "joe")).by("joe", "argosyctl")
	t.after(1).put(moved, migration("Changing", "Opening", "jane", "joe"))
	t.put(in("member1", history.Deployments, "moved"), workload(3)).by("system:admin", "karmada-controller-manager")

	// A revision reaches one member, then the other; what was on its way to the first when it was taken back arrives.
	t.put(staged, release("r2", "r1", "member1")).by("ann", "argosyctl")
	t.bears("member1", "r2")
	t.after(1).put(staged, release("r2", "r1")).put(in("member1", history.Deployments, "staged"), workload(2)).bears("member1", "r2")
	t.bears("member1", "r1").put(staged, release("r2", "r1", "member1")).bears("member1", "r2")
	t.after(1).put(staged, release("r2", "r2", "*")).bears("member2", "r2")

	// The timetable fires at 12:01 and 12:02.
	t.now = epoch.Add(61 * time.Second)
	t.put(cron, cronHPA(applied(1, 1)))
	t.after(60).put(cron, cronHPA(applied(2, 1), applied(1, 1)))

	// The books are said to be wrong for more than a minute, with a word.
	doubtful := fedHPA("False")
	t.after(1).put(fed, doubtful)
	word := history.Object{"involvedObject": map[string]any{"uid": "fed-uid"}, "reason": "Syncing"}
	t.put(in(history.ControlPlane, history.Events, "e"), word)
	// A release is not everywhere for more than a minute, and nothing is wrong.
	t.put(staged, release("r3", "r2", "member1")).by("ann", "argosyctl")
	t.bears("member1", "r3")
	t.after(61).note(history.Note{Kind: history.Pressure, Name: "cpu"})
	t.after(1).put(fed, fedHPA("True"))
	t.after(2).put(cron, cronHPA(applied(3, 1), applied(2, 1), applied(1, 1)))
	t.after(20).put(staged, release("r3", "r3", "*")).bears("member2", "r3").phase(history.PhaseCalm)
	t.after(80).note(history.Note{Kind: history.Pressure, Name: "cpu"})
	t.after(1).phase(history.PhaseRest)
	return t.gone()
}

// gone ends it: everything that is there is deleted.
func (t *tale) gone() *tale {
	t.after(1)
	world := t.Replay(func(history.World, history.Object, history.Record) {})
	for key := range world {
		if key.Resource != history.Events {
			t.del(key)
		}
	}
	return t.after(1).phase(history.PhaseGone)
}

func TestGoldenIsRight(t *testing.T) {
	t.Parallel()
	for _, v := range All(golden().History) {
		if v.Judged == 0 {
			t.Errorf("%s judged nothing", v.Name)
		}
		for _, found := range v.Violations {
			t.Errorf("%s: %s %s", v.Name, found.Key, found.What)
		}
	}
}
