{{- define "clerk-operator.fullname" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "clerk-operator.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (ternary (include "clerk-operator.fullname" .) "default" .Values.serviceAccount.create) -}}
{{- end -}}

{{- define "clerk-operator.selector" -}}
app.kubernetes.io/name: clerk-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "clerk-operator.labels" -}}
{{- $own := include "clerk-operator.selector" . | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion -}}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_")) -}}
{{- merge $own .Values.commonLabels | toYaml -}}
{{- end -}}

{{- /* The block "annotations" of an object, if it has any: its own, and the common ones. Takes a list of context and its own. */ -}}
{{- define "clerk-operator.annotations" -}}
{{- $annotations := merge (deepCopy (index . 1)) (index . 0).Values.commonAnnotations -}}
{{- if $annotations }}
  annotations:
    {{- toYaml $annotations | nindent 4 }}
{{- end -}}
{{- end -}}

{{- define "clerk-operator.image" -}}
{{- with .Values.image.registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* Nothing of a cluster: a name without a registry that is Docker's to resolve, where nobody has published this image. */ -}}
{{- define "clerk-operator.imageIsUnpublished" -}}
{{- if and (not .Values.image.registry) (not (contains "/" .Values.image.repository)) (ne .Values.image.pullPolicy "Never") -}}
true
{{- end -}}
{{- end -}}

{{- define "clerk-operator.webhookSecret" -}}
{{- .Values.clerk.existingSecret | default (printf "%s-webhook" (include "clerk-operator.fullname" .)) -}}
{{- end -}}

{{- /* The Secret with the certificate; empty where there is none. */ -}}
{{- define "clerk-operator.tlsSecret" -}}
{{- if .Values.exposure.tls.secretName -}}
{{ .Values.exposure.tls.secretName }}
{{- else if .Values.exposure.tls.certificate.enabled -}}
{{ include "clerk-operator.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{- define "clerk-operator.priorityClass" -}}
{{- if .Values.priorityClass.create -}}
{{ include "clerk-operator.fullname" . }}
{{- else -}}
{{ .Values.priorityClass.name }}
{{- end -}}
{{- end -}}

{{- /* An object of config/ as this release has it: names, namespaces and labels are the release's. Takes context and object. */ -}}
{{- define "clerk-operator.ofConfig" -}}
{{- $fullname := include "clerk-operator.fullname" .context -}}
{{- $object := .object -}}
{{- $labels := dict -}}
{{- range $key, $value := $object.metadata.labels | default dict -}}
{{- if hasPrefix "rbac.authorization.k8s.io/" $key -}}{{- $_ := set $labels $key $value -}}{{- end -}}
{{- end -}}
{{- $_ := set $object.metadata "labels" (merge $labels (include "clerk-operator.labels" .context | fromYaml)) -}}
{{- with .context.Values.commonAnnotations -}}
{{- $_ := set $object.metadata "annotations" (merge ($object.metadata.annotations | default dict) .) -}}
{{- end -}}
{{- $_ := set $object.metadata "name" (regexReplaceAll "^clerk-operator" $object.metadata.name $fullname) -}}
{{- if hasKey $object.metadata "namespace" -}}{{- $_ := set $object.metadata "namespace" .context.Release.Namespace -}}{{- end -}}
{{- if hasKey $object "roleRef" -}}
{{- $_ := set $object.roleRef "name" (regexReplaceAll "^clerk-operator" $object.roleRef.name $fullname) -}}
{{- end -}}
{{- range $object.subjects -}}
{{- if eq .kind "ServiceAccount" -}}
{{- $_ := set . "name" (include "clerk-operator.serviceAccount" $.context) -}}
{{- $_ := set . "namespace" $.context.Release.Namespace -}}
{{- end -}}
{{- end -}}
{{- $object | toYaml -}}
{{- end -}}
