package accuracy

import (
	"fmt"
	"math/rand"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// world is a member before the question: its nodes, what runs on them, and the pod whose replicas are asked for.
type world struct {
	nodes   []*corev1.Node
	pods    []*corev1.Pod
	classes []*schedulingv1.PriorityClass
	storage []*storagev1.StorageClass
	volumes []*corev1.PersistentVolume
	claims  []*corev1.PersistentVolumeClaim
	// sets and quotas are there before the question; a quota has used nothing yet.
	sets   []*appsv1.ReplicaSet
	quotas []*corev1.ResourceQuota
	// agents have no pods yet when the question comes; their controller makes them before the replicas are placed.
	agents  []*appsv1.DaemonSet
	replica corev1.PodTemplateSpec
	// configuration of the member's scheduler; empty means the default.
	configuration string
	// really, if set, is the configuration that the member runs and the estimator is not told of.
	really string
	// promised are replicas of another workload that a binding has just given to the member: their pods come before the question's.
	promised *corev1.PodTemplateSpec
	promises int32
	// first: what is pending and promised is placed before the question's replicas are made.
	first bool
	// unknown: no number may be given.
	unknown bool
	// ordered: the real scheduler's own result is partly chance, so it is run several times.
	ordered bool
}

// class of questions.
type class struct {
	name  string
	build func(random *rand.Rand) *world
}

const (
	rackLabel = "rack"
	appLabel  = "app"
)

func quantity(value int64, unit string) resource.Quantity {
	return resource.MustParse(fmt.Sprintf("%d%s", value, unit))
}

// base is a member of 8 to 14 nodes in three zones and four racks, partly filled with pods of other applications.
func base(random *rand.Rand) *world {
	w := &world{}
	count := 8 + random.Intn(7)
	for i := range count {
		name := fmt.Sprintf("node-%02d", i)
		resources := corev1.ResourceList{
			corev1.ResourceCPU: quantity(int64(4*(1+random.Intn(4))), ""), corev1.ResourceMemory: quantity(int64(8*(1+random.Intn(4))), "Gi"),
			corev1.ResourcePods: quantity(int64(12+random.Intn(20)), ""), corev1.ResourceEphemeralStorage: quantity(100, "Gi"),
		}
		w.nodes = append(w.nodes, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name,
				corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%3), rackLabel: fmt.Sprintf("rack-%d", i%4)}},
			Status: corev1.NodeStatus{Capacity: resources, Allocatable: resources,
				Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}},
		})
		for j := range random.Intn(5) {
			w.pods = append(w.pods, runningPod(fmt.Sprintf("other-%02d-%d", i, j), name, int64(200+random.Intn(900)), int64(200+random.Intn(1500)),
				"other"))
		}
	}
	w.replica = corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{appLabel: "web"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web:1", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: quantity(int64(300+random.Intn(1200)), "m"),
				corev1.ResourceMemory: quantity(int64(300+random.Intn(1700)), "Mi")}}}}},
	}
	return w
}

func runningPod(name, node string, milliCPU, mebibytes int64, app string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: name, Labels: map[string]string{appLabel: app}},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main", Image: app, Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: quantity(milliCPU, "m"), corev1.ResourceMemory: quantity(mebibytes, "Mi")}}}}},
	}
}

func (w *world) web() *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{appLabel: "web"}}
}

func (w *world) spread(key string, skew int32) {
	w.replica.Spec.TopologySpreadConstraints = append(w.replica.Spec.TopologySpreadConstraints,
		corev1.TopologySpreadConstraint{TopologyKey: key, MaxSkew: skew, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: w.web()})
}

func (w *world) antiAffinity(key string) {
	w.replica.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{TopologyKey: key, LabelSelector: w.web()}}}}
}

// withLivePod adds a replica that was made from the template as it is now, by a ReplicaSet of the workload.
func (w *world) withLivePod() {
	controller := true
	w.sets = append(w.sets, &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-1", OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "web", Controller: &controller},
			},
		},
		Spec: appsv1.ReplicaSetSpec{Selector: w.web(), Template: *w.replica.DeepCopy()},
	})
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "web-old", Labels: w.replica.Labels,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "web-1", UID: "web-1",
			Controller: &controller}}}, Spec: *w.replica.Spec.DeepCopy()}
	pod.Spec.NodeName = w.nodes[0].Name
	w.pods = append(w.pods, pod)
}

func (w *world) quota(name corev1.ResourceName, hard string) {
	w.quotas = append(w.quotas, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "quota"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{name: resource.MustParse(hard)}}})
}

// classes are those that the design names.
func classes() []class {
	return []class{
		{"plain", base},
		{"fragmented", func(r *rand.Rand) *world {
			// Much is free in sum and little on any node: replicas are larger than most gaps.
			w := base(r)
			w.replica.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = quantity(int64(2500+r.Intn(1500)), "m")
			return w
		}},
		{"taints", func(r *rand.Rand) *world {
			w := base(r)
			for i, node := range w.nodes {
				if i%2 == 0 {
					node.Spec.Taints = []corev1.Taint{{Key: "team", Value: "db", Effect: corev1.TaintEffectNoSchedule}}
				}
				if i%4 == 0 {
					node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: "hardware", Value: "old", Effect: corev1.TaintEffectNoExecute})
				}
			}
			w.replica.Spec.Tolerations = []corev1.Toleration{{Key: "team", Operator: corev1.TolerationOpExists}}
			return w
		}},
		{"node affinity", func(r *rand.Rand) *world {
			w := base(r)
			w.replica.Spec.Affinity = &corev1.Affinity{
				NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
					NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
						{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"zone-0", "zone-2"}}}}}}}}
			return w
		}},
		{"pod-level limits", func(r *rand.Rand) *world {
			w := base(r)
			w.replica.Spec.Resources = &corev1.ResourceRequirements{Limits: w.replica.Spec.Containers[0].Resources.Requests}
			w.replica.Spec.Containers[0].Resources = corev1.ResourceRequirements{}
			return w
		}},
		{"stale pod", func(r *rand.Rand) *world {
			// A live pod of the template before: without its node selector and host port.
			w := base(r)
			w.withLivePod()
			w.replica.Spec.NodeSelector = map[string]string{corev1.LabelTopologyZone: "zone-1"}
			w.replica.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 8080}}
			return w
		}},
		{"quota of requests", func(r *rand.Rand) *world {
			w := base(r)
			w.quota(corev1.ResourceRequestsCPU, "5")
			return w
		}},
		{"quota per container", func(r *rand.Rand) *world {
			// One container without the request that the quota demands of each: the API server admits none.
			w := base(r)
			w.quota(corev1.ResourceRequestsCPU, "50")
			w.replica.Spec.Containers = append(w.replica.Spec.Containers, corev1.Container{Name: "sidecar", Image: "proxy:1"})
			return w
		}},
		{"host ports", func(r *rand.Rand) *world {
			w := base(r)
			w.pods[0].Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 8080}}
			w.replica.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 8080}}
			return w
		}},
		{"hostname anti-affinity", func(r *rand.Rand) *world {
			w := base(r)
			w.antiAffinity(corev1.LabelHostname)
			w.pods = append(w.pods, runningPod("web-old", w.nodes[0].Name, 100, 100, "web"))
			return w
		}},
		{"zone spread", func(r *rand.Rand) *world {
			w := base(r)
			w.spread(corev1.LabelTopologyZone, int32(1+r.Intn(2)))
			w.pods = append(w.pods, runningPod("web-old", w.nodes[1].Name, 100, 100, "web"))
			return w
		}},
		{"several constraints", func(r *rand.Rand) *world {
			w := base(r)
			w.spread(corev1.LabelTopologyZone, 1)
			w.spread(corev1.LabelHostname, 2)
			w.ordered = true
			return w
		}},
		{"PVC zones", sharedVolume},
		{"priority", priorities},
		{"DaemonSet to come", agents},
		{"pending for another scheduler", foreignPods},
		{"another scheduler", func(r *rand.Rand) *world {
			// The estimator knows nothing of it; here it decides as the default one does.
			w := base(r)
			w.really, w.replica.Spec.SchedulerName = twoSchedulers, "other"
			return w
		}},
		{"claim templates of DRA", func(r *rand.Rand) *world {
			w := base(r)
			template := "gpu"
			w.replica.Spec.ResourceClaims = []corev1.PodResourceClaim{{Name: "gpu", ResourceClaimTemplateName: &template}}
			w.unknown = true
			return w
		}},
		{"many promises", promises},
		{"GPU shapes", gpus},
		{"non-default profile", func(r *rand.Rand) *world {
			// Bin-packing, resources of one vendor not checked, and only nodes of one zone by the profile's own affinity.
			w := base(r)
			w.configuration = packing
			w.replica.Spec.SchedulerName = "packing"
			return w
		}},
		{"out-of-tree plugin", func(r *rand.Rand) *world {
			w := base(r)
			w.configuration = rackQuota
			return w
		}},
	}
}

const packing = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
profiles:
- schedulerName: default-scheduler
- schedulerName: packing
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}]}}
  - name: NodeAffinity
    args:
      addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [
        {matchExpressions: [{key: topology.kubernetes.io/zone, operator: NotIn, values: [zone-1]}]}]}}
`

const rackQuota = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
profiles:
- schedulerName: default-scheduler
  plugins: {multiPoint: {enabled: [{name: RackQuota}]}}
  pluginConfig:
  - name: RackQuota
    args: {nodeLabel: rack, podLabel: app, most: 3}
`

// sharedVolume: all replicas mount one claim whose volume lives in one zone.
func sharedVolume(r *rand.Rand) *world {
	w := base(r)
	zone := fmt.Sprintf("zone-%d", r.Intn(3))
	w.storage = []*storagev1.StorageClass{{ObjectMeta: metav1.ObjectMeta{Name: "zonal"}, Provisioner: "example.com/zonal"}}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}
	w.volumes = []*corev1.PersistentVolume{{
		ObjectMeta: metav1.ObjectMeta{Name: "data", Labels: map[string]string{corev1.LabelTopologyZone: zone}},
		Spec: corev1.PersistentVolumeSpec{StorageClassName: "zonal", AccessModes: modes, Capacity: corev1.ResourceList{
			corev1.ResourceStorage: quantity(1, "Gi"),
		},
			PersistentVolumeSource: corev1.PersistentVolumeSource{NFS: &corev1.NFSVolumeSource{Server: "nfs", Path: "/"}},
			ClaimRef: &corev1.ObjectReference{
				Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: metav1.NamespaceDefault, Name: "data",
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone}}}}}}}},
	}}
	className := "zonal"
	w.claims = []*corev1.PersistentVolumeClaim{{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: metav1.NamespaceDefault, Name: "data", Annotations: map[string]string{"pv.kubernetes.io/bind-completed": "yes"},
		},
		Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: &className, AccessModes: modes, VolumeName: "data",
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: quantity(1, "Gi")}}},
	}}
	w.replica.Spec.Volumes = []corev1.Volume{
		{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}},
	}
	return w
}

// priorities: pods of a higher priority are pending when the question comes; they go first.
func priorities(r *rand.Rand) *world {
	w := base(r)
	never := corev1.PreemptNever
	w.classes = []*schedulingv1.PriorityClass{{ObjectMeta: metav1.ObjectMeta{Name: "urgent"}, Value: 1000, PreemptionPolicy: &never}}
	for i := range 3 + r.Intn(4) {
		pod := runningPod(fmt.Sprintf("urgent-%d", i), "", int64(1000*(1+r.Intn(2))), 512, "urgent")
		pod.Spec.PriorityClassName = "urgent"
		w.pods = append(w.pods, pod)
	}
	// Whole cores on both sides: how many replicas remain does not depend on where the urgent ones go.
	w.replica.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: quantity(1, "")}
	for _, pod := range w.pods {
		if pod.Spec.NodeName != "" {
			pod.Spec.Containers[0].Resources.Requests[corev1.ResourceCPU] = quantity(1, "")
		}
	}
	return w
}

// agents: two DaemonSets that no node runs yet, one of them for two zones only.
func agents(r *rand.Rand) *world {
	w := base(r)
	never := corev1.PreemptNever
	w.classes = []*schedulingv1.PriorityClass{{ObjectMeta: metav1.ObjectMeta{Name: "agent"}, Value: 1000, PreemptionPolicy: &never}}
	for i, name := range []string{"log", "storage"} {
		pod := runningPod(name, "", int64(300+r.Intn(700)), 256, name)
		pod.Spec.PriorityClassName = "agent"
		if i == 1 {
			pod.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
					NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
						{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"zone-0", "zone-1"}}}}}}}}
		}
		w.agents = append(w.agents, &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: pod.Labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: pod.Labels}, Spec: pod.Spec}}})
	}
	return w
}

// gpus: nodes with one, two, four or eight; replicas that take two or four of them.
func gpus(r *rand.Rand) *world {
	w := base(r)
	const gpu = corev1.ResourceName("nvidia.com/gpu")
	for i, node := range w.nodes {
		count := quantity(int64(1<<(i%4)), "")
		node.Status.Allocatable[gpu], node.Status.Capacity[gpu] = count, count
	}
	for i, pod := range w.pods {
		if i%3 == 0 {
			requests := pod.Spec.Containers[0].Resources.Requests
			requests[gpu] = quantity(1, "")
			pod.Spec.Containers[0].Resources.Limits = corev1.ResourceList{gpu: quantity(1, "")}
		}
	}
	each := quantity(int64(2+2*r.Intn(2)), "")
	container := &w.replica.Spec.Containers[0]
	container.Resources = corev1.ResourceRequirements{
		Requests: corev1.ResourceList{gpu: each, corev1.ResourceCPU: quantity(100, "m")}, Limits: corev1.ResourceList{gpu: each},
	}
	return w
}

const twoSchedulers = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
leaderElection: {leaderElect: false}
profiles:
- schedulerName: default-scheduler
- schedulerName: other
`

// wholeCores makes every pod take whole cores: how many replicas remain does not depend on where those before them go.
func (w *world) wholeCores() {
	w.replica.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: quantity(1, "")}
	for _, pod := range w.pods {
		pod.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: quantity(1, "")}
	}
}

// foreignPods: pods wait for a scheduler that the estimator is not told of. It runs, and takes their room first.
func foreignPods(r *rand.Rand) *world {
	w := base(r)
	w.really, w.first = twoSchedulers, true
	for i := range 3 + r.Intn(4) {
		pod := runningPod(fmt.Sprintf("foreign-%d", i), "", 1000, 0, "foreign")
		pod.Spec.SchedulerName = "other"
		w.pods = append(w.pods, pod)
	}
	w.wholeCores()
	return w
}

// promises: more of them than are placed one by one, and as many places as a thousand replicas need.
func promises(r *rand.Rand) *world {
	w := base(r)
	for _, node := range w.nodes {
		node.Status.Allocatable[corev1.ResourceCPU], node.Status.Allocatable[corev1.ResourcePods] = quantity(40, ""), quantity(110, "")
		node.Status.Capacity = node.Status.Allocatable
	}
	w.wholeCores()
	w.promised = w.replica.DeepCopy()
	w.promised.Labels = map[string]string{appLabel: "promised"}
	w.first = true
	w.promises = int32(100 + r.Intn(60))
	return w
}
