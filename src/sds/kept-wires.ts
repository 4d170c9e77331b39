import type { Bytes } from "../common/bytes.ts";
import { OrderedIndex } from "../common/ordered-index.ts";
import { LIMITS } from "../limits.ts";
import { spare } from "./forgetting.ts";
import type { SdsTables, WireSizeRow } from "./tables.ts";

export interface WireBounds {
  /** Bytes of those that are kept for repair only. */
  readonly wireBytes: number;
  readonly wireKeptMs: number;
}

/** Exact bytes of SDS messages: retransmissions and repairs must be identical to the original. */
export class KeptWires {
  readonly #wires: SdsTables["wires"];
  readonly #sizes: SdsTables["wireSizes"];
  readonly #bounds: WireBounds;
  /** Those that may go, by when. */
  readonly #byEnd: OrderedIndex<WireSizeRow>;
  #releasedBytes = 0;

  constructor(tables: Pick<SdsTables, "wires" | "wireSizes">, bounds: WireBounds) {
    this.#wires = tables.wires;
    this.#sizes = tables.wireSizes;
    this.#bounds = bounds;
    this.#byEnd = new OrderedIndex(tables.wireSizes, ({ untilMs }) => untilMs);
    tables.wireSizes.observe((_key, before, after) => {
      if (before?.untilMs !== undefined) this.#releasedBytes -= before.bytes;
      if (after?.untilMs !== undefined) this.#releasedBytes += after.bytes;
    });
  }

  /** Kept until `release`. */
  keep(messageId: string, wire: Bytes): void {
    this.#wires.put(messageId, { wire });
    this.#sizes.put(messageId, { bytes: wire.length });
  }

  /** Kept for repairs only, from the awake time `ms` on. */
  keepForRepair(messageId: string, wire: Bytes, ms: number): void {
    this.#wires.put(messageId, { wire });
    this.#sizes.put(messageId, { bytes: wire.length, untilMs: ms + this.#bounds.wireKeptMs });
  }

  /** Needed for repairs only, from the awake time `ms` on. */
  release(messageId: string, ms: number): void {
    const row = this.#sizes.get(messageId);
    if (row) this.#sizes.put(messageId, { bytes: row.bytes, untilMs: ms + this.#bounds.wireKeptMs });
  }

  /** Needed again, if it is still there. */
  reclaim(messageId: string): void {
    const row = this.#sizes.get(messageId);
    if (row?.untilMs !== undefined) this.#sizes.put(messageId, { bytes: row.bytes });
  }

  has(messageId: string): boolean {
    return this.#sizes.has(messageId);
  }

  /** Drops what is no longer needed at the awake time `ms`, and what exceeds the bound, earliest end first. */
  prune(ms: number): void {
    const { wireBytes } = this.#bounds;
    const left = this.#releasedBytes > wireBytes ? wireBytes - spare(wireBytes, LIMITS.sds.forgottenBytes) : wireBytes;
    for (;;) {
      const first = this.#byEnd.first();
      if (!first || (first.order > ms && this.#releasedBytes <= left)) return;
      this.#wires.delete(first.key);
      // Its size, by which it is first.
      this.#byEnd.deleteFirst();
    }
  }

  drop(messageId: string): void {
    this.#wires.delete(messageId);
    this.#sizes.delete(messageId);
  }
}
