{{/* godwit.yaml of a component, what the chart knows below config. Paths are as godwit.podVolumes mounts them, relative
to the file. Input: root, component. */}}
{{- define "godwit.config" -}}
{{- $values := .root.Values -}}
{{- $front := eq .component (include "godwit.front" .root) -}}
{{- $config := omit $values.config "ingress" -}}
{{- if $front -}}{{- $config = $values.config -}}{{- end -}}
{{- toYaml (mergeOverwrite (include "godwit.ownConfig" . | fromYaml) (deepCopy $config)) -}}
{{- end -}}

{{- define "godwit.ownConfig" -}}
{{- $values := .root.Values -}}
cluster: {{ default (include "godwit.fullname" .root) $values.clusterName | quote }}
data_dir: /var/lib/godwit
drain_timeout: {{ $values.drain.timeoutSeconds }}s
{{- with $values.admin }}
admin:
  listen: "{{ if include "godwit.adminServed" $ }}0.0.0.0{{ else }}127.0.0.1{{ end }}:{{ .containerPort }}"
  {{- if .existingSecret }}
  token: {file: ../admin/token}
  {{- end }}
  {{- with .tokens }}
  tokens:
    {{- range $number, $token := . }}
    - {name: {{ .name | quote }}, role: {{ .role }}, token: {file: ../admin-token-{{ $number }}/token}}
    {{- end }}
  {{- end }}
  {{- with .certificates }}
  certificates:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .tls }}
  {{- if .existingSecret }}
  tls:
    certificate: ../admin-tls/tls.crt
    key: ../admin-tls/tls.key
    {{- if .clientCa.existingSecret }}
    client_ca: ../admin-clients/ca.crt
    {{- end }}
  # For commands in the pod.
  ctl: {ca: ../admin-tls/ca.crt, server_name: {{ .serverName | quote }}}
  {{- end }}
  {{- end }}
{{- end }}
observe:
  listen: "0.0.0.0:{{ $values.observe.containerPort }}"
{{- if or (include "godwit.controlSecret" .root) $values.control.mode }}
control:
  {{- if include "godwit.controlSecret" .root }}
  file: ../control/control.yaml
  {{- end }}
  {{- with $values.control.mode }}
  mode: {{ . }}
  {{- end }}
{{- end }}
{{- if or $values.bounce.domain $values.bounce.existingSecret }}
bounce:
  {{- with $values.bounce.domain }}
  domain: {{ . | quote }}
  {{- end }}
  return_path: {{ $values.bounce.returnPath }}
  {{- if $values.bounce.existingSecret }}
  key_file: ../bounce/return_keys
  {{- end }}
{{- end }}
{{- if eq $values.mode "single" }}
log:
  kind: embedded
{{- else }}
log:
  kind: kafka
  kafka:
    brokers: {{ toJson $values.kafka.brokers }}
    topic_prefix: {{ $values.kafka.topicPrefix | quote }}
    partitions: {{ $values.kafka.partitions }}
    replication: {{ $values.kafka.replication }}
    min_insync_replicas: {{ $values.kafka.minInsyncReplicas }}
    revocation: {{ $values.kafka.revocationSeconds }}s
    {{- with $values.kafka.tls }}
    {{- if .enabled }}
    tls:
      enabled: true
      {{- if .ca.existingSecret }}
      ca: ../kafka-ca/ca.crt
      {{- end }}
      {{- if .client.existingSecret }}
      certificate: ../kafka-client/tls.crt
      key: ../kafka-client/tls.key
      {{- end }}
    {{- end }}
    {{- end }}
    {{- with $values.kafka.sasl }}
    {{- if ne .mechanism "none" }}
    sasl:
      mechanism: {{ .mechanism }}
      username: {{ .username | quote }}
      password: {file: ../kafka-sasl/password}
    {{- end }}
    {{- end }}
{{- end }}
{{- if eq .component (include "godwit.front" .root) }}
{{- $tls := include "godwit.tlsSecret" .root }}
ingress:
  {{- if $tls }}
  tls: {certificate: ../tls/tls.crt, key: ../tls/tls.key}
  {{- end }}
  {{- if $values.listeners.capture.enabled }}
  http: {listen: "0.0.0.0:{{ $values.listeners.capture.containerPort }}"}
  {{- end }}
  smtp:
    {{- with $values.listeners.relay }}
    {{- if .enabled }}
    - listen: "0.0.0.0:{{ .containerPort }}"
      kind: relay
      trusted_networks: {{ toJson .trustedNetworks }}
      {{- with .proxyNetworks }}
      proxy_networks: {{ toJson . }}
      {{- end }}
      {{- with .tenant }}
      tenant: {{ . | quote }}
      {{- end }}
    {{- end }}
    {{- end }}
    {{- with $values.listeners.submission }}
    {{- if .enabled }}
    - listen: "0.0.0.0:{{ .containerPort }}"
      kind: submission
      tls_required: {{ .tlsRequired }}
      auth_without_tls: {{ .authWithoutTls }}
      {{- with .proxyNetworks }}
      proxy_networks: {{ toJson . }}
      {{- end }}
    {{- end }}
    {{- end }}
    {{- with $values.listeners.submissions }}
    {{- if .enabled }}
    - listen: "0.0.0.0:{{ .containerPort }}"
      kind: submission
      tls: implicit
      {{- with .proxyNetworks }}
      proxy_networks: {{ toJson . }}
      {{- end }}
    {{- end }}
    {{- end }}
    {{- with $values.listeners.inbound }}
    {{- if .enabled }}
    - listen: "0.0.0.0:{{ .containerPort }}"
      kind: inbound
      {{- with .proxyNetworks }}
      proxy_networks: {{ toJson . }}
      {{- end }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end -}}
