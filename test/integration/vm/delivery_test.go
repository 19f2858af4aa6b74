package vm

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
)

var bothReady = []string{"web-1 Ready Running", "web-2 Ready Running"}

// saysOf is a condition, as "Status Reason: message".
func saysOf(conditions []metav1.Condition, kind string) string {
	c := apimeta.FindStatusCondition(conditions, kind)
	if c == nil {
		return ""
	}
	return string(c.Status) + " " + c.Reason + ": " + c.Message
}

func (w *world) deploymentSays(kind string) string {
	w.t.Helper()
	d := &v1alpha1.VMDeployment{ObjectMeta: w.meta("web")}
	if err := api.Get(w.ctx, client.ObjectKeyFromObject(d), d); err != nil {
		w.t.Fatal(err)
	}
	if d.Status.ObservedGeneration != d.Generation {
		return "not seen yet"
	}
	return saysOf(d.Status.Conditions, kind)
}

// TestDelivered: machine, environment, code, health, Ready; then the environment changes at the safe frequency, a release goes through its
// batches past a person, a bad one stops at the first server, and the one before comes back.
func TestDelivered(t *testing.T) {
	w, store := newGuests(t)
	w.lead()
	settings := &corev1.ConfigMap{ObjectMeta: w.meta("tool"), Data: map[string]string{"level": "one"}}
	set := probed(w.guests("web", 2))
	source, checksum := store.archive("tool.tgz", map[string]string{"tool/bin/tool": "a tool"})
	set.Spec.Template.Spec.Packages = []v1alpha1.Package{{
		Name: "tool", Version: "1.0", Installer: v1alpha1.InstallerArchive, Source: source, Checksum: checksum,
		Params:       map[string]v1alpha1.BoundedString{"stripComponents": "1", "configPath": "/etc/tool"},
		ConfigMapRef: &v1alpha1.LocalReference{Name: "tool"},
	}}
	set.Spec.Failover.MaxUnhealthy = ptr.To(intstr.FromInt32(1))
	w.create(set)
	w.Eventually(func() string { return w.says("web", v1alpha1.ConditionReplicaFailure) }).
		Should(gomega.HavePrefix("True SettingsMissing: reading ConfigMap tool of package tool"))
	w.Expect(w.machines()).To(gomega.BeEmpty())
	w.create(settings)
	change(w, set, func(s *v1alpha1.VMReplicaSet) { s.Annotations = map[string]string{"look": "again"} })
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running", "web-2 Deploying Running"}))
	for _, name := range []string{"web-1", "web-2"} {
		w.Expect(w.file(name, "opt/tool/bin/tool")).To(gomega.Equal("a tool"))
		w.Expect(w.file(name, "etc/tool/level")).To(gomega.Equal("one"))
		w.Expect(w.server(name).Status.Packages).To(gomega.Equal([]v1alpha1.InstalledPackage{{Name: "tool", Version: "1.0"}}))
	}
	deployment := w.deployment(store.release("1.0", startup))
	w.create(deployment)
	w.Eventually(w.seen).Should(gomega.Equal(bothReady))
	w.Expect([]string{w.answer("web-1"), w.answer("web-2")}).To(gomega.Equal([]string{"1.0", "1.0"}))
	w.Eventually(func() string { return w.deploymentSays(v1alpha1.ConditionComplete) }).Should(gomega.HavePrefix("True RolloutComplete"))
	w.Eventually(func() int32 {
		w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(set), set)).To(gomega.Succeed())
		return set.Status.AvailableReplicas
	}).Should(gomega.Equal(int32(2)))
	w.Eventually(func() string { return w.server("web-1").Status.Lock.Holder }).Should(gomega.BeEmpty(), "the lock is kept")

	away := w.watchAway()
	w.settingsChange(set, settings)
	w.aReleaseInBatches(store, deployment)
	w.otherParams(deployment)
	w.aBadRelease(store, deployment)
	if most := away(); most > 1 {
		t.Errorf("%d servers were away at once", most)
	}
}

// away is how many servers are not Ready.
func (w *world) away(ctx context.Context) (n int, err error) {
	list := &v1alpha1.ServerList{}
	if err := api.List(ctx, list, client.InNamespace(w.namespace)); err != nil {
		return 0, err
	}
	for i := range list.Items {
		if !apimeta.IsStatusConditionTrue(list.Items[i].Status.Conditions, v1alpha1.ConditionReady) {
			n++
		}
	}
	return n, nil
}

// watchAway counts how many servers are not Ready at once, until it is asked.
func (w *world) watchAway() (most func() int) {
	ctx, cancel := context.WithCancel(w.ctx)
	out := make(chan int, 1)
	go func() {
		highest := 0
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				out <- highest
				return
			case <-tick.C:
			}
			if n, err := w.away(ctx); err == nil {
				highest = max(highest, n)
			}
		}
	}()
	return func() int {
		cancel()
		return <-out
	}
}

func (w *world) settingsChange(set *v1alpha1.VMReplicaSet, settings *corev1.ConfigMap) {
	w.t.Helper()
	change(w, settings, func(c *corev1.ConfigMap) { c.Data["level"] = "two" })
	change(w, set, func(s *v1alpha1.VMReplicaSet) { s.Annotations = map[string]string{"look": "once more"} })
	for _, name := range []string{"web-1", "web-2"} {
		w.Eventually(func() string { return w.file(name, "etc/tool/level") }).Should(gomega.Equal("two"))
	}
	w.Eventually(w.seen).Should(gomega.Equal(bothReady))
	w.Expect(w.answer("web-1")).To(gomega.Equal("1.0"), "the service ran on")
}

func (w *world) releases() string {
	w.t.Helper()
	return w.answer("web-1") + " " + w.answer("web-2")
}

func (w *world) aReleaseInBatches(store *artifacts, deployment *v1alpha1.VMDeployment) {
	w.t.Helper()
	change(w, deployment, func(d *v1alpha1.VMDeployment) {
		d.Spec.Release = store.release("2.0", startup)
		d.Spec.Strategy.Batches = []intstr.IntOrString{intstr.FromString("50%"), intstr.FromString("50%")}
		d.Spec.Strategy.PauseBetween, d.Spec.Strategy.TrafficWeight = v1alpha1.PauseApproval, ptr.To[int32](20)
	})
	var waiting []gatev1alpha1.PendingApproval
	w.Eventually(func() int {
		w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(deployment), deployment)).To(gomega.Succeed())
		waiting = deployment.Status.PendingApprovals
		return len(waiting)
	}).Should(gomega.Equal(1))
	w.Expect(waiting[0].Gate).To(gomega.Equal(gatev1alpha1.GateBatch))
	w.Expect(waiting[0].Summary).To(gomega.HavePrefix("release 2.0, batch 2 of 2: servers 2 to 2 of 2 get it; 1 have it and serve"))
	w.Expect(w.releases()).To(gomega.Equal("2.0 1.0"))
	w.Eventually(func() *int32 { return w.server("web-1").Spec.TrafficWeight }).Should(gomega.Equal(ptr.To[int32](20)))
	w.Consistently(w.releases, time.Second).Should(gomega.Equal("2.0 1.0"))
	w.Expect(approve(w, w.as("ann", approver), deployment, waiting[0])).To(gomega.Succeed())
	w.Eventually(func() string { return w.deploymentSays(v1alpha1.ConditionComplete) }).Should(gomega.HavePrefix("True RolloutComplete"))
	w.Expect(w.releases()).To(gomega.Equal("2.0 2.0"))
	w.Eventually(func() *int32 { return w.server("web-1").Spec.TrafficWeight }).Should(gomega.BeNil())
}

// otherParams are a release too: it is Complete once they were brought up. A manager that finds no hash, as one before it left none, writes
// that of what is asked for, and deploys nothing.
func (w *world) otherParams(deployment *v1alpha1.VMDeployment) {
	w.t.Helper()
	change(w, deployment, func(d *v1alpha1.VMDeployment) {
		d.Spec.Release.Params["restart"] += `; echo again >"$ARGOSY_ROOT/again"`
		d.Spec.Strategy.PauseBetween = v1alpha1.PauseNone
	})
	w.Eventually(func() string { return w.deploymentSays(v1alpha1.ConditionComplete) }).Should(gomega.HavePrefix("True RolloutComplete"))
	for _, name := range []string{"web-1", "web-2"} {
		w.Expect(w.file(name, "again")).To(gomega.Equal("again\n"))
	}
	before := w.server("web-1")
	forgotten := before.DeepCopy()
	forgotten.Status.Release.Hash = ""
	w.Expect(api.Status().Patch(w.ctx, forgotten, client.MergeFrom(before))).To(gomega.Succeed())
	w.Eventually(func() string { return w.server("web-1").Status.Release.Hash }).Should(gomega.Equal(before.Status.Release.Hash))
	w.Expect(w.server("web-1").Status.Operation.Sequence).To(gomega.Equal(before.Status.Operation.Sequence), "it was deployed anew")
}

// aBadRelease does not come up: it stops there, and the other server goes on with what it has. Then the release before is asked for.
func (w *world) aBadRelease(store *artifacts, deployment *v1alpha1.VMDeployment) {
	w.t.Helper()
	w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(deployment), deployment)).To(gomega.Succeed())
	before := deployment.Status.CurrentRevision
	stop := strings.Split(startup, serveAt)[0]
	change(w, deployment, func(d *v1alpha1.VMDeployment) {
		d.Spec.Release, d.Spec.Strategy.PauseBetween = store.release("3.0", stop), v1alpha1.PauseNone
	})
	w.Eventually(func() string { return w.deploymentSays(v1alpha1.ConditionStalled) }).
		Should(gomega.HavePrefix("True BatchFailed: the release failed on web-1, and 0 may fail: CheckHealth: " +
			"the service does not come up: GET http://"))
	w.Expect(saysOf(w.server("web-1").Status.Conditions, v1alpha1.ConditionTaskBlocked)).To(gomega.HavePrefix("True TaskFailed"))
	w.Consistently(func() string { return w.answer("web-2") }, time.Second).Should(gomega.Equal("2.0"))
	w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(deployment), deployment)).To(gomega.Succeed())
	w.Expect(deployment.Status.FailedServers).To(gomega.HaveLen(1))
	w.Expect(deployment.Status.FailedServers[0].Name).To(gomega.Equal("web-1"))
	change(w, deployment, func(d *v1alpha1.VMDeployment) { d.Spec.RollbackTo = &v1alpha1.RollbackTarget{Revision: before} })
	w.Eventually(w.releases).Should(gomega.Equal("2.0 2.0"))
	w.Eventually(w.seen).Should(gomega.Equal(bothReady))
	w.Eventually(func() string { return w.deploymentSays(v1alpha1.ConditionComplete) }).Should(gomega.HavePrefix("True RolloutComplete"))
	w.Expect(api.Get(w.ctx, client.ObjectKeyFromObject(deployment), deployment)).To(gomega.Succeed())
	w.Expect(deployment.Status.Version).To(gomega.Equal("2.0"), "the column shows what is not run")
}

// TestTheManagerDiesInTheMiddle of an installation: the next finds it, and it is run once, on one machine.
func TestTheManagerDiesInTheMiddle(t *testing.T) {
	w, store := newGuests(t)
	set := w.guests("web", 1)
	set.Spec.Template.Spec.Packages = []v1alpha1.Package{
		store.script("slow", `echo ran >>"$ARGOSY_ROOT/log"; while [ ! -e "$ARGOSY_ROOT/go" ]; do sleep 0.1; done`),
	}
	kill := w.leadAs("first")
	w.create(set)
	w.Eventually(func() string {
		for _, s := range w.servers() {
			if s.Spec.ProviderID != "" {
				return w.file(s.Name, "log")
			}
		}
		return ""
	}).Should(gomega.Equal("ran\n"))
	kill()
	w.leadAs("second")
	w.touch("web-1", "go")
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))
	w.Expect(w.file("web-1", "log")).To(gomega.Equal("ran\n"))
	w.Expect(w.system.Made()).To(gomega.Equal(1))
}

// TestAPersonMends: an installation that fails five times asks a person, who mends it and says so; then it goes on by itself.
func TestAPersonMends(t *testing.T) {
	w, store := newGuests(t)
	w.lead()
	set := w.guests("web", 1)
	set.Spec.Template.Spec.Packages = []v1alpha1.Package{
		store.script("picky", `echo try >>"$ARGOSY_ROOT/log"; [ -e "$ARGOSY_ROOT/mended" ] || { echo "the licence is missing"; exit 3; }`),
	}
	w.create(set)
	w.Eventually(func() string {
		w.clock.pass(2 * time.Minute) // over the wait before the next try
		list := w.servers()
		if len(list) == 0 {
			return ""
		}
		return saysOf(list[0].Status.Conditions, v1alpha1.ConditionTaskBlocked)
	}, 3*time.Minute, 500*time.Millisecond).Should(gomega.And(gomega.HavePrefix("True TaskFailed: task install-packages-"),
		gomega.ContainSubstring("the installation ended with 3: installing picky 1\nthe licence is missing")))
	w.Expect(w.file("web-1", "log")).To(gomega.Equal(strings.Repeat("try\n", 5)))
	w.Eventually(func() string { return w.says("web", v1alpha1.ConditionReplicaFailure) }).
		Should(gomega.HavePrefix("True TaskFailed: web-1: InstallPackages: "))
	w.touch("web-1", "mended")
	w.Consistently(func() string { return w.file("web-1", "log") }, time.Second).Should(gomega.Equal(strings.Repeat("try\n", 5)))
	body := `{"spec":{"override":{"state":"Initializing","mode":"Once","reason":"the licence is there now"}}}`
	w.Expect(patch(w.ctx, w.as("bob", operator), w.server("web-1"), body)).To(gomega.Succeed())
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))
	w.Eventually(func() string { return saysOf(w.server("web-1").Status.Conditions, v1alpha1.ConditionReady) }).
		Should(gomega.HavePrefix("False NoRelease"))
	w.Eventually(func() v1alpha1.DecidedBy { return w.server("web-1").Status.DecidedBy }).Should(gomega.Equal(v1alpha1.DecidedBySystem))
	w.Expect(w.system.Made()).To(gomega.Equal(1))
}

// TestABlindProber: while all services of a set fail at once nobody is taken out of service; of those that still fail when the others are
// back, one is.
func TestABlindProber(t *testing.T) {
	w, store := newGuests(t)
	kill := w.leadAs("first")
	w.create(probed(w.guests("web", 3)), w.deployment(store.release("1.0", startup)))
	all := []string{"web-1", "web-2", "web-3"}
	ready := []string{"web-1 Ready Running", "web-2 Ready Running", "web-3 Ready Running"}
	w.Eventually(w.seen).Should(gomega.Equal(ready))
	w.touchAll("sick", all...)
	healthy := func(name string) string { return saysOf(w.server(name).Status.Conditions, v1alpha1.ConditionHealthy) }
	for _, name := range all {
		w.Eventually(func() string { return healthy(name) }).Should(gomega.HavePrefix("False ProberBlind: GET http://"))
	}
	w.Consistently(w.seen, 3*time.Second).Should(gomega.Equal(ready))
	kill()
	w.leadAs("second") // who was never there before does not see better
	w.Consistently(w.seen, 8*time.Second).Should(gomega.Equal(ready))
	for _, name := range all[1:] {
		w.Expect(os.Remove(w.path(name, "sick"))).To(gomega.Succeed())
	}
	w.Eventually(w.seen).Should(gomega.Equal(slices.Concat([]string{"web-1 Deploying Running"}, ready[1:])))
	w.Expect(healthy("web-1")).To(gomega.HavePrefix("False HealthCheckFailed: GET http://"))
	w.Expect(os.Remove(w.path("web-1", "sick"))).To(gomega.Succeed())
	w.Eventually(w.seen).Should(gomega.Equal(ready))
	w.Expect(healthy("web-1")).To(gomega.HavePrefix("True HealthCheckPassed"))
}

// TestAMachineBoots: what is installed is looked at anew, and only what is missing is installed; the service is brought back by a person's
// word or its own init, and the health check says which.
func TestAMachineBoots(t *testing.T) {
	w, store := newGuests(t)
	w.lead()
	set := w.guests("web", 1)
	set.Spec.Template.Spec.Packages = []v1alpha1.Package{
		store.script("kept", `echo kept >>"$ARGOSY_ROOT/log"`), store.script("lost", `echo lost >>"$ARGOSY_ROOT/log"; touch "$ARGOSY_ROOT/lost"`),
	}
	set.Spec.Template.Spec.Packages[1].Params = map[string]v1alpha1.BoundedString{"check": `test -e "$ARGOSY_ROOT/lost"`}
	w.create(set)
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))
	w.Expect(w.file("web-1", "log")).To(gomega.Equal("kept\nlost\n"))
	w.Expect(os.Remove(w.path("web-1", "lost"))).To(gomega.Succeed())
	w.Expect(w.system.Reboot(w.key("web-1"))).To(gomega.BeTrue())
	w.Eventually(func() string { return w.file("web-1", "log") }).Should(gomega.Equal("kept\nlost\nlost\n"))
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))
}

// TestAnotherMachineAnswers: what shows another host key than its driver names is sent nothing, and a person is asked; with the right one
// it goes on.
func TestAnotherMachineAnswers(t *testing.T) {
	w, store := newGuests(t)
	w.lead()
	w.create(w.guests("web", 1))
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Deploying Running"}))
	right := w.server("web-1").Status.Machine.HostKeys
	_, other, err := remotetest.Key()
	w.Expect(err).NotTo(gomega.HaveOccurred())
	wrong := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(other)))
	named := func() []string { return w.server("web-1").Status.Machine.HostKeys }
	w.Expect(w.system.Exchange(w.key("web-1"), wrong)).To(gomega.BeTrue())
	w.Eventually(named).Should(gomega.Equal([]string{wrong}))
	w.create(w.deployment(store.release("1.0", startup)))
	blocked := func() string { return saysOf(w.server("web-1").Status.Conditions, v1alpha1.ConditionTaskBlocked) }
	w.Eventually(blocked).Should(gomega.And(gomega.HavePrefix("True TaskFailed: task deploy-code-"),
		gomega.ContainSubstring("the host key changed")))
	w.Expect(w.file("web-1", "srv/web/current/start.sh")).To(gomega.BeEmpty())

	w.Expect(w.system.Exchange(w.key("web-1"), right...)).To(gomega.BeTrue())
	w.Eventually(named).Should(gomega.Equal(right))
	body := `{"spec":{"override":{"state":"Deploying","mode":"Once","reason":"the console shows the right key"}}}`
	w.Expect(patch(w.ctx, w.as("bob", operator), w.server("web-1"), body)).To(gomega.Succeed())
	w.Eventually(w.seen).Should(gomega.Equal([]string{"web-1 Ready Running"}))
	w.Expect(w.answer("web-1")).To(gomega.Equal("1.0"))
}

// TestWhatCanNeverBeDelivered is said before a machine is made, or where the task is.
func TestWhatCanNeverBeDelivered(t *testing.T) {
	w, _ := newGuests(t)
	w.lead()
	for name, tc := range map[string]struct {
		edit func(*v1alpha1.ServerTemplateSpec)
		want string
	}{
		"installer": {func(s *v1alpha1.ServerTemplateSpec) {
			s.Packages = []v1alpha1.Package{{Name: "x", Version: "1", Installer: "snap"}}
		}, `package x: installer "snap" is not known; there is: apt, archive, script`},
		"access": {func(s *v1alpha1.ServerTemplateSpec) {
			s.Packages, s.Machine.Access = []v1alpha1.Package{{Name: "xyz", Version: "1"}}, nil
		}, "the template asks for packages, and machine.access is missing"},
		"queries": {func(s *v1alpha1.ServerTemplateSpec) {
			s.Monitors = []v1alpha1.Monitor{{Name: "x", Template: "y", AlertQuery: "up == 0"}}
		}, "monitor x has an alertQuery, and no Prometheus is configured here (monitoring.prometheus) to ask it of"},
	} {
		set := w.guests(name, 1)
		tc.edit(&set.Spec.Template.Spec)
		w.create(set)
		w.Eventually(func() string { return w.says(name, v1alpha1.ConditionReplicaFailure) }).
			Should(gomega.HavePrefix("True TemplateNotSupported: "+tc.want), name)
	}
	w.Expect(w.machines()).To(gomega.BeEmpty())

	w.create(w.guests("web", 1), w.deployment(v1alpha1.Release{Version: "1", System: "jenkins"}))
	w.Eventually(func() string { return w.deploymentSays(v1alpha1.ConditionStalled) }).Should(gomega.HavePrefix(
		"True BatchFailed: the release failed on web-1, and 0 may fail: DeployCode: " +
			`deploy system "jenkins" is not configured here: there is ssh`))
}
