import { describe, expect, it } from 'vitest';
import { checkImport, findFolder, parseImports } from './imports.ts';

describe('import directions', () => {
  it.each([
    ['src/plan/rows.ts', 'src/ovn/schema/nb.gen.ts', true, undefined],
    ['src/plan/rows.ts', 'src/ovn/schema/nb.gen.ts', false, 'src/plan may not import src/ovn'],
    ['src/plan/ports/ports.ts', 'src/plan/requests/types.ts', false, undefined],
    ['src/plan/ports/change.ts', 'src/plan/wishes/types.ts', true, undefined],
    ['src/plan/networks/dhcp.ts', 'src/plan/settings.ts', false, undefined],
    ['src/plan/networks/vpc.ts', 'src/plan/ports/lsp.ts', true, 'src/plan/networks may not import src/plan/ports'],
    ['src/plan/rows.ts', 'src/plan/ports/lsp.ts', true, 'src/plan may not import src/plan/ports'],
    ['src/plan/wishes/json.ts', 'node:fs', false, 'src/plan/wishes is pure: no node:fs'],
    ['src/operator/vm.ts', 'src/plan/ports/ports.ts', false, undefined],
    ['src/ovsdb/session.ts', 'src/api/names.ts', false, 'src/ovsdb may not import src/api'],
    ['src/cni/shim/x.ts', 'src/cni/protocol.ts', false, undefined],
    ['src/cni/daemon/add.ts', 'src/operator/vm.ts', false, 'src/cni/daemon may not import src/operator'],
    ['src/cli/operator.ts', 'src/operator/main.ts', false, undefined],
    ['src/ipam/allocator.ts', 'node:fs', false, 'src/ipam is pure: no node:fs'],
    ['src/kube/queue.ts', 'test/lab/x.ts', false, 'src never imports test'],
    ['src/kube/queue.protocol.test.ts', 'test/lab/x.ts', false, undefined],
    ['src/kube/queue.ts', 'undici', false, undefined],
  ])('%s -> %s (types only: %s)', (file, target, typeOnly, expected) => {
    expect(checkImport({ file, target, typeOnly })).toBe(expected);
  });

  it('finds multi-line, type-only and bare imports and resolves relative paths', () => {
    const text =
      "import {\n  a,\n} from '../api/names.ts';\nimport type { B } from './b.ts';\nimport 'node:fs';\nexport { c } from './c.ts';\n";
    expect(parseImports('src/kube/x.ts', text)).toEqual([
      { file: 'src/kube/x.ts', target: 'src/api/names.ts', typeOnly: false },
      { file: 'src/kube/x.ts', target: 'src/kube/b.ts', typeOnly: true },
      { file: 'src/kube/x.ts', target: 'node:fs', typeOnly: false },
      { file: 'src/kube/x.ts', target: 'src/kube/c.ts', typeOnly: false },
    ]);
  });

  it('picks the most exact folder', () => {
    expect(findFolder('src/cni/protocol.ts')).toBe('src/cni/protocol.ts');
    expect(findFolder('src/cni/daemon/add.ts')).toBe('src/cni/daemon');
    expect(findFolder('scripts/x.ts')).toBeUndefined();
  });
});
