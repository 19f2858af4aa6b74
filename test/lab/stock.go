package lab

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/ports"
	"github.com/argosy-dev/argosy/test/lab/process"
)

// StockScheduler is the name by which a policy chooses the scheduler of StartStockScheduler (spec.schedulerName).
const StockScheduler = "stock"

// StartStockScheduler runs, beside the federation's own, a second karmada-scheduler that asks Karmada's stock estimators, one for each
// member, as Karmada's installers set them up. So one federation shows both estimators at work. The caller stops them.
func (l *Lab) StartStockScheduler(ctx context.Context) (stop func(), err error) {
	return l.startBeside(ctx, (*beside).stock)
}

// StartScheduler runs a further karmada-scheduler, which a policy chooses by its name (spec.schedulerName). It asks the estimators whose
// Services have this port, over TLS that both sides verify. The caller stops it.
func (l *Lab) StartScheduler(ctx context.Context, name string, estimatorPort int) (stop func(), err error) {
	return l.startBeside(ctx, func(b *beside, _ context.Context) error {
		return b.scheduler(name, fmt.Sprintf("--scheduler-estimator-port=%d", estimatorPort),
			"--scheduler-estimator-ca-file="+l.PKI("ca.crt"), "--scheduler-estimator-cert-file="+l.PKI("server.crt"),
			"--scheduler-estimator-key-file="+l.PKI("server.key"))
	})
}

// PKI is a file of the lab's authority: ca.crt, or the certificate that its servers and clients share, server.crt and server.key.
func (l *Lab) PKI(file string) string { return (&workspace{dir: l.Dir}).pki(file) }

func (l *Lab) startBeside(ctx context.Context, start func(*beside, context.Context) error) (stop func(), err error) {
	programs, err := binaries.Ensure(ctx, binaries.Options{Root: l.Root, Karmada: l.KarmadaVersion}, "karmada-scheduler",
		"karmada-scheduler-estimator")
	if err != nil {
		return nil, err
	}
	pool, err := ports.NewPool()
	if err != nil {
		return nil, err
	}
	b := &beside{lab: l, programs: programs, ports: pool}
	if err := b.start(ctx, start); err != nil {
		b.stop()
		return nil, err
	}
	return b.stop, nil
}

// beside is what runs next to a federation and is none of its units.
type beside struct {
	lab      *Lab
	programs binaries.Set
	ports    *ports.Pool
	children []*process.Process
}

func (b *beside) start(ctx context.Context, start func(*beside, context.Context) error) error {
	if err := start(b, ctx); err != nil {
		return err
	}
	for _, child := range b.children {
		if err := child.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (b *beside) stock(ctx context.Context) error {
	services := map[string]int{}
	for _, member := range b.lab.Members {
		numbers, err := b.take(3)
		if err != nil {
			return err
		}
		services[member] = numbers[0]
		if err := b.run("karmada-scheduler-estimator", member, numbers[1], "--kubeconfig="+b.lab.Kubeconfigs[member], "--cluster-name="+member,
			fmt.Sprintf("--server-port=%d", numbers[0]), fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", numbers[2])); err != nil {
			return err
		}
	}
	if err := b.register(ctx, services); err != nil {
		return err
	}
	return b.scheduler(StockScheduler, "--scheduler-estimator-service-prefix=stock-estimator",
		fmt.Sprintf("--scheduler-estimator-port=%d", stockPort))
}

func (b *beside) scheduler(name string, args ...string) error {
	numbers, err := b.take(2)
	if err != nil {
		return err
	}
	return b.run("karmada-scheduler", name, numbers[0],
		append([]string{"--kubeconfig=" + b.lab.Kubeconfigs[KarmadaPlaneName], "--leader-elect=false",
			"--scheduler-name=" + name, fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", numbers[1]), "--enable-scheduler-estimator=true"},
			args...)...)
}

// stockPort is the port of the Services; each points to its own estimator's.
const stockPort = 10352

func (b *beside) take(count int) ([]int, error) {
	numbers := make([]int, count)
	for i := range numbers {
		var err error
		if numbers[i], err = b.ports.Take(); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

func (b *beside) run(program, name string, health int, args ...string) error {
	child, err := process.Start(process.Spec{
		Name: "beside/" + program + "-" + name, Path: b.programs[program],
		Args: append(args, fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", health)),
		Log:  filepath.Join(b.lab.Dir, "logs", "beside-"+program+"-"+name+".log"),
		Ready: func(ctx context.Context) error {
			return get(ctx, http.DefaultClient, fmt.Sprintf("http://127.0.0.1:%d/healthz", health))
		},
	})
	if err != nil {
		return err
	}
	b.children = append(b.children, child)
	return nil
}

func (b *beside) register(ctx context.Context, services map[string]int) error {
	cfg, err := b.lab.Karmada()
	if err != nil {
		return err
	}
	objects := []*unstructured.Unstructured{namespace(karmadaSystem)}
	for member, port := range services {
		objects = append(objects, estimatorService("stock-estimator-"+member, stockPort, port))
	}
	return apply(ctx, cfg, objects...)
}

func (b *beside) stop() {
	for _, v := range slices.Backward(b.children) {
		v.Kill()
	}
	b.ports.Close()
}

// estimatorService is how karmada-scheduler finds an estimator: it knows the Service's port by its own --scheduler-estimator-port, and
// dials the target.
func estimatorService(name string, port, target int) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"metadata": map[string]any{"namespace": karmadaSystem, "name": name},
		"spec": map[string]any{"type": "ExternalName", "externalName": "localhost",
			"ports": []any{map[string]any{"name": "grpc", "protocol": "TCP", "port": int64(port), "targetPort": int64(target)}}},
	}}
}
