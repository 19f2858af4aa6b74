package lab

import (
	"context"
	"fmt"
	"os"

	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Main runs a package's tests on one federation, which use is given before any of them begins: what TestMain ends with. A run that failed
// keeps the federation's objects and logs.
func Main(m interface{ Run() int }, options Options, use func(*Lab)) int {
	log := textlogger.NewLogger(textlogger.NewConfig())
	klog.SetLogger(log)
	ctrl.SetLogger(log)
	options.Progress = os.Stdout
	l, closeLab, err := Run(context.Background(), options)
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting the federation:", err)
		return 1
	}
	use(l)
	code := Judge(m)
	if code != 0 {
		if err := l.Dump(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "keeping the federation's objects:", err)
		}
	}
	closeLab(code != 0)
	return code
}
