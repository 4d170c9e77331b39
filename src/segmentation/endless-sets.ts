import { totalOf } from "./piece.ts";
import type { ReassemblerTables } from "./reassembler-tables.ts";
import type { SegmentBuffer } from "./segment-buffer.ts";
import { SenderTimeline } from "./sender-timeline.ts";
import type { Whereabouts } from "./unheard-segments.ts";

/** Sets that lack the last segment of a message, at the time of their newest. Derived from the rows of sets and segments. */
export class EndlessSets {
  readonly #timeline = new SenderTimeline();

  /** `buffer`: derived from the same segments, and before this. */
  constructor({ sets, segments }: Pick<ReassemblerTables, "sets" | "segments">, buffer: SegmentBuffer) {
    const look = (setKey: string) => {
      const set = sets.get(setKey);
      const lacksEnd = set !== undefined && buffer.get(setKey)?.lacks(totalOf(set) - 1);
      this.#timeline.set(setKey, lacksEnd ? { senderId: set.senderId, time: set.newest } : undefined);
    };
    sets.observe(look);
    segments.observe((_messageId, before, after) => {
      const setKey = (after ?? before)?.setKey;
      if (setKey !== undefined) look(setKey);
    });
  }

  /** The newest of them that may end with a message which is given up. */
  newestFor({ senderId, since, before }: Whereabouts): string | undefined {
    return senderId === undefined ? undefined : this.#timeline.newestWithin(senderId, since, before);
  }
}
