package wire

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/karmada-io/karmada/pkg/estimator/pb"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

var (
	affinity = corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
		{Key: "disk", Operator: corev1.NodeSelectorOpIn, Values: []string{"ssd"}}}}}}
	toleration = corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}
	cpu        = resource.MustParse("500m")
	gpu        = resource.MustParse("2")
	wanted     = Requirements{
		NodeAffinity: &affinity, NodeSelector: map[string]string{"zone": "a"}, Tolerations: []corev1.Toleration{toleration},
		Requests:  corev1.ResourceList{"cpu": cpu, "nvidia.com/gpu": gpu},
		Namespace: "shop", PriorityClassName: "high",
	}
	wantedPart = Requirements{
		NodeAffinity: &affinity, NodeSelector: map[string]string{"zone": "a"}, Tolerations: []corev1.Toleration{toleration},
		Requests: corev1.ResourceList{"cpu": cpu, "nvidia.com/gpu": gpu}, PriorityClassName: "high",
	}
)

// message builds protobuf by hand: the later forms have no Go types in Karmada 1.16.
type message []byte

func (m message) text(number protowire.Number, value string) message {
	return m.raw(number, []byte(value))
}

func (m message) raw(number protowire.Number, value []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, number, protowire.BytesType), value)
}

func (m message) int(number protowire.Number, value int64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, number, protowire.VarintType), uint64(value))
}

type marshaler interface{ Marshal() ([]byte, error) }

func bytesOf(t *testing.T, object marshaler) []byte {
	t.Helper()
	data, err := object.Marshal()
	if err != nil {
		t.Fatalf("marshalling %T: %v", object, err)
	}
	return data
}

func written(t *testing.T, message proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(message)
	if err != nil {
		t.Fatalf("marshalling %T: %v", message, err)
	}
	return data
}

func entry(key string, value []byte) []byte { return message{}.text(1, key).raw(2, value) }

// form is a generation of the protocol: whether it sends Kubernetes messages, bytes, or both, and what workloads are assumed.
type form struct{ messages, bytes, assumed bool }

var forms = map[string]form{
	"1.16": {messages: true}, "1.18": {messages: true, bytes: true, assumed: true}, "1.19": {bytes: true, assumed: true},
}

func (f form) claim(t *testing.T) message {
	m := message{}
	if f.messages {
		m = m.raw(1, bytesOf(t, &affinity)).raw(3, bytesOf(t, &toleration))
	}
	m = m.raw(2, entry("zone", []byte("a")))
	if f.bytes {
		m = m.raw(4, bytesOf(t, &affinity)).raw(5, bytesOf(t, &toleration))
	}
	return m
}

func (f form) requirements(t *testing.T) message {
	m := message{}.raw(1, f.claim(t)).text(3, "shop").text(4, "high")
	if f.messages {
		m = m.raw(2, entry("cpu", bytesOf(t, &cpu))).raw(2, entry("nvidia.com/gpu", bytesOf(t, &gpu)))
	}
	if f.bytes {
		m = m.raw(5, entry("cpu", bytesOf(t, &cpu))).raw(5, entry("nvidia.com/gpu", bytesOf(t, &gpu)))
	}
	return m
}

func (f form) component(t *testing.T) message {
	m := message{}.raw(1, f.claim(t)).text(3, "high")
	if f.messages {
		m = m.raw(2, entry("cpu", bytesOf(t, &cpu))).raw(2, entry("nvidia.com/gpu", bytesOf(t, &gpu)))
	}
	if f.bytes {
		m = m.raw(4, entry("cpu", bytesOf(t, &cpu))).raw(4, entry("nvidia.com/gpu", bytesOf(t, &gpu)))
	}
	return message{}.text(1, "jobmanager").raw(2, m).int(3, 3)
}

var quantities = cmp.Comparer(func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })
var faults = cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) || errors.Is(b, a) })

func TestDecodeReplicasInEveryForm(t *testing.T) {
	for version, f := range forms {
		t.Run(version, func(t *testing.T) {
			data := message{}.text(1, "m1").raw(2, f.requirements(t))
			want := MaxAvailableReplicasRequest{Cluster: "m1", Requirements: wanted}
			if f.assumed {
				data = data.raw(3, message{}.text(1, "other").raw(2, f.component(t)))
				want.Assumed = []AssumedWorkload{{Namespace: "other", Components: []Component{
					{Name: "jobmanager", Replicas: 3, Requirements: wantedPart}}}}
			}
			var got MaxAvailableReplicasRequest
			if err := received(data, &got); err != nil {
				t.Fatalf("decoding: %v", err)
			}
			if diff := cmp.Diff(want, got, quantities, faults); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDecodeSetsInEveryForm(t *testing.T) {
	for version, f := range forms {
		t.Run(version, func(t *testing.T) {
			data := message{}.text(1, "m1").raw(2, f.component(t)).text(3, "shop")
			want := MaxAvailableComponentSetsRequest{Cluster: "m1", Namespace: "shop",
				Components: []Component{{Name: "jobmanager", Replicas: 3, Requirements: wantedPart}}}
			if f.assumed {
				data = data.raw(4, message{}.text(1, "other").raw(2, f.component(t)))
				want.Assumed = []AssumedWorkload{{Namespace: "other", Components: want.Components}}
			}
			var got MaxAvailableComponentSetsRequest
			if err := received(data, &got); err != nil {
				t.Fatalf("decoding: %v", err)
			}
			if diff := cmp.Diff(want, got, quantities, faults); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// Karmada's own types, which write what 1.18 writes, are the judge of the form, both ways.
func TestKarmadaTypesAgree(t *testing.T) {
	requirements := &pb.ReplicaRequirements{
		NodeClaim: &pb.NodeClaim{NodeSelector: wanted.NodeSelector}, Namespace: "shop", PriorityClassName: "high",
	}
	if err := errors.Join(requirements.SetResourceRequest(wanted.Requests), requirements.NodeClaim.SetNodeAffinity(&affinity),
		requirements.NodeClaim.SetTolerations(wanted.Tolerations)); err != nil {
		t.Fatal(err)
	}
	request := &pb.MaxAvailableReplicasRequest{Cluster: "m1", ReplicaRequirements: requirements}
	var got MaxAvailableReplicasRequest
	if err := received(written(t, request), &got); err != nil {
		t.Fatalf("decoding: %v", err)
	}
	if diff := cmp.Diff(MaxAvailableReplicasRequest{Cluster: "m1", Requirements: wanted}, got, quantities, faults); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}

	unschedulable := &pb.UnschedulableReplicasRequest{Cluster: "m1", UnschedulableThreshold: int64(time.Minute),
		Resource: &pb.ObjectReference{ApiVersion: "apps/v1", Kind: "StatefulSet", Namespace: "shop", Name: "db"}}
	var gotUnschedulable UnschedulableReplicasRequest
	if err := received(written(t, unschedulable), &gotUnschedulable); err != nil {
		t.Fatalf("decoding: %v", err)
	}
	wantUnschedulable := UnschedulableReplicasRequest{Cluster: "m1", APIVersion: "apps/v1", Kind: "StatefulSet", Namespace: "shop", Name: "db",
		Threshold: time.Minute}
	if diff := cmp.Diff(wantUnschedulable, gotUnschedulable, faults); diff != "" {
		t.Errorf("unschedulable request (-want +got):\n%s", diff)
	}

	for _, value := range []int32{-1, 0, 1, 1 << 30} {
		data, err := codec{}.Marshal(&Count{Value: value})
		if err != nil {
			t.Fatal(err)
		}
		var answer pb.MaxAvailableReplicasResponse
		if err := proto.Unmarshal(data.Materialize(), &answer); err != nil || answer.MaxReplicas != value {
			t.Errorf("Karmada reads our %d as %d, %v", value, answer.MaxReplicas, err)
		}
	}
}

func TestFaultyRequests(t *testing.T) {
	negative, bad := resource.MustParse("-1"), message{}.raw(2, message{}.raw(2, entry("cpu", []byte{0xff})))
	tests := map[string]struct {
		data message
		want error
	}{
		"requirements at a place yet to come": {message{}.text(1, "m1").raw(9, message{}.text(3, "ns")), ErrUnknownForm},
		"none, as 1.18 writes best effort":    {message{}.text(1, "m1"), nil},
		"empty bytes":                         {message{}, nil},
		"requirements of a form yet to come":  {message{}.text(1, "m1").raw(2, message{}.raw(9, []byte("x")).text(3, "ns")), ErrUnknownForm},
		"claim of a form yet to come":         {message{}.raw(2, message{}.raw(1, message{}.raw(9, []byte("x")))), ErrUnknownForm},
		"negative quantity":                   {message{}.raw(2, message{}.raw(2, entry("cpu", bytesOf(t, &negative)))), ErrQuantity},
		"quantity that is none":               {bad, ErrMalformed},
		"truncated":                           {message{}.text(1, "m1").raw(2, forms["1.16"].requirements(t))[:40], ErrMalformed},
		"best effort is no fault":             {message{}.text(1, "m1").raw(2, message{}.text(3, "ns")), nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got MaxAvailableReplicasRequest
			if err := (codec{}).Unmarshal(mem.BufferSlice{mem.SliceBuffer(tc.data)}, &got); err != nil {
				t.Fatalf("the codec itself must not fail, or other clusters' answers are lost: %v", err)
			}
			if !errors.Is(got.Fault, tc.want) {
				t.Errorf("fault = %v, want %v", got.Fault, tc.want)
			}
		})
	}
}

// Karmada 1.18 leaves requirements out where a replica asks for nothing, also of what it has assumed; its own types are the judge.
func TestAbsentRequirementsAreEmpty(t *testing.T) {
	bestEffort := &pb.AssumedWorkload{Namespace: "shop", Components: []*pb.Component{{Name: "web", Replicas: 2}}}
	want := []AssumedWorkload{{Namespace: "shop", Components: []Component{{Name: "web", Replicas: 2}}}}

	var replicas MaxAvailableReplicasRequest
	if err := received(written(t, &pb.MaxAvailableReplicasRequest{Cluster: "m1", AssumedWorkloads: []*pb.AssumedWorkload{bestEffort}}),
		&replicas); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(MaxAvailableReplicasRequest{Cluster: "m1", Assumed: want}, replicas, faults); diff != "" {
		t.Errorf("replicas (-want +got):\n%s", diff)
	}

	var sets MaxAvailableComponentSetsRequest
	if err := received(written(t, &pb.MaxAvailableComponentSetsRequest{Cluster: "m1", Namespace: "shop",
		Components: bestEffort.Components, AssumedWorkloads: []*pb.AssumedWorkload{bestEffort}}), &sets); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(MaxAvailableComponentSetsRequest{Cluster: "m1", Namespace: "shop", Components: want[0].Components, Assumed: want},
		sets, faults); diff != "" {
		t.Errorf("sets (-want +got):\n%s", diff)
	}

	for name, tc := range map[string]struct {
		data message
		want error
	}{
		"no components": {message{}.text(1, "m1").text(3, "shop"), ErrNoComponents},
		"a component's requirements at a place yet to come": {
			message{}.text(1, "m1").raw(2, message{}.text(1, "web").int(3, 2).raw(9, []byte("x"))), ErrUnknownForm,
		},
	} {
		var got MaxAvailableComponentSetsRequest
		if err := received(tc.data, &got); err != nil || !errors.Is(got.Fault, tc.want) {
			t.Errorf("%s: fault %v (%v), want %v", name, got.Fault, err, tc.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, version := range forms {
		f.Add([]byte(message{}.text(1, "m1").raw(2, version.requirements(&testing.T{}))))
		f.Add([]byte(message{}.text(1, "m1").raw(2, version.component(&testing.T{})).text(3, "ns")))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var replicas MaxAvailableReplicasRequest
		if err := received(data, &replicas); err != nil {
			t.Fatalf("the codec must not fail: %v", err)
		}
		for name, quantity := range replicas.Requirements.Requests {
			if replicas.Fault == nil && quantity.Sign() < 0 {
				t.Errorf("negative %s passed", name)
			}
		}
		var sets MaxAvailableComponentSetsRequest
		if err := received(data, &sets); err != nil {
			t.Fatalf("the codec must not fail: %v", err)
		}
		var unschedulable UnschedulableReplicasRequest
		if err := received(data, &unschedulable); err != nil {
			t.Fatalf("the codec must not fail: %v", err)
		}
	})
}

func received(data []byte, into any) error {
	return codec{fallback: encoding.GetCodecV2("proto")}.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data)}, into)
}
