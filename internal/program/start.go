package program

import (
	"errors"
	"flag"
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Parse reads a program's flags. A word that is none ends the start: package flag would pass over all that follows it.
func Parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q is no flag: write --name=value (--help lists the names)", flags.Arg(0))
	}
	return nil
}

// Reach says how to reach a cluster: as the kubeconfig that a flag names says, or without one by the account of this pod.
func Reach(cluster, flag, kubeconfig string) (*rest.Config, error) {
	var config *rest.Config
	var err error
	if kubeconfig == "" {
		config, err = rest.InClusterConfig()
	} else {
		config, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
	}
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, fmt.Errorf("%s is needed: the kubeconfig of %s; only a pod there can do without", flag, cluster)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of %s (%s): %w", cluster, flag, err)
	}
	return config, nil
}
