{{- define "godwit.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 octets, so that names of pods stay below the 63 of a label. */}}
{{- define "godwit.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Of a component: the full name itself in mode single. Input: root, component. */}}
{{- define "godwit.componentName" -}}
{{- $full := include "godwit.fullname" .root -}}
{{- ternary $full (printf "%s-%s" $full .component) (eq .component "single") -}}
{{- end -}}

{{/* The components of the mode, as {"list": [...]}. */}}
{{- define "godwit.components" -}}
{{- if eq .Values.mode "single" }}{list: [single]}{{ else }}{list: [ingress, router, sender, bouncer]}{{ end -}}
{{- end -}}

{{/* The component that clients connect to. */}}
{{- define "godwit.front" -}}
{{- ternary "single" "ingress" (eq .Values.mode "single") -}}
{{- end -}}

{{- define "godwit.selectorLabels" -}}
app.kubernetes.io/name: {{ include "godwit.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Input: root; component, if the object belongs to one. */}}
{{- define "godwit.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ include "godwit.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: godwit
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The metadata of an object. Input: root, name; component, namespace, labels, annotations if there are any. */}}
{{- define "godwit.metadata" -}}
name: {{ .name }}
namespace: {{ default .root.Release.Namespace .namespace }}
labels:
  {{- include "godwit.labels" . | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "godwit.serviceAccountName" -}}
{{- default (include "godwit.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}
{{- define "godwit.senderAccountName" -}}
{{- default (printf "%s-sender" (include "godwit.fullname" .)) .Values.serviceAccount.senderName -}}
{{- end -}}

{{- define "godwit.image" -}}
{{- $image := .Values.image -}}
{{- $name := ternary (printf "%s/%s" $image.registry $image.repository) $image.repository (ne $image.registry "") -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Whether the admin service is served beyond loopback: somebody is named, and it is not the node's network, where
nobody but the node asks. Input: root, component. */}}
{{- define "godwit.adminServed" -}}
{{- $admin := .root.Values.admin -}}
{{- if and (or $admin.existingSecret $admin.tokens $admin.certificates) (not (dig "hostNetwork" false (index .root.Values .component))) -}}
true
{{- end -}}
{{- end -}}

{{/* The Secret with the certificate of the listeners; empty: there is none. */}}
{{- define "godwit.tlsSecret" -}}
{{- if .Values.tls.certManager.enabled -}}
{{- printf "%s-tls" (include "godwit.fullname" .) -}}
{{- else -}}
{{- .Values.tls.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the control file; empty: there is none. */}}
{{- define "godwit.controlSecret" -}}
{{- if .Values.control.existingSecret -}}
{{- .Values.control.existingSecret -}}
{{- else if .Values.control.data -}}
{{- printf "%s-control" (include "godwit.fullname" .) -}}
{{- end -}}
{{- end -}}
