package admission

import (
	admissionv1 "k8s.io/api/admission/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// decode the object of a request, and what it was before; nil on create.
func decode[T any, P interface {
	*T
	client.Object
}](decoder admission.Decoder, request admission.Request) (object, old P, err error) {
	object = P(new(T))
	if err := decoder.Decode(request, object); err != nil {
		return nil, nil, err
	}
	if request.Operation != admissionv1.Update {
		return object, nil, nil
	}
	old = P(new(T))
	if err := decoder.DecodeRaw(request.OldObject, old); err != nil {
		return nil, nil, err
	}
	return object, old, nil
}
