{{/* What no schema can say: values that contradict each other. Each message begins with the key. */}}
{{- define "godwit.validate" -}}
{{- $values := .Values -}}
{{- $cluster := eq $values.mode "cluster" -}}
{{- if and $cluster (not $values.kafka.brokers) -}}
{{- fail "kafka.brokers: mode: cluster needs at least one broker, host:port" -}}
{{- end -}}
{{- if and (not $cluster) $values.kafka.brokers -}}
{{- fail "kafka.brokers: mode: single has its log in the pod; brokers need mode: cluster" -}}
{{- end -}}
{{- $sasl := $values.kafka.sasl -}}
{{- if ne $sasl.mechanism "none" -}}
{{- if not $sasl.username -}}{{- fail "kafka.sasl.username: needed with kafka.sasl.mechanism" -}}{{- end -}}
{{- if not $sasl.existingSecret -}}{{- fail "kafka.sasl.existingSecret: needed with kafka.sasl.mechanism" -}}{{- end -}}
{{- if and (eq $sasl.mechanism "plain") (not $values.kafka.tls.enabled) -}}
{{- fail "kafka.tls.enabled: kafka.sasl.mechanism plain sends the password as it is, so over TLS only" -}}
{{- end -}}
{{- end -}}
{{- if and (not $values.kafka.tls.enabled) (or $values.kafka.tls.ca.existingSecret $values.kafka.tls.client.existingSecret) -}}
{{- fail "kafka.tls.enabled: false, and there are certificates" -}}
{{- end -}}

{{- if and (eq $values.image.tag "latest") (not $values.image.digest) -}}
{{- fail "image.tag: latest says nothing; name a version" -}}
{{- end -}}

{{- if gt (int $values.kafka.minInsyncReplicas) (int $values.kafka.replication) -}}
{{- fail (printf "kafka.minInsyncReplicas: %d, and topics have %d replicas (kafka.replication): nothing could be written" (int $values.kafka.minInsyncReplicas) (int $values.kafka.replication)) -}}
{{- end -}}

{{- $tls := include "godwit.tlsSecret" . -}}
{{- with $values.tls.certManager -}}
{{- if .enabled -}}
{{- if $values.tls.existingSecret -}}{{- fail "tls.existingSecret: tls.certManager makes the Secret" -}}{{- end -}}
{{- if not .issuerRef.name -}}{{- fail "tls.certManager.issuerRef.name: needed" -}}{{- end -}}
{{- if not .dnsNames -}}{{- fail "tls.certManager.dnsNames: at least one name" -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $tls -}}
{{- if $values.listeners.submissions.enabled -}}
{{- fail "listeners.submissions.enabled: needs a certificate: tls.existingSecret or tls.certManager" -}}
{{- end -}}
{{- if $values.listeners.submission.tlsRequired -}}
{{- fail "listeners.submission.tlsRequired: needs a certificate: tls.existingSecret or tls.certManager" -}}
{{- end -}}
{{- end -}}
{{- if and $cluster $values.listeners.capture.enabled -}}
{{- fail "listeners.capture.enabled: captured mail is on the disks of senders; mode single only" -}}
{{- end -}}
{{- $ports := list $values.admin.containerPort $values.observe.containerPort -}}
{{- $taken := 0 -}}
{{- range $name, $listener := $values.listeners -}}
{{- if $listener.enabled -}}
{{- if has $listener.containerPort $ports -}}
{{- fail (printf "listeners.%s.containerPort: %v has another use" $name $listener.containerPort) -}}
{{- end -}}
{{- $ports = append $ports $listener.containerPort -}}
{{- if ne $name "capture" -}}{{- $taken = add1 $taken -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq $values.admin.containerPort $values.observe.containerPort -}}
{{- fail "observe.containerPort: is admin.containerPort as well" -}}
{{- end -}}
{{- if eq $taken 0 -}}{{- fail "listeners: none is enabled" -}}{{- end -}}
{{- with $values.listeners -}}
{{- if and $values.publicService.enabled (not (or .submission.enabled .submissions.enabled .inbound.enabled)) -}}
{{- fail "publicService.enabled: it serves submission, submissions and inbound, and none is enabled" -}}
{{- end -}}
{{- end -}}

{{- if and $cluster $values.bounce.domain (not $values.bounce.existingSecret) -}}
{{- fail "bounce.existingSecret: mode: cluster needs the keys of return addresses, the same in every pod" -}}
{{- end -}}
{{- if and $values.bounce.returnPath (not $values.bounce.domain) -}}
{{- fail "bounce.domain: needed with bounce.returnPath" -}}
{{- end -}}
{{- if and $values.control.data $values.control.existingSecret -}}
{{- fail "control.data: control.existingSecret has the control file already" -}}
{{- end -}}

{{- with $values.admin -}}
{{- if and .tls.existingSecret (not .tls.serverName) -}}
{{- fail "admin.tls.serverName: commands in the pod ask at loopback, and verify this name" -}}
{{- end -}}
{{- if and .tls.clientCa.existingSecret (not .tls.existingSecret) -}}
{{- fail "admin.tls.existingSecret: needed with admin.tls.clientCa" -}}
{{- end -}}
{{- if and .certificates (not .tls.clientCa.existingSecret) -}}
{{- fail "admin.tls.clientCa.existingSecret: needed with admin.certificates: who issued them" -}}
{{- end -}}
{{- $acts := ne .existingSecret "" -}}
{{- range .tokens -}}{{- if ne .role "viewer" -}}{{- $acts = true -}}{{- end -}}{{- end -}}
{{- if and (or .tokens .certificates) (not $acts) -}}
{{- fail "admin.tokens: one with the role operator or admin is needed: pods that end for good say so with it" -}}
{{- end -}}
{{- end -}}
{{- with $values.sender -}}
{{- if and .persistence.existingClaim (gt (int .replicaCount) 1) -}}
{{- fail (printf "sender.persistence.existingClaim: %d senders cannot share one claim; leave it empty, or have one sender" (int .replicaCount)) -}}
{{- end -}}
{{- if and .persistence.existingClaim (not .persistence.enabled) -}}
{{- fail "sender.persistence.enabled: false, and there is a claim" -}}
{{- end -}}
{{- end -}}
{{- if and $cluster (gt (int $values.sender.replicaCount) (int $values.kafka.partitions)) -}}
{{- fail (printf "sender.replicaCount: %d, and kafka.partitions is %d: some would have nothing to deliver" (int $values.sender.replicaCount) (int $values.kafka.partitions)) -}}
{{- end -}}
{{- range $role := list "ingress" "router" -}}
{{- $block := index $values $role -}}
{{- if and $block.autoscaling.enabled (not (dig "requests" "cpu" "" $block.resources)) -}}
{{- fail (printf "%s.resources.requests.cpu: %s.autoscaling goes by the share of it" $role $role) -}}
{{- end -}}
{{- end -}}
{{- if and $values.router.autoscaling.enabled $values.router.keda.enabled -}}
{{- fail "router.keda.enabled: router.autoscaling is enabled as well; one of them scales" -}}
{{- end -}}
{{- range $name, $bounds := dict "ingress.autoscaling" (list $values.ingress.autoscaling.minReplicas $values.ingress.autoscaling.maxReplicas) "router.autoscaling" (list $values.router.autoscaling.minReplicas $values.router.autoscaling.maxReplicas) "router.keda" (list $values.router.keda.minReplicaCount $values.router.keda.maxReplicaCount) -}}
{{- if gt (int (first $bounds)) (int (last $bounds)) -}}
{{- fail (printf "%s: the fewest pods are more than the most" $name) -}}
{{- end -}}
{{- end -}}

{{- $owned := dict "cluster" "clusterName" "node" "nothing: it is the pod's name" "data_dir" "nothing: it is the volume" "drain_timeout" "drain.timeoutSeconds" "log.kind" "mode" "log.kafka.brokers" "kafka.brokers" "log.kafka.topic_prefix" "kafka.topicPrefix" "log.kafka.partitions" "kafka.partitions" "log.kafka.replication" "kafka.replication" "log.kafka.min_insync_replicas" "kafka.minInsyncReplicas" "log.kafka.revocation" "kafka.revocationSeconds" "log.kafka.tls" "kafka.tls" "log.kafka.sasl" "kafka.sasl" "ingress.smtp" "listeners" "ingress.http" "listeners.capture" "ingress.tls.certificate" "tls.existingSecret" "ingress.tls.key" "tls.existingSecret" "bounce" "bounce" "admin" "admin" "observe.listen" "observe.containerPort" "control" "control" -}}
{{- range $key, $value := $owned -}}
{{- $at := $values.config -}}
{{- $there := true -}}
{{- range $part := splitList "." $key -}}
{{- if and $there (kindIs "map" $at) (hasKey $at $part) -}}
{{- $at = index $at $part -}}
{{- else -}}
{{- $there = false -}}
{{- end -}}
{{- end -}}
{{- if $there -}}{{- fail (printf "config.%s: the value for this is %s" $key $value) -}}{{- end -}}
{{- end -}}
{{- end -}}
