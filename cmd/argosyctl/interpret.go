package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	configv1alpha1 "github.com/karmada-io/karmada/pkg/apis/config/v1alpha1"
	workv1alpha2 "github.com/karmada-io/karmada/pkg/apis/work/v1alpha2"
	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"github.com/argosy-dev/argosy/internal/mark"
	"github.com/argosy-dev/argosy/interpreter"
	"github.com/argosy-dev/argosy/interpreter/family"
)

const interpretExample = `  # What the scheduler is told of a workload
  argosyctl interpret -f cloneset.yaml --operation InterpretReplica

  # The manifest of a member that gets 4 replicas, with the partition divided over the clusters
  argosyctl interpret -f cloneset.yaml --operation ReviseReplica --desired-replica 4 --division member1=4,member2=3,member3=3

  # The exact manifest of one of two members with as many replicas
  argosyctl interpret -f cloneset.yaml --operation ReviseReplica --desired-replica 3 \
    --division member1=4,member2=3,member3=3 --cluster member2

  # What stays of a member's object when Karmada updates it
  argosyctl interpret --operation Retain --desired-file desired.yaml --observed-file observed.yaml --cluster member1

  # One status out of many
  argosyctl interpret -f cloneset.yaml --operation AggregateStatus --status-file status.yaml

  # The JSON patch the webhook would answer
  argosyctl interpret -f cloneset.yaml --operation ReviseReplica --desired-replica 4 -o patch`

// operations by the name users of karmadactl know, without regard to case.
var operations = []configv1alpha1.InterpreterOperation{
	configv1alpha1.InterpreterOperationInterpretReplica,
	configv1alpha1.InterpreterOperationInterpretComponent,
	configv1alpha1.InterpreterOperationReviseReplica,
	configv1alpha1.InterpreterOperationRetain,
	configv1alpha1.InterpreterOperationAggregateStatus,
	configv1alpha1.InterpreterOperationInterpretStatus,
	configv1alpha1.InterpreterOperationInterpretHealth,
	configv1alpha1.InterpreterOperationInterpretDependency,
}

// interpretOptions are the command's flags, named as karmadactl interpret names them where it has them.
type interpretOptions struct {
	genericiooptions.IOStreams
	files          []string
	operation      string
	desiredFile    string
	observedFile   string
	statusFile     string
	desiredReplica int32
	division       string
	cluster        string
	output         string
}

func newInterpretCommand(streams genericiooptions.IOStreams) *cobra.Command {
	o := &interpretOptions{IOStreams: streams}
	cmd := &cobra.Command{
		Use:   "interpret -f FILE --operation OPERATION",
		Short: "Run the interpreter's rules on files, without a cluster",
		Long: `Run the rules by which Argosy's webhook answers Karmada on the objects of YAML or JSON files.

karmadactl interpret does this for Lua rules; it cannot run webhooks. Flags and output are the same where both have
them. An object of a kind Argosy does not interpret is an error.`,
		Example: interpretExample,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return o.run() },
	}
	flags := cmd.Flags()
	flags.StringSliceVarP(&o.files, "filename", "f", nil, "files or folders of the objects; - is standard input")
	flags.StringVar(&o.operation, "operation", "", "one of "+operationNames())
	flags.StringVar(&o.desiredFile, "desired-file", "", "the same as -f: the template, or for Retain the manifest")
	flags.StringVar(&o.observedFile, "observed-file", "",
		"the member's object: for Retain beside the manifest; for status and health the same as -f")
	flags.StringVar(&o.statusFile, "status-file", "",
		"for AggregateStatus: the members' statuses, as status.aggregatedStatus of a ResourceBinding has them, one a document")
	flags.Int32Var(&o.desiredReplica, "desired-replica", 0, "for ReviseReplica: the member's replicas")
	flags.StringVar(&o.division, "division", "",
		"for ReviseReplica: the replicas of all clusters, cluster=replicas,...; empty is what the webhook answers where there is no binding")
	flags.StringVar(&o.cluster, "cluster", "",
		"the member; for ReviseReplica: its exact manifest, as the admission of its Work makes it; for Retain: empty takes it from the "+
			"observed object's annotation "+mark.WorkNamespace)
	flags.StringVarP(&o.output, "output", "o", "yaml", "yaml, json, or patch: the JSON patch of ReviseReplica, Retain and AggregateStatus")
	return cmd
}

func operationNames() string {
	names := make([]string, len(operations))
	for i, operation := range operations {
		names[i] = string(operation)
	}
	return strings.Join(names, ", ")
}

func (o *interpretOptions) run() error {
	question, err := o.question()
	if err != nil {
		return err
	}
	objects, err := o.objects()
	if err != nil {
		return err
	}
	catalog := interpreter.NewCatalog(interpreter.Families())
	var failed error
	var results []interpreted
	for _, object := range objects {
		question.Object = object
		result, err := interpretOne(catalog, question, o.cluster)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err))
			continue
		}
		results = append(results, result)
	}
	return errors.Join(o.print(results), failed)
}

// question is all of it but the object.
func (o *interpretOptions) question() (q interpreter.Question, err error) {
	for _, operation := range operations {
		if strings.EqualFold(string(operation), o.operation) {
			q.Operation = operation
		}
	}
	if q.Operation == "" {
		if o.operation == "" {
			return q, fmt.Errorf("name the question with --operation: %s", operationNames())
		}
		return q, fmt.Errorf("--operation: %q is none of %s", o.operation, operationNames())
	}
	switch o.output {
	case "yaml", "json", "patch":
	default:
		return q, fmt.Errorf("--output: %q is none of yaml, json, patch", o.output)
	}
	q.Target.Replicas = o.desiredReplica
	if q.Target.Clusters, err = parseDivision(o.division); err != nil {
		return q, err
	}
	if o.statusFile != "" {
		if q.Members, err = o.members(); err != nil {
			return q, err
		}
	}
	if q.Operation == configv1alpha1.InterpreterOperationRetain {
		q.Observed, err = o.observed()
	}
	return q, err
}

// objects are those the rule reads: of -f, or of the flag by which karmadactl names them.
func (o *interpretOptions) objects() ([]*unstructured.Unstructured, error) {
	files := o.files
	if len(files) == 0 && o.desiredFile != "" {
		files = []string{o.desiredFile}
	}
	if len(files) == 0 && o.observedFile != "" && !strings.EqualFold(o.operation, "Retain") {
		files = []string{o.observedFile}
	}
	if len(files) == 0 {
		return nil, errors.New("name the objects with -f, --desired-file or --observed-file")
	}
	var out []*unstructured.Unstructured
	for _, file := range files {
		manifests, err := filesOf(file)
		if err != nil {
			return nil, err
		}
		for _, manifest := range manifests {
			if err := o.eachDocument(manifest, func(document []byte) error {
				object := &unstructured.Unstructured{}
				out = append(out, object)
				return object.UnmarshalJSON(document)
			}); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (o *interpretOptions) observed() (*unstructured.Unstructured, error) {
	if o.observedFile == "" {
		return nil, errors.New("--observed-file: Retain needs the member's object")
	}
	var out *unstructured.Unstructured
	err := o.eachDocument(o.observedFile, func(document []byte) error {
		out = &unstructured.Unstructured{}
		return out.UnmarshalJSON(document)
	})
	if err != nil || out == nil {
		return nil, errors.Join(err, fmt.Errorf("reading %s: no object", o.observedFile))
	}
	if o.cluster != "" {
		annotations := out.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[mark.WorkNamespace] = mark.ExecutionNamespacePrefix + o.cluster
		out.SetAnnotations(annotations)
	}
	return out, nil
}

func (o *interpretOptions) members() ([]family.Member, error) {
	var out []family.Member
	err := o.eachDocument(o.statusFile, func(document []byte) error {
		var item workv1alpha2.AggregatedStatusItem
		if err := yaml.UnmarshalStrict(document, &item); err != nil {
			return err
		}
		member := family.Member{Cluster: item.ClusterName, Health: item.Health, Applied: item.Applied, AppliedMessage: item.AppliedMessage}
		if item.Status != nil {
			if err := kjson.UnmarshalCaseSensitivePreserveInts(item.Status.Raw, &member.Status); err != nil {
				return err
			}
		}
		out = append(out, member)
		return nil
	})
	return out, err
}

// eachDocument reads a file of YAML or JSON documents.
func (o *interpretOptions) eachDocument(name string, visit func([]byte) error) error {
	in := o.In
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	reader := kyaml.NewYAMLOrJSONDecoder(in, 4096)
	for {
		var document json.RawMessage
		err := reader.Decode(&document)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && len(document) > 0 && string(document) != "null" {
			err = visit(document)
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
	}
}

// parseDivision reads "member1=4,member2=3".
func parseDivision(text string) ([]workv1alpha2.TargetCluster, error) {
	var out []workv1alpha2.TargetCluster
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		name, number, ok := strings.Cut(part, "=")
		replicas, err := strconv.ParseInt(number, 10, 32)
		if !ok || name == "" || err != nil || replicas < 0 {
			return nil, fmt.Errorf("--division: %q is not cluster=replicas", part)
		}
		out = append(out, workv1alpha2.TargetCluster{Name: name, Replicas: int32(replicas)})
	}
	return out, nil
}
