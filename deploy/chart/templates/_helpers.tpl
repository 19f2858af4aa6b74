{{/* Names are fixed: argosyctl install, the rights and the runbooks use them too. One release a namespace. */}}

{{- define "argosy.image" -}}
{{- with .root.Values.global.imageRegistry | default .root.Values.image.registry }}{{ . }}/{{ end }}{{ .root.Values.image.repository }}/{{ .program }}
{{- with get .root.Values.image.digests .program }}@{{ . }}{{ else }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "argosy.selector" -}}
app.kubernetes.io/name: {{ .program }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* The labels by which objects and pods are selected, and found again. */}}
{{- define "argosy.ownLabels" -}}
{{ include "argosy.selector" . }}
app.kubernetes.io/part-of: argosy
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Labels of an object: those of the chart, those of one place ("extra"), and those of every one. Of a name that two of the latter have, that of
the one place counts; the chart's own are nobody else's to set. */}}
{{- define "argosy.labels" -}}
{{- $own := include "argosy.ownLabels" . | fromYaml }}
{{- $given := merge (dict) (get . "extra" | default dict) (.root.Values.commonLabels | default dict) }}
{{- range $name := keys $given | sortAlpha }}
{{- if hasKey $own $name }}
{{- fail (printf "label %s is set by the chart itself, which selects pods and finds its objects by it: take it out of commonLabels, podLabels and the labels of monitoring" $name) }}
{{- end }}
{{- end }}
{{- toYaml (merge $own $given) }}
{{- end }}

{{/* Annotations of an object: its own ("own"), beside those of every one. What we go by wins. */}}
{{- define "argosy.annotations" -}}
{{- with merge (dict) (get . "own" | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels and annotations of a program's pods. */}}
{{- define "argosy.podMetadata" -}}
labels: {{- include "argosy.labels" (merge (dict "extra" .values.podLabels) .) | nindent 2 }}
{{- $hash := dict "argosy.dev/config-hash" (include "argosy.config" . | sha256sum) }}
{{- include "argosy.annotations" (dict "root" .root "own" (merge $hash (.values.podAnnotations | default dict))) | nindent 0 }}
{{- end }}

{{- define "argosy.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .program }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "argosy.labels" . | nindent 4 }}
  {{- include "argosy.annotations" (dict "root" .root "own" .values.serviceAccount.annotations) | nindent 2 }}
# It is nobody in the host cluster: the program talks to karmada-apiserver.
automountServiceAccountToken: false
{{- end }}

{{- define "argosy.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "argosy.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Where a program's pods run: apart from each other if possible. */}}
{{- define "argosy.placement" -}}
{{- with .values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with concat .root.Values.global.imagePullSecrets .root.Values.image.pullSecrets | uniq }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
topologySpreadConstraints:
{{- with .values.topologySpreadConstraints }}
  {{- toYaml . | nindent 2 }}
{{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "argosy.selector" . | nindent 8 }}
{{- end }}
{{- end }}

{{/* The one configuration file of a program: what the chart knows, under what the values say. */}}
{{- define "argosy.config" -}}
{{- toYaml (mustMergeOverwrite (dict "apiVersion" "config.argosy.dev/v1alpha1" "kind" .kind) (get . "known" | default dict) .values.config) }}
{{- end }}

{{/* How karmada-scheduler finds the estimator: a Service of karmada-apiserver for each member, which the estimator keeps. */}}
{{- define "argosy.estimatorPart" -}}
program: argosy-estimator
kind: EstimatorConfiguration
known:
  registration:
    mode: Enabled
    host: argosy-estimator.{{ .Release.Namespace }}.svc
{{- end }}

{{/* Whether FedHPA asks the estimator for room, by the certificate that karmada-scheduler shows; if not, it goes by Clusters' own sums. */}}
{{- define "argosy.asksEstimator" -}}
{{- if and .Values.estimator.enabled .Values.controllerManager.asksEstimator }}true{{ end }}
{{- end }}

{{/* Whether rescheduling may move something: it asks for room first. Where no estimator is ours to ask, Karmada's own are asked. */}}
{{- define "argosy.knowsRoom" -}}
{{- $mode := dig "controllers" "fedHPA" "estimators" "mode" "" .Values.controllerManager.config }}
{{- if or (not .Values.estimator.enabled) .Values.controllerManager.asksEstimator (eq $mode "Enabled") }}true{{ end }}
{{- end }}

{{/* Who sets rescheduling up wants it to move something. */}}
{{- define "argosy.refuseDeafRescheduling" -}}
{{- $section := dig "controllers" "reschedule" dict .Values.controllerManager.config }}
{{- if and $section (ne (get $section "mode") "Disabled") (not (include "argosy.knowsRoom" .)) }}
{{- fail "controllerManager.config.controllers.reschedule is set, and rescheduling would move nothing: it asks no estimator where there is room. Set controllerManager.asksEstimator: true (docs/security.md says with which certificate), or mode: Disabled" }}
{{- end }}
{{- end }}

{{- define "argosy.controllerManagerPart" -}}
program: argosy-controller-manager
kind: ControllerManagerConfiguration
{{- if .Values.estimator.enabled }}
known:
  controllers:
    fedHPA:
      estimators:
        {{- if include "argosy.asksEstimator" . }}
        caFile: /etc/argosy/estimator/ca.crt
        certFile: /etc/argosy/estimator/tls.crt
        keyFile: /etc/argosy/estimator/tls.key
        {{- else }}
        mode: Disabled
        {{- end }}
{{- end }}
{{- end }}

{{/* Three keys alone: Karmada's Secret holds its authority's key too. */}}
{{- define "argosy.estimatorCertificate" -}}
- name: certificate
  secret:
    secretName: {{ .Values.estimator.tls.secretName }}
    defaultMode: 0440
    items:
      - {key: {{ .Values.estimator.tls.certKey }}, path: tls.crt}
      - {key: {{ .Values.estimator.tls.keyKey }}, path: tls.key}
      - {key: {{ .Values.estimator.tls.clientCAKey }}, path: ca.crt}
{{- end }}

{{- define "argosy.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .program }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "argosy.labels" . | nindent 4 }}
  {{- include "argosy.annotations" . | nindent 2 }}
data:
  config.yaml: |
    {{- include "argosy.config" . | nindent 4 }}
{{- end }}

{{- define "argosy.disruption" -}}
{{- if and .values.podDisruptionBudget.enabled (gt (int .values.replicas) 1) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .program }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "argosy.labels" . | nindent 4 }}
  {{- include "argosy.annotations" . | nindent 2 }}
spec:
  maxUnavailable: {{ .values.podDisruptionBudget.maxUnavailable }}
  selector:
    matchLabels: {{- include "argosy.selector" . | nindent 6 }}
{{- end }}
{{- end }}

{{/* What every pod of ours has: the kubeconfig of karmada-apiserver and the configuration. */}}
{{- define "argosy.mounts" -}}
- {name: karmada, mountPath: /etc/argosy/karmada, readOnly: true}
- {name: config, mountPath: /etc/argosy/config, readOnly: true}
{{- with .values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "argosy.volumes" -}}
- name: karmada
  secret:
    secretName: {{ .program }}-kubeconfig
    defaultMode: 0440
- name: config
  configMap:
    name: {{ .program }}
{{- with .values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "argosy.probes" -}}
livenessProbe:
  httpGet: {path: /healthz, port: health}
  {{- toYaml .values.livenessProbe | nindent 2 }}
readinessProbe:
  httpGet: {path: /readyz, port: health}
  {{- toYaml .values.readinessProbe | nindent 2 }}
{{- end }}

{{/* DNS, and karmada-apiserver. */}}
{{- define "argosy.egress" -}}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
- ports:
    - {protocol: TCP, port: {{ .root.Values.karmada.apiserverPort }}}
  to:
    {{- with .root.Values.networkPolicy.karmadaApiserver }}
    {{- toYaml . | nindent 4 }}
    {{- else }}
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ .root.Values.karmada.namespace }}}
    {{- end }}
{{- end }}

{{- define "argosy.fromKarmada" -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ .root.Values.karmada.namespace }}}
{{- end }}

{{/* No peers means nobody; to NetworkPolicy an empty list would mean everybody. */}}
{{- define "argosy.metricsIngress" -}}
{{- with .root.Values.networkPolicy.metricsFrom -}}
- ports: [{protocol: TCP, port: metrics}]
  from: {{- toYaml . | nindent 4 }}
{{- end }}
{{- end }}

{{/* The serving certificate's names; the first is in the URL that Karmada is given. */}}
{{- define "argosy.webhookHost" -}}
argosy-webhook.{{ .Release.Namespace }}.svc
{{- end }}
