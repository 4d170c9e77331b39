/** A channel needs its origin's grant for as long as it is open. */
import type { ChannelManagerApi } from "../channel/types.ts";
import type { Permissions } from "./permissions.ts";

/**
 * Closes the open channels whose origin has no grant any more: after one was taken away, and at every start, since
 * a worker may die between the one and the other. A grant that ended with its browser session is no reason: the person
 * took nothing away, and the site finds its messages once it is allowed again.
 */
export async function closeRevokedChannels(manager: ChannelManagerApi, permissions: Permissions): Promise<void> {
  for (const channel of manager.channels()) {
    const { origin } = channel;
    if (permissions.isRevoked(origin)) {
      await manager.closeChannel({ origin, channelId: channel.getChannelId() }, "revoked");
    }
  }
}
