package transport

import (
	"flag"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"
)

// Story plays one tale of a controller that reaches the API server by what wrap makes of an access. It fails the test unless all ends as
// it must.
type Story func(t *testing.T, wrap func(*rest.Config) *rest.Config)

// Sweep is how a story is played again and again.
type Sweep struct {
	// Least is how many writes there must be at least: a story without writes proves nothing.
	Least int
	// InTurn lets each write go wrong in one way only, in turn, unless -every-kind is given: for long stories.
	InTurn bool
	// Serial plays one after the other: for stories that cannot be played side by side.
	Serial bool
}

var everyKind = flag.Bool("every-kind", false, "let each write go wrong in each way, also in long stories")

// EachWrite plays a story without a fault, to see what is written in it, and then once for each of these writes and each way in which it
// can go wrong.
func (s Sweep) EachWrite(t *testing.T, story Story) {
	t.Helper()
	calm := &Fault{}
	if !t.Run("calm", func(t *testing.T) { story(t, calm.Wrap) }) {
		return
	}
	writes := calm.Writes()
	if len(writes) < s.Least {
		t.Fatalf("%d writes, want %d at least: %v", len(writes), s.Least, writes)
	}
	var played, happened atomic.Int32
	t.Run("each", func(t *testing.T) {
		for i, write := range writes {
			for _, kind := range s.kinds(i) {
				t.Run(fmt.Sprintf("%s at %d %s", kind, i+1, short(write)), func(t *testing.T) {
					if !s.Serial {
						t.Parallel()
					}
					f := &Fault{Kind: kind, Write: i + 1}
					story(t, f.Wrap)
					if played.Add(1); f.Happened() {
						happened.Add(1)
					}
				})
			}
		}
	})
	t.Logf("%d writes, %d of %d faults happened", len(writes), happened.Load(), played.Load())
	// Writes may be fewer when two of them become one: that is as it may be, but not for most.
	if happened.Load()*4 < played.Load()*3 {
		t.Errorf("only %d of %d faults happened", happened.Load(), played.Load())
	}
}

func (s Sweep) kinds(write int) []Kind {
	kinds := Kinds()
	if s.InTurn && !*everyKind {
		return kinds[write%len(kinds):][:1]
	}
	return kinds
}

// short leaves of a path what names the object.
func short(write string) string {
	method, path, _ := strings.Cut(write, " ")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	return method + " " + strings.Join(parts[max(0, len(parts)-3):], " ")
}
