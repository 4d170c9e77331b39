import type { GossipSub, GossipSubComponents } from "@chainsafe/libp2p-gossipsub";
import { gossipsub } from "@chainsafe/libp2p-gossipsub";
import { sha256 } from "@noble/hashes/sha2.js";
import type { Clock } from "../../src/common/clock.ts";
import { CODEC } from "./protocols.ts";
import { SeenMessages } from "./seen-messages.ts";

/** Milliseconds for which the same bytes are not relayed a second time. */
const SEEN_MS = 120_000;

/** 11/WAKU2-RELAY: gossipsub without signatures, messages named by the SHA-256 of their bytes. */
export function wakuRelay(clock: Clock): (components: GossipSubComponents) => GossipSub {
  const create = gossipsub({
    globalSignaturePolicy: "StrictNoSign",
    msgIdFn: ({ data }) => sha256(data),
    emitSelf: false,
    fallbackToFloodsub: false,
    ignoreDuplicatePublishError: true,
    allowPublishToZeroTopicPeers: false,
    seenTTL: SEEN_MS,
  });
  return (components) => {
    const service = create(components);
    if (!isGossipSub(service)) throw new Error("the relay needs gossipsub");
    service.multicodecs = [CODEC.relay];
    Reflect.set(service, "seenCache", new SeenMessages(clock, SEEN_MS));
    return service;
  };
}

function isGossipSub(service: object): service is GossipSub {
  return "multicodecs" in service && "seenCache" in service;
}

/** Publishes, and tells to how many peers; 0 where nobody listens or where the bytes were seen already. */
export async function relay(service: GossipSub, pubsubTopic: string, data: Uint8Array): Promise<number> {
  // With nobody to send to, gossipsub throws and keeps the message unseen, so that it can go out later.
  if (service.getSubscribers(pubsubTopic).length === 0) return 0;
  const { recipients } = await service.publish(pubsubTopic, data);
  return recipients.length;
}
