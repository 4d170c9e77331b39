import { EMPTY } from "../common/bytes.ts";
import type { OutgoingContext } from "./contexts.ts";
import { entryBytes } from "./history-entry.ts";
import type { HistoryEntry, Wrapped } from "./message.ts";
import { messageIdOf } from "./message-id.ts";
import type { RepairRequests } from "./repair-requests.ts";
import type { SdsState } from "./state.ts";

/** Of a millisecond. */
const NANOSECONDS = 1_000_000n;

/** Of sender, channel and message. */
const OWN_IDS = 3;

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
  wrap(content: Uint8Array, { now, nanoseconds, ephemeral }: OutgoingContext): Stamped {
    const { config, log, summary } = this.#state;
    const { participantId, channelId, layout } = config;
    const lamport = this.#nextLamport(now);
    const messageId = messageIdOf(participantId, this.#nextNanoseconds(now, nanoseconds), content);
    const repairRequest = ephemeral ? [] : this.#requests.next();
    const room = this.#roomBeside(content, repairRequest);
    const causalHistory = ephemeral ? [] : log.causalHistory(participantId, room);
    const history = causalHistory.map((entry) => entry.messageId);
    const wire = layout.encode({
      senderId: participantId,
      messageId,
      channelId,
      lamportTimestamp: ephemeral && !layout.ephemeralLamport ? undefined : BigInt(lamport),
      causalHistory,
      bloomFilter: ephemeral ? EMPTY : summary.nextFilter(new Set(history)),
      content,
      repairRequest,
    });
    return { messageId, wire, lamport, history };
  }

  /**
   * LIP-109, periodic sync message: empty content, history and filter as usual; in no buffer, no log, no filter and no
   * causal history of ours. Its id is remembered, since nim-sds names sync messages in causal histories.
   */
  wrapSync(now: number): Wrapped {
    // Everybody knows its content, so there is nothing that its id might tell.
    const { messageId, wire } = this.wrap(EMPTY, { now, nanoseconds: 0, ephemeral: false });
    this.#state.seen.add(messageId, "sync");
    return { messageId, wire };
  }

  /** Bytes that the causal history may have: the message must still fit the network's, with the largest filter. */
  #roomBeside(content: Uint8Array, repairRequest: readonly HistoryEntry[]): number {
    const { config, limits } = this.#state;
    const requested = repairRequest.reduce((bytes, entry) => bytes + entryBytes(entry), 0);
    const fixed = content.length + config.layout.filterBytesMost + OWN_IDS * limits.identifierBytes;
    return limits.messageBytes - fixed - requested;
  }

  /** LIP-109: max(time now, current + 1), in the unit of the layout. */
  #nextLamport(now: number): number {
    const { config, meta } = this.#state;
    const lamport = Math.max(Math.floor(now / config.layout.lamportUnitMs), meta.row.lamport + 1);
    meta.change({ lamport });
    return lamport;
  }

  /**
   * Later than every earlier one, or two equal contents within a millisecond would have one id. What the clock does not
   * tell is drawn: an id, which is stored in clear, then confirms no guess of a short content at once.
   */
  #nextNanoseconds(now: number, nanoseconds: number): bigint {
    const { meta } = this.#state;
    const ofClock = BigInt(Math.floor(now)) * NANOSECONDS + BigInt(nanoseconds);
    const { lastIdNanoseconds: last } = meta.row;
    const lastIdNanoseconds = ofClock > last ? ofClock : last + 1n;
    meta.change({ lastIdNanoseconds });
    return lastIdNanoseconds;
  }
}
