package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

// TestRehearsal: with --dry-run each write shows its fields and stores nothing, and without it is what it was.
func TestRehearsal(t *testing.T) {
	stored := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}, Data: map[string]string{"a": "1", "b": "2"}}
	writes := func(t *testing.T, control client.Client) {
		t.Helper()
		patched := stored.DeepCopy()
		if err := control.Get(t.Context(), client.ObjectKeyFromObject(stored), patched); err != nil {
			t.Fatal(err)
		}
		before := patched.DeepCopy()
		patched.Data["a"] = "9"
		if err := control.Patch(t.Context(), patched, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
			t.Fatal(err)
		}
		updated := &corev1.ConfigMap{}
		if err := control.Get(t.Context(), client.ObjectKeyFromObject(stored), updated); err != nil {
			t.Fatal(err)
		}
		delete(updated.Data, "b")
		if err := control.Update(t.Context(), updated); err != nil {
			t.Fatal(err)
		}
		made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "new"}, Data: map[string]string{"c": "3"}}
		if err := control.Create(t.Context(), made); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		args []string
		said string
		left int
	}{
		"rehearsed": {[]string{"--dry-run"}, `dry run: nothing is written; this is what would change, and what would be said
ConfigMap shop/web changes
  - /data/a: "1"
  + /data/a: "9"
ConfigMap shop/web changes
  - /data/b: "2"
ConfigMap shop/new is new
  + /data: {"c":"3"}
  + /metadata: {"name":"new","namespace":"shop"}
`, 1},
		"written": {nil, "", 2},
	} {
		t.Run(name, func(t *testing.T) {
			control := fake.NewClientBuilder().WithObjects(stored.DeepCopy()).Build()
			var out bytes.Buffer
			command := rehearsable(&cobra.Command{Use: "write", RunE: func(command *cobra.Command, _ []string) error {
				writes(t, writer(command, control, &out))
				return nil
			}})
			command.SetArgs(tc.args)
			if err := command.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.said, out.String()); diff != "" {
				t.Errorf("said (-want +got):\n%s", diff)
			}
			var all corev1.ConfigMapList
			if err := control.List(t.Context(), &all); err != nil || len(all.Items) != tc.left {
				t.Errorf("%v, %d ConfigMaps are stored, want %d", err, len(all.Items), tc.left)
			}
		})
	}
}

// TestWhoWritesCanRehearse: every command that writes takes --dry-run. Who adds one writes it here, or says that it only reads.
func TestWhoWritesCanRehearse(t *testing.T) {
	reads := strings.Fields("options version check doctor status trace fit interpret is-karmada policy")
	readsIn := map[string][]string{
		"migration": {"status", "list", "get", "watch", "plan", "generate"}, "release": {"status", "history", "diff", "list"},
		"component": {"preview", "explain", "adopt", "list"}, "cron": {"preview", "list"}, "fedhpa": {"explain", "list"},
		"vm": {"plan", "deletions", "orphans", "explain", "list"},
	}
	each(newCommand("argosyctl", genericiooptions.NewTestIOStreamsDiscard()), func(c *cobra.Command) {
		words := strings.Fields(c.CommandPath())
		group := len(words) == 1 || c.HasSubCommands() && c.Name() != "scalein" && c.Name() != "install" && c.Name() != "uninstall"
		if group {
			return
		}
		known := reads
		if len(words) == 3 {
			known = readsIn[words[1]]
		}
		only := false
		for _, name := range known {
			only = only || name == c.Name()
		}
		if has := c.Flags().Lookup(dryRunFlag) != nil; has == only {
			t.Errorf("%s: --dry-run is there: %t, and it only reads: %t", c.CommandPath(), has, only)
		}
	})
}
