package orphans

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/internal/moment"
	"github.com/argosy-dev/argosy/member/vm/control"
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers;vmreplicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;create;patch

// every is how often the systems are asked: a list of all machines is dear, and nothing hurries.
const every = 2 * time.Minute

// Options of the looking.
type Options struct {
	// Drivers by the name that spec.machine.driver bears. Those that cannot list machines are not asked.
	Drivers map[string]machine.Driver
	// Namespace of the report: the program's own.
	Namespace string
	// Clock is the wall clock.
	Clock clock.WithTicker
	// Metrics takes the gauge.
	Metrics prometheus.Registerer
}

// Looker is kept by the leader alone. It implements manager.Runnable.
type Looker struct {
	Options
	// cache knows which systems there are; live asks the API server itself.
	cache, live client.Reader
	writer      client.Client
	count       *moment.Gauges[*prometheus.GaugeVec]
	member      control.Identity
	// before is what was seen, and asked which systems were asked; both as the report says until this process looked itself.
	before seen
	asked  []System
	looked bool
	// credentials as they were last read: a namespace that goes loses its Secrets before its machines are looked for.
	credentials map[System]map[string][]byte
}

func counted() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "argosy_vm_orphans",
		Help: "Machines of this member that no Server knows, by driver; nothing of a driver that is in use and could not be asked.",
	}, []string{"driver"})
}

// New makes it and registers its gauge.
func New(options Options, cache, live client.Reader, writer client.Client) (*Looker, error) {
	l := &Looker{Options: options, cache: cache, live: live, writer: writer, credentials: map[System]map[string][]byte{}}
	l.count = moment.New(counted)
	if err := options.Metrics.Register(l.count); err != nil {
		return nil, fmt.Errorf("registering the metric of orphans: %w", err)
	}
	return l, nil
}

// Start looks now and then, until the context ends.
func (l *Looker) Start(ctx context.Context) error {
	ticker := l.Clock.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := l.Look(ctx); err != nil && ctx.Err() == nil {
			klog.FromContext(ctx).Error(err, "Looking for machines that no Server knows")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// Look once.
func (l *Looker) Look(ctx context.Context) error {
	named, err := l.systems(ctx)
	if err != nil {
		return err
	}
	stored, err := l.recall(ctx)
	if err != nil {
		return err
	}
	if stored == nil && len(named) == 0 {
		l.count.Show(l.count.Blank())
		return nil
	}
	owner, err := l.member.Of(ctx, l.live)
	if err != nil {
		return err
	}
	var lists []listed
	for _, s := range named {
		lists = append(lists, l.list(ctx, s, owner, false))
	}
	for _, s := range l.asked {
		if !slices.Contains(named, s) {
			lists = append(lists, l.list(ctx, s, owner, true))
		}
	}
	// After the lists: a Server is stored before its machine is asked for.
	servers := &metav1.PartialObjectMetadataList{}
	servers.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ServerList"))
	if err := l.live.List(ctx, servers); err != nil {
		return fmt.Errorf("listing Servers: %w", err)
	}
	known := map[types.UID]bool{}
	for i := range servers.Items {
		known[servers.Items[i].UID] = true
	}
	report, kept, seen := find(lists, known, l.before, l.Clock.Now())
	l.measure(report, kept, lists)
	if err := l.write(ctx, stored, report, kept); err != nil {
		return err
	}
	l.before, l.asked, l.looked = seen, report.Systems, true
	maps.DeleteFunc(l.credentials, func(s System, _ map[string][]byte) bool { return !slices.Contains(l.asked, s) })
	return nil
}

// recall the report; nil: there is none. A process that begins goes on from it. Whoever deletes it has what nobody names any more
// forgotten.
func (l *Looker) recall(ctx context.Context) (*corev1.ConfigMap, error) {
	stored := &corev1.ConfigMap{}
	err := l.live.Get(ctx, client.ObjectKey{Namespace: l.Namespace, Name: Name}, stored)
	switch {
	case apierrors.IsNotFound(err):
		l.asked = nil
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading ConfigMap %s/%s: %w", l.Namespace, Name, err)
	case l.looked:
		return stored, nil
	}
	report, err := Parse(stored.Data)
	if err != nil {
		klog.FromContext(ctx).Error(err, "Beginning anew with machines that no Server knows")
		return stored, nil
	}
	kept, err := unpack(stored.BinaryData[KeptKey])
	if err != nil {
		klog.FromContext(ctx).Error(err, "Going on with machines that no Server knows as they were told")
	}
	l.before, l.asked = restore(report, kept), report.Systems
	return stored, nil
}

// systems are those that a set or a Server names.
func (l *Looker) systems(ctx context.Context) ([]System, error) {
	sets, servers := &v1alpha1.VMReplicaSetList{}, &v1alpha1.ServerList{}
	if err := l.cache.List(ctx, sets, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing VMReplicaSets: %w", err)
	}
	if err := l.cache.List(ctx, servers, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Servers: %w", err)
	}
	found := map[System]bool{}
	add := func(namespace string, m *v1alpha1.Machine) {
		if _, lists := l.Drivers[m.Driver].(machine.Lister); !lists {
			return
		}
		s := System{Driver: m.Driver}
		if m.CredentialsRef != nil {
			s.Namespace, s.Secret = namespace, m.CredentialsRef.Name
		}
		found[s] = true
	}
	for i := range sets.Items {
		add(sets.Items[i].Namespace, &sets.Items[i].Spec.Template.Spec.Machine)
	}
	for i := range servers.Items {
		add(servers.Items[i].Namespace, &servers.Items[i].Spec.Machine)
	}
	out := slices.Collect(maps.Keys(found))
	slices.SortFunc(out, func(a, b System) int {
		return cmp.Or(cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Secret, b.Secret))
	})
	return out, nil
}

// list the owner's machines of a system, which nobody may name any more.
func (l *Looker) list(ctx context.Context, s System, owner string, left bool) listed {
	out := listed{System: s, left: left}
	lister, ok := l.Drivers[s.Driver].(machine.Lister)
	if !ok {
		out.err, out.lost = errors.New("the driver is not configured here any more"), true
		return out
	}
	call := machine.Call{}
	if s.Secret != "" {
		secret := &corev1.Secret{}
		err := l.live.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: s.Secret}, secret)
		switch kept := l.credentials[s]; {
		case err == nil:
			l.credentials[s] = secret.Data
		case left && kept != nil && apierrors.IsNotFound(err):
			secret.Data = kept
		default:
			out.err = fmt.Errorf("reading Secret %s/%s: %w", s.Namespace, s.Secret, err)
			out.lost = left && apierrors.IsNotFound(err)
			return out
		}
		call.Credentials = secret.Data
	}
	out.machines, out.err = lister.List(ctx, call, owner)
	return out
}

// measure by driver. One that could not be asked has no number: an old one would go on saying that it was counted. What nobody names any
// more, and cannot be asked, counts as it was last seen, until somebody decides about it.
func (l *Looker) measure(report Report, kept []Orphan, lists []listed) {
	counts := map[string]int{}
	for _, list := range lists {
		if !list.left {
			counts[list.Driver] += 0
		}
	}
	for _, orphan := range slices.Concat(report.Items, kept[:min(len(kept), report.More)]) {
		counts[orphan.Driver]++
	}
	for _, unknown := range report.Unknown {
		if !unknown.Left {
			delete(counts, unknown.Driver)
		}
	}
	next := l.count.Blank()
	for driver, n := range counts {
		next.WithLabelValues(driver).Set(float64(n))
	}
	l.count.Show(next)
}

// write the report into what is stored; nil: nothing is.
func (l *Looker) write(ctx context.Context, stored *corev1.ConfigMap, report Report, kept []Orphan) error {
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	packed, err := pack(kept)
	if err != nil {
		return err
	}
	changed := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: l.Namespace, Name: Name}}
	if stored != nil {
		changed = stored.DeepCopy()
	}
	changed.Data, changed.BinaryData = map[string]string{Key: string(text)}, nil
	if packed != nil {
		changed.BinaryData = map[string][]byte{KeptKey: packed}
	}
	if stored == nil {
		err = l.writer.Create(ctx, changed)
	} else {
		err = l.writer.Patch(ctx, changed, client.MergeFrom(stored))
	}
	if err != nil {
		return fmt.Errorf("writing ConfigMap %s/%s: %w", l.Namespace, Name, err)
	}
	return nil
}
