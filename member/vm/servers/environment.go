package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/argosy-dev/argosy/api/vm/v1alpha1"
	"github.com/argosy-dev/argosy/member/vm/code"
	"github.com/argosy-dev/argosy/member/vm/deploy"
	"github.com/argosy-dev/argosy/member/vm/deploy/sshdeploy"
	"github.com/argosy-dev/argosy/member/vm/environment"
	"github.com/argosy-dev/argosy/member/vm/facts"
	"github.com/argosy-dev/argosy/member/vm/remote"
	"github.com/argosy-dev/argosy/member/vm/settings"
)

// environmentOf a server is the hash of what was granted to it.
func environmentOf(server *v1alpha1.Server) string {
	return facts.Environment(server.Spec.Packages, server.Annotations[v1alpha1.AnnotationSettings])
}

var errNotGranted = errors.New(
	"the settings of its packages changed since they were granted: the set grants the new ones at its safe frequency")

// wanted packages with the settings that were granted.
func (r *Reconciler) wanted(ctx context.Context, w *work) ([]environment.Wanted, error) {
	out, err := settings.Read(ctx, r.live, w.before.Namespace, w.before.Spec.Packages)
	if err != nil {
		return nil, err
	}
	if granted, ok := w.before.Annotations[v1alpha1.AnnotationSettings]; ok && granted != environment.SettingsHash(out) {
		return nil, errNotGranted
	}
	return out, nil
}

// found on the machine.
func (r *Reconciler) found(ctx context.Context, target remote.Target) ([]environment.Found, error) {
	output, err := r.Remote.Read(ctx, target, environment.Survey)
	if err != nil {
		return nil, err
	}
	return environment.Read(output)
}

// install what the machine lacks.
func (r *Reconciler) install(ctx context.Context, w *work, task *v1alpha1.Task) error {
	spec := &w.before.Spec
	switch err := environment.CheckAll(spec.Packages); {
	case len(spec.Packages) == 0:
		facts.End(task, v1alpha1.TaskSucceeded, w.now, "")
		return nil
	case spec.Machine.Access == nil:
		facts.End(task, v1alpha1.TaskFailed, w.now, noAccess)
		return nil
	case err != nil:
		facts.End(task, v1alpha1.TaskFailed, w.now, err.Error())
		return nil
	}
	status, err := r.perform(ctx, w, task, func(target remote.Target) ([]byte, error) {
		wanted, err := r.wanted(ctx, w)
		if err != nil {
			return nil, err
		}
		found, err := r.found(ctx, target)
		if err != nil {
			return nil, err
		}
		missing := environment.Plan(found, wanted)
		if len(missing) == 0 {
			return nil, nil
		}
		return environment.Script(missing), nil
	})
	switch {
	case err != nil || status == nil:
		return err
	case status.Code != 0:
		facts.Again(task, w.now, fmt.Sprintf("the installation ended with %d: %s", status.Code, status.End(outputShown)))
		w.by(facts.Due(*task))
	default:
		facts.End(task, v1alpha1.TaskSucceeded, w.now, "")
	}
	return nil
}

// outputShown is how many bytes of what a script printed a person sees in a task's message.
const outputShown = 800

// parting stands between two answers of one survey.
const parting = "\n--- release\n"

// verify looks at what is on the machine: packages, and the release where it came over SSH.
func (r *Reconciler) verify(ctx context.Context, w *work, task *v1alpha1.Task) error {
	spec, status := &w.before.Spec, &w.after.Status
	if spec.Machine.Access == nil {
		if len(spec.Packages) > 0 {
			facts.End(task, v1alpha1.TaskFailed, w.now, noAccess)
			return nil
		}
		status.EnvironmentHash = environmentOf(w.before)
		facts.End(task, v1alpha1.TaskSucceeded, w.now, "")
		return nil
	}
	if w.quiet() {
		return nil
	}
	found, release, err := r.survey(ctx, w)
	if err != nil {
		w.unanswered(task, err)
		return nil
	}
	wanted, err := r.wanted(ctx, w)
	if err != nil {
		w.unanswered(task, err)
		return nil
	}
	w.answered()
	status.Packages = nil
	for _, f := range found {
		status.Packages = append(status.Packages, v1alpha1.InstalledPackage{Name: f.Name, Version: f.Version})
	}
	if overSSH(spec.Release) {
		status.Release = code.Found(release, w.before.Status.Release)
	}
	var missing []string
	for _, m := range environment.Plan(found, wanted) {
		missing = append(missing, m.Name+" "+m.Version)
	}
	switch {
	case len(missing) == 0:
		status.EnvironmentHash = environmentOf(w.before)
	case w.decided.Row == v1alpha1.ReasonVerifying:
		status.EnvironmentHash = facts.OtherEnvironment(missing)
	default:
		facts.Again(task, w.now, "installed, and not found: "+strings.Join(missing, ", "))
		w.by(facts.Due(*task))
		return nil
	}
	facts.End(task, v1alpha1.TaskSucceeded, w.now, "")
	return nil
}

// overSSH says whether the machine itself tells which release is on it.
func overSSH(release *v1alpha1.Release) bool {
	return release == nil || deploy.NameOf(*release) == deploy.SystemSSH
}

func (r *Reconciler) survey(ctx context.Context, w *work) ([]environment.Found, *v1alpha1.DeployedRelease, error) {
	target, err := r.target(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	var release v1alpha1.Release
	if w.before.Spec.Release != nil {
		release = *w.before.Spec.Release
	}
	part := "printf '" + strings.ReplaceAll(parting, "\n", `\n`) + "'\n"
	output, err := r.Remote.Read(ctx, target, environment.Survey+part+sshdeploy.Survey(release))
	if err != nil {
		return nil, nil, err
	}
	packages, rest, ok := bytes.Cut(output, []byte(parting))
	if !ok {
		return nil, nil, errors.New("reading what is on the machine: its answer is cut off")
	}
	found, err := environment.Read(packages)
	if err != nil {
		return nil, nil, err
	}
	deployed, err := sshdeploy.Read(rest)
	return found, deployed, err
}
