/**
 * A domain as virt-launcher hands it over: Go's MarshalIndent of KubeVirt's DomainSpec, tabs, no self-closing elements,
 * what follows the known fields (qemu:commandline) at its place, texts escaped as Go does.
 */
export function makeDomain(interfaces: readonly string[], arch = 'x86_64'): string {
  return `<domain type="kvm" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
	<name>default_vm-&lt;1&gt;</name>
	<memory unit="b">1073741824</memory>
	<os>
		<type arch="${arch}" machine="pc-q35-rhel9.6.0">hvm</type>
	</os>
	<metadata>
		<kubevirt xmlns="http://kubevirt.io">
			<uid>8e2b0b6c &amp; &#34;more&#34;&#xA;</uid>
			<interface type="none"><alias name="ua-default"></alias></interface>
		</kubevirt>
	</metadata>
	<devices>
		<emulator></emulator>
${interfaces.join('\n')}
		<channel type="unix">
			<target name="org.qemu.guest_agent.0" type="virtio"></target>
		</channel>
		<!-- <interface type="ethernet"><alias name="ua-default"></alias></interface> -->
	</devices>
	<qemu:commandline>
		<qemu:arg value="-netdev"></qemu:arg>
		<qemu:arg value="a=&#39;b&#39;, c &gt; d"></qemu:arg>
	</qemu:commandline>
</domain>`;
}

export type NicParts = {
  readonly model?: string;
  readonly mtu?: number | undefined;
  readonly queues?: number;
  readonly link?: string;
  readonly more?: string;
};

/** A tap NIC (facts: KubeVirt's own marshaller). */
export function makeNic(name: string, parts: NicParts = {}): string {
  const { model = 'virtio-non-transitional', mtu = 1400, queues, link, more } = parts;
  const lines = [
    '<interface type="ethernet">',
    '\t<source></source>',
    '\t<target dev="tap0" managed="no"></target>',
    `\t<model type="${model}"></model>`,
    '\t<mac address="02:00:5e:00:00:01"></mac>',
    ...(mtu > 0 ? [`\t<mtu size="${mtu}"></mtu>`] : []),
    ...(link === undefined ? [] : [`\t<link state="${link}"></link>`]),
    `\t<alias name="ua-${name}"></alias>`,
    ...(queues === undefined ? [] : [`\t<driver name="vhost" queues="${queues}"></driver>`]),
    '\t<rom enabled="no"></rom>',
    ...(more === undefined ? [] : [`\t${more}`]),
    '</interface>',
  ];
  return lines.map((line) => `\t\t${line}`).join('\n');
}
