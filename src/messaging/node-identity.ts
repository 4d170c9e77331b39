/**
 * The libp2p identity of the node. A filter node keeps a subscription for a peer id across its reconnects, so a worker
 * that restarts with the same identity is still subscribed; it is renewed daily, so that service nodes cannot follow a
 * person for longer.
 */
import { generateKeyPair, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import { type Bytes, ownBytes } from "../common/bytes.ts";
import { LIMITS } from "../limits.ts";

export interface NodeIdentity {
  /** An Ed25519 private key in libp2p's protobuf form. */
  readonly privateKey: Bytes;
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number;
}

/** The stored identity while it is young enough, else a new one. */
export async function currentIdentity(stored: NodeIdentity | undefined, now: number): Promise<NodeIdentity> {
  if (stored && now - stored.createdAt < LIMITS.messaging.identityMs && now >= stored.createdAt) return stored;
  return { privateKey: ownBytes(privateKeyToProtobuf(await generateKeyPair("Ed25519"))), createdAt: now };
}
