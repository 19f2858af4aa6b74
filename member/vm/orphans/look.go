package orphans

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
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
	"github.com/argosy-dev/argosy/member/vm/machine"
)

// +kubebuilder:rbac:groups=vm.argosy.dev,resources=servers;vmreplicasets,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups="",resources=namespaces,resourceNames=kube-system,verbs=get
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
	count       *prometheus.GaugeVec
	before      seen
	owner       string
}

// New makes it and registers its gauge.
func New(options Options, cache, live client.Reader, writer client.Client) (*Looker, error) {
	l := &Looker{Options: options, cache: cache, live: live, writer: writer, before: seen{}}
	l.count = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "argosy_vm_orphans", Help: "Machines of this member that no Server knows, by driver; nothing of a driver that could not be asked.",
	}, []string{"driver"})
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
	systems, err := l.systems(ctx)
	if err != nil || len(systems) == 0 && len(l.before) == 0 {
		return err
	}
	if l.owner == "" {
		system := &metav1.PartialObjectMetadata{}
		system.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
		if err := l.live.Get(ctx, client.ObjectKey{Name: metav1.NamespaceSystem}, system); err != nil {
			return fmt.Errorf("reading who this cluster is: %w", err)
		}
		l.owner = string(system.UID)
	}
	var lists []listed
	for _, s := range systems {
		lists = append(lists, l.list(ctx, s))
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
	var report Report
	report, l.before = find(lists, known, l.before, l.Clock.Now())
	l.measure(report, lists)
	return l.write(ctx, report)
}

// system is where machines are made, with a Secret to ask with.
type system struct{ driver, namespace, secret string }

// systems are those that a set or a Server names.
func (l *Looker) systems(ctx context.Context) ([]system, error) {
	sets, servers := &v1alpha1.VMReplicaSetList{}, &v1alpha1.ServerList{}
	if err := l.cache.List(ctx, sets, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing VMReplicaSets: %w", err)
	}
	if err := l.cache.List(ctx, servers, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Servers: %w", err)
	}
	found := map[system]bool{}
	add := func(namespace string, m *v1alpha1.Machine) {
		if _, lists := l.Drivers[m.Driver].(machine.Lister); !lists {
			return
		}
		s := system{driver: m.Driver}
		if m.CredentialsRef != nil {
			s.namespace, s.secret = namespace, m.CredentialsRef.Name
		}
		found[s] = true
	}
	for i := range sets.Items {
		add(sets.Items[i].Namespace, &sets.Items[i].Spec.Template.Spec.Machine)
	}
	for i := range servers.Items {
		add(servers.Items[i].Namespace, &servers.Items[i].Spec.Machine)
	}
	var out []system
	for s := range found {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b system) int {
		return cmp.Or(cmp.Compare(a.driver, b.driver), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.secret, b.secret))
	})
	return out, nil
}

func (l *Looker) list(ctx context.Context, s system) listed {
	out := listed{driver: s.driver}
	call := machine.Call{}
	if s.secret != "" {
		secret := &corev1.Secret{}
		if err := l.live.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: s.secret}, secret); err != nil {
			out.err = fmt.Errorf("reading Secret %s/%s: %w", s.namespace, s.secret, err)
			return out
		}
		call.Credentials = secret.Data
	}
	out.machines, out.err = l.Drivers[s.driver].(machine.Lister).List(ctx, call, l.owner)
	return out
}

// measure by driver. One that could not be asked has no number: an old one would go on saying that it was counted.
func (l *Looker) measure(report Report, lists []listed) {
	counts := map[string]int{}
	for _, list := range lists {
		counts[list.driver] += 0
	}
	for _, orphan := range report.Items {
		counts[orphan.Driver]++
	}
	for _, unknown := range report.Unknown {
		delete(counts, unknown.Driver)
	}
	l.count.Reset()
	for driver, n := range counts {
		l.count.WithLabelValues(driver).Set(float64(n))
	}
}

func (l *Looker) write(ctx context.Context, report Report) error {
	text, err := json.Marshal(report)
	if err != nil {
		return err
	}
	stored := &corev1.ConfigMap{}
	err = l.live.Get(ctx, client.ObjectKey{Namespace: l.Namespace, Name: Name}, stored)
	if apierrors.IsNotFound(err) {
		stored.Namespace, stored.Name, stored.Data = l.Namespace, Name, map[string]string{Key: string(text)}
		err = l.writer.Create(ctx, stored)
	} else if err == nil {
		base := stored.DeepCopy()
		stored.Data = map[string]string{Key: string(text)}
		err = l.writer.Patch(ctx, stored, client.MergeFrom(base))
	}
	if err != nil {
		return fmt.Errorf("writing ConfigMap %s/%s: %w", l.Namespace, Name, err)
	}
	return nil
}
