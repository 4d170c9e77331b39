/** When who asks for a missing message and who answers, LIP-109, SDS Repair: pseudorandom, the same for everyone. */

/** A hash of a text as a signed 64-bit integer: FarmHash64 in the reference. */
export type RepairHash = (text: string) => bigint;

/** T_req: milliseconds from noticing that a message is missing to asking for it. */
export function requestDelayMs(
  hash: RepairHash,
  participantId: string,
  messageId: string,
  minMs: number,
  maxMs: number,
): number {
  return Number(magnitude(hash(participantId + messageId)) % BigInt(maxMs - minMs)) + minMs;
}

/** T_resp: milliseconds from hearing a request to answering it; 0 for the original sender. */
export function responseDelayMs(
  hash: RepairHash,
  participantId: string,
  senderId: string,
  messageId: string,
  maxMs: number,
): number {
  const range = BigInt(maxMs);
  const distance = magnitude(hash(participantId) ^ hash(senderId)) % range;
  return Number((distance * (magnitude(hash(messageId)) % range)) % range);
}

/** Whether a participant is among those who answer requests for a message; the original sender always is. */
export function isInResponseGroup(
  hash: RepairHash,
  participantId: string,
  senderId: string,
  messageId: string,
  groups: number,
): boolean {
  if (groups <= 1) return true;
  const groupOf = (id: string) => magnitude(hash(id + messageId)) % BigInt(groups);
  return groupOf(participantId) === groupOf(senderId);
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}
