package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// A single API server spends most of its start on its own first objects and on CRDs, and tests start some twenty of the same kind. So
// etcd's data of the first of them, with nothing but these in it, is kept in the machine's folder for temporary files; the others begin
// with a copy.

// prepared is the data folder of an etcd in which an API server has these CRDs.
type prepared struct {
	// kept is the folder that is copied; it appears there whole, or not at all.
	kept string
	crds []*apiextensionsv1.CustomResourceDefinition
}

// preparedFor names the folder by content: the programs, whose paths name their versions, and the CRDs.
func preparedFor(w *workspace, crds []*apiextensionsv1.CustomResourceDefinition) (prepared, error) {
	key := sha256.New()
	fmt.Fprintln(key, w.programs["etcd"], w.programs["kube-apiserver"])
	if err := json.NewEncoder(key).Encode(crds); err != nil {
		return prepared{}, fmt.Errorf("naming the prepared state: %w", err)
	}
	parent := filepath.Join(os.TempDir(), "argosy-states-"+strconv.Itoa(os.Getuid()))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return prepared{}, fmt.Errorf("making the folder of prepared states: %w", err)
	}
	return prepared{kept: filepath.Join(parent, hex.EncodeToString(key.Sum(nil))[:16]), crds: crds}, nil
}

// restore fills an empty data folder, if there is what to fill it with.
func (p prepared) restore(data string) (found bool, err error) {
	if _, err := os.Stat(p.kept); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err := copyData(p.kept, data); err != nil {
		return false, fmt.Errorf("copying the prepared state: %w", err)
	}
	return true, nil
}

// keep what an etcd that has ended left behind.
func (p prepared) keep(data string) error {
	next, err := os.MkdirTemp(filepath.Dir(p.kept), "preparing-")
	if err != nil {
		return fmt.Errorf("keeping the prepared state: %w", err)
	}
	defer os.RemoveAll(next)
	if err := copyData(data, next); err != nil {
		return fmt.Errorf("keeping the prepared state: %w", err)
	}
	if err := os.Rename(next, p.kept); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keeping the prepared state: %w", err)
	}
	return nil
}

// served waits until discovery shows the CRDs.
func (p prepared) served(config *rest.Config) error {
	options := envtest.CRDInstallOptions{MaxTime: CRDsWithin, PollInterval: crdsPoll}
	if err := envtest.WaitForCRDs(Patient(config), p.crds, options); err != nil {
		return fmt.Errorf("waiting for prepared CRDs: %w", err)
	}
	return nil
}

// copyData copies a data folder of etcd but for the files that it only allocates ahead.
func copyData(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch target := filepath.Join(to, relative); {
		case entry.IsDir():
			return os.MkdirAll(target, 0o700)
		case strings.HasSuffix(path, ".tmp"):
			return nil
		default:
			return copySparse(path, target)
		}
	})
}

// copySparse leaves holes for blocks of zeros: etcd's log is 64 MiB, and hardly written.
func copySparse(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	const size = 256 << 10
	block, zeros, length := make([]byte, size), make([]byte, size), int64(0)
	for {
		n, err := io.ReadFull(source, block)
		if n > 0 && !bytes.Equal(block[:n], zeros[:n]) {
			if _, err := target.WriteAt(block[:n], length); err != nil {
				return err
			}
		}
		length += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return target.Truncate(length)
		}
		if err != nil {
			return err
		}
	}
}
