package deploy

import "embed"

// Files are the folders below by their paths here, such as "webhook/interpreter.yaml".
//
//go:embed crds/*.yaml users/*.yaml webhook/*.yaml controller-manager/*.yaml estimator/*.yaml renew/*.yaml member-manager/*.yaml
var Files embed.FS
