package decide

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/argosy-dev/argosy/api/component/v1alpha1"
)

// trouble is what keeps a copy from serving, in the order in which a person should hear of it.
type trouble struct {
	reason, message string
}

// finders of troubles, the first that applies to a pod counts.
var finders = []func(*v1alpha1.Component, *corev1.Pod) (reason, message string, applies bool){
	imageNotPulled, settingsMissing, outOfMemory, programEnds, noRoom, checkFails,
}

// Explain says what keeps copies from serving, in words for whoever wrote the program; applies is false where nothing is
// known to be wrong. Of several troubles it is the one that most copies have.
func Explain(component *v1alpha1.Component, pods []corev1.Pod) (reason, message string, applies bool) {
	have := map[string]int{}
	first := map[string]trouble{}
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp != nil || Serves(pod) {
			continue
		}
		for _, find := range finders {
			reason, message, applies := find(component, pod)
			if !applies {
				continue
			}
			have[reason]++
			if _, seen := first[reason]; !seen {
				first[reason] = trouble{reason, message}
			}
			break
		}
	}
	if len(first) == 0 {
		return "", "", false
	}
	all := make([]trouble, 0, len(first))
	for _, t := range first {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b trouble) int { return cmp.Or(have[b.reason]-have[a.reason], cmp.Compare(a.reason, b.reason)) })
	return all[0].reason, all[0].message, true
}

// Serves is true of a pod that is ready.
func Serves(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func statuses(pod *corev1.Pod) []corev1.ContainerStatus {
	return append(slices.Clone(pod.Status.InitContainerStatuses), pod.Status.ContainerStatuses...)
}

func imageNotPulled(component *v1alpha1.Component, pod *corev1.Pod) (string, string, bool) {
	reasons := []string{"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
	for _, s := range statuses(pod) {
		if w := s.State.Waiting; w != nil && slices.Contains(reasons, w.Reason) {
			where := "Check the name and tag of spec.image, and that this cluster may read that registry."
			if s.Image != component.Spec.Image {
				where = "It is not spec.image but one that a template or patch adds: ask your platform team."
			}
			return v1alpha1.ReasonImageNotPulled, fmt.Sprintf("The image %s cannot be fetched%s. %s", s.Image, because(w.Message), where), true
		}
	}
	return "", "", false
}

func settingsMissing(_ *v1alpha1.Component, pod *corev1.Pod) (string, string, bool) {
	for _, s := range statuses(pod) {
		if w := s.State.Waiting; w != nil && (w.Reason == "CreateContainerConfigError" || w.Reason == "CreateContainerError") {
			return v1alpha1.ReasonSettingsMissing,
				fmt.Sprintf("The program cannot be started%s. Look at spec.env and spec.envFrom: what they name must be in this namespace.",
					because(w.Message)), true
		}
	}
	return "", "", false
}

func outOfMemory(_ *v1alpha1.Component, pod *corev1.Pod) (string, string, bool) {
	for _, s := range statuses(pod) {
		for _, t := range []*corev1.ContainerStateTerminated{s.State.Terminated, s.LastTerminationState.Terminated} {
			if t != nil && t.Reason == "OOMKilled" {
				return v1alpha1.ReasonOutOfMemory, fmt.Sprintf("The program %s took more memory than it may and was stopped (%d times). "+
					"Raise spec.resources.limits.memory, or make it take less.", s.Name, s.RestartCount), true
			}
		}
	}
	return "", "", false
}

func programEnds(component *v1alpha1.Component, pod *corev1.Pod) (string, string, bool) {
	for _, s := range statuses(pod) {
		last := s.LastTerminationState.Terminated
		if last == nil {
			last = s.State.Terminated
		}
		if last == nil || s.State.Running != nil && s.Ready {
			continue
		}
		return v1alpha1.ReasonProgramEnds, fmt.Sprintf("The program %s starts and ends again with code %d (%d times)%s. "+
			"See what it says: kubectl logs -n %s %s -c %s --previous",
			s.Name, last.ExitCode, s.RestartCount, because(last.Message), component.Namespace, pod.Name, s.Name), true
	}
	return "", "", false
}

func noRoom(_ *v1alpha1.Component, pod *corev1.Pod) (string, string, bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return v1alpha1.ReasonNoRoom, fmt.Sprintf("No machine of this cluster takes a copy%s. "+
				"Ask for less in spec.resources, or ask your platform team for room.", because(c.Message)), true
		}
	}
	return "", "", false
}

func checkFails(component *v1alpha1.Component, pod *corev1.Pod) (string, string, bool) {
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Running == nil || s.Ready || probeOf(pod, s.Name) == nil {
			continue
		}
		return v1alpha1.ReasonCheckFails, fmt.Sprintf("The program %s runs and does not pass its readiness check%s. "+
			"It must listen on port %d. See what it says: kubectl logs -n %s %s -c %s",
			s.Name, probed(probeOf(pod, s.Name)), component.Spec.Port, component.Namespace, pod.Name, s.Name), true
	}
	return "", "", false
}

func probeOf(pod *corev1.Pod, container string) *corev1.Probe {
	for _, c := range pod.Spec.Containers {
		if c.Name == container {
			return c.ReadinessProbe
		}
	}
	return nil
}

func probed(probe *corev1.Probe) string {
	switch {
	case probe.HTTPGet != nil:
		return fmt.Sprintf(" (GET %s on port %s)", cmp.Or(probe.HTTPGet.Path, "/"), probe.HTTPGet.Port.String())
	case probe.TCPSocket != nil:
		return fmt.Sprintf(" (a connection to port %s)", probe.TCPSocket.Port.String())
	case probe.GRPC != nil:
		return fmt.Sprintf(" (gRPC health on port %d)", probe.GRPC.Port)
	case probe.Exec != nil:
		return fmt.Sprintf(" (the command %s)", strings.Join(probe.Exec.Command, " "))
	}
	return ""
}

// because adds what the cluster says, cut to a length for people.
func because(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if message == "" {
		return ""
	}
	const most = 300
	if len(message) > most {
		return " (" + strings.ToValidUTF8(message[:most], "") + "...)"
	}
	return " (" + strings.TrimSuffix(message, ".") + ")"
}

// Selected is the workload's selector; nil where there is none to ask with.
func Selected(selector *metav1.LabelSelector) string {
	if selector == nil || len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		return ""
	}
	return metav1.FormatLabelSelector(selector)
}
