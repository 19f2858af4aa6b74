package history

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"k8s.io/utils/clock"
)

// Collector watches the etcd of a lab.
type Collector struct {
	client *clientv3.Client
	clock  clock.PassiveClock
	end    context.CancelFunc
	done   chan struct{}

	mu      sync.Mutex
	records []Record
	seen    Seen
	notes   int
	err     error
}

// Seen is what a collector has to tell of itself.
type Seen struct {
	// Changes of any object, and Kept of those that checkers ask for.
	Changes, Kept int
	// Bytes of all of them, and the Revision last seen.
	Bytes    int64
	Revision int64
}

// Watch begins with what is there and goes on until Close.
func Watch(ctx context.Context, etcd string, c clock.PassiveClock) (*Collector, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{etcd}, DialTimeout: time.Minute, Logger: zap.NewNop()})
	if err != nil {
		return nil, fmt.Errorf("reaching the lab's etcd: %w", err)
	}
	ctx, end := context.WithCancel(ctx)
	w := &Collector{client: client, clock: c, end: end, done: make(chan struct{})}
	revision, err := w.begin(ctx)
	if err != nil {
		end()
		client.Close()
		return nil, err
	}
	changes := client.Watch(clientv3.WithRequireLeader(ctx), "/", clientv3.WithPrefix(), clientv3.WithRev(revision+1))
	go w.follow(changes)
	return w, nil
}

// begin keeps what is there, and returns as of which revision.
func (w *Collector) begin(ctx context.Context) (int64, error) {
	all, err := w.client.Get(ctx, "/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	if err != nil {
		return 0, fmt.Errorf("listing the lab's etcd: %w", err)
	}
	revision := all.Header.Revision
	for _, kv := range all.Kvs {
		key, ok := parseKey(string(kv.Key))
		if !ok || key.Resource == Events {
			continue
		}
		one, err := w.client.Get(ctx, string(kv.Key), clientv3.WithRev(revision))
		if err != nil {
			return 0, fmt.Errorf("reading %s in the lab's etcd: %w", key, err)
		}
		for _, found := range one.Kvs {
			object, err := decode(key.Resource, found.Value)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", key, err)
			}
			w.records = append(w.records, Record{Revision: revision, At: w.clock.Now(), Op: Put, Key: key, Object: object})
		}
	}
	return revision, nil
}

func (w *Collector) follow(changes clientv3.WatchChan) {
	defer close(w.done)
	for response := range changes {
		if err := response.Err(); err != nil {
			w.fail(fmt.Errorf("the history has a hole: %w", err))
			return
		}
		now := w.clock.Now()
		for _, event := range response.Events {
			if err := w.take(now, event); err != nil {
				w.fail(err)
				return
			}
		}
	}
}

func (w *Collector) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
}

func (w *Collector) take(now time.Time, event *clientv3.Event) error {
	record, ok, err := readEvent(now, event)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.Changes++
	w.seen.Bytes += int64(len(event.Kv.Key) + len(event.Kv.Value))
	w.seen.Revision = event.Kv.ModRevision
	if err != nil || !ok {
		return err
	}
	w.seen.Kept++
	w.records = append(w.records, record)
	return nil
}

func readEvent(now time.Time, event *clientv3.Event) (Record, bool, error) {
	r := Record{Revision: event.Kv.ModRevision, At: now, Op: Put}
	if name := string(event.Kv.Key); len(name) > len(notesPrefix) && name[:len(notesPrefix)] == notesPrefix {
		r.Op, r.Note = Noted, &Note{}
		return r, true, json.Unmarshal(event.Kv.Value, r.Note)
	}
	var ok bool
	if r.Key, ok = parseKey(string(event.Kv.Key)); !ok {
		return r, false, nil
	}
	if event.Type == clientv3.EventTypeDelete {
		r.Op = Delete
		return r, r.Resource != Events, nil
	}
	var err error
	if r.Object, err = decode(r.Resource, event.Kv.Value); err != nil {
		return r, false, fmt.Errorf("%s: %w", r.Key, err)
	}
	return r, true, nil
}

// Note takes its place in the order, after all that was written before.
func (w *Collector) Note(ctx context.Context, n Note) error {
	content, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("writing a note: %w", err)
	}
	w.mu.Lock()
	w.notes++
	key := fmt.Sprintf("%s%08d", notesPrefix, w.notes)
	w.mu.Unlock()
	if _, err := w.client.Put(ctx, key, string(content)); err != nil {
		return fmt.Errorf("writing a note into the lab's etcd: %w", err)
	}
	return nil
}

// Seen is how much there was.
func (w *Collector) Seen() Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// SoFar is the history up to now, and why it ended early, if it did.
func (w *Collector) SoFar() (History, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return History{Records: w.records[:len(w.records):len(w.records)]}, w.err
}

// Close ends the watch.
func (w *Collector) Close() {
	w.end()
	<-w.done
	w.client.Close()
}
