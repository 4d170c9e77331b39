import { LIMITS } from "../limits.ts";
import type { SdsState } from "./state.ts";

type Start = Pick<SdsState, "config" | "meta">;

/** Lamport time before which nothing is ours: the channel's first start, less how far it looks back. */
export function joinHorizon(state: Start): number {
  return lamportBeforeStart(state, state.config.lookBackMs ?? LIMITS.messaging.catchUpNewTopicMs);
}

/** Lamport time of the channel's first start. */
export function startLamport(state: Start): number {
  return lamportBeforeStart(state, 0);
}

function lamportBeforeStart({ config, meta }: Start, beforeMs: number): number {
  return Math.floor(((config.startedAt ?? meta.row.startedAt) - beforeMs) / config.layout.lamportUnitMs);
}
