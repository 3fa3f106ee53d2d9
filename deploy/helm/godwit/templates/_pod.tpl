{{/* How long a pod may take to end. In front: until nobody connects any more. On Kafka: what partitions take that are
given back, and what `godwit prestop` waits for. Input: root, component. */}}
{{- define "godwit.graceSeconds" -}}
{{- $drain := .root.Values.drain -}}
{{- $seconds := add $drain.timeoutSeconds $drain.marginSeconds -}}
{{- if eq .component (include "godwit.front" .root) -}}{{- $seconds = add $seconds $drain.endpointsSeconds -}}{{- end -}}
{{- if eq .root.Values.mode "cluster" -}}{{- $seconds = add $seconds .root.Values.kafka.revocationSeconds -}}{{- end -}}
{{- if eq .component "sender" -}}{{- $seconds = add $seconds 5 -}}{{- end -}}
{{- $seconds -}}
{{- end -}}

{{/* What happens before SIGTERM. Pods of a Deployment never come back under their name: they always leave. */}}
{{- define "godwit.preStop" -}}
{{- if eq .component "sender" }}
preStop:
  exec:
    command: [godwit, prestop, -c, /etc/godwit/config/godwit.yaml]
{{- else if has .component (list "router" "bouncer") }}
preStop:
  exec:
    command: [godwit, ctl, drain, --leave, --reason, preStop, -c, /etc/godwit/config/godwit.yaml]
{{- else if gt (int .root.Values.drain.endpointsSeconds) 0 }}
preStop:
  sleep:
    seconds: {{ .root.Values.drain.endpointsSeconds }}
{{- end }}
{{- end -}}

{{- define "godwit.containerPorts" -}}
- {name: observe, containerPort: {{ .root.Values.observe.containerPort }}}
{{- if include "godwit.adminServed" . }}
- {name: admin, containerPort: {{ .root.Values.admin.containerPort }}}
{{- end }}
{{- if eq .component (include "godwit.front" .root) }}
{{- range $name, $listener := .root.Values.listeners }}
{{- if $listener.enabled }}
- {name: {{ $name }}, containerPort: {{ $listener.containerPort }}}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Name, Secret and items of what is mounted below /etc/godwit, as {"list": [...]}. */}}
{{- define "godwit.secrets" -}}
{{- $values := .root.Values -}}
{{- $list := list -}}
{{- with include "godwit.controlSecret" .root -}}
{{- $key := ternary $values.control.key "control.yaml" (ne $values.control.existingSecret "") -}}
{{- $list = append $list (dict "name" "control" "secret" . "items" (dict $key "control.yaml")) -}}
{{- end -}}
{{- if eq .component (include "godwit.front" .root) -}}
{{- with include "godwit.tlsSecret" .root -}}
{{- $list = append $list (dict "name" "tls" "secret" . "items" (dict "tls.crt" "tls.crt" "tls.key" "tls.key")) -}}
{{- end -}}
{{- end -}}
{{- with $values.bounce.existingSecret -}}
{{- $list = append $list (dict "name" "bounce" "secret" . "items" (dict $values.bounce.key "return_keys")) -}}
{{- end -}}
{{- with $values.admin.existingSecret -}}
{{- $list = append $list (dict "name" "admin" "secret" . "items" (dict $values.admin.key "token")) -}}
{{- end -}}
{{- range $number, $token := $values.admin.tokens -}}
{{- $list = append $list (dict "name" (printf "admin-token-%d" $number) "secret" .existingSecret "items" (dict (default "token" .key) "token")) -}}
{{- end -}}
{{- with $values.admin.tls -}}
{{- if .existingSecret -}}
{{- $list = append $list (dict "name" "admin-tls" "secret" .existingSecret "items" (dict "tls.crt" "tls.crt" "tls.key" "tls.key" .caKey "ca.crt")) -}}
{{- with .clientCa -}}
{{- if .existingSecret -}}
{{- $list = append $list (dict "name" "admin-clients" "secret" .existingSecret "items" (dict .key "ca.crt")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq $values.mode "cluster" -}}
{{- with $values.kafka.tls.ca -}}
{{- if .existingSecret -}}
{{- $list = append $list (dict "name" "kafka-ca" "secret" .existingSecret "items" (dict .key "ca.crt")) -}}
{{- end -}}
{{- end -}}
{{- with $values.kafka.tls.client -}}
{{- if .existingSecret -}}
{{- $list = append $list (dict "name" "kafka-client" "secret" .existingSecret "items" (dict .certificateKey "tls.crt" .privateKeyKey "tls.key")) -}}
{{- end -}}
{{- end -}}
{{- with $values.kafka.sasl -}}
{{- if ne .mechanism "none" -}}
{{- $list = append $list (dict "name" "kafka-sasl" "secret" .existingSecret "items" (dict .passwordKey "password")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "list" $list | toYaml -}}
{{- end -}}

{{/* The template of a component's pods. Input: root, component, roles. */}}
{{- define "godwit.podTemplate" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $block := index $values .component -}}
{{- $name := include "godwit.componentName" . -}}
{{- $hostNetwork := dig "hostNetwork" false $block -}}
{{- $secrets := (include "godwit.secrets" . | fromYaml).list -}}
metadata:
  labels:
    # Not the chart's version: a new chart alone is no reason for new pods.
    {{- include "godwit.selectorLabels" . | nindent 4 }}
    app.kubernetes.io/part-of: godwit
    {{- with $values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with $block.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Pods are made anew when their configuration changes; nothing else would bring it into effect.
    checksum/config: {{ include "godwit.config" . | sha256sum }}
    {{- if and $values.control.data (ne (default (ternary "file" "seed" (eq $values.mode "single")) $values.control.mode) "seed") }}
    checksum/control: {{ toYaml $values.control.data | sha256sum }}
    {{- end }}
    {{- with merge (dict) $block.podAnnotations $values.commonAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  {{- if eq .component "sender" }}
  serviceAccountName: {{ include "godwit.senderAccountName" $root }}
  automountServiceAccountToken: true
  {{- else }}
  serviceAccountName: {{ include "godwit.serviceAccountName" $root }}
  automountServiceAccountToken: false
  {{- end }}
  enableServiceLinks: false
  {{- if $hostNetwork }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml $values.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ include "godwit.graceSeconds" . }}
  {{- with $block.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $block.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $block.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $block.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if ne .component "single" }}
  {{- if $block.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml $block.topologySpreadConstraints | nindent 4 }}
  {{- else if $values.topologySpread.enabled }}
  topologySpreadConstraints:
    {{- range $key := $values.topologySpread.topologyKeys }}
    - topologyKey: {{ $key }}
      maxSkew: 1
      whenUnsatisfiable: {{ $values.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "godwit.selectorLabels" $ | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- end }}
  containers:
    - name: godwit
      image: {{ include "godwit.image" $root }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      command: [godwit, run, -c, /etc/godwit/config/godwit.yaml, "--roles={{ .roles }}", "--node=$(POD_NAME)"]
      env:
        - name: POD_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        {{- with $block.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      securityContext:
        {{- toYaml $values.securityContext | nindent 8 }}
      ports:
        {{- include "godwit.containerPorts" . | nindent 8 }}
      livenessProbe:
        httpGet: {path: /livez, port: observe}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: {path: /readyz, port: observe}
        periodSeconds: 5
        timeoutSeconds: 5
        failureThreshold: 2
      {{- with include "godwit.preStop" . | trim }}
      lifecycle:
        {{- . | nindent 8 }}
      {{- end }}
      {{- with $block.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: data, mountPath: /var/lib/godwit}
        # What `godwit audit` sorts when it is too much for its memory.
        - {name: tmp, mountPath: /tmp}
        - {name: config, mountPath: /etc/godwit/config, readOnly: true}
        {{- range $secrets }}
        - {name: {{ .name }}, mountPath: /etc/godwit/{{ .name }}, readOnly: true}
        {{- end }}
        {{- with $block.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    - name: config
      configMap: {name: {{ $name }}}
    {{- range $secrets }}
    - name: {{ .name }}
      secret:
        secretName: {{ .secret }}
        defaultMode: 0440
        items:
          {{- range $key, $path := .items }}
          - {key: {{ $key | quote }}, path: {{ $path }}}
          {{- end }}
    {{- end }}
    {{- if not (hasKey $block "persistence") }}
    - name: data
      emptyDir: {}
    {{- else if $block.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim: {claimName: {{ $block.persistence.existingClaim }}}
    {{- else if not (dig "enabled" true $block.persistence) }}
    - name: data
      emptyDir: {}
    {{- end }}
    {{- with $block.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* What a StatefulSet has beyond its pods: claims, and what becomes of them. Input: root, component. */}}
{{- define "godwit.claims" -}}
{{- $persistence := (index .root.Values .component).persistence -}}
{{- if and (dig "enabled" true $persistence) (not $persistence.existingClaim) }}
persistentVolumeClaimRetentionPolicy:
  whenDeleted: {{ $persistence.whenDeleted }}
  whenScaled: {{ $persistence.whenScaled }}
volumeClaimTemplates:
  - metadata:
      name: data
      labels:
        {{- include "godwit.selectorLabels" . | nindent 8 }}
      {{- with $persistence.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      accessModes: {{ toJson $persistence.accessModes }}
      {{- with $persistence.storageClass }}
      storageClassName: {{ . }}
      {{- end }}
      resources:
        requests:
          storage: {{ $persistence.size }}
{{- end }}
{{- end -}}
