import { fromHex } from "../common/bytes.ts";
import type { HistoryEntry, SdsMessage } from "./message.ts";
import { isInResponseGroup, requestDelayMs, responseDelayMs } from "./repair-timing.ts";
import type { SdsState } from "./state.ts";

/** LIP-109, SDS Repair: what we ask others for, and what they ask for. */
export class RepairRequests {
  readonly #state: SdsState;

  constructor(state: SdsState) {
    this.#state = state;
  }

  /** LIP-109, SDS-R send message: the requests that a message of ours carries now. */
  next(): readonly HistoryEntry[] {
    const { incoming, clock, limits } = this.#state;
    const entries: HistoryEntry[] = [];
    for (const messageId of incoming.dueRequests(clock.ms, limits.repairRequest)) {
      const { hint, senderId } = incoming.missing(messageId) ?? {};
      const retrievalHint = hint === undefined ? undefined : fromHex(hint);
      entries.push({ messageId, ...(retrievalHint ? { retrievalHint } : {}), ...(senderId ? { senderId } : {}) });
      incoming.requested(messageId, clock.ms + this.#repeatDelayMs(messageId));
    }
    return entries;
  }

  /** LIP-109, SDS-R receive message: what others ask for, we need not ask for, and may have to send. */
  hear(message: SdsMessage): void {
    const { incoming, clock, limits, wires, members, repairs, config } = this.#state;
    const { participantId, layout } = config;
    if (message.repairRequest.length === 0) return;
    const groups = 1 + Math.floor(members.size / limits.responseGroupMembers);
    for (const { messageId, senderId } of message.repairRequest.slice(0, limits.incomingRepairRequest)) {
      incoming.requested(messageId, clock.ms + this.#repeatDelayMs(messageId));
      if (!senderId || !wires.has(messageId)) continue;
      if (!isInResponseGroup(layout.repairHash, participantId, senderId, messageId, groups)) continue;
      const delay = responseDelayMs(layout.repairHash, participantId, senderId, messageId, limits.repairMaxMs);
      repairs.requested(messageId, clock.ms + delay);
    }
  }

  /** LIP-109, SDS-R: T_req, from noticing that a message is missing to asking for it. */
  firstDelayMs(messageId: string): number {
    const { repairMinMs, repairMaxMs } = this.#state.limits;
    return this.#delayMs(messageId, repairMinMs, repairMaxMs);
  }

  /**
   * LIP-109, SDS-R: a request that is heard takes the entry out of everyone's buffer. It or its answer may be lost, so
   * whoever still misses the message enters it anew: at another time for each member, and the first to ask spares the rest.
   */
  #repeatDelayMs(messageId: string): number {
    const { repairMinMs } = this.#state.limits;
    return this.#delayMs(messageId, repairMinMs, 2 * repairMinMs);
  }

  #delayMs(messageId: string, minMs: number, maxMs: number): number {
    const { participantId, layout } = this.#state.config;
    return requestDelayMs(layout.repairHash, participantId, messageId, minMs, maxMs);
  }
}
