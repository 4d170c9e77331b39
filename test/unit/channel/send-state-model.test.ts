/**
 * The send state machine and the rate limiter beside a naive model of the seed: whatever happens in whatever order, with
 * restarts, lost commits and undone events in between, both say the same.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { PendingMessagingRequest, RequestRow, SegmentRow } from "../../../src/channel/rows.ts";
import { type Outcome, SendState } from "../../../src/channel/send-state.ts";
import type { RequestFailure, RequestFailureKind, RequestInfo } from "../../../src/channel/types.ts";
import { Journal, type RowChange, type StoredRows, tableOf } from "../../../src/common/table.ts";
import {
  type BudgetRow,
  type Owner,
  type QueuedMessage,
  RateLimitManager,
  type RateLimitTables,
} from "../../../src/rate-limit/rate-limit-manager.ts";
import { SeedSendModel } from "../../support/seed-send-model.ts";

const SEQUENCES = 10_000;
const COMMANDS = 36;
const EPOCH_SECONDS = 100;
const ROOM = { origin: "https://site.example", channelId: "room" };
const NEIGHBOUR = { origin: "https://another.example", channelId: "room" };

interface Waiting {
  readonly owner: Owner;
  readonly messageId: string;
  readonly dispatchId: string;
}

/** One start of the program: the rows of one channel, the state machine on them, and the limiter. */
function load(messagesPerEpoch: number, stored: StoredRows) {
  const journal = new Journal();
  const limits: RateLimitTables = {
    queue: tableOf<number, QueuedMessage>("queue", journal, [], stored),
    budget: tableOf<string, BudgetRow>("budget", journal, [], stored),
  };
  const limiter = RateLimitManager.create({ enabled: true, epochSeconds: EPOCH_SECONDS, messagesPerEpoch }, limits);
  if (!limiter.ok) throw new Error(limiter.error);
  const outbox = tableOf<number, Waiting>("outbox", journal, [], stored);
  const pending = tableOf<number, PendingMessagingRequest>("pending", journal, [], stored);
  const state = new SendState({
    requests: tableOf<string, RequestRow>("requests", journal, [], stored),
    pending,
    segments: tableOf<string, SegmentRow>("segments", journal, [], stored),
  });
  const nextOutboxKey = () => Math.max(0, ...outbox.keys()) + 1;
  return { journal, limiter: limiter.value, outbox, pending, state, nextOutboxKey };
}

/** What becomes of an event: it is stored, it fails half-way and is undone, or the program dies before it is stored. */
type Fate = "stored" | "undone" | "lost";

class Undone extends Error {}

class System {
  readonly #messagesPerEpoch: number;
  readonly #stored = new Map<string, Map<string | number, unknown>>();
  /** What the messaging layer took on, by idempotency key: it survives whatever happens to the program. */
  readonly #accepted = new Map<string, string>();
  /** Identifiers minted so far, of which commands choose. */
  readonly messagingIds: string[] = [];
  readonly messageIds: string[] = [];
  core: ReturnType<typeof load>;
  now = 1_800_000_000_000;
  #ids = 0;

  constructor(messagesPerEpoch: number) {
    this.#messagesPerEpoch = messagesPerEpoch;
    this.core = this.#load();
  }

  newId(kind: string): string {
    return `${kind}-${++this.#ids}`;
  }

  restart(): void {
    this.core = this.#load();
  }

  /** Hands the message over, as the messaging layer sees it: the same idempotency key is the same request. */
  accept(dispatchId: string): string {
    const messagingId = this.#accepted.get(dispatchId) ?? this.newId("messaging");
    if (!this.#accepted.has(dispatchId)) this.messagingIds.push(messagingId);
    this.#accepted.set(dispatchId, messagingId);
    return messagingId;
  }

  /** One event, one transaction, and then what the limiter lets go; `model` does the same beside it. */
  transact(fate: Fate, model: SeedSendModel, event: () => readonly Outcome[]): void {
    const outcomes: Outcome[] = [];
    const emittedBefore = model.emitted.length;
    try {
      outcomes.push(...event(), ...this.#release(model));
      if (fate === "undone") throw new Undone();
    } catch (thrown) {
      this.core.journal.rollback();
      if (!(thrown instanceof Undone)) throw thrown;
      return;
    }
    const told = outcomes.filter(({ silent }) => !silent).map(({ type, requestId }) => ({ type, requestId }));
    expect(told).toEqual(model.emitted.slice(emittedBefore));
    const changes = this.core.journal.take();
    if (fate === "stored") this.#store(changes);
    else this.restart();
  }

  #store(changes: readonly RowChange[]): void {
    for (const { table, key, row } of changes) {
      const rows = this.#stored.get(table) ?? new Map<string | number, unknown>();
      this.#stored.set(table, rows);
      const own = key.at(-1) ?? "";
      if (row === undefined) rows.delete(own);
      else rows.set(own, row);
    }
  }

  #release(model: SeedSendModel): readonly Outcome[] {
    const { limiter, state } = this.core;
    const { ready, refused } = limiter.release(this.now);
    for (const message of ready) if (message.origin === ROOM.origin) this.onReleased(message);
    return refused.flatMap(({ owner, messageId = "" }) => {
      if (owner.kind !== "segment") return [];
      model.refuse(messageId);
      return state.onDispatchFailed(owner.entry, failure("rate-limit", "waited too long"));
    });
  }

  onReleased({ owner, messageId = "" }: QueuedMessage): void {
    const { outbox, state, nextOutboxKey } = this.core;
    if (owner.kind === "segment" && !state.isAwaiting(owner.entry, messageId)) return;
    outbox.put(nextOutboxKey(), { owner, messageId, dispatchId: this.newId("dispatch") });
  }

  #load(): ReturnType<typeof load> {
    return load(this.#messagesPerEpoch, (table) =>
      [...(this.#stored.get(table) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
}

/** One thing that happens, to both. */
interface Action {
  readonly name: string;
  /** What happens to the system inside the transaction, and to the model; the outcomes that the system decided. */
  apply(model: SeedSendModel, system: System): readonly Outcome[];
}

class Command implements fc.Command<SeedHolder, System> {
  readonly #action: Action;
  readonly #fate: Fate;

  constructor(action: Action, fate: Fate) {
    this.#action = action;
    this.#fate = fate;
  }

  check(): boolean {
    return true;
  }

  run(holder: SeedHolder, system: System): void {
    const model = holder.model.clone();
    system.transact(this.#fate, model, () => this.#action.apply(model, system));
    if (this.#fate === "stored") holder.model = model;
    compare(holder.model, system);
  }

  toString(): string {
    return this.#fate === "stored" ? this.#action.name : `${this.#action.name} [${this.#fate}]`;
  }
}

class Restart implements fc.Command<SeedHolder, System> {
  check(): boolean {
    return true;
  }

  run(holder: SeedHolder, system: System): void {
    system.restart();
    compare(holder.model, system);
  }

  toString(): string {
    return "restart";
  }
}

interface SeedHolder {
  model: SeedSendModel;
}

function send(segments: number, ephemeral: boolean): Action {
  return {
    name: `send ${segments}${ephemeral ? " ephemeral" : ""}`,
    apply(model, system) {
      const requestId = system.newId("request");
      const messageIds = Array.from({ length: segments }, () => system.newId("message"));
      system.messageIds.push(...messageIds);
      model.send(requestId, messageIds, ephemeral, system.now);
      const { state, limiter } = system.core;
      const request = { requestId, createdAt: system.now, bytes: segments * 10, ephemeral, messageIds };
      const entries = state.accept({ ...request, idempotencyKey: `key of ${requestId}` });
      entries.forEach((entry, index) => {
        const messageId = messageIds[index] ?? "";
        limiter.enqueueToSend({
          ...ROOM,
          owner: { kind: "segment", entry },
          messageId,
          ephemeral,
          enqueuedAt: system.now,
        });
      });
      return [];
    },
  };
}

/** Traffic that takes budget and moves nothing: of another site, or a sync. */
function otherTraffic(of: "neighbour" | "sync"): Action {
  return {
    name: `traffic: ${of}`,
    apply(_model, { core, now }) {
      const message = { messageId: "other", ephemeral: false, enqueuedAt: now };
      if (of === "sync") core.limiter.enqueueToSend({ ...ROOM, ...message, owner: { kind: "sync" } });
      else core.limiter.enqueueToSend({ ...NEIGHBOUR, ...message, owner: { kind: "segment", entry: 1 } });
      return [];
    },
  };
}

/** The limiter lets something go for which nobody waits any more: a second release, or of an entry that is no more, or another's. */
function surplus(entry: number): Action {
  return {
    name: `surplus release for entry ${entry}`,
    apply(_model, system) {
      const before = system.core.outbox.size;
      system.onReleased({
        ...ROOM,
        owner: { kind: "segment", entry },
        messageId: "surplus",
        ephemeral: false,
        enqueuedAt: system.now,
      });
      expect(system.core.outbox.size).toBe(before);
      return [];
    },
  };
}

/** The next effect of the outbox is carried out. `unrecorded`: the messaging layer has it, but it is handed over again. */
function dispatch(result: "ok" | "refused" | "thrown" | "unrecorded"): Action {
  return {
    name: `dispatch ${result}`,
    apply(model, system) {
      const { outbox, state } = system.core;
      const [key] = [...outbox.keys()].sort((a, b) => a - b);
      const waiting = key === undefined ? undefined : outbox.get(key);
      if (key === undefined || waiting === undefined) return [];
      if (result === "unrecorded") {
        system.accept(waiting.dispatchId);
        return [];
      }
      outbox.delete(key);
      const { owner } = waiting;
      if (owner.kind !== "segment" || !state.isAwaiting(owner.entry, waiting.messageId)) return [];
      // The seed's lockstep: what was released belongs to the first entry that still waits.
      expect(waiting.messageId).toBe(model.firstAwaiting()?.messageId);
      if (result === "ok") {
        const messagingReqId = system.accept(waiting.dispatchId);
        model.onReadyToSend({ messagingReqId });
        const before = model.emitted.length;
        state.onDispatched(owner.entry, messagingReqId);
        expect(model.emitted.length).toBe(before);
        return [];
      }
      model.onReadyToSend("failed");
      return state.onDispatchFailed(owner.entry, failure("encryption", result));
    },
  };
}

function outcomeOf(type: "sent" | "error", choice: number | "unknown" | "foreign"): Action {
  return {
    name: `message ${type} ${choice}`,
    apply(model, { core, messagingIds }) {
      const id =
        typeof choice === "number" ? (messagingIds[choice % Math.max(1, messagingIds.length)] ?? "none yet") : choice;
      if (type === "sent") {
        model.onMessageSent(id);
        return core.state.onMessageSent(id);
      }
      model.onMessageError(id);
      return core.state.onMessageError(id, failure("refused", "refused by the network"));
    },
  };
}

const failure = (kind: RequestFailureKind, error: string): RequestFailure => ({ kind, error });

/** The answer to a hand-over comes although nobody waits for it any more. */
function lateAnswer(entry: number, ok: boolean): Action {
  return {
    name: `late answer for entry ${entry}`,
    apply(_model, { core: { state, pending } }) {
      if (pending.get(entry)?.state === "AwaitingRateLimit") return [];
      if (ok) state.onDispatched(entry, "late");
      return ok ? [] : state.onDispatchFailed(entry, failure("internal", "late"));
    },
  };
}

function retry(choice: number): Action {
  return {
    name: `retry ${choice}`,
    apply(model, { core: { state, limiter }, now }) {
      const requestIds = [...model.requests.keys()];
      const requestId = requestIds[choice % Math.max(1, requestIds.length)] ?? "none yet";
      const expected = model.retry(requestId);
      const retried = state.retry(requestId);
      expect(retried.ok ? retried.value.entries.map(({ messageId }) => messageId) : "refused").toEqual(expected);
      if (!retried.ok) return [];
      for (const { entry, messageId } of retried.value.entries) {
        limiter.enqueueToSend({
          ...ROOM,
          owner: { kind: "segment", entry },
          messageId,
          ephemeral: false,
          enqueuedAt: now,
        });
      }
      return retried.value.outcomes;
    },
  };
}

function acknowledge(choice: number, exhausted: boolean): Action {
  return {
    name: `${exhausted ? "exhaust" : "acknowledge"} ${choice}`,
    apply(model, { core, messageIds }) {
      const id = messageIds[choice % Math.max(1, messageIds.length)] ?? "none yet";
      if (exhausted) {
        model.onExhausted(id);
        return core.state.onExhausted(id);
      }
      model.onAcknowledged(id);
      return core.state.onAcknowledged(id);
    },
  };
}

/** One participant has all of a request, the last segments of which are acknowledged with that. */
function acknowledgeWhole(choice: number): Action {
  return {
    name: `acknowledge all of ${choice}`,
    apply(model, { core: { state } }) {
      const requestIds = [...model.requests.keys()];
      const requestId = requestIds[choice % Math.max(1, requestIds.length)] ?? "none yet";
      const outcomes = model.awaited(requestId).flatMap((messageId) => {
        model.onAcknowledged(messageId);
        return state.onAcknowledged(messageId);
      });
      if (model.awaited(requestId).length === 0) return outcomes;
      model.onWhole(requestId);
      return [...outcomes, ...state.onWhole(requestId)];
    },
  };
}

function forget(ms: number): Action {
  return {
    name: `forget what is older than ${ms} ms`,
    apply(model, { core, now }) {
      model.forgetBefore(now - ms);
      core.state.forgetBefore(now - ms);
      return [];
    },
  };
}

function pass(ms: number): Action {
  return {
    name: `pass ${ms} ms`,
    apply(_model, system) {
      system.now += ms;
      return [];
    },
  };
}

/** Everything that callers can see of both. */
function compare(model: SeedSendModel, { core: { state, outbox } }: System): void {
  const seen: unknown[] = [];
  const expected: unknown[] = [];
  let open = { count: 0, bytes: 0 };
  for (const [requestId, request] of model.requests) {
    const info = state.info(requestId);
    seen.push([
      requestId,
      info && { ...info, error: info.error !== undefined, failure: info.failure !== undefined },
      state.messagingRequestIds(requestId),
      state.requestOf(`key of ${requestId}`),
      state.awaited(requestId),
    ]);
    const awaited = model.awaited(requestId);
    expected.push([requestId, infoOf(model, requestId), model.requestIds.get(requestId), requestId, awaited]);
    if (request.outcome === "pending") open = { count: open.count + 1, bytes: open.bytes + request.total * 10 };
  }
  expect(seen).toEqual(expected);
  const notFinal = model.pendingMessagingRequests.filter(
    (it) => it.segmentSendState === "AwaitingRateLimit" || it.segmentSendState === "InFlight",
  );
  expect([state.pending, state.openRequests]).toEqual([notFinal.length, open]);
  for (const { owner, messageId } of outbox.values()) {
    if (owner.kind !== "segment") continue;
    // Only a retry may turn out not to be needed before it is handed over.
    const request = [...model.requests.values()].find(({ messageIds }) => messageIds.includes(messageId));
    const isMoot = request === undefined || (request.retried && request.whole);
    expect(state.isAwaiting(owner.entry, messageId) || isMoot).toBe(true);
  }
}

function infoOf(model: SeedSendModel, requestId: string): unknown {
  const request = model.requests.get(requestId);
  if (request === undefined) return undefined;
  const segments = model.segmentsOf(requestId);
  const count = (state: string) => segments.filter((it) => it.segmentSendState === state).length;
  const decided = request.outcome !== "pending";
  const acknowledged = request.ephemeral ? 0 : request.total - request.unacknowledged.size;
  let state: RequestInfo["state"] = count("AwaitingRateLimit") === segments.length ? "queued" : "sending";
  if (request.outcome === "sent") state = "sent";
  if (request.delivery !== "pending") state = request.delivery;
  if (request.outcome === "send-error") state = "send-error";
  return {
    requestId,
    state,
    segments: {
      total: request.total,
      confirmed: decided ? request.confirmed : request.total - segments.length + count("Confirmed"),
      failed: decided ? request.failed : count("Failed"),
      acknowledged,
    },
    // Every segment of a command's payload has ten bytes.
    bytes: request.total * 10,
    createdAt: request.createdAt,
    ...(request.ephemeral ? { ephemeral: true } : {}),
    error: request.hasError,
    failure: request.hasError,
  };
}

/** Time passes and the network answers, until every request has its outcome. */
function finish(holder: SeedHolder, system: System): void {
  const step = (action: Action) => new Command(action, "stored").run(holder, system);
  const busy = () => system.core.state.pending + system.core.outbox.size > 0;
  for (let round = 0; round < 200 && busy(); round++) {
    step(pass(EPOCH_SECONDS * 1000));
    while (system.core.outbox.size > 0) step(dispatch("ok"));
    for (const index of system.messagingIds.keys()) step(outcomeOf("sent", index));
  }
  expect(holder.model.pendingMessagingRequests).toEqual([]);
  expect([system.core.state.pending, system.core.outbox.size]).toEqual([0, 0]);
}

const nat = fc.nat({ max: 30 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.boolean()).map(([n, e]) => send(n, e)) },
  { weight: 8, arbitrary: fc.constantFrom("ok", "ok", "ok", "refused", "thrown", "unrecorded").map(dispatch) },
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.constantFrom("sent", "sent", "error"),
        fc.oneof({ weight: 8, arbitrary: nat }, fc.constantFrom("unknown", "foreign")),
      )
      .map(([type, choice]) => outcomeOf(type, choice)),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(nat, fc.boolean()).map(([n, exhausted]) => acknowledge(n, exhausted && n % 3 === 0)),
  },
  { weight: 2, arbitrary: nat.map(acknowledgeWhole) },
  { weight: 4, arbitrary: fc.constantFrom(1_000, 40_000, 61_000, EPOCH_SECONDS * 1000).map(pass) },
  { weight: 1, arbitrary: fc.constantFrom("neighbour", "sync").map(otherTraffic) },
  { weight: 1, arbitrary: fc.nat({ max: 8 }).map(surplus) },
  { weight: 1, arbitrary: fc.tuple(fc.nat({ max: 8 }), fc.boolean()).map(([entry, ok]) => lateAnswer(entry, ok)) },
  { weight: 2, arbitrary: nat.map(retry) },
  { weight: 1, arbitrary: fc.constantFrom(0, 50_000).map(forget) },
);
const fate = fc.oneof({ weight: 12, arbitrary: fc.constant("stored" as const) }, fc.constantFrom("undone", "lost"));
const commands = fc.commands<SeedHolder, System>(
  [fc.tuple(action, fate).map(([a, f]) => new Command(a, f)), fc.constant(new Restart())],
  { maxCommands: COMMANDS, size: "max" },
);

test(`the send state machine agrees with the seed in ${SEQUENCES} sequences of commands`, { timeout: 60_000 }, () => {
  let sequences = 0;
  const reached = new Set<string>();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), commands, (messagesPerEpoch, sequence) => {
      const holder: SeedHolder = { model: new SeedSendModel() };
      const system = new System(messagesPerEpoch);
      fc.modelRun(() => ({ model: holder, real: system }), sequence);
      for (const { type } of holder.model.emitted) reached.add(type);
      finish(holder, system);
      sequences++;
    }),
    { numRuns: SEQUENCES },
  );
  expect(sequences).toBeGreaterThanOrEqual(SEQUENCES);
  // Sequences that reach nothing would agree on nothing.
  expect([...reached].sort()).toEqual(["delivered", "delivery-error", "send-error", "sent"]);
});
