{{/* Where passwords, certificates and keys come from, and as which files a component reads them. */}}

{{/* (root, component): the passwords of the values, by key of the component's own Secret. */}}
{{- define "wattoken.ownPasswords" -}}
{{- $own := dict -}}
{{- with index .root.Values.kafka.users .component -}}
{{- if .password }}{{ $_ := set $own "kafka" .password }}{{ end -}}
{{- end -}}
{{- with get .root.Values.clickhouse.users .component -}}
{{- if .password }}{{ $_ := set $own "clickhouse" .password }}{{ end -}}
{{- end -}}
{{ toYaml $own }}
{{- end -}}

{{/*
(root, component): a list of folders of files: name, folder below /secrets, Secret, items. Each is a volume.
*/}}
{{- define "wattoken.folders" -}}
{{- $root := .root -}}
{{- $ownSecret := include "wattoken.componentName" . -}}
{{- $folders := list -}}
{{- $kafka := $root.Values.kafka -}}
{{- $user := index $kafka.users .component -}}
{{- if contains "SASL" $kafka.securityProtocol -}}
{{- $items := dict "password" $user.passwordKey -}}
{{- if $user.password }}{{ $items = dict "password" "kafka" }}{{ end -}}
{{- $folders = append $folders (dict "name" "kafka" "secret" (default $ownSecret $user.existingSecret) "items" $items) -}}
{{- end -}}
{{- if $kafka.ca.secret -}}
{{- $folders = append $folders (dict "name" "kafka-ca" "secret" $kafka.ca.secret "items" (dict "ca.crt" $kafka.ca.key)) -}}
{{- end -}}
{{- if $user.certificateSecret -}}
{{- $items := dict "tls.crt" $user.certificateKey "tls.key" $user.privateKey -}}
{{- $folders = append $folders (dict "name" "kafka-certificate" "secret" $user.certificateSecret "items" $items) -}}
{{- end -}}
{{- with get $root.Values.clickhouse.users .component -}}
{{- if or .existingSecret .password -}}
{{- $items := dict "password" .passwordKey -}}
{{- if .password }}{{ $items = dict "password" "clickhouse" }}{{ end -}}
{{- $folders = append $folders (dict "name" "clickhouse" "secret" (default $ownSecret .existingSecret) "items" $items) -}}
{{- end -}}
{{- with $root.Values.clickhouse.ca -}}
{{- if .secret -}}
{{- $folders = append $folders (dict "name" "clickhouse-ca" "secret" .secret "items" (dict "ca.crt" .key)) -}}
{{- end -}}
{{- end -}}
{{- if .certificateSecret -}}
{{- $items := dict "tls.crt" .certificateKey "tls.key" .privateKey -}}
{{- $folders = append $folders (dict "name" "clickhouse-certificate" "secret" .certificateSecret "items" $items) -}}
{{- end -}}
{{- end -}}
{{- if eq .component "ingest" -}}
{{- with $root.Values.ingest -}}
{{- $items := dict "keys.yaml" "keys.yaml" "pepper" "pepper" -}}
{{- $keys := default (printf "%s-keys" $ownSecret) .keys.existingSecret -}}
{{- $folders = append $folders (dict "name" "keys" "secret" $keys "items" $items) -}}
{{- if .tls.secret -}}
{{- $items := dict "tls.crt" "tls.crt" "tls.key" "tls.key" -}}
{{- $folders = append $folders (dict "name" "tls" "secret" .tls.secret "items" $items) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ toYaml $folders }}
{{- end -}}

{{/* (root, component): the settings that name those files. */}}
{{- define "wattoken.fileSettings" -}}
{{- $names := dict -}}
{{- range include "wattoken.folders" . | fromYamlArray -}}
{{- $_ := set $names .name true -}}
{{- end -}}
{{- if hasKey $names "kafka" }}
WATTOKEN_KAFKA_SASL_PASSWORD_FILE: /secrets/kafka/password
{{- end }}
{{- if hasKey $names "kafka-ca" }}
WATTOKEN_KAFKA_SSL_CA_FILE: /secrets/kafka-ca/ca.crt
{{- end }}
{{- if hasKey $names "kafka-certificate" }}
WATTOKEN_KAFKA_SSL_CERTIFICATE_FILE: /secrets/kafka-certificate/tls.crt
WATTOKEN_KAFKA_SSL_KEY_FILE: /secrets/kafka-certificate/tls.key
{{- end }}
{{- if hasKey $names "clickhouse" }}
WATTOKEN_CLICKHOUSE_PASSWORD_FILE: /secrets/clickhouse/password
{{- end }}
{{- if hasKey $names "clickhouse-ca" }}
WATTOKEN_CLICKHOUSE_CA_FILE: /secrets/clickhouse-ca/ca.crt
{{- end }}
{{- if hasKey $names "clickhouse-certificate" }}
WATTOKEN_CLICKHOUSE_CERTIFICATE_FILE: /secrets/clickhouse-certificate/tls.crt
WATTOKEN_CLICKHOUSE_KEY_FILE: /secrets/clickhouse-certificate/tls.key
{{- end }}
{{- if hasKey $names "keys" }}
WATTOKEN_INGEST_KEYS_FILE: /secrets/keys/keys.yaml
WATTOKEN_INGEST_PEPPER_FILE: /secrets/keys/pepper
{{- end }}
{{- if hasKey $names "tls" }}
WATTOKEN_INGEST_TLS_CERTIFICATE_FILE: /secrets/tls/tls.crt
WATTOKEN_INGEST_TLS_KEY_FILE: /secrets/tls/tls.key
{{- end }}
{{- end -}}
