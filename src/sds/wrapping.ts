import { EMPTY } from "../common/bytes.ts";
import type { Wrapped } from "./message.ts";
import { messageIdOf } from "./message-id.ts";
import type { RepairRequests } from "./repair-requests.ts";
import type { SdsState } from "./state.ts";

const NANOSECONDS = 1_000_000n;

/** A message of ours, and what its log entry needs. */
export interface Stamped extends Wrapped {
  readonly lamport: number;
  readonly history: readonly string[];
}

/** Makes SDS messages of ours. */
export class Wrapping {
  readonly #state: SdsState;
  readonly #requests: RepairRequests;

  constructor(state: SdsState, requests: RepairRequests) {
    this.#state = state;
    this.#requests = requests;
  }

  /**
   * LIP-109, send message: the next Lamport timestamp and id, causal history, filter and repair requests.
   *
   * An ephemeral one has none of the last three, and no Lamport timestamp where the layout allows that.
   */
  wrap(content: Uint8Array, now: number, ephemeral = false): Stamped {
    const { config, log, summary } = this.#state;
    const { participantId, channelId, layout } = config;
    const lamport = this.#nextLamport(now);
    const messageId = messageIdOf(participantId, this.#nextNanoseconds(now), content);
    const causalHistory = ephemeral ? [] : log.causalHistory(participantId);
    const history = causalHistory.map((entry) => entry.messageId);
    const wire = layout.encode({
      senderId: participantId,
      messageId,
      channelId,
      lamportTimestamp: ephemeral && !layout.ephemeralLamport ? undefined : BigInt(lamport),
      causalHistory,
      bloomFilter: ephemeral ? EMPTY : summary.nextFilter(new Set(history)),
      content,
      repairRequest: ephemeral ? [] : this.#requests.next(),
    });
    return { messageId, wire, lamport, history };
  }

  /**
   * LIP-109, periodic sync message: empty content, history and filter as usual; in no buffer, no log, no filter and no
   * causal history of ours. Its id is remembered, since nim-sds names sync messages in causal histories.
   */
  wrapSync(now: number): Wrapped {
    const { messageId, wire } = this.wrap(EMPTY, now);
    this.#state.seen.add(messageId, "sync");
    return { messageId, wire };
  }

  /** LIP-109: max(time now, current + 1), in the unit of the layout. */
  #nextLamport(now: number): number {
    const { config, meta } = this.#state;
    const lamport = Math.max(Math.floor(now / config.layout.lamportUnitMs), meta.row.lamport + 1);
    meta.change({ lamport });
    return lamport;
  }

  /** Later than every earlier one, or two equal contents within a millisecond would have one id. */
  #nextNanoseconds(now: number): bigint {
    const { meta } = this.#state;
    const ofClock = BigInt(Math.floor(now)) * NANOSECONDS;
    const { lastIdNanoseconds: last } = meta.row;
    const lastIdNanoseconds = ofClock > last ? ofClock : last + 1n;
    meta.change({ lastIdNanoseconds });
    return lastIdNanoseconds;
  }
}
