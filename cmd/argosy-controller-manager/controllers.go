package main

import (
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/argosy-dev/argosy/internal/config"
)

// controller is one line of the list below.
type controller struct {
	// name is the section of the configuration file.
	name    string
	section config.Controller
	setup   func(manager.Manager, config.Controller) error
}

// controllers is every controller of this binary.
func controllers(_ *config.ControllerManager) []controller {
	return []controller{}
}
