{{/* Names, labels and images. A pod's name ends in up to 20 more characters, and must stay below 63. */}}
{{- define "wattoken.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* (root, component): what everything of a component is found by. */}}
{{- define "wattoken.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* (root, component): its labels; Prometheus takes the component for its job. */}}
{{- define "wattoken.labels" -}}
{{ include "wattoken.selector" . }}
app.kubernetes.io/part-of: wattoken
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{/* (root, component): name of what belongs to one component. */}}
{{- define "wattoken.componentName" -}}
{{ include "wattoken.fullname" .root }}-{{ .component }}
{{- end -}}

{{/* (root, component): its image, of the component's own version where one is named. */}}
{{- define "wattoken.image" -}}
{{- $own := (index .root.Values .component).image -}}
{{- $all := .root.Values.image -}}
{{- $digest := ternary $own.digest $all.digest (or (ne $own.digest "") (ne $own.tag "")) -}}
{{- if $digest -}}
{{ $all.repository }}@{{ $digest }}
{{- else -}}
{{ $all.repository }}:{{ coalesce $own.tag $all.tag .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* (root, component): the account its pods run under. The Job's exists only as long as its hook. */}}
{{- define "wattoken.serviceAccount" -}}
{{- if not .root.Values.serviceAccount.create -}}
{{ default "default" .root.Values.serviceAccount.name }}
{{- else if eq .component "migrate" -}}
{{ default (include "wattoken.fullname" .root) .root.Values.serviceAccount.name }}-migrate
{{- else -}}
{{ default (include "wattoken.fullname" .root) .root.Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* Of what the Job needs before anything else of the release is there, and of the Job. */}}
{{- define "wattoken.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: {{ .delete }}
{{- end -}}
