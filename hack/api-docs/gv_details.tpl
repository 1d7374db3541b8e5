{{- define "gvDetails" }}
`apiVersion: {{ .GroupVersionString }}`

{{ .Doc | trim | replace "<" "&lt;" }}

The kinds, all of them cluster-scoped:{{ range .SortedKinds }}
- {{ $.TypeForKind . | markdownRenderTypeLink }}
{{- end }}
{{ range .SortedTypes }}{{ template "type" . }}{{ end }}
{{- end -}}
