package plan

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/argosy-dev/argosy/api/migration/v1alpha1"
	"github.com/argosy-dev/argosy/migration/policy"
)

var update = flag.Bool("update", false, "rewrite the golden transcripts")

// transcript of a run: one line for each pass in which the planner did or said something new.
type transcript struct {
	bytes.Buffer
	last string
}

func (tr *transcript) note(f *federation, decision Decision) {
	var actions []string
	for _, action := range decision.Actions {
		text := fmt.Sprintf("%s %s/%s", action.Verb, strings.ToLower(action.Ref.Kind), action.Ref.Name)
		switch action.Verb {
		case SetSuspension:
			text += " closed=" + closedIn(f, action)
		case SetScheduling:
			text += fmt.Sprintf(" frozen=%v", action.Frozen)
		}
		actions = append(actions, text)
	}
	advancing := ""
	for _, condition := range decision.Status.Conditions {
		if condition.Type == v1alpha1.ConditionAdvancing {
			advancing = condition.Reason + ": " + condition.Message
		}
	}
	line := fmt.Sprintf("%-16s %-15s clusters %s  %s\n", decision.Status.Phase, decision.Step, decision.Status.ClustersDone, advancing)
	for _, action := range actions {
		line += "      " + action + "\n"
	}
	if line != tr.last {
		tr.WriteString(line)
	}
	tr.last = line
}

func closedIn(f *federation, action Action) string {
	var closed []string
	for _, name := range sortedKeys(f.members) {
		if policy.Suspended(action.Suspension, name) {
			closed = append(closed, name)
		}
	}
	return "[" + strings.Join(closed, " ") + "]"
}

func (tr *transcript) run(f *federation, until v1alpha1.Phase) {
	f.t.Helper()
	for range 300 {
		decision := f.step(-1)
		tr.note(f, decision)
		for _, reaction := range reactions {
			reaction.run(f)
		}
		f.invariants()
		f.now = f.now.Add(15 * time.Second)
		if f.status.Phase == until {
			return
		}
	}
	f.t.Fatalf("phase %s is not reached:\n%s", until, tr.String())
}

func (tr *transcript) say(text string) {
	fmt.Fprintf(tr, "\n# %s\n", text)
	tr.last = ""
}

func (tr *transcript) compare(t *testing.T, name string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, tr.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), tr.String()); diff != "" {
		t.Errorf("transcript differs (-want +got); -update rewrites it:\n%s", diff)
	}
}

func TestTheWholeWayInOutAndBack(t *testing.T) {
	f, tr := newFederation(t), &transcript{}
	f.need = 2
	tr.say("put on the whitelist")
	tr.run(f, v1alpha1.PhaseAwaitingApproval)
	tr.say("alice approves twice, bob once")
	f.approve("alice", "alice")
	tr.note(f, f.step(-1))
	f.approve("bob")
	tr.run(f, v1alpha1.PhaseFederated)
	tr.say("taken off the whitelist")
	f.entry = nil
	tr.run(f, v1alpha1.PhaseCutOff)
	tr.say("a static release while cut off: image, replicas and configuration")
	release(f, "web:2", 9)
	tr.say("put back on the whitelist")
	f.whitelist()
	tr.run(f, v1alpha1.PhaseAwaitingApproval)
	f.approve("alice", "bob")
	tr.run(f, v1alpha1.PhaseFederated)
	tr.say("taken off again, and asked to leave for good")
	f.entry, f.spec.AfterCutOff = nil, v1alpha1.AfterCutOffLeave
	tr.run(f, v1alpha1.PhaseLeaving)
	for range 20 {
		tr.note(f, f.step(-1))
		for _, reaction := range reactions {
			reaction.run(f)
		}
	}
	f.approve("alice", "bob")
	tr.run(f, v1alpha1.PhaseLeft)
	if len(f.control.Templates)+len(f.control.Policies)+len(f.control.Overrides)+len(f.control.Bindings) > 0 {
		t.Errorf("something is left in the control plane: %+v", f.control)
	}
	tr.compare(t, "whole-way")
}

// release a new version statically in every member, as CI/CD does.
func release(f *federation, image string, replicas int) {
	for name, m := range f.members {
		next := m.objects[f.app].DeepCopy()
		container := map[string]any{"name": "web", "image": image, "envFrom": []any{
			map[string]any{"configMapRef": map[string]any{"name": "web"}}, map[string]any{"secretRef": map[string]any{"name": "web"}}}}
		spec := next.Object["spec"].(map[string]any)
		spec["replicas"] = int64(replicas)
		spec["template"].(map[string]any)["spec"].(map[string]any)["containers"] = []any{container}
		before := len(f.restarted)
		f.write(name, next)
		f.restarted = f.restarted[:before] // the owners' own restart
		f.startPods(name)
		f.putConfig(name)
		config := m.objects[webConfig].DeepCopy()
		config.Object["data"] = map[string]any{"region": "eu-" + name, "release": image}
		f.write(name, config)
		f.expect(name)
	}
}

// TestAnyOrder lets Karmada's controllers react in any order, the controller die between any two writes, members go down or turn not Ready,
// the agent of one in pull mode lose the control plane and find it again, records and policies be deleted by hand, nodes be drained,
// releases and whitelist edits happen in the middle, and applications be asked to leave. Nothing is deleted or restarted, every member
// keeps what its owners released, and once left alone the application arrives where the whitelist wants it.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := newFederation(rt)
		f.members["b"].agent = &agent{}
		moves := rapid.SliceOfN(rapid.IntRange(0, 24), 20, 160).Draw(rt, "moves")
		for _, move := range moves {
			f.move(move, rapid.IntRange(-1, 4).Draw(rt, "cut"))
			f.invariants()
		}
		// Left alone, it converges.
		for name, m := range f.members {
			m.down, m.ready, m.tainted = false, true, false
			if m.agent != nil {
				m.agent.away, m.agent.missing = false, false
			}
			f.putConfig(name)
		}
		f.tireless = true
		if f.spec.Rollback != nil {
			f.entry = nil // for what is looked at below: it wins
		}
		switch {
		case f.entry == nil && (f.status.Phase == v1alpha1.PhaseLeft || f.status.RemovalStartTime != nil ||
			f.spec.AfterCutOff == v1alpha1.AfterCutOffLeave):
			// What has begun to be removed goes on, also when it is to be kept from then on; what only was about to is kept.
			f.settle(v1alpha1.PhaseLeft)
			if left := len(f.control.Templates) + len(f.control.Policies) + len(f.control.Overrides) + len(f.control.Bindings); left > 0 {
				rt.Fatalf("it left, and %d of its objects are in the control plane: %v", left, sortedKeys(f.control.Policies))
			}
		case f.entry == nil:
			f.settle(v1alpha1.PhaseCutOff)
		default:
			f.entry.Clusters = nil
			f.settle(v1alpha1.PhaseFederated)
		}
		if f.entry != nil {
			for _, target := range f.control.Bindings[f.app].Spec.Clusters {
				if replicas, _ := policy.Replicas(f.members[target.Name].objects[f.app]); replicas != target.Replicas {
					rt.Fatalf("cluster %s has %d replicas, and its binding says %d", target.Name, replicas, target.Replicas)
				}
			}
			return
		}
		for name := range f.works {
			for ref, work := range f.works[name] {
				if !work.Suspended || !work.Preserve {
					rt.Fatalf("cut off, and %s is dispatched to %s", ref.Name, name)
				}
			}
		}
	})
}

func (f *federation) move(move, cut int) {
	switch {
	case move < 4:
		f.step(cut)
	case move < 4+len(reactions):
		reactions[move-4].run(f)
	case move == 10:
		f.now = f.now.Add(time.Minute)
	case move == 11:
		if f.entry == nil {
			f.whitelist()
		} else {
			f.entry = nil
		}
		if f.unprepared() {
			f.whitelist()
		}
	case move == 12:
		m := f.members[[]string{"a", "b"}[len(f.status.History)%2]]
		m.down = !m.down
	case move == 13 && f.status.Management == v1alpha1.ManagementStatic:
		// CI/CD asks isKarmada first, and publishes to the members only when the answer is Static.
		release(f, fmt.Sprintf("web:%d", len(f.status.History)%7), 4+len(f.status.History)%3)
	case move == 14 && !f.members["b"].agent.away: // who is away does not report
		f.members["b"].ready = !f.members["b"].ready
	case move == 15 && f.status.Phase != v1alpha1.PhaseLeaving:
		// The record is deleted past admission; the whitelist's controller makes it anew while the entry stands.
		if f.whitelist(); cut == 0 {
			f.status, f.spec.Rollback = v1alpha1.MigrationStatus{}, nil
		}
	case move == 16 && f.entry != nil && (f.status.Management == v1alpha1.ManagementStatic || f.status.Management == ""):
		f.entry.Clusters = [][]string{nil, {"a"}, {"a", "b"}}[(cut+1)%3] // admission refuses it once opened
	case move == 17 && f.status.Management == v1alpha1.ManagementStatic:
		if name := []string{"a", "b"}[(cut+1)%2]; f.members[name].objects[webConfig] != nil {
			delete(f.members[name].objects, webConfig)
			f.expect(name)
		} else {
			f.putConfig(name)
		}
	case move == 18:
		f.spec.AfterCutOff = []v1alpha1.AfterCutOff{v1alpha1.AfterCutOffKeep, v1alpha1.AfterCutOffLeave}[(cut+1)%2]
	case move == 19:
		f.losePolicy(cut)
	case move == 20:
		if agent := f.members["b"].agent; agent.away {
			agent.away = false
		} else {
			agent.leave(f.now)
		}
	case move == 21 && !f.members["b"].agent.away:
		// It sees one more change of the control plane, and is cut off before it could answer.
		f.members["b"].agent.see(f.works["b"])
		f.members["b"].agent.leave(f.now)
	case move == 22:
		m := f.members[[]string{"a", "b"}[(cut+1)%2]]
		m.tainted = !m.tainted
	case move == 24 && !f.unprepared():
		f.rollback(f.spec.Rollback == nil)
	case move == 23:
		f.drain([]string{"a", "b"}[(cut+1)%2], 1)
	}
}

// drain a node: pods go, and the workload's own controller puts others of the same revision in their place.
func (f *federation) drain(cluster string, pods int) {
	m := f.members[cluster]
	for i := range min(pods, len(m.pods)) {
		f.uid++
		m.pods[i] = Pod{Name: fmt.Sprintf("web-%d", f.uid), UID: fmt.Sprintf("uid-%d", f.uid), Ready: true, Revision: m.pods[i].Revision}
	}
}

// putConfig puts the ConfigMap back where its owners removed it.
func (f *federation) putConfig(cluster string) {
	if f.members[cluster].objects[webConfig] == nil {
		f.put(cluster, `{apiVersion: v1, kind: ConfigMap, metadata: {name: web, namespace: shop}, data: {region: back}}`)
	}
}

// losePolicy deletes one by hand.
func (f *federation) losePolicy(which int) {
	if names := sortedKeys(f.control.Policies); len(names) > 0 && f.status.Phase != v1alpha1.PhaseLeaving {
		delete(f.control.Policies, names[(which+1)%len(names)])
	}
}

// unprepared applications that leave the whitelist simply are not there: nothing to test.
func (f *federation) unprepared() bool { return len(f.status.Resources) == 0 }

// rollback by hand, or take that back.
func (f *federation) rollback(rolled bool) {
	f.spec.Rollback = nil
	if rolled {
		f.spec.Rollback = &v1alpha1.Rollback{Reason: "errors since noon"}
	}
}

// A person's rollback wins over the list, which may be written again every night; taken back, the application comes in again with its
// entry as it was.
func TestAPersonsRollbackWinsOverTheList(t *testing.T) {
	for moment := range 40 {
		f := newFederation(t)
		for range moment {
			f.step(-1)
			for _, reaction := range reactions {
				reaction.run(f)
			}
			f.now = f.now.Add(15 * time.Second)
		}
		if f.unprepared() {
			continue
		}
		f.rollback(true)
		f.settle(v1alpha1.PhaseCutOff)
		release(f, "web:9", 5)
		f.run(5)
		if got := f.advancing(); f.status.Phase != v1alpha1.PhaseCutOff || !strings.Contains(got.Message,
			"rolled back by hand (errors since noon), whatever whitelists say") {
			t.Fatalf("moment %d: %s: %+v", moment, f.status.Phase, got)
		}
		f.rollback(false)
		f.settle(v1alpha1.PhaseFederated)
	}
}

// TestRollbackAlwaysWins takes the application off the whitelist at every single moment of the way in.
func TestRollbackAlwaysWins(t *testing.T) {
	for moment := range 60 {
		f := newFederation(t)
		for range moment {
			f.step(-1)
			for _, reaction := range reactions {
				reaction.run(f)
			}
			f.now = f.now.Add(15 * time.Second)
		}
		if f.unprepared() {
			continue
		}
		f.entry = nil
		f.members["a"].down = moment%2 == 0 // a member that is down does not stop a rollback
		f.settle(v1alpha1.PhaseCutOff)
		for name := range f.works {
			for ref, work := range f.works[name] {
				if !work.Suspended || !work.Preserve || work.Dispatching != metav1.ConditionFalse {
					t.Errorf("moment %d: %s in %s: %+v", moment, ref.Name, name, work)
				}
			}
		}
	}
}
