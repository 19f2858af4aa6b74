package main

import (
	"net/http"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/argosy-dev/argosy/cronhpa"
	"github.com/argosy-dev/argosy/fedhpa"
	"github.com/argosy-dev/argosy/internal/gate/approval"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/hook"
	"github.com/argosy-dev/argosy/interpreter/reach"
	"github.com/argosy-dev/argosy/member/vm"
	migrations "github.com/argosy-dev/argosy/migration/admission"
	"github.com/argosy-dev/argosy/release"
	"github.com/argosy-dev/argosy/scalein"
)

// handler is one line of the list below.
type handler struct {
	path  string
	setup func(manager.Manager) (http.Handler, error)
}

// Admission of a MigrationWhitelist looks at the other whitelists and at the Migrations.
//
// +kubebuilder:rbac:groups=migration.argosy.dev,resources=migrationwhitelists;migrations,verbs=get;list

// Admission of FedHPA looks for other autoscalers of the target, for who keeps its replicas in members, and for the clusters it names. A
// Work's binding also tells who deletes it.
//
// +kubebuilder:rbac:groups=autoscaling.argosy.dev,resources=fedhpas;cronhpas,verbs=get;list
// +kubebuilder:rbac:groups=autoscaling,resources=horizontalpodautoscalers,verbs=get;list
// +kubebuilder:rbac:groups=autoscaling.karmada.io,resources=federatedhpas,verbs=list
// +kubebuilder:rbac:groups=config.karmada.io,resources=resourceinterpreterwebhookconfigurations;resourceinterpretercustomizations,verbs=list
// +kubebuilder:rbac:groups=work.karmada.io,resources=resourcebindings,verbs=get

// Admission of PodScaleIn looks at its CloneSet; of CronHPA and PodScaleIn, at the autoscalers of the target as for FedHPA, and of CronHPA
// at the limits of the FedHPA it is aimed at.
//
// +kubebuilder:rbac:groups=apps.kruise.io,resources=clonesets,verbs=get

// Templates that are released in stages are marked from their Release; a held Work may need a revision of the history, with the overrides
// of its cluster.
//
// +kubebuilder:rbac:groups=release.argosy.dev,resources=releases,verbs=get
// +kubebuilder:rbac:groups=apps,resources=controllerrevisions,verbs=get
// +kubebuilder:rbac:groups=policy.karmada.io,resources=overridepolicies;clusteroverridepolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups=cluster.karmada.io,resources=clusters,verbs=get;list;watch

// handlers is everything this binary serves over HTTPS.
func handlers() []handler {
	return []handler{
		{path: hook.Path, setup: interpreterHandler},
		{path: hook.DispatchPath, setup: dispatchHandler},
		{path: hook.AutoscalersPath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &hook.Autoscalers{
				Decoder: admission.NewDecoder(mgr.GetScheme()), Reader: mgr.GetAPIReader(),
				Catalog: interpreter.NewCatalog(interpreter.Families()),
			}
		})},
		{path: migrations.ApprovalPath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &migrations.Approvals{Decoder: admission.NewDecoder(mgr.GetScheme()), Clock: clock.RealClock{}}
		})},
		{path: migrations.MigrationPath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &migrations.Migrations{Decoder: admission.NewDecoder(mgr.GetScheme())}
		})},
		{path: migrations.ApproversPath, setup: admit(func(manager.Manager) admission.Handler {
			return migrations.Approvers()
		})},
		{path: migrations.PublishersPath, setup: admit(func(manager.Manager) admission.Handler {
			return migrations.Publishers()
		})},
		{path: migrations.WhitelistPath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &migrations.WhitelistChecks{Decoder: admission.NewDecoder(mgr.GetScheme()), Reader: mgr.GetAPIReader()}
		})},
		{path: migrations.CutOffPath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &migrations.CutOff{Decoder: admission.NewDecoder(mgr.GetScheme())}
		})},
		{path: migrations.UnjoinPath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &migrations.Unjoin{Reader: mgr.GetAPIReader()}
		})},
		{path: migrations.DispatchedPath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &migrations.Dispatched{Decoder: admission.NewDecoder(mgr.GetScheme()), Reader: mgr.GetAPIReader()}
		})},
		{path: vm.StampPath, setup: admit(func(manager.Manager) admission.Handler {
			return &approval.Stamps{Clock: clock.RealClock{}}
		})},
		{path: vm.ApprovalsPath, setup: admit(func(manager.Manager) admission.Handler { return approval.Checks{} })},
		{path: vm.ApproversPath, setup: admit(func(manager.Manager) admission.Handler { return vm.Approvers() })},
		{path: cronhpa.ValidatePath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &cronhpa.Validator{Reader: mgr.GetAPIReader(), Decoder: admission.NewDecoder(mgr.GetScheme()), Clock: clock.RealClock{}}
		})},
		{path: scalein.ValidatePath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &scalein.Validator{Reader: mgr.GetAPIReader(), Decoder: admission.NewDecoder(mgr.GetScheme())}
		})},
		{path: release.TemplatesPath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &release.Templates{Reader: mgr.GetAPIReader()}
		})},
		{path: release.CheckTemplatesPath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &release.Templates{Reader: mgr.GetAPIReader(), Check: true}
		})},
		{path: fedhpa.ValidatePath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &fedhpa.Validator{Reader: mgr.GetAPIReader(), Decoder: admission.NewDecoder(mgr.GetScheme())}
		})},
		{path: fedhpa.BindingPath, setup: admit(func(mgr manager.Manager) admission.Handler {
			return &fedhpa.BindingKeeper{Decoder: admission.NewDecoder(mgr.GetScheme())}
		})},
	}
}

// admit serves an admission handler.
func admit(build func(manager.Manager) admission.Handler) func(manager.Manager) (http.Handler, error) {
	return func(mgr manager.Manager) (http.Handler, error) {
		return &admission.Webhook{Handler: build(mgr)}, nil
	}
}

// interpreterHandler answers Karmada's resource interpreter and watches for what would silence it.
func interpreterHandler(mgr manager.Manager) (http.Handler, error) {
	catalog := interpreter.NewCatalog(interpreter.Families())
	m, err := hook.NewMetrics(metrics.Registry)
	if err != nil {
		return nil, err
	}
	events := program.Events(mgr, "argosy-webhook")
	watch := &hook.OverrideWatch{
		Client: mgr.GetClient(), Catalog: catalog, Metrics: m, Events: events,
	}
	if err := watch.SetupWithManager(mgr); err != nil {
		return nil, err
	}
	return &hook.Handler{
		Catalog: catalog,
		Divider: hook.NewBindings(mgr.GetAPIReader(), mgr.GetCache(), clock.RealClock{}),
		Members: &reach.Clusters{Reader: mgr.GetCache()},
		// Of a template that is held, what clusters run has dependencies too.
		Revisions: &release.Holder{Reader: mgr.GetAPIReader()},
		Metrics:   m,
		Events:    events,
		Clock:     clock.RealClock{},
		Log:       mgr.GetLogger().WithName("interpreter"),
	}, nil
}

// dispatchHandler gives each member the revision it is to have, and its exact part of what is divided.
func dispatchHandler(mgr manager.Manager) (http.Handler, error) {
	works, err := hook.NewWorksMetric(metrics.Registry)
	if err != nil {
		return nil, err
	}
	return &admission.Webhook{Handler: &hook.Dispatch{
		Decoder: admission.NewDecoder(mgr.GetScheme()),
		Catalog: interpreter.NewCatalog(interpreter.Families()),
		Holder:  &release.Holder{Client: mgr.GetClient(), Reader: mgr.GetAPIReader()},
		Works:   works,
	}}, nil
}
