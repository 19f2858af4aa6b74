package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
	"github.com/argosy-dev/argosy/member/vm/remote/remotetest"
	"github.com/argosy-dev/argosy/test/lab/iaas"
)

const deliveryNamespace = "demo-delivery"

// delivery takes machines all the way to customers, and through what goes wrong there.
func delivery() Scene {
	return Scene{
		Name:  "delivery",
		Title: "virtual machines all the way: package, release, health, pool, and what goes wrong",
		Why: `A set of machines goes from nothing to serving customers by itself, once a person said that it may be made. A package is
raised under traffic, one server at a time, and no request is lost. A release that comes up sick stops at its first
batch; a task that is blocked waits for a person, and goes on after; a dead machine leaves its pool and is replaced; a
set that is deleted loses no machine before a person said so.`,
		Play: playDelivery,
	}
}

// deliveredManifests of a set, of deliveredSet's words.
const deliveredManifests = `
---
apiVersion: v1
kind: Service
metadata: {namespace: demo-delivery, name: %[1]s}
spec: {ports: [{name: http, port: 80, protocol: TCP}]}
---
apiVersion: vm.argosy.dev/v1alpha1
kind: VMDeployment
metadata: {namespace: demo-delivery, name: %[1]s}
spec:
  targetRef: {name: %[1]s}
  release: {version: %[3]s, artifact: %[4]q, checksum: %[5]q, params: {path: /srv/shop, restart: ./bin/restart}}
  strategy: {batches: [50%%, 50%%], maxUnavailable: 1}
---
apiVersion: vm.argosy.dev/v1alpha1
kind: VMReplicaSet
metadata: {namespace: demo-delivery, name: %[1]s}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      machine:
        driver: http
        class: small
        image: lab/debian-12
        credentialsRef: {name: boot}
        userDataRef: {name: boot}
        access: {privateKeyRef: {name: access}}
      healthCheck:
        httpGet: {port: 8080, path: /healthz}
        periodSeconds: 3
        timeoutSeconds: 3
        failureThreshold: 5
        startupSeconds: 10
      loadBalancers: [{name: public, pool: %[1]s, port: 8080, drainSeconds: 2}]%[6]s
  removalPolicy: Delete
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: demo-delivery, name: %[1]s}
spec:
  propagateDeps: true
  resourceSelectors: [{apiVersion: vm.argosy.dev/v1alpha1, kind: VMReplicaSet, name: %[1]s}]
  placement:
    clusterAffinity: {clusterNames: [%[7]s]}
    replicaScheduling:
      replicaSchedulingType: Divided
      replicaDivisionPreference: Weighted
      weightPreference:
        staticWeightList:%[8]s
---
apiVersion: policy.karmada.io/v1alpha1
kind: PropagationPolicy
metadata: {namespace: demo-delivery, name: %[1]s-service}
spec:
  resourceSelectors: [{apiVersion: v1, kind: Service, name: %[1]s}]
  placement: {clusterAffinity: {clusterNames: [%[7]s]}}
`

// deliveredSet is one set with its release, its Service, and the policy that takes them to members. The health check forgives a machine
// that stands still for a while.
func deliveredSet(name string, replicas int, version, more string, members ...string) string {
	artifact, checksum := iaas.Artifact("/shop/" + version + ".tar")
	names := strings.Join(members, ", ")
	var weights strings.Builder
	for _, member := range members {
		fmt.Fprintf(&weights, "\n        - {targetCluster: {clusterNames: [%s]}, weight: 1}", member)
	}
	return fmt.Sprintf(deliveredManifests, name, replicas, version, artifact, checksum, more, names, weights.String())
}

// jdk is the package that shop has.
func jdk(version string) string {
	source, checksum := iaas.Artifact("/jdk/" + version + ".tar")
	return fmt.Sprintf(`{"name":"jdk","version":%q,"installer":"archive","source":%q,"checksum":%q,"params":{"stripComponents":"1"}}`,
		version, source, checksum)
}

const (
	shopAsks = `
  updateStrategy: {maxUnavailable: 1, intervalSeconds: 2}
  gates: [{name: make, stage: Provision}]`
	stockIsReplaced = `
  failover: {policy: Auto, unknownTimeoutSeconds: 30, maxInFlight: 1, maxUnhealthy: 60%}`
)

// deliveryScene keeps the way onto the machines.
type deliveryScene struct {
	*Stage
	key []byte
}

func playDelivery(ctx context.Context, stage *Stage) error {
	why, err := stage.Lab.WhyNoGuests(ctx)
	if err != nil {
		return err
	}
	if why != "" {
		stage.Say("Machines of this lab are entries of a table, and nobody can log into them: %s. Nothing can be delivered to them.", why)
		stage.record(Row{What: "why this scene is not played here", Expected: why, Seen: why, OK: true})
		return nil
	}
	s := &deliveryScene{Stage: stage}
	if err := s.Fresh(ctx, deliveryNamespace); err != nil {
		return err
	}
	if err := s.giveKeys(ctx); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{
		s.playMade, s.playTrouble, s.playPackage, s.playBadRelease, s.playBlocked, s.playReplaced, s.playRemoved,
	} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// giveKeys makes the Secrets that the sets name; they follow the sets to the members.
func (s *deliveryScene) giveKeys(ctx context.Context) error {
	key, public, err := remotetest.Key()
	if err != nil {
		return err
	}
	s.key = key
	secret := func(name string, kind corev1.SecretType, data map[string][]byte) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: deliveryNamespace, Name: name}, Type: kind, Data: data}
	}
	for _, one := range []*corev1.Secret{
		secret("access", corev1.SecretTypeSSHAuth, map[string][]byte{corev1.SSHAuthPrivateKey: key}),
		secret("boot", corev1.SecretTypeOpaque, map[string][]byte{
			httpdriver.TokenKey: []byte("lab"),
			"userData":          []byte("#cloud-config\nssh_authorized_keys:\n- " + string(ssh.MarshalAuthorizedKey(public))),
		}),
	} {
		if err := s.Karmada.Create(ctx, one); err != nil {
			return fmt.Errorf("making Secret %s: %w", one.Name, err)
		}
	}
	return nil
}

// playMade goes from nothing to servers online, after a person said that they may be made.
func (s *deliveryScene) playMade(ctx context.Context) error {
	s.Step("Apply shop, six servers over two members that a person is asked about, and stock, till and desk in a third member")
	manifests := deliveredSet("shop", 6, "1.0.0", "\n      packages: ["+jdk("21.0.2")+"]"+shopAsks, "member1", "member2") +
		deliveredSet("stock", 2, "1.0.0", stockIsReplaced, "member3") +
		deliveredSet("till", 2, "1.0.0", "", "member3") +
		deliveredSet("desk", 1, "1.1.0", "", "member3")
	if err := s.Apply(ctx, manifests); err != nil {
		return err
	}
	s.Expect(ctx, "approvals that shop waits for", "make of shop-1 in member1, make of shop-1 in member2, "+
		"make of shop-2 in member1, make of shop-2 in member2, make of shop-3 in member1, make of shop-3 in member2", s.asked)
	s.Expect(ctx, "an approval that bob writes in the name of alice", "refused", s.forged)
	s.ExpectHeld(ctx, time.Second, "machines of shop", "0", s.machinesOf(deliveryNamespace, "shop"))
	s.Step("Approve them as alice, in the control plane: machine, package, release, health, pool follow by themselves")
	if err := s.approveMaking(ctx); err != nil {
		return err
	}
	s.Expect(ctx, "what the pools of shop answer", "shop 1.0.0, jdk 21.0.2 x6", s.answers("shop"))
	s.Expect(ctx, "what the pool of stock answers", "shop 1.0.0, jdk none x2", s.answers("stock"))
	s.Expect(ctx, "what the pool of till answers", "shop 1.0.0, jdk none x2", s.answers("till"))
	return nil
}

// playTrouble begins what takes its time; its end is looked at later.
func (s *deliveryScene) playTrouble(ctx context.Context) error {
	s.Step("Release 1.1.0 to till, which comes up sick, and cut the power of a machine of stock")
	if err := s.release(ctx, "till", "1.1.0"); err != nil {
		return err
	}
	if err := s.cut(ctx, "stock-1"); err != nil {
		return err
	}
	s.Expect(ctx, "what the pool of stock answers", "shop 1.0.0, jdk none x1", s.answers("stock"))
	return nil
}

// playPackage raises a package while customers ask.
func (s *deliveryScene) playPackage(ctx context.Context) error {
	s.Step("Raise jdk to 21.0.3 in shop, while customers ask all the time")
	s.Expect(ctx, "servers of shop that are Ready", "6", s.ready("shop"))
	traffic := s.customers(ctx, "shop", 3)
	if err := s.patchSet(ctx, "shop", `{"spec":{"template":{"spec":{"packages":[`+jdk("21.0.3")+`]}}}}`); err != nil {
		traffic.stop()
		return err
	}
	s.Expect(ctx, "what the pools of shop answer", "shop 1.0.0, jdk 21.0.3 x6", s.answers("shop"))
	traffic.stop()
	s.Say("%s", traffic.counted())
	s.Expect(ctx, "requests of customers that were lost", "none", traffic.lost)
	s.Expect(ctx, "servers of a member that were out of its pool at a time", "at most 1", traffic.away)
	return nil
}

// playBadRelease shows where a sick release stopped, and takes it back.
func (s *deliveryScene) playBadRelease(ctx context.Context) error {
	s.Step("Look at the release of till, and take it back")
	s.Expect(ctx, "the release of till in member3", "BatchFailed, 1 of 2 have it", s.stalled("till"))
	s.Expect(ctx, "what the pool of till answers", "shop 1.0.0, jdk none x1", s.answers("till"))
	if err := s.release(ctx, "till", "1.0.0"); err != nil {
		return err
	}
	s.Expect(ctx, "what the pool of till answers", "shop 1.0.0, jdk none x2", s.answers("till"))
	return nil
}

// playBlocked: desk never got anything but a sick release. A person mends the machine, and says that it may go on.
func (s *deliveryScene) playBlocked(ctx context.Context) error {
	s.Step("Mend what keeps the release of desk from coming up, on its machine, and say that it may go on")
	s.Expect(ctx, "desk-1", "Deploying, blocked: CheckHealth", s.blocked("desk-1"))
	if err := s.mend(ctx, "desk-1"); err != nil {
		return err
	}
	s.Expect(ctx, "what the pool of desk answers", "shop 1.1.0, jdk none x1", s.answers("desk"))
	s.Expect(ctx, "desk-1", "Ready, decided by System", s.blocked("desk-1"))
	return nil
}

// playReplaced looks at the machine whose power was cut.
func (s *deliveryScene) playReplaced(ctx context.Context) error {
	s.Step("Look at stock: its dead machine had 30 s to come back")
	s.Expect(ctx, "what the pool of stock answers", "shop 1.0.0, jdk none x2", s.answers("stock"))
	s.Expect(ctx, "servers of stock", "stock-2, stock-3", s.names("stock"))
	return nil
}

// playRemoved deletes a set whose machines a person is asked about, as is the default.
func (s *deliveryScene) playRemoved(ctx context.Context) error {
	s.Step("Delete desk in the control plane, with removalPolicy Approve, the default: its member asks before the machine goes")
	if err := s.patchSet(ctx, "desk", `{"spec":{"removalPolicy":"Approve"}}`); err != nil {
		return err
	}
	s.Expect(ctx, "removal policy of desk in member3", "Approve", s.removal("desk"))
	if err := s.deleteSet(ctx, "desk"); err != nil {
		return err
	}
	s.Expect(ctx, "what desk waits for in member3", "removal", s.waitsInMember("desk"))
	s.Expect(ctx, "what the pool of desk answers meanwhile", "shop 1.1.0, jdk none x1", s.answers("desk"))
	s.Step("Approve it in the member, as argosyctl vm approve vmrs/desk --member member3 does")
	if err := s.approveRemoval(ctx, "desk"); err != nil {
		return err
	}
	s.Expect(ctx, "machines of desk", "0", s.machinesOf(deliveryNamespace, "desk"))
	return nil
}
