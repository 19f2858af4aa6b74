package install

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	volumeutil "k8s.io/kubernetes/pkg/volume/util"

	"github.com/argosy-dev/argosy/internal/manifest"
)

const hookAnnotation = "helm.sh/hook"

// rendered is what helm would apply.
type rendered struct {
	// objects of the release, and hooks.
	objects, hooks []*unstructured.Unstructured
}

// render runs tools/chart, which is Helm's engine.
func render(t *testing.T, root, values string, args ...string) rendered {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte(values), 0o600); err != nil {
		t.Fatal(err)
	}
	args = append([]string{"run", ".", "template", "-chart", filepath.Join(root, "deploy/chart"), "-values", file}, args...)
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join(root, "tools/chart")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("rendering the chart: %v\n%s", err, stderr.String())
	}
	objects, err := manifest.Parse(out)
	if err != nil {
		t.Fatalf("reading the rendered chart: %v", err)
	}
	var r rendered
	for _, u := range objects {
		if u.GetAnnotations()[hookAnnotation] != "" {
			r.hooks = append(r.hooks, u)
		} else {
			r.objects = append(r.objects, u)
		}
	}
	return r
}

// find decodes the object of that kind and name.
func find[T any](t *testing.T, objects []*unstructured.Unstructured, kind, name string) *T {
	t.Helper()
	for _, u := range objects {
		if u.GetKind() == kind && u.GetName() == name {
			out := new(T)
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(u.Object, out, true); err != nil {
				t.Fatalf("%s %s: %v", kind, name, err)
			}
			return out
		}
	}
	t.Fatalf("the chart has no %s %s", kind, name)
	return nil
}

// job is the pod of a hook's Job or of the release's CronJob.
func (r rendered) job(t *testing.T, name string) corev1.PodSpec {
	t.Helper()
	for _, u := range append(r.hooks, r.objects...) {
		if u.GetName() != name {
			continue
		}
		switch u.GetKind() {
		case "Job":
			return find[batchv1.Job](t, r.hooks, "Job", name).Spec.Template.Spec
		case "CronJob":
			return find[batchv1.CronJob](t, r.objects, "CronJob", name).Spec.JobTemplate.Spec.Template.Spec
		}
	}
	t.Fatalf("the chart has no job %s", name)
	return corev1.PodSpec{}
}

func (r rendered) deployment(t *testing.T, name string) *appsv1.Deployment {
	t.Helper()
	return find[appsv1.Deployment](t, r.objects, "Deployment", name)
}

// volumes writes what a kubelet would mount below dir, as the paths of the container say.
func (h *host) volumes(ctx context.Context, pod corev1.PodSpec, dir string) error {
	for _, mount := range pod.Containers[0].VolumeMounts {
		if err := h.volume(ctx, pod, mount.Name, dir); err != nil {
			return err
		}
	}
	return nil
}

// volume writes one of them, anew if it was there: with the kubelet's own writer, whose links change all files at one moment.
func (h *host) volume(ctx context.Context, pod corev1.PodSpec, name, dir string) error {
	mount := slices.IndexFunc(pod.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == name })
	source := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == name })
	if mount < 0 || source < 0 {
		return fmt.Errorf("mount %s names no volume", name)
	}
	files, err := h.files(ctx, pod.Volumes[source].VolumeSource)
	if err != nil {
		return fmt.Errorf("volume %s: %w", name, err)
	}
	folder := filepath.Join(dir, pod.Containers[0].VolumeMounts[mount].MountPath)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	payload := map[string]volumeutil.FileProjection{}
	for file, content := range files {
		payload[file] = volumeutil.FileProjection{Data: content, Mode: 0o600}
	}
	writer, err := volumeutil.NewAtomicWriter(folder, name)
	if err != nil {
		return err
	}
	return writer.Write(payload, nil)
}

// files of a volume, as its items choose them.
func (h *host) files(ctx context.Context, source corev1.VolumeSource) (map[string][]byte, error) {
	data := map[string][]byte{}
	var items []corev1.KeyToPath
	switch {
	case source.Secret != nil:
		secret, err := h.clients.CoreV1().Secrets(namespace).Get(ctx, source.Secret.SecretName, getOptions)
		if err != nil {
			return nil, err
		}
		data, items = secret.Data, source.Secret.Items
	case source.ConfigMap != nil:
		config, err := h.clients.CoreV1().ConfigMaps(namespace).Get(ctx, source.ConfigMap.Name, getOptions)
		if err != nil {
			return nil, err
		}
		for name, text := range config.Data {
			data[name] = []byte(text)
		}
		items = source.ConfigMap.Items
	case source.EmptyDir != nil:
	default:
		encoded, _ := json.Marshal(source)
		return nil, fmt.Errorf("this test mounts no %s", encoded)
	}
	if len(items) == 0 {
		return data, nil
	}
	chosen := map[string][]byte{}
	for _, item := range items {
		content, ok := data[item.Key]
		if !ok {
			return nil, fmt.Errorf("it has no key %s", item.Key)
		}
		chosen[item.Path] = content
	}
	return chosen, nil
}
