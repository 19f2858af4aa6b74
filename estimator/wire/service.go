package wire

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/argosy-dev/argosy/estimator/wire/pb"

	// The default codec, for the messages that are not Karmada's: health checks.
	_ "google.golang.org/grpc/encoding/proto"
)

// ServiceName and ObjectKey are fixed by Karmada: pkg/estimator/service and pkg/util (ContextKeyObject).
const (
	ServiceName = "github.com.karmada_io.karmada.pkg.estimator.service.Estimator"
	ObjectKey   = "object"
)

// Estimator is the service, in terms of the decoded messages.
type Estimator interface {
	MaxAvailableReplicas(context.Context, *MaxAvailableReplicasRequest) (*Count, error)
	MaxAvailableComponentSets(context.Context, *MaxAvailableComponentSetsRequest) (*Count, error)
	GetUnschedulableReplicas(context.Context, *UnschedulableReplicasRequest) (*Count, error)
}

// Register puts the service on a server, which must have been made with Codec (ServerOption).
func Register(server *grpc.Server, estimator Estimator) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: ServiceName,
		HandlerType: (*Estimator)(nil),
		Methods: []grpc.MethodDesc{
			{MethodName: "MaxAvailableReplicas", Handler: handler("MaxAvailableReplicas", Estimator.MaxAvailableReplicas)},
			{MethodName: "MaxAvailableComponentSets", Handler: handler("MaxAvailableComponentSets", Estimator.MaxAvailableComponentSets)},
			{MethodName: "GetUnschedulableReplicas", Handler: handler("GetUnschedulableReplicas", Estimator.GetUnschedulableReplicas)},
		},
	}, estimator)
}

// ServerOption makes a server decode with this package.
func ServerOption() grpc.ServerOption {
	return grpc.ForceServerCodecV2(codec{fallback: encoding.GetCodecV2("proto")})
}

func handler[T any](method string, call func(Estimator, context.Context, *T) (*Count, error)) grpc.MethodHandler {
	return func(srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
		request := new(T)
		if err := decode(request); err != nil {
			return nil, err
		}
		answer := func(ctx context.Context, request any) (any, error) {
			return call(srv.(Estimator), ctx, request.(*T))
		}
		if interceptor == nil {
			return answer(ctx, request)
		}
		info := &grpc.UnaryServerInfo{Server: srv, FullMethod: "/" + ServiceName + "/" + method}
		return interceptor(ctx, request, info, answer)
	}
}

// codec decodes this package's messages and leaves every other to gRPC's own codec.
type codec struct {
	fallback encoding.CodecV2
}

func (codec) Name() string { return "proto" }

func (c codec) Marshal(message any) (mem.BufferSlice, error) {
	if count, ok := message.(*Count); ok {
		data, err := proto.Marshal(&pb.Count{Value: &count.Value})
		return mem.BufferSlice{mem.SliceBuffer(data)}, err
	}
	return c.fallback.Marshal(message)
}

func (c codec) Unmarshal(data mem.BufferSlice, message any) error {
	switch m := message.(type) {
	case *MaxAvailableReplicasRequest:
		m.Fault = m.decode(data.Materialize())
	case *MaxAvailableComponentSetsRequest:
		m.Fault = m.decode(data.Materialize())
	case *UnschedulableReplicasRequest:
		m.Fault = m.decode(data.Materialize())
	case *Count:
		return m.decode(data.Materialize())
	default:
		return c.fallback.Unmarshal(data, message)
	}
	return nil
}

// decode reads an answer: for those who ask.
func (c *Count) decode(data []byte) error {
	var message pb.Count
	if err := unmarshal(data, &message); err != nil {
		return fmt.Errorf("decoding an answer: %w", err)
	}
	c.Value = message.GetValue()
	return nil
}
