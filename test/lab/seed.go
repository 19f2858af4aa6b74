package lab

import (
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/argosy-dev/argosy/test/lab/ports"
)

// An API server spends most of its start on its own first objects and on CRDs, and tests start some sixty, most of them alike. So what the
// first of a kind has stored, with nothing but these in it, is kept in the machine's folder for temporary files, and written into the etcd
// of the others before they start. TestSeed; a federation of three members takes 25 processor seconds to start where it took 33.

// seeded are the keys below a plane's prefix that are the same in all planes of a kind. Namespaces are not: Karmada takes the identity of
// kube-system for the cluster's.
var seeded = []string{
	"/apiextensions.k8s.io/customresourcedefinitions/", "/clusterroles/", "/clusterrolebindings/", "/roles/", "/rolebindings/",
	"/flowschemas/", "/prioritylevelconfigurations/", "/priorityclasses/",
}

// seedBatch keys are written in one transaction: etcd takes 128 operations and 1.5 MiB.
const seedBatch = 16

// seed is how a plane comes to its CRDs.
type seed struct {
	server apiServer
	work   *workspace
	// crds are in the seed; own are not, since they name an address or a certificate of this lab.
	crds, own []*apiextensionsv1.CustomResourceDefinition
	file      string
	planted   bool
}

func newSeed(w *workspace, server apiServer, crds []*apiextensionsv1.CustomResourceDefinition) (*seed, error) {
	s := &seed{server: server, work: w}
	for _, crd := range crds {
		if crd.Spec.Conversion != nil && crd.Spec.Conversion.Webhook != nil {
			s.own = append(s.own, crd)
		} else {
			s.crds = append(s.crds, crd)
		}
	}
	var err error
	s.file, err = seedFile(w, s.crds)
	return s, err
}

// seedFile is named by content: the programs, whose paths name their versions, and the CRDs.
func seedFile(w *workspace, crds []*apiextensionsv1.CustomResourceDefinition) (string, error) {
	key := sha256.New()
	fmt.Fprintln(key, w.programs["etcd"], w.programs["kube-apiserver"])
	if err := json.NewEncoder(key).Encode(crds); err != nil {
		return "", fmt.Errorf("naming the seed: %w", err)
	}
	folder, err := ports.Own("argosy-seeds")
	if err != nil {
		return "", fmt.Errorf("finding a folder for seeds: %w", err)
	}
	return filepath.Join(folder, hex.EncodeToString(key.Sum(nil))[:16]), nil
}

// seedKey is one key of a seed, without the plane's prefix.
type seedKey struct{ Key, Value string }

// plant writes the seed into the lab's etcd, if there is one: before the plane's API server starts.
func (s *seed) plant(ctx context.Context) error {
	file, err := os.Open(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the seed: %w", err)
	}
	defer file.Close()
	var keys []seedKey
	if err := gob.NewDecoder(file).Decode(&keys); err != nil {
		return fmt.Errorf("reading the seed %s (delete it, and it is made anew): %w", s.file, err)
	}
	store, err := s.store()
	if err != nil {
		return err
	}
	defer store.Close()
	var batch []clientv3.Op
	for i, key := range keys {
		batch = append(batch, clientv3.OpPut("/"+s.server.name+key.Key, key.Value))
		if len(batch) < seedBatch && i < len(keys)-1 {
			continue
		}
		if _, err := store.Txn(ctx).Then(batch...).Commit(); err != nil {
			return fmt.Errorf("writing the seed of %s: %w", s.server.name, err)
		}
		batch = nil
	}
	s.planted = true
	return nil
}

// install returns when the plane serves its CRDs. What it has stored then is kept, if nothing was planted.
func (s *seed) install(ctx context.Context, cfg *rest.Config) error {
	missing := append(s.crds[:len(s.crds):len(s.crds)], s.own...)
	if s.planted {
		missing = s.own
	}
	if len(missing) > 0 {
		if err := installCRDs(cfg, missing); err != nil {
			return err
		}
	}
	if !s.planted {
		return s.keep(ctx)
	}
	options := envtest.CRDInstallOptions{MaxTime: CRDsWithin, PollInterval: crdsPoll}
	if err := envtest.WaitForCRDs(Patient(cfg), s.crds, options); err != nil {
		return fmt.Errorf("waiting for the seed's CRDs: %w", err)
	}
	return nil
}

func (s *seed) keep(ctx context.Context) error {
	store, err := s.store()
	if err != nil {
		return err
	}
	defer store.Close()
	own := map[string]bool{}
	for _, crd := range s.own {
		own[seeded[0]+crd.Name] = true
	}
	plane := "/" + s.server.name
	var keys []seedKey
	for _, below := range seeded {
		all, err := store.Get(ctx, plane+below, clientv3.WithPrefix())
		if err != nil {
			return fmt.Errorf("reading what %s has stored: %w", s.server.name, err)
		}
		for _, kv := range all.Kvs {
			if key := string(kv.Key[len(plane):]); !own[key] {
				keys = append(keys, seedKey{Key: key, Value: string(kv.Value)})
			}
		}
	}
	return writeWhole(s.file, keys)
}

// writeWhole makes the file appear with all that is in it, or not at all.
func writeWhole(path string, keys []seedKey) (err error) {
	next, err := os.CreateTemp(filepath.Dir(path), "next-")
	if err != nil {
		return fmt.Errorf("keeping the seed: %w", err)
	}
	defer os.Remove(next.Name())
	err = errors.Join(gob.NewEncoder(next).Encode(keys), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("keeping the seed: %w", err)
	}
	return nil
}

func (s *seed) store() (*clientv3.Client, error) {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{s.server.etcd.url()}, Logger: zap.NewNop()})
	if err != nil {
		return nil, fmt.Errorf("reaching the lab's etcd: %w", err)
	}
	return client, nil
}
