{{- define "type_members" -}}
{{- if eq .Name "metadata" -}}name, labels, annotations, as of any object of Kubernetes{{- else -}}{{ template "cell" .Doc }}{{- end -}}
{{- end -}}

{{- define "cell" -}}
{{ . | trim | replace "<" "&lt;" | replace "|" "\\|" | replace "\n\n" "<br /><br />" | replace "\n" " " }}
{{- end -}}

{{- define "rule" -}}
{{- $rule := . | replace "<" "&lt;" | replace "|" "\\|" | replace "\n" " " -}}
{{- $rule = regexReplaceAll `^MaxLength: (.*)$` $rule "at most ${1} characters" -}}
{{- $rule = regexReplaceAll `^items:MaxLength: (.*)$` $rule "each at most ${1} characters" -}}
{{- $rule = regexReplaceAll `^MaxItems: (.*)$` $rule "at most ${1} items" -}}
{{- $rule = regexReplaceAll `^MinItems: (.*)$` $rule "at least ${1} items" -}}
{{- $rule = regexReplaceAll `^MaxProperties: (.*)$` $rule "at most ${1} keys" -}}
{{- $rule = regexReplaceAll `^Minimum: (.*)$` $rule "at least ${1}" -}}
{{- $rule = regexReplaceAll `^Maximum: (.*)$` $rule "at most ${1}" -}}
{{- $rule = regexReplaceAll `^Pattern: ` $rule "" -}}
{{- $rule = regexReplaceAll `^Enum: \[(.*)\]$` $rule "one of ${1}" -}}
{{ $rule }}
{{- end -}}

{{- define "rules" -}}
{{- $separator := "" -}}
{{- if has "Required: {}" .Validation }}**required**{{ $separator = "<br />" }}{{ end -}}
{{- range .Validation -}}
{{- /* What is written as {} says nothing more; that a text or a list which is there is not empty goes without saying. */ -}}
{{- if not (or (hasSuffix "{}" .) (has . (list "MinLength: 1" "items:MinLength: 1" "MinItems: 1" "MinProperties: 1" "Type: string"))) -}}
{{ $separator }}{{ template "rule" . }}{{ $separator = "<br />" -}}
{{- end -}}
{{- end -}}
{{- end -}}
