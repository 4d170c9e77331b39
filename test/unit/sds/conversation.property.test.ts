/** Properties of whole conversations: order, completeness, restarts, undone events, hostile bytes. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import type { SdsOutcome } from "../../../src/sds/participant.ts";
import { CHANNEL, craft, hashFor, Peer, START } from "./sds-peer.ts";

const NAMES = ["alice", "bob", "carol"] as const;

/** Who speaks next, and which of the messages on the air they hear before that. */
const turns = fc.array(
  fc.record({
    speaker: fc.nat(NAMES.length - 1),
    hears: fc.array(fc.nat(40), { maxLength: 6 }),
    elapsed: fc.nat(3000),
  }),
  { minLength: 1, maxLength: 25 },
);

interface Said {
  readonly messageId: string;
  readonly wire: Uint8Array;
  readonly speaker: string;
  /** Everything that the speaker had sent or been delivered before. */
  readonly after: ReadonlySet<string>;
}

/** A conversation in which everyone hears whatever the turns say, in whatever order. */
function converse(
  peers: readonly Peer[],
  script: readonly { speaker: number; hears: number[]; elapsed: number }[],
): Said[] {
  const said: Said[] = [];
  const known = peers.map(() => new Set<string>());
  let now = START;
  for (const { speaker, hears, elapsed } of script) {
    now += elapsed;
    const peer = peers[speaker];
    const knows = known[speaker];
    if (!peer || !knows) continue;
    for (const index of hears) {
      const heard = said[index];
      if (heard) for (const id of peer.receive(heard.wire, now).delivered) knows.add(id);
    }
    const { messageId, wire } = peer.publish(`${said.length}`, now);
    said.push({ messageId, wire, speaker: peer.name, after: new Set(knows) });
    knows.add(messageId);
  }
  return said;
}

function expectCausalOrder(delivered: readonly string[], said: readonly Said[]): void {
  const position = new Map(delivered.map((id, index) => [id, index]));
  for (const { messageId, after } of said) {
    const at = position.get(messageId);
    if (at === undefined) continue;
    for (const id of after) {
      const before = position.get(id);
      if (before !== undefined && before >= at) throw new Error(`${messageId} was delivered before ${id}`);
    }
  }
}

test("any permutation and duplication of a causal conversation: everyone delivers everything once, in causal order", () => {
  fc.assert(
    fc.property(turns, fc.infiniteStream(fc.nat()), (script, chance) => {
      const peers = NAMES.map((name) => new Peer(name));
      const said = converse(peers, script);
      for (const peer of peers) {
        // Every message comes at least once, some twice, in any order.
        const copies = [...said, ...said.filter(() => (chance.next().value ?? 0) % 3 === 0)];
        const keyed = copies.map((copy) => ({ copy, key: chance.next().value ?? 0 })).sort((a, b) => a.key - b.key);
        for (const { copy } of keyed) peer.receive(copy.wire, START + 200_000);
        const others = said.filter(({ speaker }) => speaker !== peer.name);
        expect(new Set(peer.delivered)).toEqual(new Set(others.map(({ messageId }) => messageId)));
        expect(peer.delivered).toHaveLength(others.length);
        expectCausalOrder(peer.delivered, said);
        expect(peer.tables.incoming.size).toBe(0);
        expect(peer.tables.missing.size).toBe(0);
      }
      // And everyone's log has the same order.
      const [first, ...rest] = peers.map((peer) => peer.sds.logIds());
      for (const log of rest) expect(log).toEqual(first);
    }),
    { numRuns: 60 },
  );
});

test("with messages that never come, what came is delivered once, in causal order, and each gap reported once", () => {
  fc.assert(
    fc.property(turns, fc.infiniteStream(fc.nat(3)), (script, chance) => {
      const said = converse(
        NAMES.map((name) => new Peer(name)),
        script,
      );
      const dave = new Peer("dave", { startedAt: START - 60_000 });
      const arriving = said.filter(() => chance.next().value !== 0).toReversed();
      for (const { wire } of arriving) dave.receive(wire, START + 100_000);
      let now = START + 100_000;
      for (let i = 0; i < 2000 && dave.tables.missing.size > 0; i++) {
        now = dave.sds.nextDeadline() ?? now;
        dave.tick(now);
      }
      expect(new Set(dave.delivered)).toEqual(new Set(arriving.map(({ messageId }) => messageId)));
      expect(dave.delivered).toHaveLength(arriving.length);
      expectCausalOrder(dave.delivered, said);
      expect(new Set(dave.lost).size).toBe(dave.lost.length);
      const absent = new Set(said.filter((each) => !arriving.includes(each)).map(({ messageId }) => messageId));
      for (const id of dave.lost) expect(absent.has(id)).toBe(true);
    }),
    { numRuns: 60 },
  );
});

type Step =
  | { readonly kind: "send"; readonly ephemeral: boolean }
  | { readonly kind: "send in parts"; readonly parts: number }
  | { readonly kind: "receive"; readonly index: number }
  | { readonly kind: "propagated" | "stored" | "abandon"; readonly index: number }
  | { readonly kind: "resume"; readonly index: number; readonly leaving: boolean }
  | { readonly kind: "tick"; readonly online: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("send" as const), ephemeral: fc.boolean() }),
  fc.record({ kind: fc.constant("send in parts" as const), parts: fc.integer({ min: 2, max: 3 }) }),
  fc.record({ kind: fc.constant("receive" as const), index: fc.nat(60) }),
  fc.record({
    kind: fc.constantFrom("propagated" as const, "stored" as const, "abandon" as const),
    index: fc.nat(20),
  }),
  fc.record({ kind: fc.constant("resume" as const), index: fc.nat(20), leaving: fc.boolean() }),
  fc.record({ kind: fc.constant("tick" as const), online: fc.boolean() }),
);
const steps = fc.array(fc.record({ step, elapsed: fc.nat(40_000), interrupted: fc.boolean() }), { maxLength: 40 });

/** Wire messages of others, among them chains, gaps, syncs, and acknowledgements of what alice sends. */
function foreignWires(own: readonly string[]): Uint8Array[] {
  return Array.from({ length: 60 }, (_, i) =>
    craft({
      messageId: `f${i}`,
      senderId: `p${i % 3}`,
      lamportTimestamp: BigInt(START / 1000 + i),
      content: new Uint8Array(i % 5 === 0 ? 0 : 3),
      after: [`f${(i * 7) % 60}`, ...(i % 4 === 0 && own.length > 0 ? [own[i % own.length] ?? ""] : [])],
      bloomFilter: new Uint8Array(i % 2),
    }),
  );
}

function take(peer: Peer, own: string[], { step, now }: { step: Step; now: number }): SdsOutcome | string {
  if (step.kind === "send") {
    const { messageId } = peer.send(`message ${own.length}`, now, step.ephemeral);
    own.push(messageId);
    return messageId;
  }
  if (step.kind === "send in parts") {
    const parts = peer.sendInParts(`message ${own.length}`, step.parts, now).map(({ messageId }) => messageId);
    own.push(...parts);
    return parts.join();
  }
  if (step.kind === "receive") {
    const wire = foreignWires(own)[step.index];
    return wire ? peer.receive(wire, now, (step.index % 10) / 10) : "";
  }
  if (step.kind === "tick") return peer.tick(now, step.online, 0.3);
  const id = own[step.index % Math.max(1, own.length)] ?? "none";
  if (step.kind === "propagated") peer.sds.onPropagated(id, hashFor(id), now);
  if (step.kind === "stored") peer.sds.onStored(id, hashFor(id));
  if (step.kind === "abandon") peer.sds.abandon(id);
  if (step.kind === "resume") peer.sds.resume(id, now, step.leaving);
  peer.commit();
  return id;
}

test("a participant rebuilt from its rows at any moment behaves like the one that never stopped", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const [steady, restarted] = [new Peer("alice"), new Peer("alice")];
      const own: [string[], string[]] = [[], []];
      let now = START;
      for (const { step, elapsed, interrupted } of script) {
        now += elapsed;
        if (interrupted) restarted.restart();
        expect(take(restarted, own[1], { step, now })).toEqual(take(steady, own[0], { step, now }));
        expect(restarted.sds.nextDeadline()).toBe(steady.sds.nextDeadline());
        expect(restarted.storage.snapshot()).toEqual(steady.storage.snapshot());
      }
    }),
    { numRuns: 60 },
  );
});

test("an event that is undone leaves nothing behind, in rows or in what is derived from them", () => {
  fc.assert(
    fc.property(steps, (script) => {
      const [steady, unsteady] = [new Peer("alice"), new Peer("alice")];
      const own: [string[], string[]] = [[], []];
      let now = START;
      for (const { step, elapsed, interrupted } of script) {
        now += elapsed;
        if (interrupted) {
          const part = { whole: "undone", index: 0, total: 2 };
          unsteady.sds.wrapOutgoing(new Uint8Array([1]), { now, nanoseconds: 0, ephemeral: false, part });
          for (const wire of foreignWires(own[1])) {
            unsteady.sds.handleIncoming(wire, { now, messageHash: "aa", random: 0.9 });
          }
          unsteady.sds.tick({ now: now + 20_000, random: 0.1, online: true });
          unsteady.rollback();
        }
        expect(take(unsteady, own[1], { step, now })).toEqual(take(steady, own[0], { step, now }));
        expect(unsteady.sds.nextDeadline()).toBe(steady.sds.nextDeadline());
        expect(unsteady.sds.logIds()).toEqual(steady.sds.logIds());
      }
      expect(unsteady.storage.snapshot()).toEqual(steady.storage.snapshot());
    }),
    { numRuns: 40 },
  );
});

test("restart with parked content: it is delivered when its dependency comes, and a replay is a duplicate", () => {
  const bob = new Peer("bob");
  const parked = craft({ messageId: "b", after: ["a"] });
  bob.receive(parked);
  bob.restart();
  expect(bob.sds.missing()).toMatchObject([{ messageId: "a" }]);
  expect(bob.receive(craft({ messageId: "a" })).delivered).toEqual(["a", "b"]);
  bob.restart();
  for (const wire of [parked, craft({ messageId: "a" })]) expect(bob.receive(wire).dropped).toBe("duplicate");
  expect(bob.delivered).toEqual(["a", "b"]);
});

test("C23: replay after restart: it is not delivered again", () => {
  const [alice, bob] = [new Peer("alice"), new Peer("bob")];
  const m1 = alice.send("one");
  bob.receive(m1.wire);
  bob.restart();
  expect(bob.receive(m1.wire)).toMatchObject({ dropped: "duplicate", delivered: [] });
});

test("random bytes never throw and create no state", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const bob = new Peer("bob");
      expect(bob.receive(bytes).dropped).toBeDefined();
      expect(bob.storage.rows.size).toBe(0);
    }),
    { numRuns: 500 },
  );
});

test("mutated messages never throw; those of other channels create no state; what is kept stays within bounds", () => {
  const alice = new Peer("alice");
  for (let i = 0; i < 5; i++) alice.receive(craft({ messageId: `m${i}` }));
  const original = alice.publish("a message to mutate").wire;
  const bob = new Peer("bob");
  bob.publish("something to be acknowledged");
  const edit = fc.record({ at: fc.nat(original.length - 1), value: fc.nat(255), cut: fc.nat(20) });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
      let bytes = new Uint8Array(original);
      for (const { at, value, cut } of edits) {
        if (at < bytes.length) bytes[at] = value;
        if (cut === 0) bytes = bytes.slice(0, at);
      }
      const before = JSON.stringify(bob.storage.snapshot(), (_, value) =>
        typeof value === "bigint" ? `${value}` : value,
      );
      const outcome = bob.receive(bytes);
      const after = JSON.stringify(bob.storage.snapshot(), (_, value) =>
        typeof value === "bigint" ? `${value}` : value,
      );
      if (outcome.dropped !== undefined && outcome.dropped !== "duplicate" && outcome.dropped !== "own message") {
        expect(after).toBe(before);
      }
    }),
    { numRuns: 400 },
  );
  expect(bob.tables.missing.size).toBeLessThanOrEqual(LIMITS.sds.missing);
  expect(bob.tables.incoming.size).toBeLessThanOrEqual(LIMITS.sds.parkedMessages);
  expect(bob.decoded(bob.send("still here").wire).channelId).toBe(CHANNEL);
});
