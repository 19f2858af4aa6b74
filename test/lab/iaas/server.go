package iaas

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"

	"github.com/argosy-dev/argosy/member/vm/machine/httpdriver"
)

// Fault of one request.
type Fault string

// The faults.
const (
	// None answers as it should.
	None Fault = ""
	// Refused: the request does not arrive.
	Refused Fault = "Refused"
	// Lost: it is carried out, and the answer does not arrive.
	Lost Fault = "Lost"
	// Twice: it arrives twice, as some proxies have it.
	Twice Fault = "Twice"
	// Page: a proxy answers 404 with a page of its own.
	Page Fault = "Page"
	// Nonsense: 200, and no JSON.
	Nonsense Fault = "Nonsense"
	// Overloaded: 429.
	Overloaded Fault = "Overloaded"
	// Conflict: 409 with a code of the system's own.
	Conflict Fault = "Conflict"
)

// Server speaks the contract for a Store.
type Server struct {
	*Store
	// Balancers it has beside machines; nil: none.
	Balancers *Balancers
	// Token that callers must bear; empty: none.
	Token string

	mu    sync.Mutex
	fault func(*http.Request) Fault
}

// Fail has each request suffer what choose says; nil: none does.
func (s *Server) Fail(choose func(*http.Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = choose
}

func (s *Server) faultOf(r *http.Request) Fault {
	s.mu.Lock()
	choose := s.fault
	s.mu.Unlock()
	if choose == nil {
		return None
	}
	return choose(r)
}

// Handler of the contract.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /v1/machines/{key}", s.put)
	mux.HandleFunc("GET /v1/machines/{key}", s.getOne)
	mux.HandleFunc("DELETE /v1/machines/{key}", s.deleteOne)
	mux.HandleFunc("POST /v1/machines/{key}/stop", s.stopOne)
	mux.HandleFunc("GET /v1/machines", s.list)
	if s.Balancers != nil {
		s.Balancers.serve(mux)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Token != "" && r.Header.Get("Authorization") != "Bearer "+s.Token {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		switch s.faultOf(r) {
		case Refused:
			panic(http.ErrAbortHandler)
		case Lost:
			mux.ServeHTTP(&nowhere{header: http.Header{}}, r)
			panic(http.ErrAbortHandler)
		case Twice:
			again := r.Clone(r.Context())
			body, err := readAgain(r)
			if err == nil {
				r.Body, again.Body = body(), body()
				mux.ServeHTTP(&nowhere{header: http.Header{}}, again)
			}
		case Page:
			http.Error(w, "<html>404 Not Found</html>", http.StatusNotFound)
			return
		case Nonsense:
			_, _ = w.Write([]byte("<html>welcome</html>"))
			return
		case Overloaded:
			answer(w, http.StatusTooManyRequests, httpdriver.Problem{Code: httpdriver.Busy, Message: "not now"})
			return
		case Conflict:
			answer(w, http.StatusConflict, httpdriver.Problem{Code: "Locked", Message: "a snapshot is made"})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// nowhere takes an answer that nobody hears.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header          { return n.header }
func (*nowhere) Write(text []byte) (int, error) { return len(text), nil }
func (*nowhere) WriteHeader(int)                {}

var statuses = map[httpdriver.Code]int{
	httpdriver.NotFound: http.StatusNotFound, httpdriver.Fenced: http.StatusConflict, httpdriver.Invalid: http.StatusUnprocessableEntity,
	httpdriver.Busy: http.StatusTooManyRequests,
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func sequence(r *http.Request) int64 {
	n, err := strconv.ParseInt(r.Header.Get(httpdriver.SequenceHeader), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	var spec httpdriver.Spec
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&spec); err != nil {
		answer(w, http.StatusUnprocessableEntity, httpdriver.Problem{Code: httpdriver.Invalid, Message: err.Error()})
		return
	}
	m, problem := s.ensure(r.PathValue("key"), sequence(r), spec)
	switch {
	case problem != nil && problem.Code == httpdriver.NotFound:
		answer(w, http.StatusGone, problem)
	case problem != nil:
		answer(w, statuses[problem.Code], problem)
	case m.State == httpdriver.Creating:
		answer(w, http.StatusAccepted, m)
	default:
		answer(w, http.StatusOK, m)
	}
}

func (s *Server) getOne(w http.ResponseWriter, r *http.Request) {
	m, problem := s.get(r.PathValue("key"))
	if problem != nil {
		answer(w, statuses[problem.Code], problem)
		return
	}
	answer(w, http.StatusOK, m)
}

func (s *Server) deleteOne(w http.ResponseWriter, r *http.Request) {
	if problem := s.remove(r.PathValue("key"), sequence(r)); problem != nil {
		answer(w, statuses[problem.Code], problem)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) stopOne(w http.ResponseWriter, r *http.Request) {
	if problem := s.stop(r.PathValue("key"), sequence(r)); problem != nil {
		answer(w, statuses[problem.Code], problem)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, s.page(r.URL.Query().Get("owner"), r.URL.Query().Get("cursor")))
}
