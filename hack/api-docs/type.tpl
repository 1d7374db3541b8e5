{{- define "type" -}}
{{- if markdownShouldRenderType . }}
## {{ .Name }}
{{ if .IsAlias }}
_{{ markdownRenderTypeLink .UnderlyingType }}_
{{ end }}
{{ .Doc | replace "<" "&lt;" }}
{{ if .References }}
Used by{{ range $i, $type := .SortedReferences }}{{ if $i }},{{ end }} {{ markdownRenderTypeLink $type }}{{ end }}.
{{ end }}
{{- if .Members }}
| Field | What it is | Default | Limits |
| --- | --- | --- | --- |
{{- if .GVK }}
| `apiVersion` _string_ | `{{ .GVK.Group }}/{{ .GVK.Version }}` | | |
| `kind` _string_ | `{{ .GVK.Kind }}` | | |
{{- end }}
{{- range .Members }}
| `{{ .Name }}` _{{ markdownRenderType .Type }}_ | {{ template "type_members" . }} | {{ if and .Default (ne .Default "{  }") }}`{{ .Default }}`{{ end }} | {{ template "rules" . }} |
{{- end }}
{{ end }}
{{- if .EnumValues }}
| Value | What it means |
| --- | --- |
{{- range .EnumValues }}
| `{{ .Name }}` | {{ template "cell" .Doc }} |
{{- end }}
{{ end }}
{{- end }}
{{- end -}}
