import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { deriveSetUp } from '../../test/lab/kubevirt/handler/wiring.ts';
import { dumpConntrack, loadConntrack } from './conntrack.ts';
import { formatConntrackKey } from './conntrack-entry.ts';
import { getGateState } from './gate.ts';
import { withNetns } from './netns.ts';
import { runNft } from './nft.ts';
import { until } from './testing.ts';
import { createMigrationLab, FAR, GUEST, type MigrationLab, POD } from './testing-migration.ts';
import { openTcp, openUdp, type Session, type Talker } from './testing-sockets.ts';

type Case = {
  family: 4 | 6;
  direction: 'inbound' | 'outbound';
  ports: 'declared' | 'not declared';
  speaker: 'guest' | 'remote';
};

const SERVICE = 80;
const REMOTE_PORT = 4000;
const SYN_SENT = 1;
/** The gate lets fifty packets a second knock. */
const PER_KNOCK = 25;
const open: (() => void)[] = [];

afterEach(() => {
  for (const close of open.splice(0).reverse()) close();
});

const CASES: Case[] = ([4, 6] as const).flatMap((family) =>
  (['inbound', 'outbound'] as const).flatMap((direction) =>
    (['declared', 'not declared'] as const).flatMap((ports) =>
      (['guest', 'remote'] as const).map((speaker) => ({ family, direction, ports, speaker })),
    ),
  ),
);
/** The one of eight that mid-stream pick-up does not save: nothing tells the target's rules whose the segment is. */
const EIGHTH_CASE: Case = { family: 4, direction: 'outbound', ports: 'declared', speaker: 'remote' };
const isEighth = ({ direction, ports, speaker }: Case) =>
  direction === 'outbound' && ports === 'declared' && speaker === 'remote';
const SEVEN = CASES.filter((one) => !isEighth(one));
const EIGHTH = CASES.filter(isEighth);

/** KubeVirt's own rules and settings for a masquerading NIC, as the stand-in writes them. */
function planWiring(ports: Case['ports']) {
  const declared = [
    { port: SERVICE, protocol: 'tcp' as const },
    { port: SERVICE, protocol: 'udp' as const },
  ];
  const nic = { name: 'default', binding: 'masquerade' as const, podInterface: 'eth0', primary: true, index: 0 };
  const addresses = { mac: '02:00:00:aa:bb:01', podMac: '0a:58:0a:10:00:05', mtu: 1400 };
  const plan = { ...nic, ...addresses, ipv4: [`${POD[4]}/24`], ipv6: [`${POD[6]}/64`], routes: [] };
  return deriveSetUp([{ ...plan, ports: ports === 'declared' ? declared : [] }], ['02:00:00:00:00:00']);
}

async function createLab(ports: Case['ports']): Promise<MigrationLab> {
  const lab = await createMigrationLab(planWiring(ports));
  open.push(lab.remove);
  return lab;
}

async function openSession(lab: MigrationLab, { family, direction }: Case): Promise<Session> {
  const inbound = direction === 'inbound';
  const { client, server, close } = inbound
    ? await openTcp(lab.remote, { ip: POD[family], port: SERVICE }, place(lab.guest, GUEST[family], SERVICE))
    : await openTcp(lab.guest, { ip: FAR[family], port: REMOTE_PORT }, place(lab.remote, FAR[family], REMOTE_PORT));
  const session = inbound ? { guest: server, remote: client, close } : { guest: client, remote: server, close };
  open.push(close);
  return session;
}

const place = (netns: MigrationLab['guest'], ip: string, port: number) => ({ netns, ip, port });

function openDatagrams(lab: MigrationLab, { family, direction }: Case): Session {
  const [guestPort, remotePort] = direction === 'inbound' ? [SERVICE, REMOTE_PORT] : [5353, REMOTE_PORT];
  const remote = openUdp({ ...place(lab.remote, FAR[family], remotePort), peer: { ip: POD[family], port: guestPort } });
  const guest = openUdp({ ...place(lab.guest, GUEST[family], guestPort), peer: { ip: FAR[family], port: remotePort } });
  const close = () => {
    remote.close();
    guest.close();
  };
  open.push(close);
  return { guest, remote, close };
}

/** Says it once; TCP repeats by itself. */
async function tell(from: Talker, to: Talker, text: string): Promise<void> {
  from.say(`${text}.`);
  await until(`"${text}" heard`, () => fail(from, to) || to.heard().includes(`${text}.`));
}

/** Says it every 20 ms, as an application on UDP does, until it is heard. */
async function repeat(from: Talker, to: Talker, text: string): Promise<void> {
  for (let tries = 0; tries < 100 && !to.heard().includes(`${text}.`); tries += 1) {
    fail(from, to);
    from.say(`${text}.`);
    await pause(20);
  }
  expect(to.heard()).toContain(`${text}.`);
}

function fail(...talkers: Talker[]): false {
  const failure = talkers.map((talker) => talker.failure()).find((found) => found !== undefined);
  if (failure !== undefined) throw new Error(`session lost: ${failure}`);
  return false;
}

function carry(lab: MigrationLab): void {
  const { entries } = dumpConntrack(lab.source, 1000);
  expect(entries.length).toBeGreaterThan(0);
  expect(loadConntrack(lab.target, { entries, gateInterface: 'eth0' })).toEqual({ loaded: entries.length, refused: 0 });
}

const isOpen = (lab: MigrationLab) => getGateState(lab.target, 'eth0')?.open;

async function migrateWithSession(test: Case, lab: MigrationLab, session: Session, say: typeof tell): Promise<void> {
  const { guest, remote } = session;
  const [first, second] = test.speaker === 'guest' ? [guest, remote] : [remote, guest];
  lab.move();
  expect(isOpen(lab)).toBe(false);
  await say(first, second, 'first words');
  await say(second, first, 'second words');
  expect(isOpen(lab)).toBe(true);
  lab.commit();
  await say(first, second, 'third words');
  await say(second, first, 'fourth words');
  fail(guest, remote);
}

describe.each(CASES)('TCP over IPv$family, $direction, ports $ports, the $speaker speaking first', (test_) => {
  test('survives with the entries of the source carried over', async () => {
    const lab = await createLab(test_.ports);
    const session = await openSession(lab, test_);
    await tell(session.guest, session.remote, 'before');
    await tell(session.remote, session.guest, 'and before');
    carry(lab);
    await migrateWithSession(test_, lab, session, tell);
  });
});

describe.each(SEVEN)('TCP over IPv$family, $direction, ports $ports, the $speaker speaking first', (test_) => {
  test('survives on mid-stream pick-up alone too', async () => {
    const lab = await createLab(test_.ports);
    const session = await openSession(lab, test_);
    await tell(session.guest, session.remote, 'before');
    await tell(session.remote, session.guest, 'and before');
    await migrateWithSession(test_, lab, session, tell);
  });
});

describe.each(EIGHTH)('TCP over IPv$family, $direction, ports $ports, the $speaker speaking first', (test_) => {
  test('without them it is reset by the kernel of the target, which is why they are carried', async () => {
    const lab = await createLab(test_.ports);
    const session = await openSession(lab, test_);
    await tell(session.remote, session.guest, 'before');
    lab.move();
    session.remote.say('first words.');
    lab.commit();
    expect(await until('the reset', () => session.remote.failure())).toBe('ECONNRESET');
    expect(session.guest.heard()).not.toContain('first words');
  });
});

describe.each(CASES)('UDP over IPv$family, $direction, ports $ports, the $speaker speaking first', (test_) => {
  test('goes on with the entries of the source carried over', async () => {
    const lab = await createLab(test_.ports);
    const session = openDatagrams(lab, test_);
    await startDatagrams(session, test_);
    carry(lab);
    await migrateWithSession(test_, lab, session, repeat);
  });
});

describe.each(EIGHTH)('UDP over IPv$family, $direction, ports $ports, the $speaker speaking first', (test_) => {
  test('without them the target refuses by ICMP, which is why they are carried', async () => {
    const lab = await createLab(test_.ports);
    const session = openDatagrams(lab, test_);
    await startDatagrams(session, test_);
    lab.move();
    lab.commit();
    session.remote.say('first words.');
    expect(await until('the refusal', () => session.remote.failure())).toBe('ECONNREFUSED');
    expect(session.guest.heard()).not.toContain('first words');
  });
});

async function startDatagrams({ guest, remote }: Session, { direction }: Case): Promise<void> {
  const [client, server] = direction === 'inbound' ? [remote, guest] : [guest, remote];
  await repeat(client, server, 'before');
  await repeat(server, client, 'and before');
}

describe('what the target tracks before the guest is there', () => {
  test('a SYN does not knock: its entry would call the rest of the session invalid once the guest has moved', async () => {
    const lab = await createLab('not declared');
    for (const port of [81, 82, 83]) {
      const session = await openTcp(lab.remote, { ip: POD[4], port }, place(lab.guest, GUEST[4], port));
      open.push(session.close);
      await pause(PER_KNOCK);
    }
    expect(getGateState(lab.target, 'eth0')?.counters.refused).toBeGreaterThanOrEqual(3);
    expect(dumpConntrack(lab.target, 10).entries.filter(({ tcp }) => tcp?.state === SYN_SENT)).toEqual([]);
  });

  test.each([4, 6] as const)(
    'IPv%d: duplicates that the gate drops leave no entry, and knocks one that the load replaces',
    async (family) => {
      const lab = await createLab('not declared');
      const case_: Case = { family, direction: 'outbound', ports: 'not declared', speaker: 'remote' };
      const session = await openSession(lab, case_);
      const made = await knock(lab, session);
      expect(made).toMatchObject({ original: { source: FAR[family] }, reply: { source: GUEST[family] } });
      carry(lab);
      const { entries } = dumpConntrack(lab.target, 10);
      expect(entries).toMatchObject([{ original: { source: GUEST[family] }, reply: { destination: POD[family] } }]);
      await migrateWithSession(case_, lab, session, tell);
      expect(dumpConntrack(lab.target, 10).entries.map(formatConntrackKey)).toEqual(entries.map(formatConntrackKey));
    },
  );

  test('an entry that was carried over long before survives the half of the session that knocks on it', async () => {
    const lab = await createLab('declared');
    const session = await openSession(lab, EIGHTH_CASE);
    await tell(session.guest, session.remote, 'before');
    carry(lab);
    const knocked = () => getGateState(lab.target, 'eth0')?.counters.knocked ?? 0;
    for (let words = 0; knocked() < 5; words += 1) {
      await tell(session.remote, session.guest, `meanwhile ${words}`);
      await tell(session.guest, session.remote, `answer ${words}`);
      await pause(PER_KNOCK / 2);
    }
    await migrateWithSession(EIGHTH_CASE, lab, session, tell);
  });

  test('entries that come before the rules of KubeVirt are translated all the same', async () => {
    const lab = await createLab('declared');
    const session = await openSession(lab, EIGHTH_CASE);
    await tell(session.guest, session.remote, 'before');
    lab.target.run('nft delete table ip nat');
    lab.target.run('nft delete table ip6 nat');
    carry(lab);
    withNetns(lab.target, () => runNft(planWiring('declared').nft));
    await migrateWithSession(EIGHTH_CASE, lab, session, tell);
  });

  test('a masquerade that had to take another port keeps it, whatever a knock made of that port', async () => {
    const lab = await createLab('not declared');
    const case_: Case = { family: 4, direction: 'outbound', ports: 'not declared', speaker: 'remote' };
    lab.source.run('nft insert rule ip nat postrouting ip saddr 10.0.2.2 meta l4proto tcp masquerade to :33333');
    const session = await openSession(lab, case_);
    expect(await knock(lab, session)).toMatchObject({ reply: { sourcePort: 33333 } });
    carry(lab);
    expect(dumpConntrack(lab.target, 10).entries).toMatchObject([{ reply: { destinationPort: 33333 } }]);
    await migrateWithSession(case_, lab, session, tell);
  });
});

/** Speaks until a duplicate got past the gate of the target and left an entry there. */
async function knock(lab: MigrationLab, { guest, remote }: Session) {
  for (let words = 0; words < 200; words += 1) {
    await tell(remote, guest, `words ${words}`);
    const [made] = dumpConntrack(lab.target, 10).entries;
    if (made !== undefined) return made;
    await pause(20);
  }
  throw new Error('no knock left an entry');
}
