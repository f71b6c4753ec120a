{{/* Values that contradict each other, or of which one is missing: each is refused by its name. */}}
{{- define "wattoken.refusals" -}}
{{- $values := .Values -}}
{{- $kafka := $values.kafka -}}
{{- $components := list -}}
{{- range list "migrate" "ingest" "aggregator" "exporter" -}}
{{- if (index $values .).enabled }}{{ $components = append $components . }}{{ end -}}
{{- end -}}

{{- if not $kafka.bootstrapServers -}}
{{- fail "kafka.bootstrapServers is missing: give the brokers as host:port, comma-separated" -}}
{{- end -}}
{{- $tls := contains "SSL" $kafka.securityProtocol -}}
{{- $sasl := contains "SASL" $kafka.securityProtocol -}}
{{- if and $kafka.ca.secret (not $tls) -}}
{{- fail (printf "kafka.ca.secret is set, but kafka.securityProtocol %s has no TLS: make it SSL or SASL_SSL" $kafka.securityProtocol) -}}
{{- end -}}
{{- range $component := $components -}}
{{- $path := printf "kafka.users.%s" $component -}}
{{- with index $kafka.users $component -}}
{{- if and $sasl (not .username) -}}
{{- fail (printf "%s.username is missing: kafka.securityProtocol %s asks who it is" $path $kafka.securityProtocol) -}}
{{- end -}}
{{- if and $sasl (not .existingSecret) (not .password) -}}
{{- fail (printf "%s has no password: name a Secret in %s.existingSecret" $path $path) -}}
{{- end -}}
{{- if and .existingSecret .password -}}
{{- fail (printf "%s.password is set, and so is %s.existingSecret: give one of them" $path $path) -}}
{{- end -}}
{{- if and (not $sasl) (or .username .existingSecret .password) -}}
{{- fail (printf "%s has a user, but kafka.securityProtocol %s has no SASL" $path $kafka.securityProtocol) -}}
{{- end -}}
{{- if and .certificateSecret (not $tls) -}}
{{- fail (printf "%s.certificateSecret is set, but kafka.securityProtocol %s has no TLS" $path $kafka.securityProtocol) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $clickhouse := $values.clickhouse -}}
{{- if and (not $clickhouse.host) (or $values.migrate.enabled $values.aggregator.enabled $values.exporter.enabled) -}}
{{- fail "clickhouse.host is missing: give the name or address of ClickHouse" -}}
{{- end -}}
{{- if and $clickhouse.ca.secret (not $clickhouse.secure) -}}
{{- fail "clickhouse.ca.secret is set, but clickhouse.secure is false" -}}
{{- end -}}
{{- range $component := $components -}}
{{- $path := printf "clickhouse.users.%s" $component -}}
{{- with get $clickhouse.users $component -}}
{{- if and .existingSecret .password -}}
{{- fail (printf "%s.password is set, and so is %s.existingSecret: give one of them" $path $path) -}}
{{- end -}}
{{- if and .certificateSecret (not $clickhouse.secure) -}}
{{- fail (printf "%s.certificateSecret is set, but clickhouse.secure is false" $path) -}}
{{- end -}}
{{- if not (or .existingSecret .password .certificateSecret) -}}
{{- fail (printf "%s has no password: name a Secret in %s.existingSecret" $path $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- with $values.catalogue -}}
{{- if and .existingConfigMap .files -}}
{{- fail "catalogue.files is set, and so is catalogue.existingConfigMap: give one of them" -}}
{{- end -}}
{{- end -}}

{{- with $values.ingest -}}
{{- if .enabled -}}
{{- if and .keys.existingSecret (or .keys.file .keys.pepper) -}}
{{- fail "ingest.keys.file or .pepper is set, and so is ingest.keys.existingSecret: give one of them" -}}
{{- end -}}
{{- if not (or .keys.existingSecret (and .keys.file .keys.pepper)) -}}
{{- fail "ingest.keys: ingest takes events only with API keys; name a Secret with keys.yaml and pepper in ingest.keys.existingSecret" -}}
{{- end -}}
{{- if and .autoscaling.enabled (gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas)) -}}
{{- fail (printf "ingest.autoscaling.minReplicas is %d, more than maxReplicas %d" (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if and .autoscaling.enabled (not (dig "requests" "cpu" "" .resources)) -}}
{{- fail "ingest.resources.requests.cpu is missing: ingest.autoscaling is by a share of it" -}}
{{- end -}}
{{- if and .ingress.enabled (not .ingress.host) -}}
{{- fail "ingest.ingress.host is missing: give the name that gateways send to" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- with $values.aggregator -}}
{{- if .enabled -}}
{{- $partitions := int $values.topic.partitions -}}
{{- if and (not .autoscaling.enabled) (gt (int .replicas) $partitions) -}}
{{- fail (printf "aggregator.replicas is %d, more than topic.partitions %d: a worker without a partition never becomes ready" (int .replicas) $partitions) -}}
{{- end -}}
{{- if .autoscaling.enabled -}}
{{- if gt (int .autoscaling.maxReplicas) $partitions -}}
{{- fail (printf "aggregator.autoscaling.maxReplicas is %d, more than topic.partitions %d: a worker without a partition never becomes ready" (int .autoscaling.maxReplicas) $partitions) -}}
{{- end -}}
{{- if gt (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas) -}}
{{- fail (printf "aggregator.autoscaling.minReplicas is %d, more than maxReplicas %d" (int .autoscaling.minReplicas) (int .autoscaling.maxReplicas)) -}}
{{- end -}}
{{- if ne (empty .autoscaling.topic) (empty .autoscaling.consumerGroup) -}}
{{- fail "aggregator.autoscaling.topic and .consumerGroup go together: set both or neither" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- if and $values.exporter.enabled (ge (float64 $values.exporter.timeoutSeconds) (float64 $values.monitoring.scrapeTimeoutSeconds)) -}}
{{- fail "exporter.timeoutSeconds must be below monitoring.scrapeTimeoutSeconds, or a scrape fails whole" -}}
{{- end -}}
{{- with $values.networkPolicy -}}
{{- if and .enabled $values.monitoring.serviceMonitor (or .ingestFrom .exporterFrom) (not .metricsFrom) -}}
{{- fail "networkPolicy.metricsFrom is missing: networkPolicy.ingestFrom and .exporterFrom would shut Prometheus out" -}}
{{- end -}}
{{- end -}}
{{- if gt (float64 $values.monitoring.scrapeTimeoutSeconds) (float64 $values.monitoring.scrapeSeconds) -}}
{{- fail "monitoring.scrapeTimeoutSeconds must not be above monitoring.scrapeSeconds" -}}
{{- end -}}
{{- end -}}
