package mirror

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// watches knows of each resource that is listed and watched whether the member still lets it be, and when it last said something of it. A
// member may answer the probe and refuse what counts: a role that was narrowed, a kind that is no longer served, a token that has ended.
type watches struct {
	clock clock.PassiveClock
	// unauthorized is told of each answer 401; it must not block.
	unauthorized func()

	mu    sync.Mutex
	known map[string]*watched
	// refused is since when the member has taken us for nobody.
	refused time.Time
}

// watched is one resource.
type watched struct {
	heard time.Time
	// failing is since when no request has succeeded, zero while they do; problem is the last failure.
	failing time.Time
	problem error
}

func newWatches(c clock.PassiveClock, unauthorized func()) *watches {
	if unauthorized == nil {
		unauthorized = func() {}
	}
	return &watches{clock: c, unauthorized: unauthorized, known: map[string]*watched{}}
}

// listsOrWatches tells what an informer sends from the reading of one object: reflectors name a version or a limit in each request.
func listsOrWatches(query url.Values) bool {
	return query.Has("watch") || query.Has("resourceVersion") || query.Has("limit")
}

// note takes in how a request ended, and hears what its answer goes on to say.
func (w *watches) note(request *http.Request, response *http.Response, err error) {
	if err != nil && (request.Context().Err() != nil || errors.Is(err, context.Canceled)) {
		return
	}
	query := request.URL.Query()
	if err == nil {
		w.identified(response.StatusCode != http.StatusUnauthorized)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	if !listsOrWatches(query) {
		return
	}
	one := w.of(request.URL.Path)
	switch {
	case err == nil && answered(response.StatusCode, query):
		one.heard, one.failing, one.problem = now, time.Time{}, nil
		if query.Has("watch") {
			response.Body = &heard{ReadCloser: response.Body, hear: func() { w.hear(request.URL.Path) }}
		}
		return
	case err == nil:
		err = fmt.Errorf("%s: %s", request.URL.Path, response.Status)
	}
	one.problem = err
	if one.failing.IsZero() {
		one.failing = now
	}
}

// identified takes in whether the member knows who we are.
func (w *watches) identified(known bool) {
	if !known {
		w.unauthorized()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case known:
		w.refused = time.Time{}
	case w.refused.IsZero():
		w.refused = w.clock.Now()
	}
}

// answered: also by what makes a reflector list anew (a version that is too old), or fall back from a stream to a list.
func answered(code int, query url.Values) bool {
	return code < http.StatusMultipleChoices || code == http.StatusGone ||
		query.Has("sendInitialEvents") && (code == http.StatusUnprocessableEntity || code == http.StatusBadRequest)
}

func (w *watches) of(path string) *watched {
	one, ok := w.known[path]
	if !ok {
		one = &watched{}
		w.known[path] = one
	}
	return one
}

func (w *watches) hear(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.of(path).heard = w.clock.Now()
}

// refusal is the resource that has been failing longest, and since when; ok is false where none is.
func (w *watches) refusal() (since time.Time, problem error, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.known {
		if !one.failing.IsZero() && (!ok || one.failing.Before(since)) {
			since, problem, ok = one.failing, one.problem, true
		}
	}
	return since, problem, ok
}

// failing is how many resources can be neither listed nor watched now.
func (w *watches) failing() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	count := 0
	for _, one := range w.known {
		if !one.failing.IsZero() {
			count++
		}
	}
	return count
}

// nobody is true while the member refuses our credentials.
func (w *watches) nobody() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.refused.IsZero()
}

// quietest is when the resource that has been silent longest last said something: bookmarks come every minute or so. Zero before any did.
func (w *watches) quietest() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	var quietest time.Time
	for _, one := range w.known {
		if !one.heard.IsZero() && (quietest.IsZero() || one.heard.Before(quietest)) {
			quietest = one.heard
		}
	}
	return quietest
}

// heard is the body of a watch.
type heard struct {
	io.ReadCloser
	hear func()
}

func (h *heard) Read(into []byte) (int, error) {
	n, err := h.ReadCloser.Read(into)
	if n > 0 {
		h.hear()
	}
	return n, err
}
