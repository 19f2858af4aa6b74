package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/rest"
)

// ErrWriteRefused: something tried to change a member.
var ErrWriteRefused = errors.New("the estimator does not write to members")

// ReadOnly returns the configuration with a transport that lets only reads out, and that answers for the resources which the member's API
// server does not serve: as empty. The scheduler's informers include resources of recent Kubernetes versions (resource.k8s.io) that would
// never sync on an older member.
func ReadOnly(config *rest.Config, served sets.Set[string]) *rest.Config {
	return readOnlyConfig(config, served, nil)
}

// readOnlyConfig is ReadOnly for a mirror, which hears how its requests end.
func readOnlyConfig(config *rest.Config, served sets.Set[string], watches *watches) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &readOnly{next: next, served: served, watches: watches}
	})
	return config
}

type readOnly struct {
	next http.RoundTripper
	// served are "group/version/resource" of the resources in absentKinds that exist; nil while that is not known.
	served sets.Set[string]
	// watches, if set, hears how each request ends that leaves.
	watches *watches
}

// absentKinds are the list kinds of the resources that a supported member may lack.
var absentKinds = map[string]string{
	"resource.k8s.io/v1/resourceclaims":         "ResourceClaimList",
	"resource.k8s.io/v1/resourceslices":         "ResourceSliceList",
	"resource.k8s.io/v1/deviceclasses":          "DeviceClassList",
	"storage.k8s.io/v1/csistoragecapacities":    "CSIStorageCapacityList",
	"storage.k8s.io/v1/volumeattachments":       "VolumeAttachmentList",
	"storage.k8s.io/v1/csidrivers":              "CSIDriverList",
	"storage.k8s.io/v1/csinodes":                "CSINodeList",
	"policy/v1/poddisruptionbudgets":            "PodDisruptionBudgetList",
	"node.k8s.io/v1/runtimeclasses":             "RuntimeClassList",
	"storage.k8s.io/v1/volumeattributesclasses": "VolumeAttributesClassList",
}

func (t *readOnly) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		return nil, fmt.Errorf("%s %s: %w", request.Method, request.URL.Path, ErrWriteRefused)
	}
	if t.served != nil {
		resource := strings.TrimPrefix(request.URL.Path[strings.Index(request.URL.Path, "/apis/")+1:], "apis/")
		if kind, ok := absentKinds[resource]; ok && !t.served.Has(resource) {
			return emptyAnswer(request, resource, kind)
		}
	}
	response, err := t.next.RoundTrip(request)
	if t.watches != nil {
		t.watches.note(request, response, err)
	}
	return response, err
}

// emptyAnswer is an empty list, or a watch that says nothing until it is closed.
func emptyAnswer(request *http.Request, resource, kind string) (*http.Response, error) {
	groupVersion := resource[:strings.LastIndex(resource, "/")]
	query := request.URL.Query()
	if query.Get("sendInitialEvents") != "" {
		// Make the reflector fall back to list and watch.
		return answer(request, http.StatusUnprocessableEntity, metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
			Status: metav1.StatusFailure, Reason: metav1.StatusReasonInvalid, Code: http.StatusUnprocessableEntity})
	}
	if query.Get("watch") == "true" || query.Get("watch") == "1" {
		reader, writer := io.Pipe()
		go func() {
			<-request.Context().Done()
			_ = writer.CloseWithError(io.EOF)
		}()
		return &http.Response{StatusCode: http.StatusOK, Request: request, Body: reader,
			Header: http.Header{"Content-Type": {"application/json"}}}, nil
	}
	return answer(request, http.StatusOK, metav1.List{
		TypeMeta: metav1.TypeMeta{Kind: kind, APIVersion: groupVersion}, ListMeta: metav1.ListMeta{ResourceVersion: "1"},
	})
}

func answer(request *http.Request, code int, object any) (*http.Response, error) {
	body, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("answering for %s: %w", request.URL.Path, err)
	}
	return &http.Response{StatusCode: code, Request: request, ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
		Header: http.Header{"Content-Type": {"application/json"}}}, nil
}
