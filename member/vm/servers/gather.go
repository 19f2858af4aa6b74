package servers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gatev1alpha1 "github.com/argosy-dev/argosy/api/gate/v1alpha1"
	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/gate"
	"github.com/argosy-dev/argosy/member/vm/code"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/fleet"
	"github.com/argosy-dev/argosy/member/vm/gates"
	"github.com/argosy-dev/argosy/member/vm/machine"
	"github.com/argosy-dev/argosy/member/vm/state"
)

// defaultUnknownTimeout is that of a Server without a set.
const defaultUnknownTimeout = 300 * time.Second

// work is one look at a Server.
type work struct {
	// before is as it is stored; after is what is to be written.
	before, after *v1alpha1.Server
	set           *v1alpha1.VMReplicaSet
	// bereft: it has an owner that is not there any more, and nobody knows what was to become of its machine.
	bereft bool
	mind   *mind
	driver machine.Driver
	now    time.Time
	// decided is before the tasks were done.
	decided state.Output
	wake    time.Time
	// blind says that the prober is not trusted, and distrusted that who dials the machine in vain is not.
	blind, distrusted bool
	// id is the driver's name of the machine, as it just said it.
	id string
}

// by wakes at the earliest of the times it hears.
func (w *work) by(at time.Time) {
	if !at.IsZero() && (w.wake.IsZero() || at.Before(w.wake)) {
		w.wake = at
	}
}

func (r *Reconciler) gather(ctx context.Context, server *v1alpha1.Server) (*work, error) {
	w := &work{
		before: server, after: server.DeepCopy(), mind: r.mind(server.UID), driver: r.Drivers[server.Spec.Machine.Driver], now: r.Now(),
	}
	var err error
	if w.set, w.bereft, err = setOf(ctx, r.cache, server); err != nil {
		return nil, err
	}
	facts.BringBack(&w.after.Status, w.now)
	w.adopt()
	w.mind.lock = w.mind.lock.See(server.Status.Lock, w.now)
	if err := r.look(ctx, w); err != nil {
		return nil, err
	}
	r.health(w)
	r.hear(w)
	r.listen(w)
	return w, nil
}

// setOf a Server; bereft says that it has one which is not there any more.
func setOf(ctx context.Context, from client.Reader, server *v1alpha1.Server) (of *v1alpha1.VMReplicaSet, bereft bool, err error) {
	owner := metav1.GetControllerOf(server)
	if owner == nil || owner.Kind != "VMReplicaSet" {
		return nil, false, nil
	}
	set := &v1alpha1.VMReplicaSet{}
	err = from.Get(ctx, client.ObjectKey{Namespace: server.Namespace, Name: owner.Name}, set)
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return nil, false, fmt.Errorf("reading the set of a Server: %w", err)
	case err != nil || set.UID != owner.UID:
		return nil, true, nil
	}
	return set, false, nil
}

// adopt what was deployed before hashes were written. It is written once: what the cache, or an API server with an older schema, does not
// show of that is not written again and again.
func (w *work) adopt() {
	want := w.before.Spec.Release
	if !code.Adopts(w.before.Status.Release, want) {
		return
	}
	hash := code.Hash(*want)
	if w.mind.adopted == hash {
		w.before.Status.Release.Hash = hash
	}
	w.after.Status.Release.Hash = hash
}

// look at the machine, if it is time to.
func (r *Reconciler) look(ctx context.Context, w *work) error {
	if w.driver == nil || w.before.Status.Creation == nil {
		return nil
	}
	if due := r.due(w); w.now.Before(due) {
		w.by(due)
		return nil
	}
	reading, err := r.read(ctx, w)
	if err != nil {
		return err
	}
	r.take(w, reading)
	return nil
}

// take what the driver said.
func (r *Reconciler) take(w *work, reading facts.Reading) {
	w.mind.asked = w.now
	if reading.Err == nil {
		w.id = reading.Machine.ID
		if is := w.before.Spec.ProviderID; is != "" && is != w.id {
			reading = facts.Reading{Err: fmt.Errorf("it speaks of machine %s, and this one is %s", w.id, is)}
		}
	}
	reading.Beat = r.beat()
	w.mind.missing = reading.Write(&w.after.Status, w.before.Generation, w.mind.missing, w.now)
	w.by(r.due(w))
}

func (r *Reconciler) read(ctx context.Context, w *work) (facts.Reading, error) {
	call, err := r.call(ctx, w, 0)
	if err != nil {
		return facts.Reading{Err: err}, nil // who cannot prove who they are are told nothing
	}
	out := facts.Reading{}
	out.Machine, out.Err = w.driver.Get(ctx, call)
	r.measures.count(w, "get", out.Err)
	if out.Err == nil {
		out.Err = unbelievable(out.Machine)
	}
	if errors.Is(out.Err, machine.ErrGone) && w.mind.missing.Reads+1 >= facts.GoneReads {
		return r.doubt(ctx, w, call, out)
	}
	return out, nil
}

// Bounds of what a Server has room for (api/vm/v1alpha1): a status that is written with more is refused whole, whatever else it says.
const (
	longestID, longestBoot, longestAddress = 512, 128, 253
	mostAddresses, mostKeys, longestKey    = 16, 8, 2048
)

// unbelievable says why an answer about a machine is none: it is longer than any of a machine's, or leads back to whoever asks.
func unbelievable(m machine.Machine) error {
	long := ""
	switch {
	case utf8.RuneCountInString(m.ID) > longestID:
		long = "its name"
	case utf8.RuneCountInString(m.BootID) > longestBoot:
		long = "its bootID"
	case len(m.Addresses) > mostAddresses || slices.ContainsFunc(m.Addresses, func(a corev1.NodeAddress) bool {
		return max(len(a.Address), len(a.Type)) > longestAddress
	}):
		long = "its addresses"
	case len(m.HostKeys) > mostKeys || slices.ContainsFunc(m.HostKeys, func(key string) bool {
		return utf8.RuneCountInString(key) > longestKey
	}):
		long = "its host keys"
	}
	if long != "" {
		return fmt.Errorf("it says more of machine %.64q than there is room for: %s", m.ID, long)
	}
	return ownAddress(m)
}

// ownAddress refuses a machine whose system names an address that leads back to whoever uses it: nothing is sent there, nor put into a
// pool.
func ownAddress(m machine.Machine) error {
	for _, a := range m.Addresses {
		ip, err := netip.ParseAddr(a.Address)
		if err == nil && (ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast()) || a.Address == "localhost" {
			return fmt.Errorf("it says that machine %s is at %s, which is no machine's address", m.ID, a.Address)
		}
	}
	return nil
}

// doubt what is said not to be there: a system that names no machine at all, where there should be others, has lost more than this one.
func (r *Reconciler) doubt(ctx context.Context, w *work, call machine.Call, reading facts.Reading) (facts.Reading, error) {
	lister, ok := w.driver.(machine.Lister)
	if !ok {
		return reading, nil
	}
	owner, err := r.owner(ctx)
	if err != nil {
		return facts.Reading{}, err
	}
	all := &v1alpha1.ServerList{}
	if err := r.cache.List(ctx, all, client.UnsafeDisableDeepCopy); err != nil {
		return facts.Reading{}, fmt.Errorf("listing Servers: %w", err)
	}
	others := 0
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID != w.before.UID && other.Spec.Machine.Driver == w.before.Spec.Machine.Driver && other.Status.Creation != nil {
			others++
		}
	}
	list, err := lister.List(ctx, call, owner)
	r.measures.count(w, "list", err)
	if err != nil {
		return facts.Reading{Err: fmt.Errorf("it does not find the machine, and does not list any: %w", err)}, nil
	}
	reading.ListIsEmpty = others > 0 && len(list) == 0
	return reading, nil
}

// call to the driver, with what the Secret holds that the machine names.
func (r *Reconciler) call(ctx context.Context, w *work, sequence int64) (machine.Call, error) {
	out := machine.Call{Key: string(w.before.UID), Sequence: sequence}
	ref := w.before.Spec.Machine.CredentialsRef
	if ref == nil {
		return out, nil
	}
	read := r.secrets.Read
	if sequence > 0 { // nothing is changed with what was read a while ago
		read = r.secrets.Fresh
	}
	data, err := read(ctx, w.before.Namespace, ref.Name)
	if apierrors.IsNotFound(err) && w.before.DeletionTimestamp != nil && w.mind.credentials != nil {
		data, err = w.mind.credentials, nil
	}
	if err != nil {
		return out, fmt.Errorf("%w (spec.machine.credentialsRef)", err)
	}
	out.Credentials, w.mind.credentials = data, data
	return out, nil
}

// doubtSecrets of a Server whose task just failed for good: a person mends what they hold, and has it tried again at once.
func (r *Reconciler) doubtSecrets(w *work) {
	if failed := func(t v1alpha1.Task) bool { return t.State == v1alpha1.TaskFailed }; !slices.ContainsFunc(w.after.Status.Tasks, failed) {
		return
	}
	machine := &w.before.Spec.Machine
	for _, ref := range []*v1alpha1.LocalReference{machine.CredentialsRef, machine.UserDataRef} {
		if ref != nil {
			r.secrets.Forget(w.before.Namespace, ref.Name)
		}
	}
	if machine.Access != nil {
		r.secrets.Forget(w.before.Namespace, machine.Access.PrivateKeyRef.Name)
	}
}

// watch keeps since when this process finds the server Unknown. Whether another outage began meanwhile is the decision's matter: its stamp
// is this process's own then.
func (m *mind) watch(phase v1alpha1.ServerPhase, now time.Time) time.Time {
	switch {
	case phase != v1alpha1.ServerUnknown:
		m.unknown = time.Time{}
	case m.unknown.IsZero():
		m.unknown = now
	}
	return m.unknown
}

// doubt says until when nobody becomes due for failover for silence: for some rounds more than it is distrusted, for who came back in that
// time must answer twice to be believed.
func (m *mind) doubt(distrusted bool, now time.Time, round time.Duration) time.Time {
	if distrusted {
		m.doubted = now.Add((returnRounds + 1) * round)
	}
	return m.doubted
}

// decide the state from the facts.
func (r *Reconciler) decide(w *work) {
	doubted := w.mind.doubt(w.distrusted, w.now, r.DialPeriod)
	in := state.Input{
		Server: w.after, Environment: environmentOf(w.after), UnknownTimeout: defaultUnknownTimeout, Now: w.now,
		Blind: w.blind, Distrusted: w.now.Before(doubted) && !down(&w.after.Status),
		Watched: w.mind.watch(w.before.Status.Phase, w.now),
	}
	if w.bereft {
		in.SetDeleted, in.Removal = true, v1alpha1.RemovalApprove
	}
	if w.set != nil {
		in.Approvals, in.SetDeleted, in.Removal = w.set.Spec.Approvals, w.set.DeletionTimestamp != nil, w.set.Spec.RemovalPolicy
		in.UnknownTimeout = time.Duration(w.set.Spec.Failover.UnknownTimeoutSeconds) * time.Second
		// What was asked of the set as a whole is not asked again of each of its servers.
		verdict, _ := gate.Judge(w.set.Spec.Approvals, gatev1alpha1.GateRemoval, fleet.RemovalOperation(w.set))
		if in.Removal == v1alpha1.RemovalApprove && verdict == gate.Opened {
			in.Removal = v1alpha1.RemovalDelete
		}
	}
	if r.gates != nil {
		in.Answers = r.gates.Answers(w.before.UID, w.before.Spec.Gates)
	}
	out := state.Decide(in)
	s := &w.after.Status
	s.Phase, s.DecidedBy, s.Operation, s.Tasks = out.Phase, out.DecidedBy, out.Operation, out.Tasks
	s.OverrideApplied, s.PendingApprovals = out.OverrideApplied, out.PendingApprovals
	for _, c := range out.Conditions {
		setCondition(s, c)
	}
	s.ObservedGeneration, w.decided = w.before.Generation, out
	w.mind.watch(s.Phase, w.now)
	w.by(out.Wake)
	if in.Distrusted {
		w.by(doubted)
	}
	r.settle(w)
}

// settle calls whom the gates name at which the server waits.
func (r *Reconciler) settle(w *work) {
	if r.gates == nil {
		return
	}
	s := &w.after.Status
	at := gates.Waiting{Object: w.before, Set: w.before.Labels[v1alpha1.LabelSet], Gates: w.before.Spec.Gates, Pending: s.PendingApprovals}
	if s.Operation != nil {
		at.Operations = []string{s.Operation.ID}
	}
	pending, wake := r.gates.Settle(at)
	s.PendingApprovals = pending
	w.by(wake)
}
