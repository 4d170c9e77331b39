import { toHex } from "../common/bytes.ts";
import { isIdentifier } from "./identifier.ts";
import { joinHorizon, startLamport } from "./join-horizon.ts";
import type { HistoryEntry, SdsMessage } from "./message.ts";
import type { Missing, OutcomeDraft } from "./outcome.ts";
import type { RepairRequests } from "./repair-requests.ts";
import type { SdsState } from "./state.ts";

/** What messages depend on, LIP-109: which of it is not met, and what of that is looked for. */
export class Dependencies {
  readonly #state: SdsState;
  readonly #requests: RepairRequests;

  constructor(state: SdsState, requests: RepairRequests) {
    this.#state = state;
    this.#requests = requests;
  }

  /** The entries of a history that count: the newest of one too long, without itself, duplicates and nonsense. */
  historyOf({ messageId, causalHistory }: SdsMessage): readonly HistoryEntry[] {
    if (causalHistory.length === 0) return [];
    const { incomingHistory, identifierBytes } = this.#state.limits;
    const entries = new Map<string, HistoryEntry>();
    for (const entry of causalHistory.slice(-incomingHistory)) {
      if (entry.messageId === messageId || !isIdentifier(entry.messageId, identifierBytes)) continue;
      entries.set(entry.messageId, entry);
    }
    return [...entries.values()];
  }

  /** Those of `entries` that are not met. Those that nobody has seen yet are looked for from now on. */
  unmet(
    { messageId, senderId }: SdsMessage,
    lamport: number,
    entries: readonly HistoryEntry[],
    outcome: OutcomeDraft,
  ): readonly string[] {
    const { seen, incoming, members } = this.#state;
    // A message is younger than all that it depends on: at the horizon or before it, all of that is older than we are.
    if (lamport <= joinHorizon(this.#state)) return [];
    const unmet = entries.filter((entry) => !seen.has(entry.messageId));
    if (unmet.length === 0) return [];
    const ids = unmet.map((entry) => entry.messageId);
    const circular = incoming.circular(messageId, ids);
    const mayPredateUs = lamport < startLamport(this.#state) && !members.hasSpokenBefore(senderId, lamport);
    const waitsFor: string[] = [];
    for (const entry of unmet) {
      if (circular.has(entry.messageId)) continue;
      waitsFor.push(entry.messageId);
      if (!incoming.has(entry.messageId)) this.#lookFor(entry, lamport, mayPredateUs, outcome);
    }
    return waitsFor;
  }

  /** What is looked for, longest first. */
  missing(): readonly Missing[] {
    const { incoming, config } = this.#state;
    return [...incoming.missingIds()].map((messageId) => {
      const row = incoming.missing(messageId);
      const neededAt = row === undefined ? {} : { neededAt: row.before * config.layout.lamportUnitMs };
      return { messageId, ...neededAt, ...given(row?.hint, row?.senderId) };
    });
  }

  #lookFor(entry: HistoryEntry, namedAt: number, mayPredateUs: boolean, outcome: OutcomeDraft): void {
    const { incoming, clock, limits } = this.#state;
    const { messageId, retrievalHint, senderId } = entry;
    const known = incoming.missing(messageId);
    const hint = retrievalHint && retrievalHint.length <= limits.hintBytes ? toHex(retrievalHint) : undefined;
    const sender = senderId !== undefined && isIdentifier(senderId, limits.identifierBytes) ? senderId : undefined;
    // LIP-109, SDS-R: a request names the original sender, so that is what it takes.
    const requestable = sender !== undefined && known?.senderId === undefined;
    const requestMs = requestable ? clock.ms + this.#requests.firstDelayMs(messageId) : known?.requestMs;
    const row = {
      ...(requestMs === undefined ? {} : { requestMs }),
      giveUpMs: known?.giveUpMs ?? clock.ms + limits.lostAfterMs,
      before: Math.min(known?.before ?? namedAt, namedAt),
      mayPredateUs: mayPredateUs && (known?.mayPredateUs ?? true),
      ...given(known?.hint ?? hint, known?.senderId ?? sender),
    };
    const newHint = known !== undefined && known.hint === undefined && hint !== undefined;
    const sameFacts = known?.mayPredateUs === row.mayPredateUs && known.before === row.before;
    if (known && !newHint && !requestable && sameFacts) return;
    incoming.lookFor(messageId, row);
    if (known && !newHint) return;
    outcome.missing.push({ messageId, ...given(row.hint, row.senderId) });
  }
}

function given(
  hint: string | undefined,
  senderId: string | undefined,
): { readonly hint?: string; readonly senderId?: string } {
  return { ...(hint === undefined ? {} : { hint }), ...(senderId === undefined ? {} : { senderId }) };
}
