{{/* What each component reads from its environment. */}}

{{/* A number of the values as its digits: Helm holds large ones as floats, and would write 6.7e+07. */}}
{{- define "wattoken.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}{{ int64 . }}{{- else -}}{{ toString . }}{{- end -}}
{{- end -}}

{{/* (root, component): the settings that the chart makes out of its values, as a map. */}}
{{- define "wattoken.ownSettings" -}}
{{- $values := .root.Values -}}
WATTOKEN_LOG_LEVEL: {{ $values.logs.level }}
WATTOKEN_LOG_FORMAT: {{ $values.logs.format }}
WATTOKEN_KAFKA_BOOTSTRAP_SERVERS: {{ $values.kafka.bootstrapServers | quote }}
WATTOKEN_KAFKA_TOPIC: {{ $values.kafka.topic | quote }}
WATTOKEN_KAFKA_SUCCESSIONS_TOPIC: {{ $values.kafka.successionsTopic | quote }}
WATTOKEN_KAFKA_REJECTED_TOPIC: {{ $values.kafka.rejectedTopic | quote }}
WATTOKEN_KAFKA_SECURITY_PROTOCOL: {{ $values.kafka.securityProtocol }}
{{- if contains "SASL" $values.kafka.securityProtocol }}
WATTOKEN_KAFKA_SASL_MECHANISM: {{ $values.kafka.saslMechanism }}
WATTOKEN_KAFKA_SASL_USERNAME: {{ (index $values.kafka.users .component).username | quote }}
{{- end }}
{{- with get $values.clickhouse.users .component }}
WATTOKEN_CLICKHOUSE_HOST: {{ $values.clickhouse.host | quote }}
WATTOKEN_CLICKHOUSE_PORT: {{ include "wattoken.text" $values.clickhouse.port | quote }}
WATTOKEN_CLICKHOUSE_SECURE: {{ $values.clickhouse.secure | quote }}
WATTOKEN_CLICKHOUSE_DATABASE: {{ $values.clickhouse.database | quote }}
WATTOKEN_CLICKHOUSE_USER: {{ .username | quote }}
{{- end }}
{{- include "wattoken.fileSettings" . }}
{{- if and (has .component (list "migrate" "ingest")) (include "wattoken.catalogue" .) }}
WATTOKEN_CATALOGUE_DIR: /catalogue
{{- end }}
{{- if eq .component "ingest" }}
WATTOKEN_INGEST_HOST: "0.0.0.0"
WATTOKEN_INGEST_PORT: {{ include "wattoken.text" $values.ingest.port | quote }}
WATTOKEN_INGEST_EVENT_AGE_MAX_DAYS: {{ include "wattoken.text" $values.maxEventAgeDays | quote }}
WATTOKEN_INGEST_SHUTDOWN_TIMEOUT_SECONDS: {{ include "wattoken.text" $values.ingest.shutdownTimeoutSeconds | quote }}
{{- else if eq .component "aggregator" }}
WATTOKEN_AGGREGATOR_HOST: "0.0.0.0"
WATTOKEN_AGGREGATOR_PORT: {{ include "wattoken.text" $values.aggregator.port | quote }}
WATTOKEN_AGGREGATOR_GROUP: {{ $values.aggregator.group | quote }}
WATTOKEN_AGGREGATOR_STATE_DIR: /state
{{- else if eq .component "exporter" }}
WATTOKEN_EXPORTER_HOST: "0.0.0.0"
WATTOKEN_EXPORTER_PORT: {{ include "wattoken.text" $values.exporter.port | quote }}
WATTOKEN_EXPORTER_MAX_SERIES: {{ include "wattoken.text" $values.exporter.maxSeries | quote }}
WATTOKEN_EXPORTER_TIMEOUT_SECONDS: {{ include "wattoken.text" $values.exporter.timeoutSeconds | quote }}
WATTOKEN_EXPORTER_STATE_DIR: /state
{{- end }}
{{- end -}}

{{/* (root, component): its `env`, in the order of names. Refuses what it does not know or has twice. */}}
{{- define "wattoken.env" -}}
{{- $component := .component -}}
{{- $given := index .root.Values $component -}}
{{- $settings := include "wattoken.ownSettings" . | fromYaml -}}
{{- $known := index (.root.Files.Get "settings.yaml" | fromYaml) $component -}}
{{- $fromFields := list -}}
{{- if eq $component "aggregator" -}}
{{- $fromFields = list "WATTOKEN_AGGREGATOR_INSTANCE_ID" -}}
{{- end -}}
{{- range $name, $value := $given.settings -}}
{{- if not (has $name $known) -}}
{{- fail (printf "%s.settings.%s: %s reads no such setting; docs/settings.md has all" $component $name $component) -}}
{{- end -}}
{{- if or (hasKey $settings $name) (has $name $fromFields) -}}
{{- fail (printf "%s.settings.%s: the chart sets it itself, out of another value" $component $name) -}}
{{- end -}}
{{- $_ := set $settings $name (include "wattoken.text" $value) -}}
{{- end -}}
{{- range $given.extraEnv -}}
{{- if or (hasKey $settings .name) (has .name $fromFields) -}}
{{- fail (printf "%s.extraEnv: %s is set already" $component .name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range $fromFields }}
# The pod's name outlives its process: its partitions come back to it at once.
- {name: {{ . }}, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
{{- end }}
{{- with $given.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* (root, component): the ConfigMap of a catalogue; empty where there is none. The Job has its own. */}}
{{- define "wattoken.catalogue" -}}
{{- if .root.Values.catalogue.existingConfigMap -}}
{{ .root.Values.catalogue.existingConfigMap }}
{{- else if .root.Values.catalogue.files -}}
{{ include "wattoken.fullname" .root }}-catalogue{{ ternary "-migrate" "" (eq .component "migrate") }}
{{- end -}}
{{- end -}}
