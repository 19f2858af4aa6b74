{{/* Names are fixed: argosyctl install member-manager, the rights and the runbooks use them too. */}}
{{- define "member.name" -}}
argosy-member-manager{{ if ne .Values.controllerID "default" }}-{{ .Values.controllerID }}{{ end }}
{{- end }}

{{- define "member.isDefault" -}}
{{- if eq .Values.controllerID "default" }}true{{ end }}
{{- end }}

{{- define "member.image" -}}
{{- with .root.Values.global.imageRegistry | default .root.Values.image.registry }}{{ . }}/{{ end }}{{ .root.Values.image.repository }}/{{ .program }}
{{- with get .root.Values.image.digests .program }}@{{ . }}{{ else }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Pods are selected by one label, which argosyctl's own installation has too. */}}
{{- define "member.selector" -}}
app.kubernetes.io/name: {{ .program }}
{{- end }}

{{/* The labels by which objects and pods are selected, and found again. */}}
{{- define "member.ownLabels" -}}
{{ include "member.selector" . }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: argosy
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Labels of an object: those of the chart, those of one place ("extra"), and those of every one. Of a name that two of the latter have, that of
the one place counts; the chart's own are nobody else's to set. */}}
{{- define "member.labels" -}}
{{- $own := include "member.ownLabels" . | fromYaml }}
{{- $given := merge (dict) (get . "extra" | default dict) (.root.Values.commonLabels | default dict) }}
{{- range $name := keys $given | sortAlpha }}
{{- if hasKey $own $name }}
{{- fail (printf "label %s is set by the chart itself, which selects pods and finds its objects by it: take it out of commonLabels, podLabels and the labels of monitoring" $name) }}
{{- end }}
{{- end }}
{{- toYaml (merge $own $given) }}
{{- end }}

{{/* Annotations of an object: its own ("own"), beside those of every one. What we go by wins. */}}
{{- define "member.annotations" -}}
{{- with merge (dict) (get . "own" | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "member.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "member.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "member.pullSecrets" -}}
{{- with concat .Values.global.imagePullSecrets .Values.image.pullSecrets | uniq }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The one configuration file: what the chart knows, under what the values say. */}}
{{- define "member.config" -}}
{{- $known := dict "controllerID" .Values.controllerID }}
{{- if include "member.isDefault" . }}
{{- $_ := set $known "webhook" (dict "bindAddress" ":9443") }}
{{- else }}
{{- $_ := set $known "controllers" (dict "vm" (dict "mode" "Disabled")) }}
{{- end }}
{{- if .Values.machines.ca }}
{{- $_ := set $known "machines" (dict "http" (dict "caFile" "/etc/argosy-member-manager/config/machines-ca.crt")) }}
{{- end }}
{{- toYaml (mustMergeOverwrite (dict "apiVersion" "config.argosy.dev/v1alpha1" "kind" "MemberManagerConfiguration") $known .Values.config) }}
{{- end }}

{{/* Rights, Leases and the admission are of this namespace. */}}
{{- define "member.namespace" -}}
{{- if ne .Release.Namespace "argosy-system" }}{{ fail "install this chart into namespace argosy-system: its rights are there" }}{{ end }}
{{- .Release.Namespace }}
{{- end }}

{{/* A pod that runs argosyctl in this cluster. */}}
{{- define "member.installPod" -}}
metadata:
  labels: {{- include "member.labels" (merge (dict "extra" .root.Values.install.podLabels) (dict "root" .root "program" "argosyctl")) | nindent 4 }}
  {{- include "member.annotations" (dict "root" .root "own" .root.Values.install.podAnnotations) | nindent 2 }}
spec:
  restartPolicy: Never
  serviceAccountName: {{ .account }}
  securityContext: {{- include "member.podSecurity" .root | nindent 4 }}
  {{- include "member.pullSecrets" .root | nindent 2 }}
  {{- range $field := list "nodeSelector" "tolerations" "affinity" "priorityClassName" "topologySpreadConstraints" }}
  {{- with get $.root.Values.install $field }}
  {{ $field }}: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  containers:
    - name: argosyctl
      image: {{ include "member.image" (dict "root" .root "program" "argosyctl") }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{- toYaml .args | nindent 8 }}
      # client-go keeps what it discovered below HOME, when it may.
      env:
        - {name: HOME, value: /tmp}
        {{- with .root.Values.install.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      resources: {{- toYaml .root.Values.install.resources | nindent 8 }}
      securityContext: {{- include "member.containerSecurity" .root | nindent 8 }}
      volumeMounts:
        - {name: tmp, mountPath: /tmp}
        {{- with .root.Values.install.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {medium: Memory, sizeLimit: 16Mi}
    {{- with .root.Values.install.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* An account that may do everything: it makes kinds and gives rights, which only who has them may. */}}
{{- define "member.installAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .account }}
  namespace: {{ include "member.namespace" .root }}
  labels: {{- include "member.labels" (dict "root" .root "program" "argosyctl") | nindent 4 }}
  {{- $own := merge (dict) (.hook | default dict) (.root.Values.install.serviceAccount.annotations | default dict) }}
  {{- include "member.annotations" (dict "root" .root "own" $own) | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .account }}
  labels: {{- include "member.labels" (dict "root" .root "program" "argosyctl") | nindent 4 }}
  {{- include "member.annotations" (dict "root" .root "program" "argosyctl" "own" .hook) | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects:
  - {kind: ServiceAccount, name: {{ .account }}, namespace: {{ include "member.namespace" .root }}}
{{- end }}
