package main

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// absentFor is how long a kind that karmada-apiserver did not serve is taken for absent before it is looked for again.
const absentFor = 10 * time.Second

// mapper knows for a moment which kinds are absent. controller-runtime's own asks karmada-apiserver each time, and kinds that a control
// plane may lack are asked for with every look at an autoscaler.
type mapper struct {
	meta.RESTMapper
	clock clock.PassiveClock

	mu     sync.Mutex
	absent map[string]absence
}

type absence struct {
	since time.Time
	err   error
}

func newMapper(config *rest.Config, client *http.Client) (meta.RESTMapper, error) {
	inner, err := apiutil.NewDynamicRESTMapper(config, client)
	if err != nil {
		return nil, err
	}
	return &mapper{RESTMapper: inner, clock: clock.RealClock{}, absent: map[string]absence{}}, nil
}

// RESTMapping of a kind.
func (m *mapper) RESTMapping(kind schema.GroupKind, versions ...string) (*meta.RESTMapping, error) {
	key := kind.String() + "/" + strings.Join(versions, ",")
	m.mu.Lock()
	known, ok := m.absent[key]
	m.mu.Unlock()
	if ok && m.clock.Since(known.since) < absentFor {
		return nil, known.err
	}
	mapping, err := m.RESTMapper.RESTMapping(kind, versions...)
	if meta.IsNoMatchError(err) {
		m.mu.Lock()
		defer m.mu.Unlock()
		maps.DeleteFunc(m.absent, func(_ string, a absence) bool { return m.clock.Since(a.since) >= absentFor })
		m.absent[key] = absence{since: m.clock.Now(), err: err}
	}
	return mapping, err
}
