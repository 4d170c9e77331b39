/**
 * What calls came to, kept so that a call which is told twice is done once.
 *
 * A result is written in the transaction that did the work: a worker that dies after it finds the result at the repeated
 * call, one that dies before it finds nothing and does the work. Results belong to the origin that called.
 */
import * as v from "valibot";
import type { Storage } from "../channel/ports.ts";
import type { Clock } from "../common/clock.ts";
import { ok } from "../common/result.ts";
import type { Journal } from "../common/table.ts";
import { ColdTable } from "../common/table.ts";
import type { Transactor } from "../common/transactor.ts";
import { LIMITS } from "../limits.ts";
import type { Outcome } from "./failures.ts";
import { ErrorCode } from "./provider-api.ts";

const TABLE = "callResults";
const DAY_MS = 86_400_000;
/** Follows the call's own id, which a page cannot choose so: it is a UUID. */
const CHOSEN_KEY = " key";

const codes = new Set<number>(Object.values(ErrorCode));

const row = v.variant("ok", [
  v.object({ ok: v.literal(true), value: v.optional(v.unknown()) }),
  v.object({
    ok: v.literal(false),
    error: v.object({
      code: v.custom<ErrorCode>((code) => typeof code === "number" && codes.has(code)),
      message: v.string(),
      retryable: v.boolean(),
      data: v.optional(
        v.object({
          retryAfterMs: v.optional(v.number()),
          limit: v.optional(v.number()),
          requestId: v.optional(v.string()),
        }),
      ),
    }),
  }),
]);

export class CallResults {
  readonly #table: ColdTable<string, Outcome<unknown>>;
  readonly #storage: Storage;
  readonly #transactor: Transactor;
  readonly #clock: Clock;
  /** The day of the last sweep. */
  #swept = 0;

  constructor(parts: {
    readonly journal: Journal;
    readonly storage: Storage;
    readonly transactor: Transactor;
    readonly clock: Clock;
  }) {
    this.#table = new ColdTable(TABLE, parts.journal, []);
    this.#storage = parts.storage;
    this.#transactor = parts.transactor;
    this.#clock = parts.clock;
  }

  /** To be called inside the transaction that did the work. */
  put(origin: string, callId: string, outcome: Outcome<unknown>): void {
    const day = today(this.#clock);
    this.#table.put(keyOf(day, origin, callId), outcome);
    // A background may live for weeks. What cannot be swept today is swept tomorrow, or at the next start.
    if (day > this.#swept) void this.sweep().catch(() => {});
  }

  /** What the call came to the first time, if it did. Only repeated calls need to ask. */
  async find(origin: string, callId: string): Promise<Outcome<unknown> | undefined> {
    const last = today(this.#clock);
    const days = Array.from({ length: keptDays() + 1 }, (_, age) => last - age);
    const rows = await Promise.all(
      days.map((day) => this.#storage.get(TABLE, this.#table.storedKey(keyOf(day, origin, callId)))),
    );
    for (const stored of rows) {
      const parsed = v.safeParse(row, stored);
      if (parsed.success) return parsed.output.ok ? { ok: true, value: parsed.output.value } : parsed.output;
    }
    return undefined;
  }

  /** Inside the transaction of the person's answer: the stored id of the key that they chose; `undefined` for none. */
  putChosenKey(origin: string, callId: string, keyId: string | undefined): void {
    this.put(origin, callId + CHOSEN_KEY, ok(keyId));
  }

  /** What the person chose for the call in an earlier life of the worker; `undefined` if they were not asked. */
  async findChosenKey(origin: string, callId: string): Promise<{ readonly keyId?: string } | undefined> {
    const found = await this.find(origin, callId + CHOSEN_KEY);
    if (!found?.ok) return undefined;
    return typeof found.value === "string" ? { keyId: found.value } : {};
  }

  /** Forgets what is older than `LIMITS.keptResultsMs`. Keys begin with the day, so this looks at nothing younger. */
  async sweep(): Promise<void> {
    this.#swept = today(this.#clock);
    const oldest = dayName(today(this.#clock) - keptDays());
    for (;;) {
      const rows = await this.#storage.scan(TABLE, [], { limit: LIMITS.forgetRows });
      const old = rows.flatMap(({ key: [name] }) => (typeof name === "string" && name < oldest ? [name] : []));
      if (old.length > 0) {
        await this.#transactor.run(() => {
          for (const name of old) this.#table.delete(name);
        });
      }
      if (old.length < LIMITS.forgetRows) return;
    }
  }
}

const keptDays = (): number => Math.ceil(LIMITS.keptResultsMs / DAY_MS);
const today = (clock: Clock): number => Math.floor(clock.now() / DAY_MS);
const dayName = (day: number): string => String(day).padStart(6, "0");
const keyOf = (day: number, origin: string, callId: string): string => `${dayName(day)} ${origin} ${callId}`;
