// Package estimators asks the members' scheduler estimators, as karmada-scheduler does: how many more replicas of a workload fit a member,
// and how many stand there without a node. It decides nothing; what nobody answers is unknown, and never zero.
package estimators

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net"
	"strconv"
	"sync"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/karmada-io/karmada/pkg/estimator/pb"
	"github.com/karmada-io/karmada/pkg/estimator/service"
	"github.com/karmada-io/karmada/pkg/util"
	"github.com/karmada-io/karmada/pkg/util/names"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/argosy-dev/argosy/internal/config"
)

// unschedulableAfter is how long a pod must have been refused by its scheduler before it counts as waiting for room.
const unschedulableAfter = 30 * time.Second

// addressFresh is how long an estimator's address is trusted.
const addressFresh = time.Minute

// silentFor is how long an estimator that says nothing is not asked again. Each question to it costs a worker the whole timeout, and after
// a power cut nothing closes the connection: a thousand FedHPAs would wait for one lost node.
const silentFor = 30 * time.Second

// connectionIdle is how long a connection that nobody uses is kept. Every member in use is asked about every two minutes.
const connectionIdle = 10 * time.Minute

// Estimators speaks to the members' scheduler estimators, found as karmada-scheduler finds them (pkg/estimator/client/service.go): a
// Service of type ExternalName in karmada-apiserver, or without one its cluster-local name.
type Estimators struct {
	reader      client.Reader
	cfg         config.Estimators
	credentials credentials.TransportCredentials
	clock       clock.Clock

	mu    sync.Mutex
	conns map[string]*estimatorConn
	// silent is when an estimator was last found to say nothing.
	silent map[string]time.Time
}

type estimatorConn struct {
	address string
	checked time.Time
	conn    *grpc.ClientConn
	// answered is when anything was last heard on the connection.
	answered time.Time
}

// New reads Services through reader. Where the section is disabled nobody is asked, and nothing is known.
func New(reader client.Reader, cfg config.Estimators, clk clock.Clock) (*Estimators, error) {
	e := &Estimators{reader: reader, cfg: cfg, clock: clk, conns: map[string]*estimatorConn{}, silent: map[string]time.Time{}}
	if cfg.Mode == config.Disabled {
		return e, nil
	}
	var err error
	e.credentials, err = estimatorCredentials(cfg)
	return e, err
}

// Free is how many more replicas of the binding's workload fit a cluster; ok is false where nobody knows.
func (e *Estimators) Free(ctx context.Context, cluster string, binding *workv1alpha2.ResourceBinding) (replicas int32, ok bool) {
	if e.cfg.Mode == config.Disabled {
		return 0, false
	}
	requirements, err := onTheWire(binding.Spec.ReplicaRequirements)
	if err != nil {
		unanswered(ctx, cluster, err)
		return 0, false
	}
	req := &pb.MaxAvailableReplicasRequest{Cluster: cluster, ReplicaRequirements: requirements}
	return e.call(ctx, cluster, binding, func(ctx context.Context, c service.EstimatorClient) (int32, error) {
		res, err := c.MaxAvailableReplicas(ctx, req)
		if err != nil {
			return 0, err
		}
		return res.MaxReplicas, nil
	})
}

// onTheWire writes requirements in the form of every Karmada's estimator (pkg/estimator/client/accurate.go): typed for 1.16 and 1.17, as
// bytes for later ones.
func onTheWire(r *workv1alpha2.ReplicaRequirements) (*pb.ReplicaRequirements, error) {
	out := &pb.ReplicaRequirements{}
	if r == nil {
		return out, nil // present and empty: 1.16 and 1.17 read an absent message as a fault
	}
	out.Namespace, out.PriorityClassName = r.Namespace, r.PriorityClassName
	if err := out.SetResourceRequest(r.ResourceRequest); err != nil {
		return nil, fmt.Errorf("encoding the requests: %w", err)
	}
	if r.NodeClaim == nil {
		return out, nil
	}
	out.NodeClaim = &pb.NodeClaim{NodeSelector: r.NodeClaim.NodeSelector}
	if err := out.NodeClaim.SetNodeAffinity(r.NodeClaim.HardNodeAffinity); err != nil {
		return nil, fmt.Errorf("encoding the node affinity: %w", err)
	}
	if err := out.NodeClaim.SetTolerations(r.NodeClaim.Tolerations); err != nil {
		return nil, fmt.Errorf("encoding the tolerations: %w", err)
	}
	return out, nil
}

// Unschedulable is how many replicas of the binding's workload its scheduler has refused for 30 seconds in a cluster.
func (e *Estimators) Unschedulable(ctx context.Context, cluster string, binding *workv1alpha2.ResourceBinding) (replicas int32, ok bool) {
	if e.cfg.Mode == config.Disabled {
		return 0, false
	}
	ref := binding.Spec.Resource
	req := &pb.UnschedulableReplicasRequest{
		Cluster:                cluster,
		Resource:               &pb.ObjectReference{ApiVersion: ref.APIVersion, Kind: ref.Kind, Namespace: ref.Namespace, Name: ref.Name},
		UnschedulableThreshold: int64(unschedulableAfter),
	}
	return e.call(ctx, cluster, binding, func(ctx context.Context, c service.EstimatorClient) (int32, error) {
		res, err := c.GetUnschedulableReplicas(ctx, req)
		if err != nil {
			return 0, err
		}
		return res.UnschedulableReplicas, nil
	})
}

// call asks one estimator, bounded in time. Whatever goes wrong, the answer is "unknown".
func (e *Estimators) call(ctx context.Context, cluster string, binding *workv1alpha2.ResourceBinding,
	ask func(context.Context, service.EstimatorClient) (int32, error)) (int32, bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(e.cfg.TimeoutSeconds)*time.Second)
	defer cancel()
	conn, err := e.connection(ctx, cluster)
	if err != nil {
		unanswered(ctx, cluster, err)
		return 0, false
	}
	ctx = metadata.AppendToOutgoingContext(ctx, string(util.ContextKeyObject), objectOf(binding.Spec.Resource))
	began := e.clock.Now()
	n, err := ask(ctx, service.NewEstimatorClient(conn))
	e.heard(cluster, conn, began, err)
	if err != nil {
		unanswered(ctx, cluster, err)
		return 0, false
	}
	return bounded(n)
}

// heard notes whether an estimator spoke. One that has said nothing to anybody while a question ran out is left alone for a while, and then
// connected to anew.
func (e *Estimators) heard(cluster string, conn *grpc.ClientConn, began time.Time, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	known := e.conns[cluster]
	switch {
	case known == nil || known.conn != conn:
	case status.Code(err) != codes.DeadlineExceeded:
		known.answered = e.clock.Now()
	case known.answered.Before(began):
		e.silent[cluster] = e.clock.Now()
		_ = conn.Close() // nobody hears anything on it
		delete(e.conns, cluster)
	}
}

func unanswered(ctx context.Context, cluster string, why error) {
	klog.FromContext(ctx).V(1).Info("The cluster's estimator did not answer", "cluster", cluster, "reason", why.Error())
}

// connection to the cluster's estimator; a moved address is followed. Where karmada-apiserver is asked for the address, questions to other
// estimators do not wait for its answer.
func (e *Estimators) connection(ctx context.Context, cluster string) (*grpc.ClientConn, error) {
	if conn, err := e.known(cluster); conn != nil || err != nil {
		return conn, err
	}
	address, err := e.address(ctx, cluster)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now()
	e.sweep(now)
	known := e.conns[cluster]
	if known != nil && known.address == address {
		known.checked = now
		return known.conn, nil
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(e.credentials))
	if err != nil {
		return nil, fmt.Errorf("connecting to the estimator of %s at %s: %w", cluster, address, err)
	}
	if known != nil {
		_ = known.conn.Close() // its calls fail and are answered by the Cluster's status
	}
	e.conns[cluster] = &estimatorConn{address: address, checked: now, conn: conn}
	return conn, nil
}

// known is a connection whose address is trusted still; nil: there is none.
func (e *Estimators) known(cluster string) (*grpc.ClientConn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.clock.Now()
	if since, silent := e.silent[cluster]; silent && now.Sub(since) < silentFor {
		return nil, fmt.Errorf("the estimator of %s said nothing at %s", cluster, since.UTC().Format(time.TimeOnly))
	}
	if known := e.conns[cluster]; known != nil && now.Sub(known.checked) < addressFresh {
		return known.conn, nil
	}
	return nil, nil
}

// sweep closes connections to estimators that nobody has asked for long: their clusters were unjoined.
func (e *Estimators) sweep(now time.Time) {
	for cluster, known := range e.conns {
		if now.Sub(known.checked) >= connectionIdle {
			_ = known.conn.Close() // nobody waits for an answer on it
			delete(e.conns, cluster)
		}
	}
	maps.DeleteFunc(e.silent, func(_ string, since time.Time) bool { return now.Sub(since) >= silentFor })
}

func (e *Estimators) address(ctx context.Context, cluster string) (string, error) {
	name := names.GenerateEstimatorServiceName(e.cfg.ServicePrefix, cluster)
	var svc corev1.Service
	err := e.reader.Get(ctx, types.NamespacedName{Namespace: e.cfg.ServiceNamespace, Name: name}, &svc)
	switch {
	case apierrors.IsNotFound(err):
		return net.JoinHostPort(fmt.Sprintf("%s.%s.svc", name, e.cfg.ServiceNamespace), strconv.Itoa(int(e.cfg.Port))), nil
	case err != nil:
		return "", fmt.Errorf("reading Service %s/%s: %w", e.cfg.ServiceNamespace, name, err)
	}
	for _, p := range svc.Spec.Ports {
		if svc.Spec.Type == corev1.ServiceTypeExternalName && p.Port == e.cfg.Port {
			return net.JoinHostPort(svc.Spec.ExternalName, strconv.Itoa(p.TargetPort.IntValue())), nil
		}
	}
	return "", fmt.Errorf("service %s/%s is not of type ExternalName with port %d", e.cfg.ServiceNamespace, name, e.cfg.Port)
}

// bounded turns an estimator's answer into one: -1 is Karmada's "ask somebody else", and a best-effort pod fits without end.
func bounded(n int32) (int32, bool) {
	return min(n, math.MaxInt32/2), n >= 0
}

func objectOf(ref workv1alpha2.ObjectReference) string {
	return fmt.Sprintf("kind=%s, name=%s/%s", ref.Kind, ref.Namespace, ref.Name)
}
