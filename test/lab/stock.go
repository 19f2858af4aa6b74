package lab

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/ports"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// StockScheduler is the name by which a policy chooses the scheduler of StartStockScheduler (spec.schedulerName).
const StockScheduler = "stock"

// StartStockScheduler runs, beside the federation's own, a second karmada-scheduler that asks Karmada's stock estimators, one for each member, as Karmada's
// installers set them up. So one federation shows both estimators at work. The caller stops them.
func (l *Lab) StartStockScheduler(ctx context.Context) (stop func(), err error) {
	programs, err := binaries.Ensure(ctx, binaries.Options{Root: l.Root}, "karmada-scheduler", "karmada-scheduler-estimator")
	if err != nil {
		return nil, err
	}
	pool, err := ports.NewPool()
	if err != nil {
		return nil, err
	}
	s := &stockSide{lab: l, programs: programs, ports: pool}
	if err := s.start(ctx); err != nil {
		s.stop()
		return nil, err
	}
	return s.stop, nil
}

type stockSide struct {
	lab      *Lab
	programs binaries.Set
	ports    *ports.Pool
	children []*process.Process
}

func (s *stockSide) start(ctx context.Context) error {
	services := map[string]int{}
	for _, member := range s.lab.Members {
		numbers, err := s.take(3)
		if err != nil {
			return err
		}
		services[member] = numbers[0]
		if err := s.run("karmada-scheduler-estimator", member, numbers[1], "--kubeconfig="+s.lab.Kubeconfigs[member], "--cluster-name="+member,
			fmt.Sprintf("--server-port=%d", numbers[0]), fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", numbers[2])); err != nil {
			return err
		}
	}
	if err := s.register(ctx, services); err != nil {
		return err
	}
	numbers, err := s.take(2)
	if err != nil {
		return err
	}
	if err := s.run("karmada-scheduler", StockScheduler, numbers[0], "--kubeconfig="+s.lab.Kubeconfigs[KarmadaPlaneName], "--leader-elect=false",
		"--scheduler-name="+StockScheduler, fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", numbers[1]),
		"--enable-scheduler-estimator=true", "--scheduler-estimator-service-prefix=stock-estimator", fmt.Sprintf("--scheduler-estimator-port=%d", stockPort)); err != nil {
		return err
	}
	for _, child := range s.children {
		if err := child.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stockPort is the port of the Services; each points to its own estimator's.
const stockPort = 10352

func (s *stockSide) take(count int) ([]int, error) {
	numbers := make([]int, count)
	for i := range numbers {
		var err error
		if numbers[i], err = s.ports.Take(); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

func (s *stockSide) run(program, name string, health int, args ...string) error {
	child, err := process.Start(process.Spec{
		Name: "stock/" + program + "-" + name, Path: s.programs[program],
		Args: append(args, fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", health)),
		Log:  filepath.Join(s.lab.Dir, "logs", "stock-"+program+"-"+name+".log"),
		Ready: func(ctx context.Context) error {
			return get(ctx, http.DefaultClient, fmt.Sprintf("http://127.0.0.1:%d/healthz", health))
		},
	})
	if err != nil {
		return err
	}
	s.children = append(s.children, child)
	return nil
}

func (s *stockSide) register(ctx context.Context, services map[string]int) error {
	cfg, err := s.lab.Karmada()
	if err != nil {
		return err
	}
	objects := []*unstructured.Unstructured{namespace(karmadaSystem)}
	for member, port := range services {
		objects = append(objects, estimatorService("stock-estimator-"+member, stockPort, port))
	}
	return apply(ctx, cfg, objects...)
}

func (s *stockSide) stop() {
	for i := len(s.children) - 1; i >= 0; i-- {
		s.children[i].Kill()
	}
	s.ports.Close()
}
