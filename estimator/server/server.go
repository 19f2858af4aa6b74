package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"google.golang.org/grpc/metadata"
	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/estimator/inflight"
	"github.com/argosy-dev/argosy/estimator/mirror"
	"github.com/argosy-dev/argosy/estimator/oracle"
	"github.com/argosy-dev/argosy/estimator/template"
	"github.com/argosy-dev/argosy/estimator/wire"
)

const (
	// Unknown tells karmada-scheduler to leave this estimator out (its UnauthenticReplica).
	Unknown = int32(-1)
	// deadline is when an answer is given, whatever is known by then; 1.5 s is promised.
	deadline = 1300 * time.Millisecond
	// searchFor bounds the placing of copies one by one, and undoFor is what is left to take them back.
	searchFor, undoFor = 900 * time.Millisecond, 400 * time.Millisecond
	// templateFor bounds the reading of all the templates that a question needs.
	templateFor = 500 * time.Millisecond
)

// Members finds a member by name: an error if it is unknown or nothing is known of it.
type Members interface {
	Member(name string) (*mirror.Member, error)
}

// Server implements wire.Estimator.
type Server struct {
	members   Members
	templates *template.Resolver
	kinds     template.Kinds
	promises  *inflight.Ledger
	clock     clock.PassiveClock
	metrics   *Metrics
	events    record.EventRecorder
}

// Options of a Server. Templates, Promises, Metrics and Events may be nil: pods are then synthetic, nothing is held for others, and nothing
// is counted or said.
type Options struct {
	Members   Members
	Templates *template.Resolver
	// Kinds are those whose pod template is not at spec.template.
	Kinds    template.Kinds
	Promises *inflight.Ledger
	Clock    clock.PassiveClock
	Metrics  *Metrics
	Events   record.EventRecorder
}

// New makes a Server.
func New(options Options) *Server {
	if options.Templates != nil && options.Promises != nil {
		options.Templates.Placed = func(o template.Object) []workv1alpha2.ObjectReference {
			return options.Promises.Workloads(o.Kind, o.Namespace, o.Name)
		}
	}
	return &Server{
		members: options.Members, templates: options.Templates, kinds: options.Kinds, promises: options.Promises, clock: options.Clock,
		metrics: options.Metrics, events: options.Events,
	}
}

// reply is an answer on its way out.
type reply struct {
	value  int32
	answer oracle.Answer
	// pod is how the pod was found that stood for the replicas (standIns); empty of other questions.
	pod string
	// reason, if set, is why the value is not the oracle's: Unknown or a refusal.
	reason string
	err    error
}

// unknown is the answer where there is no number: Karmada goes by what else it knows. A careful number in its place would be taken for the
// truth.
func unknown(reason string, err error) reply { return reply{value: Unknown, reason: reason, err: err} }

// none is the answer where no member can have room.
func none(reason string, err error) reply { return reply{reason: reason, err: err} }

// found is what the oracle found, if it did.
func found(answer oracle.Answer) reply {
	if !answer.Known() {
		return unknown("TimeUp", fmt.Errorf("nothing is known when the time is up: %s", answer.Why))
	}
	return reply{value: clamp(answer.Count), answer: answer}
}

// MaxAvailableReplicas is how many more replicas fit.
func (s *Server) MaxAvailableReplicas(ctx context.Context, request *wire.MaxAvailableReplicasRequest) (*wire.Count, error) {
	object := objectOf(ctx)
	return s.within(ctx, "MaxAvailableReplicas", request.Cluster, object, func(ctx context.Context) reply {
		return s.replicas(ctx, request, object)
	})
}

// MaxAvailableComponentSets is how many more whole sets fit.
func (s *Server) MaxAvailableComponentSets(ctx context.Context, request *wire.MaxAvailableComponentSetsRequest) (*wire.Count, error) {
	object := objectOf(ctx)
	return s.within(ctx, "MaxAvailableComponentSets", request.Cluster, object, func(ctx context.Context) reply {
		return s.sets(ctx, request)
	})
}

// GetUnschedulableReplicas is how many replicas of a workload the member's scheduler has refused for at least the threshold.
func (s *Server) GetUnschedulableReplicas(ctx context.Context, request *wire.UnschedulableReplicasRequest) (*wire.Count, error) {
	object := fmt.Sprintf("kind=%s, name=%s/%s", request.Kind, request.Namespace, request.Name)
	return s.within(ctx, "GetUnschedulableReplicas", request.Cluster, object, func(ctx context.Context) reply {
		return s.unschedulable(ctx, request)
	})
}

func objectOf(ctx context.Context) string {
	if values := metadata.ValueFromIncomingContext(ctx, wire.ObjectKey); len(values) > 0 {
		return values[0]
	}
	return ""
}

// within answers by the deadline. What runs late runs on in its goroutine, bounded by its context. Its answer comes too late for anybody,
// and the last one to the same question is none either: all of it may have been promised since.
func (s *Server) within(parent context.Context, method, cluster, object string, ask func(context.Context) reply) (*wire.Count, error) {
	begun := s.clock.Now()
	logger := klog.FromContext(parent).WithValues("method", method, "member", cluster, "object", object)
	ctx, cancel := context.WithTimeoutCause(klog.NewContext(context.WithoutCancel(parent), logger), deadline,
		errors.New("the time for an answer is up"))
	answered := make(chan reply, 1)
	go func() {
		defer cancel()
		defer func() {
			// A plugin that panics must not take the other members' estimates with it.
			if fault := recover(); fault != nil {
				answered <- unknown("Panic", fmt.Errorf("panic: %v", fault))
			}
		}()
		answered <- ask(ctx)
	}()
	var r reply
	select {
	case r = <-answered:
	case <-ctx.Done():
		// It is also done when the answer has just been given.
		select {
		case r = <-answered:
		default:
			r = unknown("Deadline", fmt.Errorf("no answer within %s", deadline))
		}
	}
	took := s.clock.Now().Sub(begun)
	s.metrics.answered(method, cluster, r, took)
	s.log(logger, r, took)
	return &wire.Count{Value: r.value}, nil
}

func (s *Server) log(logger klog.Logger, r reply, took time.Duration) {
	if r.reason != "" {
		logger.Error(r.err, "Answered without an estimate", "answer", r.value, "reason", r.reason, "took", took)
		return
	}
	logger.V(1).Info("Answered", "answer", r.value, "path", r.answer.Path, "exact", r.answer.Exact, "doubt", r.answer.Doubt, "pod", r.pod,
		"reason", r.answer.Why, "took", took)
}

func clamp(count int64) int32 { return int32(min(count, math.MaxInt32)) }
