package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/argosy-dev/argosy/estimator/account"
)

const fitExample = `  # How many replicas of a workload fit each member, and what stops the next
  argosyctl fit -f deployment.yaml

  # One member, all its nodes, with the configuration of its scheduler
  argosyctl fit -f deployment.yaml --cluster member1 --all-nodes --scheduler-config member1-scheduler.yaml`

// estimatorProgram has Kubernetes' scheduler in it, which argosyctl has not (decision 0389).
const estimatorProgram = "argosy-estimator"

type fitOptions struct {
	genericiooptions.IOStreams
	flags    *genericclioptions.ConfigFlags
	files    []string
	output   string
	allNodes bool
}

func newFitCommand(flags *genericclioptions.ConfigFlags, streams genericiooptions.IOStreams) *cobra.Command {
	o := &fitOptions{IOStreams: streams, flags: flags}
	command := &cobra.Command{
		Use:   "fit -f FILE",
		Short: "Show how many replicas of a workload fit each member, and what stops the next",
		Long: `Show how many replicas of a workload fit each member, on which nodes, and which scheduler plugin stops the next.

Every member's own scheduler is run on a copy of the member's state, read now; nothing is written anywhere. It is the
answer argosy-estimator gives karmada-scheduler, and that program gives it here too: it must lie beside argosyctl, or in the PATH.
A release has it for Linux and macOS.`,
		Example: fitExample,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if len(o.files) == 0 {
				return errors.New("name the workload's file with -f")
			}
			if _, err := structured(io.Discard, o.output, nil); err != nil {
				return err
			}
			return o.run(c)
		},
	}
	command.Flags().StringSliceVarP(&o.files, "filename", "f", nil, "files or folders of the workloads; - is standard input")
	command.Flags().StringSlice("cluster", nil, "members to ask (default all)")
	complete(command, "cluster", severalOf(completeNames(flags, clusters)))
	command.Flags().String("scheduler-config", "", "KubeSchedulerConfiguration of the members' schedulers (default kube-scheduler's own)")
	command.Flags().String("estimator-config", "",
		"EstimatorConfiguration of argosy-estimator: its workloadKinds say where further kinds keep their pod template")
	command.Flags().StringVarP(&o.output, "output", "o", "text", outputHelp)
	command.Flags().BoolVar(&o.allNodes, "all-nodes", false, "list every node, not only the first of each kind")
	command.Flags().Duration("timeout", 30*time.Second, "how long to wait for members, which are read side by side")
	return command
}

func (o *fitOptions) run(command *cobra.Command) error {
	objects, err := o.objects()
	if err != nil {
		return err
	}
	if _, err := restConfig(o.flags); err != nil {
		return err
	}
	fits, err := o.ask(command.Context(), objects, passedOn(command.Flags()))
	if err != nil {
		return err
	}
	if err := o.print(fits); err != nil {
		return err
	}
	for _, fit := range fits {
		if slices.ContainsFunc(fit.Members, func(m account.Member) bool { return m.Error != "" }) {
			return errReported
		}
	}
	return nil
}

// objects of the files, in the namespace of -n where they name none.
func (o *fitOptions) objects() ([]*unstructured.Unstructured, error) {
	namespace, err := namespaceOf(o.flags)
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, file := range o.files {
		objects, err := readObjects(file, o.In)
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			if object.GetNamespace() == "" {
				object.SetNamespace(namespace)
			}
		}
		all = append(all, objects...)
	}
	return all, nil
}

// passedOn are the flags that were given and that the estimator's program understands: how karmada-apiserver is reached, and whom to ask.
func passedOn(flags *pflag.FlagSet) []string {
	var args []string
	flags.Visit(func(flag *pflag.Flag) {
		switch flag.Name {
		case "filename", "output", "all-nodes", "namespace":
			return
		}
		values := []string{flag.Value.String()}
		if several, ok := flag.Value.(pflag.SliceValue); ok {
			values = several.GetSlice()
		}
		for _, value := range values {
			args = append(args, "--"+flag.Name+"="+value)
		}
	})
	return args
}

// ask has the estimator's program answer. What it says beside, of objects that have no pods and of what is wrong, goes to the person.
func (o *fitOptions) ask(ctx context.Context, objects []*unstructured.Unstructured, args []string) ([]account.Workload, error) {
	program, err := findEstimator()
	if err != nil {
		return nil, err
	}
	question, err := json.Marshal(objects)
	if err != nil {
		return nil, fmt.Errorf("writing the objects: %w", err)
	}
	var answer bytes.Buffer
	run := exec.CommandContext(ctx, program, append([]string{"fit"}, args...)...)
	run.Stdin, run.Stdout, run.Stderr = bytes.NewReader(question), &answer, o.ErrOut
	var ended *exec.ExitError
	if err := run.Run(); errors.As(err, &ended) && ended.Exited() {
		return nil, errReported // it has said why
	} else if err != nil {
		return nil, fmt.Errorf("running %s: %w", program, err)
	}
	var fits []account.Workload
	if err := json.Unmarshal(answer.Bytes(), &fits); err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", program, err)
	}
	return fits, nil
}

// findEstimator looks beside this program, also where it is a link's target, and then in the PATH.
func findEstimator() (string, error) {
	if self, err := os.Executable(); err == nil {
		places := []string{self}
		if target, err := filepath.EvalSymlinks(self); err == nil {
			places = append(places, target)
		}
		for _, place := range places {
			if found, err := exec.LookPath(filepath.Join(filepath.Dir(place), estimatorProgram)); err == nil {
				return found, nil
			}
		}
	}
	found, err := exec.LookPath(estimatorProgram)
	if err != nil {
		return "", fmt.Errorf("fit runs Kubernetes' scheduler, which is in %s and not in argosyctl: put that program of the same release "+
			"beside this one, or into a folder of the PATH (make build makes both)", estimatorProgram)
	}
	return found, nil
}
