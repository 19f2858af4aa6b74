package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/argosy-dev/argosy/internal/install"
	"github.com/argosy-dev/argosy/internal/program"
	"github.com/argosy-dev/argosy/migration/policy"
)

// Stages of an installation. The chart runs Prepare before its programs start, Register when they serve, and Renew on a timetable.
const (
	stageAll      = "All"
	stagePrepare  = "Prepare"
	stageRegister = "Register"
	stageRenew    = "Renew"
)

type installFlags struct {
	stage          string
	hostKubeconfig string
	hostNamespace  string
	dryRun         bool
	options        install.Options
}

func newInstallCommand(karmada *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	f := installFlags{}
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Put Argosy's part of a Karmada control plane in place, or refresh it",
		Long: `Applies to karmada-apiserver (--kubeconfig) Argosy's kinds, the programs' accounts and rights, and the registration of
the webhook; and writes the Secrets that the programs' pods mount to the host cluster: kubeconfigs with tokens that end,
and the webhook's certificate. It may be run again at any time: what is right stays as it is, what is due is renewed.

With --dry-run it says what it would do, of what is there field by field, and does nothing: karmada-apiserver is asked what it
would make of each object.

The chart runs this for you, before its programs start and when they serve. Then, on a timetable, it runs --stage=Renew, which
renews tokens and certificates as account argosy-renew and needs no administrator's kubeconfig.`,
		Example: `  # what an upgrade would change
  argosyctl install --dry-run --kubeconfig=karmada.kubeconfig --host-kubeconfig=host.kubeconfig --host-namespace=karmada-system
  # what the chart's jobs run
  argosyctl install --stage=Prepare --kubeconfig=/etc/karmada/kubeconfig --host-namespace=argosy-system \
    --webhook-url=https://argosy-webhook.argosy-system.svc:443
  argosyctl install --stage=Register --kubeconfig=/etc/karmada/kubeconfig --host-namespace=argosy-system \
    --webhook-url=https://argosy-webhook.argosy-system.svc:443`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.addresses()
			if err := f.options.Validate(); err != nil {
				return err
			}
			installer, err := f.installer(karmada, streams)
			if err != nil {
				return err
			}
			return f.run(cmd.Context(), installer)
		},
	}
	flags := cmd.Flags()
	f.hostFlags(cmd)
	flags.StringVar(&f.stage, "stage", stageAll,
		"Prepare (before the programs start), Register (when the webhook serves), All, or Renew (tokens and certificates alone)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and show every field that would change; do nothing")
	flags.StringVar(&f.options.WebhookURL, "webhook-url", "",
		"where Karmada's components reach argosy-webhook; empty means port 443 of its Service in --host-namespace")
	flags.StringSliceVar(&f.options.WebhookNames, "webhook-names", nil,
		"DNS names of a self-managed certificate; none means that of its Service in --host-namespace")
	flags.StringVar(&f.options.WebhookCertificates, "webhook-certificates", install.SelfManaged,
		"SelfManaged, or CertManager when cert-manager writes Secret "+install.ServingSecret)
	flags.DurationVar(&f.options.WaitForWebhook, "wait", 3*time.Minute,
		"how long to wait until the webhook serves before it is registered; 0 does not wait")
	flags.BoolVar(&f.options.Estimator, "estimator", true,
		"whether argosy-estimator is installed; false takes its rights and its Services away")
	flags.StringSliceVar(&f.options.Carry, "carry", nil,
		"resources of kinds that migrations carry beside the built-in ones (carriedKinds of argosy-controller-manager's configuration), such as "+
			"networkpolicies.networking.k8s.io: gives the controllers the rights")
	flags.DurationVar(&f.options.TokenLife, "token-life", 7*24*time.Hour, "how long a program's token lasts; run install well within it")
	cmd.AddCommand(newInstallMemberCommand(karmada, streams))
	return cmd
}

// addresses of the webhook are by default those of the chart's Service.
func (f *installFlags) addresses() {
	host := "argosy-webhook." + f.hostNamespace + ".svc"
	if f.options.WebhookURL == "" {
		f.options.WebhookURL = "https://" + host + ":443"
	}
	if len(f.options.WebhookNames) == 0 {
		f.options.WebhookNames = []string{host}
	}
}

func (f *installFlags) run(ctx context.Context, installer *install.Installer) error {
	if f.dryRun && f.stage == stageRenew {
		return fmt.Errorf("--dry-run does not go with --stage %s, which changes nothing but tokens and certificates", stageRenew)
	}
	if f.dryRun && slices.Contains([]string{stageAll, stagePrepare, stageRegister}, f.stage) {
		return installer.DryRun(ctx, f.stage != stageRegister, f.stage != stagePrepare)
	}
	switch f.stage {
	case stagePrepare:
		return installer.Prepare(ctx)
	case stageRegister:
		return installer.Register(ctx)
	case stageRenew:
		return installer.Renew(ctx)
	case stageAll:
		if err := installer.Prepare(ctx); err != nil {
			return err
		}
		return installer.Register(ctx)
	}
	return fmt.Errorf("--stage %q: want %s, %s, %s or %s", f.stage, stagePrepare, stageRegister, stageRenew, stageAll)
}

// longestValue of a field that an installation shows: certificates and schemas are longer, and nobody reads them in a list.
const longestValue = 200

// changedFields are those in which an object would differ, as every dry run shows them.
func changedFields(before, after map[string]any) (string, error) {
	var differences []policy.Difference
	for _, d := range policy.Differences(before, after) {
		differences = append(differences, itemByItem(d)...)
	}
	text, err := fieldByField(differences)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		path, value, _ := strings.Cut(line, ": ")
		if runes := []rune(value); len(runes) > longestValue {
			value = fmt.Sprintf("%s... (%d characters)", string(runes[:longestValue]), len(runes))
		}
		fmt.Fprintf(&out, "%s: %s\n", path, value)
	}
	return out.String(), nil
}

// itemByItem are the items of a list that come and go, where it becomes longer or shorter: whole lists of rules would hide them.
func itemByItem(d policy.Difference) []policy.Difference {
	from, wasList := d.From.([]any)
	to, isList := d.To.([]any)
	if !wasList || !isList {
		return []policy.Difference{d}
	}
	lacks := func(list []any, item any) bool {
		return !slices.ContainsFunc(list, func(other any) bool { return equality.Semantic.DeepEqual(item, other) })
	}
	var out []policy.Difference
	for _, item := range from {
		if lacks(to, item) {
			out = append(out, policy.Difference{Path: d.Path, Operation: policy.Remove, From: item})
		}
	}
	for _, item := range to {
		if lacks(from, item) {
			out = append(out, policy.Difference{Path: d.Path, Operation: policy.Add, To: item})
		}
	}
	if len(out) == 0 {
		return []policy.Difference{d}
	}
	return out
}

func newUninstallCommand(karmada *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	f := installFlags{}
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Take away what install put in place, and leave every kind and object of users",
		Long: `Removes the registrations first, so that Karmada no longer calls the webhook, then accounts, rights and Secrets.
Argosy's kinds stay, with every object of theirs: an installation later finds them as they were. From then on Karmada's own
rules read CloneSets and Advanced StatefulSets; docs/uninstall.md says what that means for running workloads.`,
		Example: "  argosyctl uninstall --kubeconfig karmada.kubeconfig --host-kubeconfig host.kubeconfig --host-namespace karmada-system",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			installer, err := f.installer(karmada, streams)
			if err != nil {
				return err
			}
			installer.Rehearsal = rehearsing(cmd)
			return installer.Uninstall(cmd.Context())
		},
	}
	f.hostFlags(cmd)
	cmd.Flags().DurationVar(&f.options.KarmadaPatience, "karmada-patience", 0,
		"how long to try karmada-apiserver before going on without it, because Karmada was removed too; 0 never does")
	cmd.Flags().Bool(dryRunFlag, false, "say what would be deleted, and delete nothing")
	cmd.AddCommand(newUninstallMemberCommand(karmada, streams))
	return cmd
}

func (f *installFlags) hostFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.hostKubeconfig, "host-kubeconfig", "",
		"kubeconfig of the host cluster, where the programs run; empty means this pod's own account")
	flags.StringVar(&f.hostNamespace, "host-namespace", install.Namespace, "namespace of the host cluster where the programs run")
}

// installer reaches both clusters.
func (f *installFlags) installer(karmada *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) (*install.Installer, error) {
	karmadaConfig, err := restConfig(karmada)
	switch {
	case err == nil:
		// A few dozen objects at once; karmada-apiserver's own priority and fairness bounds us.
		karmadaConfig.QPS = -1
		// Uninstall lists every kind there is, deprecated ones too; whoever reads along can do nothing about that.
		karmadaConfig.WarningHandler = rest.NoWarnings{}
	case f.options.KarmadaPatience > 0 && errors.Is(err, fs.ErrNotExist):
		// Its Secret went with Karmada.
		karmadaConfig = nil
	default:
		return nil, err
	}
	hostConfig, err := program.Reach("the host cluster", "--host-kubeconfig", f.hostKubeconfig)
	if err != nil {
		return nil, err
	}
	host, err := kubernetes.NewForConfig(hostConfig)
	if err != nil {
		return nil, fmt.Errorf("reaching the host cluster: %w", err)
	}
	return &install.Installer{
		Options: f.options, Karmada: karmadaConfig, Host: host, HostNamespace: f.hostNamespace,
		Clock: clock.RealClock{}, Out: streams.Out, Fields: changedFields,
	}, nil
}
