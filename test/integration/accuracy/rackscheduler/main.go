// rackscheduler is kube-scheduler with the plugin RackQuota compiled in, as a company with a plugin of its own would run it: the judge of
// how the estimator treats such a plugin.
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-scheduler/app"

	"github.com/argosy-dev/argosy/estimator/plugins/rackquota"
)

func main() {
	os.Exit(cli.Run(app.NewSchedulerCommand(app.WithPlugin(rackquota.Name, rackquota.New))))
}
