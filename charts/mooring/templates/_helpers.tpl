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

{{/* CEL: the caller is a part of Kubernetes that sees to owners, finalizers and storage of all objects. */}}
{{- define "mooring.kubernetesAccounts" -}}
request.userInfo.username in ["system:kube-controller-manager", "system:serviceaccount:kube-system:generic-garbage-collector", "system:serviceaccount:kube-system:namespace-controller", "system:serviceaccount:kube-system:storage-version-migrator-controller"]
{{- end }}

{{/* CEL: that pod, `object` or `oldObject`, is a launcher or says so. */}}
{{- define "mooring.isLauncher" -}}
(has({{ . }}.metadata.labels) && "kubevirt.io" in {{ . }}.metadata.labels && {{ . }}.metadata.labels["kubevirt.io"] == "virt-launcher") || (has({{ . }}.metadata.ownerReferences) && {{ . }}.metadata.ownerReferences.exists(owner, owner.kind == "VirtualMachineInstance" && owner.apiVersion.startsWith("kubevirt.io/") && has(owner.controller) && owner.controller))
{{- end }}

{{/* The policies that the chart makes, by comma: those of the agents, of the operator and of tenants. */}}
{{- define "mooring.policies" -}}
mooring-agent,mooring-agent-lease,mooring-agent-event
{{- ",mooring-operator-kubevirt,mooring-operator-nad,mooring-operator-node,mooring-operator-vmi" }}
{{- if .Values.policies.enabled }},mooring-logicalport,mooring-launcher,mooring-binding,mooring-node{{ end }}
{{- end }}
