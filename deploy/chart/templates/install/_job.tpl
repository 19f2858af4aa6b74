{{/* A pod that runs argosyctl against both clusters. */}}
{{- define "argosy.installPod" -}}
metadata:
  labels: {{- include "argosy.labels" (merge (dict "extra" .root.Values.install.podLabels) (dict "root" .root "program" "argosyctl")) | nindent 4 }}
  {{- include "argosy.annotations" (dict "root" .root "own" .root.Values.install.podAnnotations) | nindent 2 }}
spec:
  restartPolicy: {{ .restart }}
  serviceAccountName: {{ .account }}
  securityContext: {{- include "argosy.podSecurity" .root | nindent 4 }}
  {{- with concat .root.Values.global.imagePullSecrets .root.Values.image.pullSecrets | uniq }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- range $field := list "nodeSelector" "tolerations" "affinity" "priorityClassName" "topologySpreadConstraints" }}
  {{- with get $.root.Values.install $field }}
  {{ $field }}: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  containers:
    - name: argosyctl
      image: {{ include "argosy.image" (dict "root" .root "program" "argosyctl") }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{- toYaml .args | nindent 8 }}
      # client-go keeps what it discovered below HOME, when it may.
      env:
        - {name: HOME, value: /tmp}
        {{- with .root.Values.install.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      resources: {{- toYaml .root.Values.install.resources | nindent 8 }}
      securityContext: {{- include "argosy.containerSecurity" .root | nindent 8 }}
      volumeMounts:
        - {name: karmada, mountPath: /etc/karmada, readOnly: true}
        - {name: tmp, mountPath: /tmp}
        {{- with .root.Values.install.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: karmada
      secret:
        {{- if get . "ownKubeconfig" }}
        secretName: {{ .account }}-kubeconfig
        defaultMode: 0440
        {{- else }}
        secretName: {{ .root.Values.karmada.kubeconfigSecret.name }}
        {{- if get . "karmadaOptional" }}
        optional: true
        {{- end }}
        defaultMode: 0440
        items: [{key: {{ .root.Values.karmada.kubeconfigSecret.key }}, path: kubeconfig}]
        {{- end }}
    - name: tmp
      emptyDir: {medium: Memory, sizeLimit: 16Mi}
    {{- with .root.Values.install.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "argosy.installArgs" -}}
- install
- --stage={{ .stage }}
- --kubeconfig=/etc/karmada/kubeconfig
- --host-namespace={{ .root.Release.Namespace }}
- --webhook-url=https://{{ include "argosy.webhookHost" .root }}:443
- --webhook-names={{ include "argosy.webhookHost" .root }}
- --webhook-certificates={{ .root.Values.webhook.certificates.mode }}
- --estimator={{ .root.Values.estimator.enabled }}
- --token-life={{ .root.Values.install.tokenLife }}
{{- $controllers := get (.root.Values.controllerManager.config | default dict) "controllers" | default dict }}
{{- range get (get $controllers "migration" | default dict) "carriedKinds" | default list }}
{{- $version := splitList "/" .apiVersion }}
- --carry={{ .resource }}{{ if eq (len $version) 2 }}.{{ first $version }}{{ end }}
{{- end }}
{{- end }}

{{/* An account that may read and write the Secrets of the programs, and no others. A Role cannot bound create by name: only the hooks have it. */}}
{{- define "argosy.installAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .account }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "argosy.labels" (dict "root" .root "program" "argosyctl") | nindent 4 }}
  {{- $own := merge (dict) (.hook | default dict) (.root.Values.install.serviceAccount.annotations | default dict) }}
  {{- include "argosy.annotations" (dict "root" .root "own" $own) | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .account }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "argosy.labels" (dict "root" .root "program" "argosyctl") | nindent 4 }}
  {{- include "argosy.annotations" (dict "root" .root "program" "argosyctl" "own" .hook) | nindent 2 }}
rules:
  {{- if .hook }}
  - apiGroups: [""]
    resources: [secrets]
    verbs: [create]
  {{- end }}
  - apiGroups: [""]
    resources: [secrets]
    verbs: [get, update{{ if .hook }}, delete{{ end }}]
    resourceNames: [argosy-ca, argosy-webhook-tls, argosy-webhook-kubeconfig, argosy-controller-manager-kubeconfig, argosy-estimator-kubeconfig, argosy-renew-kubeconfig]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .account }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "argosy.labels" (dict "root" .root "program" "argosyctl") | nindent 4 }}
  {{- include "argosy.annotations" (dict "root" .root "program" "argosyctl" "own" .hook) | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .account }}}
subjects:
  - {kind: ServiceAccount, name: {{ .account }}, namespace: {{ .root.Release.Namespace }}}
{{- end }}
