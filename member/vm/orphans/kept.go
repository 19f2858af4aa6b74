package orphans

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
)

const (
	// KeptKey of the ConfigMap has what is known beside the report, for the next process: a system that nobody can ask any more never says it
	// again. It is JSON in gzip: keys of machines alone, all of one form, take a fifth of their length so.
	KeptKey = "kept.json.gz"
	// MaxKept is how many are kept beside the report, of some 45 bytes each: a ConfigMap has room for 1 MiB.
	MaxKept = 10_000
)

// pack what is kept, the first MaxKept of it; nil: nothing is.
func pack(kept []Orphan) ([]byte, error) {
	if len(kept) == 0 {
		return nil, nil
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if err := json.NewEncoder(w).Encode(kept[:min(len(kept), MaxKept)]); err != nil {
		return nil, fmt.Errorf("packing %s: %w", KeptKey, err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing %s: %w", KeptKey, err)
	}
	return out.Bytes(), nil
}

// unpack what was kept.
func unpack(packed []byte) ([]Orphan, error) {
	if len(packed) == 0 {
		return nil, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("reading %s of ConfigMap %s: %w", KeptKey, Name, err)
	}
	var out []Orphan
	if err := json.NewDecoder(r).Decode(&out); err != nil {
		return nil, fmt.Errorf("reading %s of ConfigMap %s: %w", KeptKey, Name, err)
	}
	return out, nil
}
