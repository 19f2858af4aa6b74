package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/version"
)

// Status of a result.
type Status string

const (
	// OK: as it should be.
	OK Status = "OK"
	// Warning: Argosy works, something it could do it does not.
	Warning Status = "Warning"
	// Problem: Argosy, or a part of it, does not work.
	Problem Status = "Problem"
	// Unknown: it could not be found out.
	Unknown Status = "Unknown"
)

// Result of one check.
type Result struct {
	Check   string `json:"check"`
	Status  Status `json:"status"`
	Message string `json:"message"`
	// Remedy is what to do; empty where nothing is to be done.
	Remedy string `json:"remedy,omitempty"`
}

// The oldest versions that are supported (docs/install.md).
const (
	oldestAPIServer = "1.30"
	oldestHost      = "1.27"
)

// leaseLate is how old a leader's Lease may be: the leader renews it every few seconds, and after fifteen another takes over.
const leaseLate = time.Minute

// Judge runs every check of what is installed.
func Judge(facts Facts, now time.Time) []Result {
	out := plane(facts)
	if facts.Unreachable != nil || !facts.Karmada() {
		return out
	}
	out = append(out, installed(facts), leaders(facts, now), clusters(facts), estimators(facts))
	return append(out, programs(facts)...)
}

// JudgeBefore runs the checks of what an installation needs.
func JudgeBefore(facts Facts, now time.Time) []Result {
	out := plane(facts)
	if facts.Unreachable != nil || !facts.Karmada() {
		return out
	}
	out = append(out, rights(facts), workloads(facts), clusters(facts), host(facts))
	return append(out, secrets(facts, now)...)
}

func plane(facts Facts) []Result {
	const name = "karmada-apiserver"
	if facts.Unreachable != nil {
		return []Result{{name, Unknown, facts.Unreachable.Error(),
			"see that --kubeconfig and --context name karmada-apiserver, and that it is reached from here"}}
	}
	if !facts.Karmada() {
		return []Result{{name, Problem, "it serves no " + strings.Join(facts.missingKinds(), ", "),
			"--kubeconfig and --context must name karmada-apiserver; this is an API server without Karmada, a member or the host cluster perhaps"}}
	}
	return []Result{supported(name, facts.APIServer, oldestAPIServer)}
}

// supported compares a version with the oldest that is.
func supported(name, seen, oldest string) Result {
	parsed, err := version.ParseGeneric(seen)
	switch {
	case err != nil:
		return Result{name, Unknown, fmt.Sprintf("its version %q cannot be read: %v", seen, err), ""}
	case parsed.LessThan(version.MustParseGeneric(oldest)):
		return Result{name, Problem, "Kubernetes " + seen + ", and " + oldest + " is needed", "upgrade it first"}
	}
	return Result{name, OK, "Kubernetes " + seen, ""}
}

func rights(facts Facts) Result {
	const name = "rights"
	switch {
	case facts.RightsErr != nil:
		return Result{name, Unknown, facts.RightsErr.Error(), ""}
	case !facts.Administrator:
		return Result{name, Problem, "this user of karmada-apiserver may not do everything, and an installation gives rights away",
			"use an administrator's kubeconfig"}
	}
	return Result{name, OK, "an administrator of karmada-apiserver", ""}
}

func workloads(facts Facts) Result {
	const name = "OpenKruise"
	if !facts.Kruise {
		return Result{name, Warning, "karmada-apiserver does not serve CloneSet: nobody can propagate one",
			"apply OpenKruise's CRDs there, without its controllers (docs/install.md)"}
	}
	return Result{name, OK, "its kinds are served", ""}
}

func clusters(facts Facts) Result {
	const name = "members"
	var away []string
	for _, member := range facts.Members {
		if !member.Ready {
			away = append(away, member.Name)
		}
	}
	switch {
	case facts.MembersErr != nil:
		return Result{name, Unknown, facts.MembersErr.Error(), ""}
	case len(facts.Members) == 0:
		return Result{name, Warning, "no cluster has joined", "karmadactl join, or karmadactl register"}
	case len(away) > 0:
		return Result{name, Warning, fmt.Sprintf("%d of %d are not Ready: %s", len(away), len(facts.Members), some(away)),
			"kubectl get clusters, and the conditions of each"}
	}
	return Result{name, OK, fmt.Sprintf("all %d are Ready", len(facts.Members)), ""}
}

func installed(facts Facts) Result {
	const name = "kinds and roles"
	const remedy = "helm upgrade, or argosyctl install, with the version of this argosyctl"
	var missing, other []string
	for _, d := range facts.Differences {
		if d.Missing {
			missing = append(missing, d.Object)
		} else {
			other = append(other, d.Object)
		}
	}
	switch {
	case facts.DifferencesErr != nil:
		if apierrors.IsForbidden(facts.DifferencesErr) {
			return Result{name, Unknown, facts.DifferencesErr.Error(), "an administrator's kubeconfig finds it out"}
		}
		return Result{name, Unknown, facts.DifferencesErr.Error(), "ask again"}
	case len(missing) > 0:
		return Result{name, Problem, fmt.Sprintf("%d of %d are not there: %s", len(missing), facts.Compared, some(missing)), remedy}
	case len(other) > 0:
		return Result{name, Warning, fmt.Sprintf("%d of %d are not those of this argosyctl: %s", len(other), facts.Compared, some(other)),
			"they are of another version, or were edited: " + remedy}
	}
	return Result{name, OK, fmt.Sprintf("all %d are those of this argosyctl", facts.Compared), ""}
}

func leaders(facts Facts, now time.Time) Result {
	const name = "controllers"
	switch {
	case facts.LeaseErr != nil:
		return Result{name, Unknown, facts.LeaseErr.Error(), ""}
	case facts.Lease == nil:
		return Result{name, Unknown,
			"there is no Lease of argosy-controller-manager: it never ran here, or leaderElection of its configuration names another",
			"see that it runs: kubectl get pods in its namespace of the host cluster"}
	case facts.Lease.Holder == "":
		return Result{name, Problem, "no argosy-controller-manager leads",
			"see that it runs: kubectl get pods in its namespace of the host cluster"}
	}
	if late := now.Sub(facts.Lease.Renewed); late > leaseLate {
		return Result{name, Problem, fmt.Sprintf("%s led last, %s ago", facts.Lease.Holder, late.Round(time.Second)),
			"runbook ArgosyNoLeader; where it runs, compare the clocks of this machine and of its node"}
	}
	return Result{name, OK, facts.Lease.Holder + " leads", ""}
}

func estimators(facts Facts) Result {
	const name = "estimator"
	if facts.EstimatorErr != nil {
		return Result{name, Unknown, facts.EstimatorErr.Error(), ""}
	}
	var without []string
	for _, member := range facts.Members {
		if !slices.Contains(facts.Estimated, member.Name) {
			without = append(without, member.Name)
		}
	}
	switch {
	case len(facts.Members) == 0:
		return Result{name, OK, "there is no member to estimate for", ""}
	case len(facts.Estimated) == 0:
		return Result{name, Warning, "no member has an estimator of Argosy: karmada-scheduler estimates from a summary of each member",
			"install it (estimator.enabled of the chart), or leave it so"}
	case len(facts.Deaf) > 0:
		return Result{name, Problem, "nobody listens at " + some(facts.Deaf) + ", where it is registered",
			"see that argosy-estimator runs there: runbook ArgosyEstimatorDown"}
	case len(without) > 0:
		return Result{name, Problem, fmt.Sprintf("%d of %d members have none: %s", len(without), len(facts.Members), some(without)),
			"runbook ArgosyEstimatorMemberLost"}
	}
	return Result{name, OK, fmt.Sprintf("registered for all %d members", len(facts.Members)), ""}
}

func host(facts Facts) Result {
	const name = "host cluster"
	switch {
	case !facts.Host.Asked:
		return Result{name, Unknown, "not asked", "name it by --host-kubeconfig"}
	case facts.Host.Err != nil:
		return Result{name, Unknown, facts.Host.Err.Error(), ""}
	}
	return supported(name, facts.Host.Version, oldestHost)
}

func programs(facts Facts) []Result {
	const name = "programs"
	switch {
	case !facts.Host.Asked:
		return nil
	case facts.Host.Err != nil:
		return []Result{{name, Unknown, facts.Host.Err.Error(), ""}}
	case len(facts.Host.Programs) == 0:
		return []Result{{name, Problem, "no program of Argosy runs in namespace " + facts.Host.Namespace,
			"name another by --host-namespace, or install"}}
	}
	var out []Result
	for _, p := range facts.Host.Programs {
		said := fmt.Sprintf("%d of %d ready, %s", p.Ready, p.Desired, p.Version)
		switch {
		case p.Desired > 0 && p.Ready == 0:
			out = append(out, Result{p.Name, Problem, said, "kubectl describe its pods, and read their logs"})
		case p.Ready < p.Desired:
			out = append(out, Result{p.Name, Warning, said, "kubectl describe its pods"})
		case p.Version != facts.Client:
			out = append(out, Result{p.Name, Warning, said + ", and this argosyctl is " + facts.Client,
				"use the argosyctl of the installed version"})
		default:
			out = append(out, Result{p.Name, OK, said, ""})
		}
	}
	return out
}

// some names, and how many more there are: a federation may have hundreds.
func some(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
