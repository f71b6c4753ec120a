{{/* What all pods have: no rights, files of secrets, a place in the cluster. */}}

{{/* (root, component): the annotations and labels of a pod. */}}
{{- define "wattoken.podMetadata" -}}
{{- $given := index .root.Values .component -}}
{{- $passwords := include "wattoken.ownPasswords" . -}}
labels:
  {{- include "wattoken.labels" . | nindent 2 }}
  {{- with $given.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- if or (ne $passwords "{}") $given.podAnnotations .root.Values.catalogue.files }}
annotations:
  {{- if ne $passwords "{}" }}
  # A password that changed is read at a start.
  checksum/passwords: {{ sha256sum $passwords }}
  {{- end }}
  {{- if and (eq .component "ingest") .root.Values.catalogue.files }}
  checksum/catalogue: {{ toYaml .root.Values.catalogue.files | sha256sum }}
  {{- end }}
  {{- with $given.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* (root, component): the pod's spec but for its containers and volumes. */}}
{{- define "wattoken.podSpec" -}}
{{- $given := index .root.Values .component -}}
serviceAccountName: {{ include "wattoken.serviceAccount" . }}
automountServiceAccountToken: false
# A Service named like the release would be variables with our prefix.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $given.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $given.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $given.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $given.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* (root, component): how its pods are spread. */}}
{{- define "wattoken.spread" -}}
{{- $spread := .root.Values.topologySpread -}}
{{- if or (ne $spread.zones "Off") (ne $spread.nodes "Off") }}
topologySpreadConstraints:
{{- range $key, $how := dict "topology.kubernetes.io/zone" $spread.zones "kubernetes.io/hostname" $spread.nodes }}
{{- if ne $how "Off" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: {{ $how }}
    labelSelector:
      matchLabels:
        {{- include "wattoken.selector" $ | nindent 8 }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* (root, component): image, settings and rights of its container. */}}
{{- define "wattoken.container" -}}
image: {{ include "wattoken.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
env:
  {{- include "wattoken.env" . | trim | nindent 2 }}
{{- with (index .root.Values .component).resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* (root, component): where its container finds files, and may write them. */}}
{{- define "wattoken.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if has .component (list "aggregator" "exporter") }}
- {name: state, mountPath: /state}
{{- end }}
{{- range include "wattoken.folders" . | fromYamlArray }}
- {name: {{ .name }}, mountPath: /secrets/{{ .name }}, readOnly: true}
{{- end }}
{{- if and (has .component (list "migrate" "ingest")) (include "wattoken.catalogue" .) }}
- {name: catalogue, mountPath: /catalogue, readOnly: true}
{{- end }}
{{- end -}}

{{/* (root, component): the volumes of these, but for /state. Files are for the group of the user only. */}}
{{- define "wattoken.volumes" -}}
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 64Mi}
{{- range include "wattoken.folders" . | fromYamlArray }}
- name: {{ .name }}
  secret:
    secretName: {{ .secret }}
    defaultMode: 0440
    items:
      {{- range $path, $key := .items }}
      - {key: {{ $key | quote }}, path: {{ $path }}}
      {{- end }}
{{- end }}
{{- if has .component (list "migrate" "ingest") }}
{{- with include "wattoken.catalogue" . }}
- name: catalogue
  configMap: {name: {{ . }}}
{{- end }}
{{- end }}
{{- end -}}
