/** What becomes of an engine whose commits the browser refuses for want of room. */
import { beforeEach, describe, expect, test } from "vitest";
import { MemoryStorage } from "../../../packages/reliable-channel/mock/memory-storage.ts";
import { VirtualClock } from "../../../packages/reliable-channel/mock/virtual-clock.ts";
import { EngineKeeper } from "../../../src/background/engine-keeper.ts";
import { ReliableChannelManager } from "../../../src/channel/reliable-channel-manager.ts";
import { utf8 } from "../../../src/common/bytes.ts";
import { Journal, type RowChange } from "../../../src/common/table.ts";
import { Transactor } from "../../../src/common/transactor.ts";
import { LIMITS } from "../../../src/limits.ts";
import { MeteredStorage } from "../../../src/storage/metered-storage.ts";
import { StorageMeter } from "../../../src/storage/storage-meter.ts";
import { FakeMailbox, FakeMessaging, FakeNetwork } from "../../support/fake-messaging.ts";
import { passTime } from "../../support/passing-time.ts";
import { ORIGIN, Peer, TOPIC } from "../../support/peer.ts";

const HOUR = 3_600_000;
const KEY = { origin: ORIGIN, channelId: "room" };
const { restartMaxMs, restartMs } = LIMITS.background;
const { refusedMs } = LIMITS.storage;

let clock: VirtualClock;
let network: FakeNetwork;
let alice: Peer;
let disk: MemoryStorage;
/** Of each engine, when it started. */
let starts: number[];
let manager: ReliableChannelManager;

/** Refuses commits that write such rows. */
function refuse(isRefused: (change: RowChange) => boolean): void {
  disk.beforeCommit = (changes) => {
    if (changes.some(isRefused)) throw new DOMException("the disk is full", "QuotaExceededError");
  };
}

const isReceived = ({ table, row }: RowChange): boolean => table === "events" && row !== undefined;

const paused = () => manager.summaries().map(({ paused }) => paused);

async function received(): Promise<number> {
  return ((await manager.channel(KEY)?.history(0, 100)) ?? []).length;
}

const pass = (ms: number) => passTime(clock, settle, ms);

/** An engine that breaks while it takes something in is not there to say so. */
const settle = () => network.settle().catch(() => {});

beforeEach(async () => {
  clock = new VirtualClock();
  network = new FakeNetwork(clock);
  alice = await Peer.start("alice", network);
  await alice.open();
  disk = new MemoryStorage();
  starts = [];
  const mailbox = new FakeMailbox();
  const storageMeter = new StorageMeter({ estimate: async () => ({ usage: 0, quota: 2 ** 40 }), clock });
  const storage = new MeteredStorage(disk, storageMeter);
  new EngineKeeper(async (onBroken) => {
    starts.push(clock.now());
    await storageMeter.read();
    const journal = new Journal();
    const transactor = new Transactor(journal, storage, onBroken);
    const messaging = new FakeMessaging(network, mailbox);
    const parts = { storage, room: storageMeter, journal, transactor, messaging, clock };
    const started = await ReliableChannelManager.load(parts);
    const stop = () => started.stop();
    await started.start().catch((thrown) => stop().then(() => Promise.reject(thrown)));
    manager = started;
    return { accept: () => {}, stop };
  }, clock);
  await clock.settle();
  await manager.createReliableChannel({ ...KEY, contentTopic: TOPIC, senderId: "bob", encryption: "none" });
  await network.settle();
});

describe("a commit that is refused", () => {
  test("once ends the engine; the next one takes nothing in, runs on, and has everything once there is room", async () => {
    let refusals = 0;
    refuse((change) => isReceived(change) && refusals++ === 0);
    await alice.send("one");
    await settle();
    await pass(restartMs);
    expect([starts.length, paused(), await received()]).toEqual([2, ["storage-full"], 0]);
    await alice.send("two");
    await pass(refusedMs - restartMs - 1);
    expect([starts.length, paused(), await received()]).toEqual([2, ["storage-full"], 0]);
    await pass(restartMaxMs);
    expect([starts.length, paused(), await received()]).toEqual([2, [undefined], 2]);
  });

  test("whenever something is taken in ends an engine for each attempt, and the attempts are rare", async () => {
    refuse(isReceived);
    await alice.send("one");
    await pass(HOUR);
    expect(starts.length).toBeLessThanOrEqual(2 + HOUR / refusedMs);
    expect(starts.length).toBeGreaterThan(2);
    refuse(() => false);
    await pass(refusedMs + restartMaxMs);
    expect(await received()).toBe(1);
  });

  test("whatever it is, ends each engine at once, and they follow each other at growing intervals", async () => {
    refuse(() => true);
    await alice.send("one");
    await pass(HOUR);
    const gaps = starts.slice(2).map((at, index) => at - (starts[index + 1] ?? 0));
    expect(gaps.slice(0, 3)).toEqual([2 * restartMs, 4 * restartMs, 8 * restartMs]);
    expect(gaps.at(-1)).toBeGreaterThanOrEqual(restartMaxMs);
    refuse(() => false);
    await pass(refusedMs + 2 * restartMaxMs);
    expect([paused(), await received()]).toEqual([[undefined], 1]);
  });

  test("for want of room keeps nobody from deleting channels", async () => {
    refuse(isReceived);
    await alice.send("one");
    await settle();
    await pass(restartMs);
    expect(await manager.deleteChannel(KEY)).toMatchObject({ ok: true });
    await pass(HOUR);
    expect(starts).toHaveLength(2);
  });

  test("is no reason to accept what is sent", async () => {
    refuse(isReceived);
    await alice.send("one");
    await settle();
    await pass(restartMs);
    expect(await manager.send(KEY, utf8("more"))).toMatchObject({ error: { kind: "limit" } });
  });
});
