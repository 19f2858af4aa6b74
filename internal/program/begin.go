package program

import (
	"flag"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
)

// Program is one that works against one cluster.
type Program struct {
	// Name of the program.
	Name string
	// Cluster that --kubeconfig reaches, in people's words.
	Cluster string
	// Logs is what -v=0 logs, and 1 too.
	Logs string
}

// Begun is a program that has read its flags, and logs.
type Begun struct {
	// Config is the path of the configuration file; empty means the defaults.
	Config string
	// Profiles is the host:port of /debug/pprof; empty means that it is not served.
	Profiles string
	Log      logr.Logger

	cluster, kubeconfig string
}

// Begin reads the flags that every program with a manager has, makes its logger and bounds its memory by its container's. A flag that is
// none ends the process, with the list of those there are.
func Begin(p Program, args []string) (*Begun, error) {
	b := &Begun{cluster: p.Cluster}
	flags := flag.NewFlagSet(p.Name, flag.ExitOnError)
	flags.StringVar(&b.Config, "config", "", "configuration file (config.argosy.dev/v1alpha1); empty means the defaults")
	flags.StringVar(&b.kubeconfig, "kubeconfig", "", "kubeconfig of "+p.Cluster+"; empty means the pod's own account")
	ProfilesFlag(flags, &b.Profiles)
	verbosity := flags.Int("v", 0, p.Logs)
	if err := Parse(flags, args); err != nil {
		return nil, err
	}
	b.Log = Log(p.Name, *verbosity)
	return b, LimitMemory()
}

// Reach says how to reach the program's cluster.
func (b *Begun) Reach() (*rest.Config, error) {
	return Reach(b.cluster, "--kubeconfig", b.kubeconfig)
}
