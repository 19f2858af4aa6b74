package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/internal/manifest"
	"github.com/argosy-dev/argosy/test/lab/binaries"
	"github.com/argosy-dev/argosy/test/lab/pki"
)

// A part is one of Argosy's own programs, as the lab runs it: ./cmd/<command> with a configuration
// file, a kubeconfig of karmada-apiserver and its health on a port of its own. It runs as a user with
// exactly the rights that argosyctl install grants the program, so that a missing right shows here.
type part struct {
	// name is the component's: "argosy/webhook".
	name    string
	command string
	// kind of its configuration file.
	kind string
	// config is added to the fields every part has: addresses of metrics and health.
	config map[string]any
	// args are added to --config, --kubeconfig and -v.
	args  []string
	after []string
	// register runs once the part serves.
	register func(context.Context) error
}

// parts is the list of Argosy's programs in the lab.
func (a *argosy) parts() []part {
	return []part{
		{
			name: "argosy/webhook", command: "argosy-webhook", kind: "WebhookConfiguration",
			config: map[string]any{
				"bindAddress":          fmt.Sprintf("127.0.0.1:%d", a.webhook),
				"isKarmadaBindAddress": fmt.Sprintf("127.0.0.1:%d", a.isKarmada),
				"certDir":              filepath.Dir(a.pki("serving/tls.crt")),
				// No Service here: nobody comes after it was told to stop.
				"drainSeconds": 0,
			},
			after:    []string{"karmada/apiserver"},
			register: a.register,
		},
		{
			name: "argosy/controller-manager", command: "argosy-controller-manager", kind: "ControllerManagerConfiguration",
			config: map[string]any{
				"leaderElection": map[string]any{"enabled": false},
				// FedHPA asks the estimator as karmada-scheduler does, and shows the same certificate.
				"controllers": map[string]any{"fedHPA": map[string]any{"estimators": map[string]any{
					"port": a.estimator, "caFile": a.pki("ca.crt"), "certFile": a.pki("server.crt"), "keyFile": a.pki("server.key"),
				}}, "reschedule": a.rescheduling()},
			},
			after: []string{"karmada/cluster-api"},
		},
		{
			name: "argosy/estimator", command: "argosy-estimator", kind: "EstimatorConfiguration",
			args: []string{
				fmt.Sprintf("--server-port=%d", a.estimator),
				"--grpc-auth-cert-file=" + a.pki("server.crt"),
				"--grpc-auth-key-file=" + a.pki("server.key"),
				"--grpc-client-ca-file=" + a.pki("ca.crt"),
			},
			config: map[string]any{
				// A person who stops a member should see it go stale while watching.
				"drainSeconds": 0,
				"staleness":    map[string]any{"probeSeconds": 2, "probeTimeoutSeconds": 2, "freshSeconds": 6, "keepSeconds": 60},
				"registration": map[string]any{"mode": "Enabled", "host": "localhost", "port": a.estimator, "expected": a.members},
			},
			after: []string{"karmada/cluster-api"},
		},
	}
}

// argosy is this repository's own programs in the lab.
type argosy struct {
	*karmadaPlane
	webhook, isKarmada int
	// members that will join.
	members []string
	// reschedule is Options.Reschedule.
	reschedule []string
	// shippedWebhooks is Options.ShippedWebhooks.
	shippedWebhooks bool
}

// rescheduling is the section of its controller.
func (a *argosy) rescheduling() map[string]any {
	if len(a.reschedule) == 0 {
		return map[string]any{}
	}
	namespaces := a.reschedule
	if slices.Contains(namespaces, "*") {
		namespaces = []string{}
	}
	return map[string]any{"namespaces": namespaces, "unschedulableSeconds": 10}
}

// argosyUnits lists Argosy's own processes, which run against the control plane.
func (f *federation) argosyUnits(ctx context.Context, k *karmadaPlane, opts Options) ([]unit, error) {
	a := &argosy{karmadaPlane: k, members: f.info.Members, reschedule: opts.Reschedule, shippedWebhooks: opts.ShippedWebhooks}
	if err := a.take(&a.webhook, &a.isKarmada); err != nil {
		return nil, err
	}
	f.info.Endpoints["argosy/webhook is-karmada"] = fmt.Sprintf("https://127.0.0.1:%d/is-karmada", a.isKarmada)
	parts := a.parts()
	var commands []string
	for _, p := range parts {
		commands = append(commands, p.command)
	}
	programs, err := binaries.BuildOwn(ctx, binaries.Options{Root: a.root, Progress: opts.Progress}, commands...)
	if err != nil {
		return nil, err
	}
	var units []unit
	for _, p := range parts {
		u, err := a.unit(p, programs[p.command], f.info.Endpoints)
		if err != nil {
			return nil, err
		}
		units = append(units, u)
	}
	return units, nil
}

func (a *argosy) unit(p part, program string, endpoints map[string]string) (unit, error) {
	var metrics, health int
	if err := a.take(&metrics, &health); err != nil {
		return unit{}, err
	}
	config := map[string]any{
		"apiVersion":         "config.argosy.dev/v1alpha1",
		"kind":               p.kind,
		"metricsBindAddress": fmt.Sprintf("127.0.0.1:%d", metrics),
		"healthBindAddress":  fmt.Sprintf("127.0.0.1:%d", health),
	}
	maps.Copy(config, p.config)
	content, err := yaml.Marshal(config)
	if err != nil {
		return unit{}, fmt.Errorf("writing the configuration of %s: %w", p.name, err)
	}
	configFile := filepath.Join(a.dir, p.command+".yaml")
	if err := os.WriteFile(configFile, content, 0o644); err != nil {
		return unit{}, fmt.Errorf("writing the configuration of %s: %w", p.name, err)
	}
	kubeconfig, err := a.userKubeconfig(p)
	if err != nil {
		return unit{}, err
	}
	endpoints[p.name+" metrics"] = fmt.Sprintf("http://127.0.0.1:%d/metrics", metrics)
	spec := a.spec(p.name, "", fmt.Sprintf("http://127.0.0.1:%d/readyz", health),
		append([]string{"--config=" + configFile, "--kubeconfig=" + kubeconfig, "-v=1"}, p.args...)...)
	spec.Path = program
	return unit{
		Name: p.name, After: p.after, Process: spec, Finish: p.register,
		Prepare: func(ctx context.Context) error { return a.grant(ctx, p.command) },
	}, nil
}

// rightsOf is the program's line in the installation's list.
func rightsOf(program string) install.Part {
	parts := install.Parts()
	at := slices.IndexFunc(parts, func(p install.Part) bool { return p.Program == program })
	return parts[at]
}

// userKubeconfig lets the part in as the user that has its rights.
func (a *argosy) userKubeconfig(p part) (string, error) {
	pair, err := a.ca.Client(p.command)
	if err != nil {
		return "", err
	}
	path := filepath.Join(a.dir, p.command+".kubeconfig")
	return path, pki.WriteKubeconfig(a.ca.Kubeconfig(KarmadaPlaneName, a.server.url(), pair), path)
}

// grant a program its rights, as the user that it is here.
func (a *argosy) grant(ctx context.Context, program string) error {
	cfg, err := restConfig(a.kubeconfig())
	if err != nil {
		return err
	}
	if err := apply(ctx, cfg, namespace(install.Namespace)); err != nil {
		return err
	}
	objects, err := install.Rights(rightsOf(program), install.User(program))
	if err != nil {
		return err
	}
	for _, object := range objects {
		// Roles in namespaces that the first join would make only later.
		if name := object.GetNamespace(); name != "" {
			if err := apply(ctx, cfg, namespace(name)); err != nil {
				return err
			}
		}
	}
	return apply(ctx, cfg, objects...)
}

// register makes Karmada and karmada-apiserver call the local process, and the roles for people and for the hourly job, which nobody runs
// here, as argosyctl install does.
func (a *argosy) register(ctx context.Context) error {
	if err := a.grant(ctx, install.Renewer); err != nil {
		return err
	}
	objects, err := install.Registrations(fmt.Sprintf("https://127.0.0.1:%d", a.webhook), a.ca.PEM)
	if err != nil {
		return err
	}
	content := []byte{}
	for _, object := range objects {
		if !a.shippedWebhooks {
			WaitLonger(object)
		}
		text, err := yaml.Marshal(object)
		if err != nil {
			return err
		}
		content = append(append(content, "---\n"...), text...)
	}
	if err := os.WriteFile(registrationFile(a.dir), content, 0o644); err != nil {
		return fmt.Errorf("keeping the registration: %w", err)
	}
	cfg, err := restConfig(a.kubeconfig())
	if err != nil {
		return err
	}
	if err := GrantPeople(ctx, cfg); err != nil {
		return err
	}
	return apply(ctx, cfg, objects...)
}

func registrationFile(dir string) string { return filepath.Join(dir, "argosy-registration.yaml") }

func readManifests(path string) ([]*unstructured.Unstructured, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	objects, err := manifest.Parse(content)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	return objects, nil
}

// UseArgosy makes Karmada ask argosy-webhook, as it does from the start; UseStock makes it fall
// back to the rules it ships. Together they show both on one federation, side by side.
func (l *Lab) UseArgosy(ctx context.Context) error { return l.registration(ctx, apply) }

// UseStock takes Argosy's registrations away; see UseArgosy.
func (l *Lab) UseStock(ctx context.Context) error { return l.registration(ctx, remove) }

func (l *Lab) registration(ctx context.Context, do func(context.Context, *rest.Config, ...*unstructured.Unstructured) error) error {
	objects, err := readManifests(registrationFile(l.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("this lab was started without Argosy (--stock)")
	}
	if err != nil {
		return err
	}
	cfg, err := l.Karmada()
	if err != nil {
		return err
	}
	return do(ctx, cfg, objects...)
}
