{{- define "mooring.labels" -}}
app.kubernetes.io/part-of: mooring
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Remotes of a database: tcp:A:PORT,tcp:B:PORT. Arguments: root, port. */}}
{{- define "mooring.remotes" -}}
{{- $port := .port -}}
{{- $list := list -}}
{{- range .root.Values.ovn.central.addresses }}{{ $list = append $list (printf "tcp:%s:%d" . (int $port)) }}{{ end -}}
{{- join "," $list -}}
{{- end }}

{{/* What every program of ours needs to start before the network is there. */}}
{{- define "mooring.hostPod" -}}
hostNetwork: true
dnsPolicy: Default
tolerations:
  - operator: Exists
{{- end }}
