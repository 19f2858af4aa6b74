package migration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// proofs are tests, as "folder Test"; folders are admission, plan, policy, integration and e2e.
type proofs []string

// traps of stock Karmada 1.16 on the way in and out, and the tests that show that nobody falls into them.
var traps = map[string]proofs{
	"1 suspension set on a binding is overwritten by the detector, set through the policy it stays": {
		"e2e TestSuspensionSetOnABindingIsOverwritten",
	},
	"2 a cluster that is not Ready or lacks the CRD is left out of the first schedule": {"plan TestBlocked",
		"plan TestAnyOrder"},
	"3 preset clusters without replicas become 0": {
		"e2e TestPresetClustersWithoutReplicas", "plan TestPresetClustersWithoutReplicas",
	},
	"4 a descheduled cluster that is preserved keeps pods running that nobody counts": {"plan TestUnmanagedPodsAreCounted"},
	"5 every pod-template annotation is kept, or pods restart": {
		"policy TestTemplateOfALiveObject", "e2e TestNobodyNotices",
	},
	"6 deployment.kubernetes.io/revision is pruned of Deployments only": {"policy " +
		"TestRevisionIsTheMembersOwn"},
	"7 a control plane older than a member drops fields": {
		"e2e TestControlPlaneOlderThanItsMembers", "plan TestHarmfulPlan",
	},
	"8 the Work of a namespace that members have fails for ever": {
		"e2e TestNobodyNotices", "integration TestWhitelistMakesMigrations",
	},
	"9 ConfigMaps and Secrets carry no generation; Secrets that differ stay local": {
		"plan TestTakenOver", "policy TestWhatStaysLocal", "plan TestSecretsAreNeverShown",
	},
	"10 karmada.io/managed copied with YAML permits overwriting": {"plan TestBlocked"},
	"11 unjoin deletes the execution namespace and so the members' objects": {
		"integration TestUnjoinWaitsForApplications", "e2e TestUnjoin", "e2e TestPullMember",
	},
	"12 an agent that is cut off goes on enforcing what it last saw": {
		"plan TestCutOffWaitsForTheAgent", "plan TestAgentLeavesAnOldWord", "e2e TestPullMember",
	},
	"13 a dependency taken from the set is deleted everywhere at once": {
		"plan TestADependencyIsNeverForgotten", "plan TestAClusterNeverDropsOutUnseen",
	},
	"14 an edit of an OverridePolicy reaches every matching binding at once": {
		"e2e TestNobodyNotices", "plan TestAnOverrideReachesEveryClusterAtOnce",
	},
	"15 metadata Karmada adds to members is the allow-list of the plan": {
		"plan TestKarmadasOwnMetadata", "plan TestCompare",
	},
	"stale manifests: a template that is deleted while cut off is written back into the members": {
		"e2e TestOutAndBackAndAway", "integration TestWhatIsCutOffStays",
	},
	"the same, when its bindings or Works are deleted by hand": {
		"admission TestBindingsOfCutOffApplicationsAreKept", "admission TestWorksAreKept", "integration TestBindingsAndWorksStay",
		"e2e TestPullMember",
	},
	"equal sums are not scheduled, others are: scaling a cut-off template would divide its replicas anew": {"plan TestRollbackAlwaysWins"},
}

// faults that are met with a reason and a remedy, while no object of a member is deleted or restarted: the model of Karmada in
// plan, and the pods' UIDs and restart counts in e2e, hold that at every moment of these tests.
var faults = map[string]proofs{
	"application missing in a member": {"plan TestBlocked", "plan TestAClusterNeverDropsOutUnseen"},
	"half-finished rollout":           {"plan TestBlocked"},
	"already managed by another policy": {
		"plan TestBlocked", "plan TestATemplateOfAnotherMigrationIsLeftAlone", "integration TestArgosyctl",
	},
	"images that differ between clusters": {"plan TestBlocked"},
	"immutable fields":                    {"plan TestHarmfulPlan", "plan TestWhatNoTemplateCanTakeOn", "e2e TestBadInput"},
	"NodePorts":                           {"e2e TestHardCases", "e2e TestBadInput"},
	"a member unreachable in the middle":  {"plan TestFailuresAfterOpening", "e2e TestMemberSilentInTheMiddle"},
	"whitelist edited in the middle":      {"plan TestRollbackAlwaysWins", "plan TestAnyOrder", "integration TestWhitelistEditsAreChecked"},
	"approval by the same person twice":   {"admission TestWhoMayApprove", "plan TestApprovers", "e2e TestNobodyNotices"},
	"plan changed after approval":         {"plan TestPlanChangesAfterApproval", "integration TestApprovals"},
	"policy deleted by hand":              {"plan TestFailuresAfterOpening", "e2e TestPolicyDeletedByHand"},
}

// samples are folders that once went wrong.
var samples = map[string]proofs{
	"an autoscaler is added to the folder": {
		"publish TestAnAutoscalerInTheFolderDropsNoReplicas", "integration TestSampleAutoscalerAdded",
	},
	"a foreign, or a forgotten, namespace":               {"publish TestWhatIsPublishedNowhere", "integration TestSampleForeignNamespace"},
	"large differences between clusters":                 {"policy TestTooMuchDiffers", "plan TestLargeDifferencesStayStatic"},
	"a new Secret differs":                               {"integration TestSamplesOfFederatedReleases"},
	"node ports that members chose":                      {"integration TestAFederatedReleaseKeepsWhatOthersWrote", "e2e TestHardCases"},
	"the rollback of an application with other kinds":    {"integration TestSamplesOfFederatedReleases", "plan TestARollbackReadsNoTemplate"},
	"a federated application spreads to another cluster": {"plan TestAFurtherClusterIsFollowed"},
}

// Every trap, every fault and every sample has its tests, and they are there.
func TestEveryTrapAndFaultHasItsTest(t *testing.T) {
	have := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	for name, folder := range map[string]string{"admission": "admission", "plan": "plan", "policy": "policy", "publish": "publish",
		"integration": "../test/integration/migration",
		"e2e":         "../test/e2e/migration"} {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%d tests in %s: %v", len(files), folder, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range function.FindAllStringSubmatch(string(content), -1) {
				have[name+" "+found[1]] = true
			}
		}
	}
	numbered := 0
	for _, list := range []map[string]proofs{traps, faults, samples} {
		for what, tests := range list {
			if strings.ContainsAny(what[:1], "123456789") {
				numbered++
			}
			if len(tests) == 0 {
				t.Errorf("%s: no test", what)
			}
			for _, test := range tests {
				if !have[test] {
					t.Errorf("%s: there is no %s", what, test)
				}
			}
		}
	}
	if numbered != 15 {
		t.Errorf("%d numbered traps, want the design's 15", numbered)
	}
}
