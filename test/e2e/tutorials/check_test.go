package tutorials

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/argosy-dev/argosy/test/lab"
	"github.com/argosy-dev/argosy/test/lab/machine"
)

// checked asks argosyctl check of a lab before anybody uses it: nothing is wrong and nothing is unknown, and an estimator that does not run
// is told. The controllers and the webhook are not stopped here: every page needs them.
func checked(t *testing.T, l *lab.Lab, kubeconfig string) {
	t.Helper()
	g := NewWithT(t)
	// look gives the worst word for each check, and what is wrong with the look itself.
	look := func() (map[string]string, error) {
		command := exec.CommandContext(t.Context(), filepath.Join(l.Root, "bin", "argosyctl"), "check", "-o", "json")
		command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
		out, ended := command.Output()
		var told struct {
			Checks []struct{ Check, Status, Message string }
		}
		if err := json.Unmarshal(out, &told); err != nil {
			return nil, fmt.Errorf("%w; it ended with %s", err, fmt.Sprint(ended))
		}
		words := map[string]string{}
		for _, c := range told.Checks {
			if c.Status != "OK" {
				words[c.Check] = c.Status + ": " + c.Message
			}
		}
		if (ended == nil) != (len(words) == 0) {
			return nil, fmt.Errorf("it found %v and ended with %s", words, fmt.Sprint(ended))
		}
		return words, nil
	}
	g.Eventually(look, machine.Patience, "2s").Should(BeEmpty(), "of a lab that just started")
	g.Expect(l.Stop(t.Context(), "argosy/estimator")).To(Succeed())
	g.Eventually(look, machine.Patience, "1s").Should(HaveKeyWithValue("estimator", HavePrefix("Problem: nobody listens at localhost:")))
	g.Expect(l.Start(t.Context(), "argosy/estimator")).To(Succeed())
}

// plugin: in the lab kubectl finds argosyctl as "kubectl argosy", and what completes its words.
func plugin(t *testing.T, l *lab.Lab, kubeconfig string) {
	t.Helper()
	bin := filepath.Join(l.Root, "bin")
	for _, typed := range [][]string{{"argosy", "migration", "list", "-A"}, {"__complete", "argosy", "migra"}} {
		command := exec.CommandContext(t.Context(), filepath.Join(bin, "kubectl"), typed...)
		command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+bin+":"+os.Getenv("PATH"))
		if out, err := command.CombinedOutput(); err != nil || typed[0] == "__complete" && !strings.Contains(string(out), "migration\t") {
			t.Errorf("kubectl %s: %v\n%s", strings.Join(typed, " "), err, out)
		}
	}
}
