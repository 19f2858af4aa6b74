package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"google.golang.org/grpc/metadata"
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
	// lastFor is how long an answer may stand in for one that took too long.
	lastFor = 30 * time.Second
)

// Members finds a member by name: an error if it is unknown or nothing is known of it.
type Members interface {
	Member(name string) (*mirror.Member, error)
}

// Server implements wire.Estimator.
type Server struct {
	members   Members
	templates *template.Resolver
	promises  *inflight.Ledger
	clock     clock.PassiveClock
	metrics   *Metrics

	mu   sync.Mutex
	last map[string]lastAnswer
}

type lastAnswer struct {
	value int32
	at    time.Time
}

// Options of a Server. Templates and Promises may be nil: pods are then synthetic, and nothing is held for others.
type Options struct {
	Members   Members
	Templates *template.Resolver
	Promises  *inflight.Ledger
	Clock     clock.PassiveClock
	Metrics   *Metrics
}

// New makes a Server.
func New(options Options) *Server {
	return &Server{members: options.Members, templates: options.Templates, promises: options.Promises, clock: options.Clock,
		metrics: options.Metrics, last: map[string]lastAnswer{}}
}

// reply is an answer on its way out.
type reply struct {
	value  int32
	answer oracle.Answer
	// reason, if set, is why the value is not the oracle's: Unknown or a refusal.
	reason string
	err    error
}

func unknown(reason string, err error) reply { return reply{value: Unknown, reason: reason, err: err} }

func none(reason string, err error) reply { return reply{reason: reason, err: err} }

// MaxAvailableReplicas is how many more replicas fit.
func (s *Server) MaxAvailableReplicas(ctx context.Context, request *wire.MaxAvailableReplicasRequest) (*wire.Count, error) {
	object := objectOf(ctx)
	// Requirements always encode; were they not to, questions of one workload would share their last answer.
	requirements, _ := json.Marshal(request.Requirements)
	key := fmt.Sprintf("%s|%s|%s", request.Cluster, object, requirements)
	return s.within(ctx, "MaxAvailableReplicas", request.Cluster, object, key, func(ctx context.Context) reply {
		return s.replicas(ctx, request, object)
	})
}

// MaxAvailableComponentSets is how many more whole sets fit.
func (s *Server) MaxAvailableComponentSets(ctx context.Context, request *wire.MaxAvailableComponentSetsRequest) (*wire.Count, error) {
	object := objectOf(ctx)
	key := fmt.Sprintf("%s|%s|sets", request.Cluster, object)
	return s.within(ctx, "MaxAvailableComponentSets", request.Cluster, object, key, func(ctx context.Context) reply {
		return s.sets(ctx, request)
	})
}

// GetUnschedulableReplicas is how many replicas of a workload the member's scheduler has refused for at least the threshold.
func (s *Server) GetUnschedulableReplicas(ctx context.Context, request *wire.UnschedulableReplicasRequest) (*wire.Count, error) {
	object := fmt.Sprintf("kind=%s, name=%s/%s", request.Kind, request.Namespace, request.Name)
	key := fmt.Sprintf("%s|%s|unschedulable", request.Cluster, object)
	return s.within(ctx, "GetUnschedulableReplicas", request.Cluster, object, key, func(ctx context.Context) reply {
		return s.unschedulable(ctx, request)
	})
}

func objectOf(ctx context.Context) string {
	if values := metadata.ValueFromIncomingContext(ctx, wire.ObjectKey); len(values) > 0 {
		return values[0]
	}
	return ""
}

// within answers by the deadline. What runs late runs on in its goroutine, bounded by its context, and its answer is kept for the next question.
func (s *Server) within(parent context.Context, method, cluster, object, key string, ask func(context.Context) reply) (*wire.Count, error) {
	begun := s.clock.Now()
	logger := klog.FromContext(parent).WithValues("method", method, "member", cluster, "object", object)
	ctx, cancel := context.WithTimeoutCause(klog.NewContext(context.WithoutCancel(parent), logger), deadline, errors.New("the time for an answer is up"))
	answered := make(chan reply, 1)
	go func() {
		defer cancel()
		defer func() {
			// A plugin that panics must not take the other members' estimates with it.
			if fault := recover(); fault != nil {
				answered <- none("Panic", fmt.Errorf("panic: %v", fault))
			}
		}()
		r := ask(ctx)
		if r.err == nil {
			s.remember(key, r.value)
		}
		answered <- r
	}()
	var r reply
	select {
	case r = <-answered:
	case <-ctx.Done():
		// It is also done when the answer has just been given.
		select {
		case r = <-answered:
		default:
			r = s.late(key)
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
	logger.V(1).Info("Answered", "answer", r.value, "path", r.answer.Path, "exact", r.answer.Exact, "reason", r.answer.Why, "took", took)
}

// late is the answer when time is up: the last one to the same question if it is recent, else nothing fits.
func (s *Server) late(key string) reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := fmt.Errorf("no answer within %s", deadline)
	if last, ok := s.last[key]; ok && s.clock.Now().Sub(last.at) <= lastFor {
		return reply{value: last.value, reason: "DeadlineLastAnswer", err: err}
	}
	return none("Deadline", err)
}

func (s *Server) remember(key string, value int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	if len(s.last) > 10000 {
		for other, last := range s.last {
			if now.Sub(last.at) > lastFor {
				delete(s.last, other)
			}
		}
	}
	s.last[key] = lastAnswer{value, now}
}

func clamp(count int64) int32 { return int32(min(count, math.MaxInt32)) }
