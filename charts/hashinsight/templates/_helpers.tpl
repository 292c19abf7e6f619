{{- define "hashinsight.selector" -}}
app.kubernetes.io/name: hashinsight-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "hashinsight.labels" -}}
{{ include "hashinsight.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: hashinsight
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "hashinsight.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else if .Values.image.tag -}}
{{ .Values.image.repository }}:{{ .Values.image.tag }}
{{- else -}}
{{- fail "image.digest is not set. The chart that `make dist` writes carries it; for an image of your own: --set image.repository=REGISTRY/PATH --set image.digest=sha256:… (or image.tag where a cluster cannot ask by digest)" -}}
{{- end -}}
{{- end -}}
